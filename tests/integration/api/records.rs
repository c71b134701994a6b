use super::with;
use crate::{
    client::Client,
    http::Http,
    server::{Server, Setup, StoreKind},
};
use serde_json::{Value, json};

#[test]
fn what_is_written_is_read_again_and_heard_by_listeners() {
    for kind in StoreKind::ALL {
        let server = Server::start(Setup::new(kind));
        let (mut http, mut listener) = (Http::to(&server), Client::connect(&server));
        listener.must("Task:read", json!(null));

        let made = http.json("POST /api/Task", r#"{"title":"sweep"}"#);
        let record = made.json();
        let id = record["id"].as_str().unwrap();
        assert_eq!(
            (made.status, made.header("location")),
            (201, format!("/api/Task/{}", id.replace('-', "%2D")).as_str())
        );
        assert_eq!(listener.receive()["data"], record);

        let put = http.json("PUT /api/Task/t%2F1", r#"{"title":"cook","n":1}"#);
        assert_eq!((put.status, put.json()), (201, json!({"id": "t/1", "title": "cook", "n": 1, "_rev": 2})));
        let patched = http.json("PATCH /api/Task/t%2F1", r#"{"n":2,"x":null}"#);
        assert_eq!(patched.json(), json!({"id": "t/1", "title": "cook", "n": 2, "x": null, "_rev": 3}));
        let replaced = http.json("PUT /api/Task/t%2F1", r#"{"id":"t/1","m":1}"#);
        assert_eq!((replaced.status, replaced.json()), (200, json!({"id": "t/1", "m": 1, "_rev": 4})));
        for revision in 2..=4 {
            assert_eq!(listener.receive()["data"]["_rev"], revision);
        }
        let read = http.get("/api/Task/t%2F1");
        assert_eq!((read.json(), read.header("etag")), (replaced.json(), "\"4\""));
        assert_eq!(read.header("backsync-position"), replaced.header("backsync-position"));
        assert_eq!(http.ask("HEAD /api/Task/t%2F1", &[], "").header("etag"), "\"4\"");

        assert_eq!(http.ask("DELETE /api/Task/t%2F1", &[], "").status, 204);
        assert_eq!(listener.receive()["event"], "Task:delete");
        assert_eq!(http.get("/api/Task/t%2F1").status, 404);
        assert_eq!(http.ask("DELETE /api/Task/t%2F1", &[], "").status, 204, "to delete what is not there succeeds");
        assert_eq!(http.get("/api/Task").json(), json!([record]));
    }
}

#[test]
fn an_array_is_one_batch() {
    let (_server, mut http) = with("Task", r#"[{"id":"a","n":1},{"id":"b","n":2}]"#);
    let wrong = http.json("POST /api/Task", r#"[{"id":"c"},7]"#);
    assert_eq!((wrong.status, &wrong.json()["element"]), (400, &json!(1)));
    assert_eq!(http.get("/api/Task").json().as_array().unwrap().len(), 2);
    let written = http.json("POST /api/Task?replace", r#"[{"id":"b"},{"id":"c"}]"#).json();
    assert_eq!(written, json!([{"id": "b", "_rev": 3}, {"id": "c", "_rev": 4}]));
}

#[test]
fn a_query_chooses_and_pages_go_on_behind_each_other() {
    let (_server, mut http) = with("Task", r#"[{"id":"a","n":3},{"id":"b","n":1},{"id":"c","n":2},{"id":"d"}]"#);
    let ids =
        |value: Value| -> String { value.as_array().unwrap().iter().map(|r| r["id"].as_str().unwrap()).collect() };
    let mut of = |query: &str| ids(http.get(&format!("/api/Task?{query}")).json());
    assert_eq!(of("where=%7B%22n%22%3A%7B%22%24gt%22%3A1%7D%7D&sort=-n"), "ac");
    assert_eq!(of("sort=n,id&skip=1&limit=2"), "bc");
    assert_eq!(of("sort=%5B%22-n%22%5D"), "acbd");
    assert_eq!(of("ids=d,x,a"), "da");
    let (mut path, mut pages) = ("/api/Task?limit=1&sort=-n".to_owned(), String::new());
    loop {
        let page = http.get(&path);
        pages.push_str(&ids(page.json()));
        let Some(link) = page.headers.get("link") else { break };
        path = link.strip_prefix('<').unwrap().split_once('>').unwrap().0.to_owned();
        assert!(link.ends_with("; rel=\"next\""), "{link}");
        if pages == "a" {
            http.ask("DELETE /api/Task/a", &[], "");
        }
    }
    assert_eq!(pages, "acbd");
    // What cannot be paged through is no page that looks like the last.
    let long = "x".repeat(2000);
    http.json("POST /api/Long", &format!(r#"[{{"id":"a","s":"{long}"}},{{"id":"b","s":"{long}"}}]"#));
    let refused = http.get("/api/Long?sort=s&limit=1");
    assert_eq!((refused.status, &refused.json()["code"]), (422, &json!("limit_exceeded")));
}

#[test]
fn since_a_position_there_are_changes_only() {
    let (_server, mut http) = with("Task", r#"[{"id":"a"},{"id":"b"}]"#);
    let position = http.get("/api/Task").header("backsync-position").to_owned();
    http.ask("DELETE /api/Task/a", &[], "");
    http.json("PATCH /api/Task/b", r#"{"n":1}"#);
    let now = http.get(&format!("/api/Task?since={position}"));
    let expected = json!({
        "data": [{"id": "b", "n": 1, "_rev": 4}], "deleted": ["a"], "position": now.header("backsync-position"),
    });
    assert_eq!(now.json(), expected);
    assert_eq!(http.get("/api/Task?since=start").json()["reset"], true);
}

#[test]
fn what_is_known_is_not_sent_again() {
    let (_server, mut http) = with("Task", r#"[{"id":"a"}]"#);
    for path in ["/api/Task", "/api/Task/a"] {
        let tag = http.get(path).header("etag").to_owned();
        let mut again = || http.ask(&format!("GET {path}"), &[("if-none-match", &tag)], "");
        assert_eq!((again().status, again().header("etag")), (304, tag.as_str()));
        http.json("PATCH /api/Task/a", &format!(r#"{{"{}":1}}"#, path.len()));
        assert_eq!(http.ask(&format!("GET {path}"), &[("if-none-match", &tag)], "").status, 200);
    }
}

#[test]
fn a_condition_that_does_not_hold_is_412_and_has_the_record() {
    let server = Server::start(Setup::memory().set("models.Firm.policy", "server-wins"));
    let mut http = Http::to(&server);
    http.json("POST /api/Task", r#"[{"id":"a","n":1}]"#);
    http.json("POST /api/Firm", r#"[{"id":"f","n":1},{"id":"f","n":2}]"#);
    let json = ("content-type", "application/json");
    let mut under = |head: &str, condition: (&str, &str)| http.ask(head, &[json, condition], r#"{"n":2}"#);
    let refused = under("PUT /api/Task/a", ("if-match", "\"7\""));
    assert_eq!((refused.status, &refused.json()["record"]), (412, &json!({"id": "a", "n": 1, "_rev": 1})));
    assert_eq!(under("PATCH /api/Task/a", ("if-match", "\"1\"")).header("etag"), "\"2\"");
    assert_eq!(under("PUT /api/Task/a", ("if-none-match", "*")).status, 412);
    assert_eq!(under("PUT /api/Task/new", ("if-match", "*")).status, 412);
    assert_eq!(under("PUT /api/Task/new", ("if-none-match", "*")).status, 201);
    assert_eq!(under("PUT /api/Task/a", ("if-match", "*")).status, 200);
    let mut delete = |tag: &str| http.ask("DELETE /api/Task/a", &[("if-match", tag)], "").status;
    assert_eq!((delete("\"1\""), delete("\"2\"")), (412, 204));
    // A policy may be chosen: what only one side changed is kept.
    http.json("PUT /api/Task/m", r#"{"a":1,"b":1}"#);
    let base = http.get("/api/Task/m").header("etag").to_owned();
    http.json("PATCH /api/Task/m", r#"{"a":2}"#);
    let merged = http.ask("PATCH /api/Task/m?policy=merge", &[json, ("if-match", &base)], r#"{"b":2}"#);
    assert_eq!((&merged.json()["a"], &merged.json()["b"]), (&json!(2), &json!(2)));
    // What it is made from may be said without a condition: the model's policy decides.
    let mut delete = |path: &str| http.ask(&format!("DELETE {path}"), &[], "");
    let stale = delete("/api/Firm/f?base=1");
    assert_eq!((stale.status, &stale.json()["code"]), (409, &json!("conflict")));
    assert_eq!((delete("/api/Firm/f?base=2").status, delete("/api/Task/m?base=x").status), (204, 400));
    // In the record it is a conflict, as on the wire.
    let conflict = http.json("PATCH /api/Task/m?policy=server-wins", r#"{"b":3,"_rev":1}"#);
    assert_eq!((conflict.status, &conflict.json()["code"]), (409, &json!("conflict")));
}

#[test]
fn under_an_idempotency_key_a_write_is_done_once() {
    for kind in StoreKind::ALL {
        let server = Server::start(Setup::new(kind));
        let mut http = Http::to(&server);
        let mut write = |key: &str, body: &str| {
            http.ask("POST /api/Task", &[("content-type", "application/json"), ("idempotency-key", key)], body)
        };
        let first = write("\"k1\"", r#"{"title":"once"}"#);
        let again = write("k1", r#"{"title":"once"}"#);
        assert_eq!((first.status, again.status), (201, 200));
        assert_eq!(first.json(), again.json());
        let other = write("k1", r#"{"title":"twice"}"#);
        assert_eq!((other.status, &other.json()["code"]), (422, &json!("transaction_reused")));
        assert_eq!(write("k2", r#"{"title":"once"}"#).status, 201);
        assert_eq!(http.get("/api/Task").json().as_array().unwrap().len(), 2);
    }
}

#[test]
fn who_prefers_so_is_told_no_more_than_which_records_were_written() {
    let server = Server::start(Setup::memory());
    let mut http = Http::to(&server);
    let mut write = |line: &str, body: &str| {
        http.ask(line, &[("content-type", "application/json"), ("prefer", "return=minimal")], body)
    };
    let made = write("POST /api/Task", r#"{"id":"a","title":"sweep"}"#);
    assert_eq!((made.status, made.json()), (201, json!({"id": "a", "_rev": 1})));
    assert_eq!((made.header("etag"), made.header("location")), ("\"1\"", "/api/Task/a"));
    let batch = write("POST /api/Task", r#"[{"id":"b"},{"id":"a","done":true}]"#);
    assert_eq!(batch.json(), json!([{"id": "b", "_rev": 2}, {"id": "a", "_rev": 3}]));
    assert_eq!(write("PUT /api/Task/a", r#"{"title":"mop"}"#).json(), json!({"id": "a", "_rev": 4}));
    assert_eq!(write("PATCH /api/Task/a", r#"{"done":true}"#).json(), json!({"id": "a", "_rev": 5}));
    assert_eq!(http.get("/api/Task/a").json(), json!({"id": "a", "title": "mop", "done": true, "_rev": 5}));
}

#[test]
fn presence_over_http_belongs_to_a_named_client() {
    let server = Server::start(Setup::memory().set("models.User.ephemeral", true).set("presence.linger_s", 1));
    let (mut http, mut listener) = (Http::to(&server), Client::connect(&server));
    listener.must("User:read", json!(null));
    assert_eq!(http.json("PUT /api/User/u1?client=me", "{}").status, 201);
    assert_eq!(http.json("PATCH /api/User/u1?client=other", r#"{"x":1}"#).status, 403);
    assert_eq!(listener.receive()["event"], "User:upsert");
    assert_eq!(listener.receive()["event"], "User:delete", "when nobody came back");
}

#[test]
fn references_are_filled_in_and_the_tag_is_of_them_too() {
    let server = Server::start(Setup::memory().set("models.User.references", "['spouse=User']"));
    let mut http = Http::to(&server);
    http.json("POST /api/User", r#"[{"id":"a","spouse":"b"},{"id":"b"}]"#);
    let read = http.get("/api/User/a?populate=spouse");
    assert_eq!(read.json()["spouse"], json!({"id": "b", "_rev": 2}));
    let tag = read.header("etag").to_owned();
    http.json("PATCH /api/User/b", r#"{"n":1}"#);
    let again = http.ask("GET /api/User/a?populate=spouse", &[("if-none-match", &tag)], "");
    assert_eq!((again.status, &again.json()["spouse"]["n"]), (200, &json!(1)));
    assert_eq!(http.get("/api/User?populate=spouse").json()[0]["spouse"]["id"], "b");
}

#[test]
fn what_is_long_comes_compressed_for_those_who_take_it_so() {
    let (_server, mut http) = with("Task", &format!(r#"[{{"id":"a","text":"{}"}}]"#, "long ".repeat(10_000)));
    let plain = http.get("/api/Task");
    let mut packed = Http::to(&_server);
    let answer = packed.begin("GET /api/Task", &[("accept-encoding", "gzip")]);
    assert_eq!(answer.header("content-encoding"), "gzip");
    assert!(plain.body.len() > 50_000);
}
