//! What a stranger may make grow is bounded, with an answer that says so; and a full store still reads and deletes.

use crate::{
    client::{Client, revision},
    server::{Server, Setup, StoreKind},
};
use serde_json::{Value, json};

#[test]
fn a_full_store_reads_and_deletes_and_has_room_again_afterwards() {
    let server = Server::start(Setup::sqlite().set("store.max_bytes", 1 << 20));
    let mut listener = Client::connect(&server);
    listener.must("Kept:subscribe", json!(null));
    let mut client = Client::connect(&server);
    let text = "y".repeat(8000);
    let mut stored: Vec<String> = Vec::new();
    let refusal = loop {
        let id = format!("r{}", stored.len());
        let reply = client.ask("Kept:upsert", json!({"id": id, "text": text}));
        match reply.get("error") {
            None => stored.push(id),
            Some(error) => break error.clone(),
        }
        assert!(stored.len() < 1000, "a store of 1 MiB holds 8 MB");
    };
    assert_eq!((&refusal["code"], &refusal["retry"]), (&json!("store_full"), &json!(true)));
    let message = refusal["message"].as_str().unwrap();
    assert!(message.contains("nothing was changed") && message.contains("deletions still work"), "{message}");
    // Nothing of what was refused is there, and all that was acknowledged is.
    let ids = |records: Value| -> Vec<String> {
        records.as_array().unwrap().iter().map(|record| record["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(client.must("Kept:read", json!({"ids": stored}))), stored);
    assert_eq!(client.fails("Other:upsert", json!({"id": "x", "text": text})), "store_full");
    client.must("Kept:unsubscribe", json!(null));
    for id in &stored {
        client.must("Kept:delete", json!({"id": id}));
    }
    assert_eq!(client.must("Other:read", json!({"ids": []})), json!([]));
    client.must("Kept:upsert", json!({"id": "again", "text": text}));
    assert_eq!(ids(Client::connect(&server).must("Kept:read", json!(null))), ["again"]);
    for expected in 1..=2 * stored.len() as u64 + 1 {
        assert_eq!(revision(&listener.receive()), expected, "refusals are not numbered");
    }
}

#[test]
fn one_model_too_many_is_refused_and_the_others_go_on() {
    // With the server's own log there are three.
    let server = Server::start(Setup::memory().set("limits.models", 3));
    let mut client = Client::connect(&server);
    client.must("A:upsert", json!({"id": "x"}));
    client.must("B:upsert", json!({"id": "x"}));
    for method in ["read", "subscribe", "unsubscribe", "upsert", "delete"] {
        assert_eq!(client.fails(&format!("C:{method}"), json!({})), "limit_exceeded", "{method}");
    }
    client.must("A:upsert", json!({"id": "y"}));
    assert_eq!(Client::connect(&server).must("B:read", json!(null)), json!([{"id": "x", "_rev": 1}]));
}

#[test]
fn one_listener_too_many_is_refused_and_the_others_stay() {
    let server = Server::start(Setup::memory().set("limits.listeners_per_connection", 3));
    let mut client = Client::connect(&server);
    client.must("A:read", json!(null));
    client.must("B:subscribe", json!({"ids": ["x", "y"]}));
    assert_eq!(client.fails("C:read", json!(null)), "limit_exceeded");
    assert_eq!(client.fails("B:read", json!({"ids": ["z"]})), "limit_exceeded");
    // Without listening it is no listener, and another connection has its own.
    client.send(&json!({"id": "look", "event": "C:read", "options": {"listen": false}}));
    assert_eq!(client.receive()["data"], json!([]));
    let mut other = Client::connect(&server);
    other.must("C:read", json!(null));
    other.must("B:upsert", json!({"id": "y"}));
    assert_eq!(client.receive()["event"], "B:upsert");
    client.must("A:unsubscribe", json!(null));
    client.must("C:read", json!(null));
}

#[test]
fn one_record_too_many_in_a_batch_refuses_it_whole() {
    for store in StoreKind::ALL {
        let server = Server::start(Setup::new(store).set("limits.batch_records", 3));
        let mut client = Client::connect(&server);
        let batch = |count: u64| -> Value { (0..count).map(|id| json!({"id": id})).collect() };
        for method in ["upsert", "delete"] {
            assert_eq!(client.fails(&format!("A:{method}"), batch(4)), "limit_exceeded");
        }
        assert_eq!(client.must("A:read", json!(null)), json!([]));
        client.must("A:unsubscribe", json!(null));
        client.must("A:upsert", batch(3));
        client.must("A:delete", batch(3));
    }
}

#[test]
fn more_writes_than_may_be_on_their_way_wait_and_keep_their_order() {
    for store in StoreKind::ALL {
        let server = Server::start(Setup::new(store).set("limits.in_flight", 2));
        let mut client = Client::connect(&server);
        let request = |n: u64| json!({"id": n, "event": format!("M{}:upsert", n % 3), "data": {"id": "x", "n": n}});
        for n in 0..600 {
            client.send(&request(n));
        }
        for n in 0..600 {
            let reply = client.receive();
            assert_eq!((reply["id"].as_u64(), reply["data"]["n"].as_u64()), (Some(n), Some(n)));
        }
    }
}
