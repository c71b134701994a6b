use super::with;
use crate::{
    client::Client,
    http::Http,
    server::{Server, Setup},
};
use serde_json::{Value, json};

/// Events as they come.
struct Events {
    http: Http,
    text: String,
    /// What a browser would say when it comes back.
    last: String,
}

impl Events {
    fn open(server: &Server, path: &str, headers: &[(&str, &str)]) -> Self {
        let mut http = Http::to(server);
        let answer = http.begin(&format!("GET {path}"), headers);
        assert_eq!((answer.status, answer.header("content-type")), (200, "text/event-stream"));
        Self { http, text: String::new(), last: String::new() }
    }

    /// The next one that has data; none when it is over.
    fn next(&mut self) -> Option<Value> {
        loop {
            while let Some((event, rest)) = self.text.split_once("\n\n") {
                let (mut data, event) = (None, event.to_owned());
                self.text = rest.to_owned();
                for line in event.lines() {
                    match line.split_once(": ") {
                        Some(("id", id)) => self.last = id.to_owned(),
                        Some(("data", text)) => data = Some(serde_json::from_str(text).unwrap()),
                        Some(("retry", _)) => {}
                        _ => assert!(line.starts_with(':'), "{line}"),
                    }
                }
                if data.is_some() {
                    return data;
                }
            }
            self.text.push_str(&self.http.chunk()?);
        }
    }
}

#[test]
fn changes_come_as_they_happen_whoever_makes_them() {
    let (server, mut http) = with("Task", r#"[{"id":"a"}]"#);
    let mut events = Events::open(&server, "/api/Task/events", &[]);
    http.json("PATCH /api/Task/a", r#"{"n":1}"#);
    let first = events.next().unwrap();
    assert_eq!((&first["event"], &first["data"]), (&json!("Task:upsert"), &json!({"id": "a", "n": 1, "_rev": 2})));
    assert_eq!(first["position"], events.last);
    let mut client = Client::connect(&server);
    client.must("Task:delete", json!({"id": "a"}));
    assert_eq!(events.next().unwrap()["event"], "Task:delete");
}

#[test]
fn who_comes_back_is_told_what_was_missed() {
    let (server, mut http) = with("Task", r#"[{"id":"a"},{"id":"b"}]"#);
    let mut events = Events::open(&server, "/api/Task/events", &[]);
    http.json("PATCH /api/Task/a", r#"{"n":1}"#);
    events.next().unwrap();
    let last = events.last.clone();
    drop(events);
    http.ask("DELETE /api/Task/a", &[], "");
    http.json("PATCH /api/Task/b", r#"{"n":2}"#);
    let mut events = Events::open(&server, "/api/Task/events", &[("last-event-id", &last)]);
    assert_eq!(events.next().unwrap(), json!({"event": "Task:delete", "data": {"id": "a"}}));
    assert_eq!(events.next().unwrap(), json!({"event": "Task:upsert", "data": {"id": "b", "n": 2, "_rev": 5}}));
    http.json("PUT /api/Task/c", "{}");
    assert_eq!(events.next().unwrap()["data"]["id"], "c");
    // Also who saw nothing yet knows where it began.
    let mut quiet = Events::open(&server, "/api/Task/events", &[]);
    http.json("PUT /api/Task/d", "{}");
    quiet.next().unwrap();
    assert!(!quiet.last.is_empty());
    // A position that leads nowhere gives everything.
    let mut all = Events::open(&server, "/api/Task/events?since=start", &[]);
    let reset = all.next().unwrap();
    assert_eq!((&reset["event"], reset["data"].as_array().unwrap().len()), (&json!("Task:reset"), 3));
}

#[test]
fn a_filter_tells_of_what_enters_and_leaves() {
    let (server, mut http) = with("Task", r#"[{"id":"a","done":false}]"#);
    let path = "/api/Task/events?where=%7B%22done%22%3Afalse%7D";
    let mut events = Events::open(&server, path, &[]);
    http.json("PATCH /api/Task/a", r#"{"done":true}"#);
    http.json("PUT /api/Task/b", r#"{"done":true}"#);
    http.json("PUT /api/Task/c", r#"{"done":false}"#);
    let left = events.next().unwrap();
    assert_eq!((&left["event"], &left["left"]), (&json!("Task:delete"), &json!(true)));
    assert_eq!(events.next().unwrap()["data"]["id"], "c");
}

#[test]
fn a_quiet_stream_shows_that_it_lives_and_ends_with_the_server() {
    let mut server = Server::start(Setup::memory().set("heartbeat.interval_s", 1).set("heartbeat.timeout_s", 3));
    let mut http = Http::to(&server);
    http.begin("GET /api/Task/events", &[]);
    let mut text = String::new();
    while !text.contains(":\n\n") {
        text.push_str(&http.chunk().unwrap());
    }
    server.ask_to_stop();
    while let Some(chunk) = http.chunk() {
        text.push_str(&chunk);
    }
    assert!(text.contains("$session:close"), "{text}");
    assert!(server.ended().success());
}

#[test]
fn what_is_wrong_with_it_is_said_before_it_begins() {
    let server = Server::memory();
    for (path, status, code) in [
        ("/api/Task/events?where=7", 400, "invalid_filter"),
        ("/api/Task/events?limit=7", 400, "unknown_member"),
        ("/api/no%20model/events", 400, "invalid_model"),
    ] {
        let answer = Http::to(&server).get(path);
        assert_eq!((answer.status, &answer.json()["code"]), (status, &json!(code)), "{path}");
    }
    assert_eq!(Http::to(&server).json("POST /api/Task/events", "{}").status, 405);
}
