use super::with;
use crate::{
    http::Http,
    server::{Server, Setup},
};
use serde_json::json;

const JSON: (&str, &str) = ("content-type", "application/json");

/// Method and path, headers, body; status and code.
type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a [u8], u16, &'a str);

#[test]
fn each_mistake_has_its_status_and_says_what_would_be_right() {
    let (server, _) = with("Task", r#"[{"id":"a"}]"#);
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    let deep = format!("{{\"x\":{deep}}}");
    let no_utf8 = b"{\"id\":\"\xc3\x28\"}".as_slice();
    let cases: [Case<'_>; 28] = [
        ("GET /api", &[], b"", 404, "not_found"),
        ("GET /api/Task/a/b/c", &[], b"", 404, "not_found"),
        ("GET /api/Task/a/b/c/d", &[], b"", 404, "not_found"),
        ("GET /api/Task/none", &[], b"", 404, "not_found"),
        ("GET /api/a%20b", &[], b"", 400, "invalid_model"),
        ("GET /api/Task/%FF", &[], b"", 400, "invalid_data"),
        ("GET /api/Task?limit=x", &[], b"", 400, "invalid_data"),
        ("GET /api/Task?limit=1&limit=2", &[], b"", 400, "unknown_member"),
        ("GET /api/Task?filter=1", &[], b"", 400, "unknown_member"),
        ("GET /api/Task?where=%7B", &[], b"", 400, "invalid_filter"),
        ("GET /api/Task?where=%7B%22%24x%22%3A1%7D", &[], b"", 400, "invalid_filter"),
        ("GET /api/Task?populate=x", &[], b"", 400, "invalid_data"),
        ("GET /api/Task?after=x", &[], b"", 400, "invalid_data"),
        ("DELETE /api/Task", &[], b"", 405, "unknown_method"),
        ("POST /api/Task/a", &[JSON], b"{}", 405, "unknown_method"),
        ("POST /api/Task", &[], b"", 400, "invalid_message"),
        ("POST /api/Task", &[JSON], b"{\"id\":1}{\"id\":2}", 400, "invalid_message"),
        ("POST /api/Task", &[JSON], b"{},\"event\":\"X:delete\"", 400, "invalid_message"),
        ("POST /api/Task", &[JSON], b"7", 400, "invalid_data"),
        ("POST /api/Task", &[JSON], no_utf8, 400, "invalid_message"),
        ("POST /api/Task", &[JSON], deep.as_bytes(), 400, "too_deep"),
        ("POST /api/Task", &[("content-type", "text/plain")], b"{}", 415, "invalid_data"),
        ("POST /api/Task", &[JSON, ("content-encoding", "br")], b"{}", 415, "invalid_data"),
        ("POST /api/Task", &[JSON, ("idempotency-key", "a b")], b"{}", 400, "invalid_data"),
        ("PUT /api/Task/a", &[JSON], b"{\"id\":\"b\"}", 400, "invalid_data"),
        ("PUT /api/Task/a", &[JSON, ("if-match", "x")], b"{}", 400, "invalid_data"),
        ("PATCH /api/Task/a", &[("content-type", "application/merge-patch+json")], b"{}", 415, "invalid_data"),
        ("GET /api/Task", &[("authorization", "Basic eDp5")], b"", 401, "forbidden"),
    ];
    for (head, headers, body, status, code) in cases {
        let answer = Http::to(&server).ask(head, headers, body);
        let problem = answer.json();
        let got = (answer.status, answer.header("content-type"), &problem["code"], &problem["status"]);
        assert_eq!(got, (status, "application/problem+json", &json!(code), &json!(status)), "{head} {headers:?}");
        assert!(!problem["detail"].as_str().unwrap().is_empty() && !problem["title"].as_str().unwrap().is_empty());
    }
    assert_eq!(Http::to(&server).get("/api/Task").json(), json!([{"id": "a", "_rev": 1}]), "nothing was done");
}

#[test]
fn what_is_too_large_is_413_and_read_no_further() {
    let server = Server::start(Setup::memory().set("limits.message_bytes", 1024).set("limits.batch_records", 3));
    let large = format!("{{\"x\":\"{}\"}}", "x".repeat(1500));
    let post = |body: &str| Http::to(&server).ask("POST /api/Task", &[JSON], body);
    assert_eq!(post(&large).status, 413);
    assert_eq!(post(&format!("[{large},{large}]")).status, 200, "several may be larger");
    assert_eq!(post(&format!("[{}]", [large.as_str(); 9].join(","))).status, 413);
    let many = post("[{},{},{},{}]");
    assert_eq!((many.status, &many.json()["code"]), (422, &json!("limit_exceeded")));
    let mut http = Http::to(&server);
    http.begin_chunked("POST /api/Task", &[JSON]);
    for _ in 0..9 {
        http.piece(&" ".repeat(1024));
    }
    assert_eq!(http.head().status, 413, "also where its length is not told");
}

#[test]
fn numbers_keep_every_digit_and_the_last_of_a_name_counts() {
    let server = Server::memory();
    let mut http = Http::to(&server);
    let text = r#"{"id":"n","big":9007199254740993,"exact":1.000000000000000000001,"e":1E400,"twice":1,"twice":2}"#;
    http.json("PUT /api/Number/n", text);
    let read = http.get("/api/Number/n").body;
    assert_eq!(
        read,
        r#"{"id":"n","big":9007199254740993,"exact":1.000000000000000000001,"e":1E400,"twice":2,"_rev":1}"#
    );
}

#[test]
fn pages_of_other_origins_come_in_only_as_configured() {
    let server = Server::start(Setup::memory().set("server.allowed_origins", "['https://app.example']"));
    let ask = |head: &str, headers: &[(&str, &str)]| Http::to(&server).ask(head, headers, "");
    let foreign = ask("GET /api/Task", &[("origin", "https://other.example")]);
    assert_eq!((foreign.status, &foreign.json()["code"]), (403, &json!("forbidden")));
    assert!(!foreign.headers.contains_key("access-control-allow-origin"));
    let own = ask("GET /api/Task", &[("origin", "https://app.example")]);
    assert_eq!((own.status, own.header("access-control-allow-origin")), (200, "https://app.example"));
    assert!(own.header("access-control-expose-headers").contains("ETag"));
    let asked = [("origin", "https://app.example"), ("access-control-request-headers", "if-match")];
    let preflight = ask("OPTIONS /api/Task/a", &asked);
    assert_eq!((preflight.status, preflight.header("access-control-allow-headers")), (204, "if-match"));
    assert!(preflight.header("access-control-allow-methods").contains("PATCH"));
    assert_eq!(ask("GET /api/Task/events", &[("origin", "https://other.example")]).status, 403);
}

#[test]
fn a_body_that_breaks_off_does_nothing() {
    let server = Server::memory();
    let mut broken = Http::to(&server);
    broken.begin_chunked("POST /api/Task", &[JSON]);
    broken.piece(r#"{"id":"half""#);
    drop(broken);
    assert_eq!(Http::to(&server).get("/api/Task").json(), json!([]));
}
