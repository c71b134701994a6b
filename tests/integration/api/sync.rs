use super::with;
use crate::{
    client::Client,
    http::Http,
    server::{Server, Setup},
};
use serde_json::{Value, json};

/// What became of the model since a time, and the time to ask from next.
#[track_caller]
fn look(http: &mut Http, since: u64) -> (u64, Vec<Value>) {
    let answer = http.get(&format!("/sync/Task?since={since}"));
    assert_eq!(answer.status, 200, "{answer:?}");
    let answer = answer.json();
    (answer["now"].as_u64().unwrap(), serde_json::from_value(answer["updates"].clone()).unwrap())
}

#[track_caller]
fn post(http: &mut Http, body: Value) -> u64 {
    let answer = http.json("POST /sync/Task", &body.to_string());
    assert_eq!(answer.status, 200, "{answer:?}");
    let answer = answer.json();
    assert_eq!(answer["status"], "ok");
    answer["now"].as_u64().unwrap()
}

#[test]
fn what_is_written_at_any_door_is_told_once_with_its_time() {
    let (server, mut http) = with("Task", r#"[{"id":"a","n":1},{"id":"b","n":12345678901234567890.50}]"#);
    let answer = http.get("/sync/Task");
    let (first, _) = look(&mut http, 0);
    let told = format!(
        r#"{{"now":{first},"updates":[{{"id":"a","n":1,"_lastChange":{first}}},{{"id":"b","n":12345678901234567890.50,"_lastChange":{first}}}]}}"#
    );
    assert_eq!(answer.body, told);
    assert_eq!((answer.header("content-type"), answer.header("cache-control")), ("application/json", "no-store"));
    assert_eq!(look(&mut http, first), (first, vec![]), "nothing happened");
    let mut client = Client::connect(&server);
    client.must("Task:upsert", json!({"id": "a", "n": 2}));
    client.must("Task:delete", json!({"id": "b"}));
    let (second, told) = look(&mut http, first);
    assert!(second > first);
    assert_eq!(told, [json!({"id": "a", "n": 2, "_lastChange": second}), json!({"id": "b", "_removed": true})]);
    assert_eq!(look(&mut http, second), (second, vec![]));
    assert_eq!(look(&mut http, 0), (second, vec![json!({"id": "a", "n": 2, "_lastChange": second})]));
}

#[test]
fn what_is_posted_is_one_step_with_a_time_of_its_own_and_is_heard() {
    let (server, mut http) = with("Task", r#"[{"id":"a","n":1},{"id":"b"}]"#);
    let (first, _) = look(&mut http, 0);
    let mut listener = Client::connect(&server);
    listener.must("Task:subscribe", json!(null));
    Client::connect(&server).must("Task:upsert", json!({"id": "other"}));
    listener.receive();
    let posted = post(&mut http, json!([{"id": "a", "m": 2}, {"id": "b", "_removed": true}, {"n": 3}]));
    let heard = [listener.receive(), listener.receive(), listener.receive()];
    assert_eq!(heard[0]["data"], json!({"id": "a", "n": 1, "m": 2, "_rev": 4}));
    assert_eq!((&heard[1]["event"], &heard[1]["data"]["id"]), (&json!("Task:delete"), &json!("b")));
    let made = &heard[2]["data"]["id"];
    let (second, told) = look(&mut http, first);
    let expected = [
        json!({"id": "a", "n": 1, "m": 2, "_lastChange": posted}),
        json!({"id": "other", "_lastChange": second}),
        json!({"id": made, "n": 3, "_lastChange": posted}),
        json!({"id": "b", "_removed": true}),
    ];
    assert_eq!(told, expected);
    assert!(first < posted && posted < second);
    // What changes nothing has no time, and leaves that of what it did not change.
    for nothing in [json!([]), json!([{"id": "a", "m": 2}]), json!([{"id": "b", "_removed": true}])] {
        assert!(post(&mut http, nothing) > second);
    }
    assert_eq!(look(&mut http, second).1, [Value::Null; 0]);
    let wrong = http.json("POST /sync/Task", r#"[{"id":"x"},{"id":"a","_removed":true},{"id":{}}]"#);
    assert_eq!((wrong.status, &wrong.json()["element"]), (400, &json!(2)));
    assert_eq!(look(&mut http, second).1, [Value::Null; 0], "all or none");
}

#[test]
fn a_large_answer_comes_in_pieces_and_whole() {
    let records: Vec<Value> = (0..5000).map(|n| json!({"id": n.to_string(), "text": "x".repeat(100)})).collect();
    let (_server, mut http) = with("Task", &Value::from(records.clone()).to_string());
    let head = http.begin("GET /sync/Task", &[]);
    assert_eq!((head.status, head.header("transfer-encoding")), (200, "chunked"));
    let pieces: Vec<String> = std::iter::from_fn(|| http.chunk()).collect();
    assert!(pieces.len() > 3 && pieces.iter().all(|piece| piece.len() < 100_000));
    let answer: Value = serde_json::from_str(&pieces.concat()).unwrap();
    let told = answer["updates"].as_array().unwrap();
    assert!(
        told.iter().zip(&records).all(|(told, record)| told["id"] == record["id"] && told["text"] == record["text"])
    );
    assert_eq!(told.len(), 5000);
}

#[test]
fn who_asks_from_a_time_that_is_not_known_is_told_to_begin_anew() {
    let (server, mut http) = with("Task", r#"[{"id":"a"}]"#);
    let (now, _) = look(&mut http, 0);
    for since in [1, now - 1, now + 1_000_000] {
        let answer = http.get(&format!("/sync/Task?since={since}"));
        assert_eq!((answer.status, answer.header("content-type")), (410, "application/problem+json"));
        assert!(answer.json()["detail"].as_str().unwrap().contains("since=0"), "{answer:?}");
    }
    for wrong in ["since=x", "since=-1", "since=1.5", "since=", "sinze=1"] {
        assert_eq!(http.get(&format!("/sync/Task?{wrong}")).status, 400, "{wrong}");
    }
    for (wrong, status) in [("{}", 400), ("[", 400), ("[7]", 400), (r#"[],"event":"Task:delete""#, 400)] {
        assert_eq!(Http::to(&server).json("POST /sync/Task", wrong).status, status, "{wrong}");
    }
    assert_eq!(http.get("/sync/a%20b").status, 400);
    assert_eq!(http.get("/sync/$feed:Task").status, 400);
    // Where a body is not looked at, the connection ends.
    assert_eq!(Http::to(&server).json("PUT /sync/Task", "[]").status, 405);
    assert_eq!(Http::to(&server).ask("POST /sync/Task", &[("content-type", "text/plain")], "[]").status, 415);
    let foreign = Http::to(&server).ask("GET /sync/Task", &[("origin", "https://other.example")], "");
    assert_eq!(foreign.status, 403);
}

#[test]
fn times_hold_over_kills_of_the_server() {
    let mut server = Server::start(Setup::sqlite().on_a_lasting_port());
    let mut since = 0;
    for round in 0..3 {
        let mut http = Http::to(&server);
        let record = json!({"id": format!("r{round}")});
        let posted = post(&mut http, json!([record]));
        let (now, told) = look(&mut http, since);
        assert_eq!(told, [json!({"id": format!("r{round}"), "_lastChange": posted})]);
        since = now;
        server.kill();
        server.restart();
    }
}
