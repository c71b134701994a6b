use crate::{
    http::Http,
    server::{Server, Setup, StoreKind},
};
use serde_json::{Value, json};

const LINES: (&str, &str) = ("content-type", "application/x-ndjson");

fn results(body: &str) -> Vec<Value> {
    body.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn each_line_has_its_result_in_their_order() {
    for kind in StoreKind::ALL {
        let server = Server::start(Setup::new(kind));
        let mut http = Http::to(&server);
        let body =
            "{\"id\":\"a\"}\r\n\n{broken\n[1]\n {\"id\":\"a\",\"n\":123456789012345678901234567890} \n{\"id\":\"b\"}";
        let answer = http.ask("POST /api/Task", &[LINES], body);
        assert_eq!((answer.status, answer.header("content-type")), (200, "application/x-ndjson"));
        let results = results(&answer.body);
        assert_eq!(results[0], json!({"line": 1, "id": "a", "_rev": 1}));
        assert_eq!((&results[1]["line"], &results[1]["error"]["code"]), (&json!(3), &json!("invalid_message")));
        assert_eq!((&results[2]["line"], &results[2]["error"]["code"]), (&json!(4), &json!("invalid_data")));
        assert_eq!(results[3], json!({"line": 5, "id": "a", "_rev": 2}));
        assert_eq!(results[4], json!({"line": 6, "id": "b", "_rev": 3}));
        assert_eq!(results.len(), 5);
        let stored = Http::to(&server).get("/api/Task/a");
        assert!(stored.body.contains("123456789012345678901234567890"), "{}", stored.body);
    }
}

#[test]
fn a_line_is_done_and_answered_before_the_next_one_comes() {
    let server = Server::memory();
    let (mut http, mut other) = (Http::to(&server), Http::to(&server));
    http.begin_chunked("POST /api/Task", &[LINES]);
    for n in 0..3 {
        http.piece(&format!("{{\"id\":\"{n}\"}}\n{{\"id\":"));
        if n == 0 {
            assert_eq!(http.head().status, 200);
        }
        let expected = 2 * n + 1;
        let result: Value = serde_json::from_str(&http.chunk().unwrap()).unwrap();
        assert_eq!((&result["line"], &result["id"]), (&json!(expected), &json!(n.to_string())));
        assert_eq!(other.get(&format!("/api/Task/{n}")).status, 200);
        http.piece("\"x\"}\n");
        assert_eq!(results(&http.chunk().unwrap())[0]["line"], expected + 1);
    }
    http.piece("");
    assert_eq!(http.chunk(), None);
}

#[test]
fn very_many_are_all_there_in_their_order() {
    for kind in StoreKind::ALL {
        let server = Server::start(Setup::new(kind).set("limits.in_flight", 16));
        let body: String = (0..20_000).map(|n| format!("{{\"id\":\"r{n}\",\"n\":{n}}}\n")).collect();
        let answer = Http::to(&server).ask("POST /api/Many", &[LINES], &body);
        let results = results(&answer.body);
        assert_eq!(results.len(), 20_000);
        let is_next = |(at, result): (usize, &Value)| result["line"] == at + 1 && result["id"] == format!("r{at}");
        assert!(results.iter().enumerate().all(is_next));
        let stored = Http::to(&server).get("/api/Many?sort=-n&limit=1").json();
        assert_eq!(stored[0]["_rev"], 20_000);
    }
}

#[test]
fn atomic_lines_are_all_done_or_none() {
    let server = Server::memory();
    let post = |path: &str, body: &str| Http::to(&server).ask(&format!("POST {path}"), &[LINES], body);
    let refused = post("/api/Task?atomic=true", "{\"id\":\"a\"}\n\n7\n");
    assert_eq!((refused.status, &refused.json()["element"]), (400, &json!(1)));
    let done = post("/api/Task?atomic=true", "{\"id\":\"a\"}\n\n{\"id\":\"b\"}\n");
    assert_eq!(done.json(), json!([{"id": "a", "_rev": 1}, {"id": "b", "_rev": 2}]));
}

#[test]
fn what_breaks_off_says_so_and_keeps_what_came_before() {
    let server = Server::start(Setup::memory().set("limits.message_bytes", 1024));
    let post = |body: &[u8], headers: &[(&str, &str)]| {
        let headers: Vec<_> = [LINES].iter().chain(headers).copied().collect();
        results(&Http::to(&server).ask("POST /api/Task", &headers, body).body)
    };
    let long = format!("{{\"id\":\"a\"}}\n{{\"id\":\"b\",\"x\":\"{}\"}}\n{{\"id\":\"c\"}}\n", "x".repeat(2000));
    let got = post(long.as_bytes(), &[]);
    assert_eq!(got[0]["id"], "a");
    assert_eq!((&got[1]["line"], &got[1]["error"]["code"]), (&json!(2), &json!("limit_exceeded")));
    // Compressed, it goes on to where it is damaged.
    let got = post(b"\x1f\x8b\x08\x00 no gzip at all, this is", &[("content-encoding", "gzip")]);
    assert_eq!((got.len(), &got[0]["error"]["code"]), (1, &json!("invalid_message")));
    let not_text = post(b"{\"id\":\"\xff\"}\n{\"id\":\"d\"}", &[]);
    assert_eq!((&not_text[0]["error"]["code"], &not_text[1]["id"]), (&json!("invalid_message"), &json!("d")));
}
