//! What a listener hears over lost connections: every change once, and in order.
#![forbid(unsafe_code)]

#[allow(dead_code, unreachable_pub)]
mod support;

use backsync_client::{ClientOptions, Event, Listen};
use serde_json::{Value, json};
use support::{MockServer, heard, position, quick, soon};

#[tokio::test]
async fn after_a_reconnect_comes_what_was_missed_and_before_the_writes() {
    let server = MockServer::bind().await;
    let (client, mut peer) = server.client(quick()).await;
    let mut messages = soon(client.listen("A")).await.unwrap();
    peer.answer_read("A", json!([{"id": "1"}])).await;
    peer.push("A:upsert", json!({"id": "2"})).await;
    assert_eq!(heard(&mut messages).await, "reset 1");
    assert_eq!(heard(&mut messages).await, "upsert 2");
    let _write = soon(client.start("A:upsert", &json!({"id": "3"}), Default::default())).await.unwrap();
    peer.expect("A:upsert").await;
    drop(peer);
    assert_eq!(heard(&mut messages).await, "disconnected");
    let mut peer = server.accept().await;
    // First the listening, from where it ended, then what is repeated.
    peer.answer_since(1, 7, json!([{"id": "4"}]), json!(["1", "never heard of"])).await;
    peer.expect("A:upsert").await;
    peer.push("A:upsert", json!({"id": "3"})).await;
    for event in ["reconnected", "delete 1", "delete never heard of", "upsert 4", "upsert 3"] {
        assert_eq!(heard(&mut messages).await, event);
    }
}

#[tokio::test]
async fn where_the_history_is_gone_everything_is_heard_anew() {
    let server = MockServer::bind().await;
    let (client, mut peer) = server.client(quick()).await;
    let mut messages = soon(client.listen("A")).await.unwrap();
    peer.answer_read("A", json!([{"id": "1"}])).await;
    drop(peer);
    let mut peer = server.accept().await;
    let request = peer.request().await;
    assert_eq!((&request["event"], &request["data"]), (&json!("A:read"), &json!({"since": position(0)})));
    // Another history, which is not as long.
    let other = "00000000000000e2.0";
    let more = json!({"reset": true, "position": other, "max_records": 5});
    peer.reply_with(&request["id"], json!([{"id": "8"}, {"id": "9"}]), more).await;
    for event in ["reset 1", "disconnected", "reconnected"] {
        assert_eq!(heard(&mut messages).await, event);
    }
    match soon(messages.next()).await {
        Some(Event::Reset { records, max_records, position }) => {
            assert_eq!((records.len(), max_records, position.as_deref()), (2, Some(5), Some(other)));
        }
        other => panic!("{other:?}"),
    }
    peer.push_with("A:upsert", json!({"id": "10"}), json!({"position": "00000000000000e2.1"})).await;
    assert_eq!(heard(&mut messages).await, "upsert 10");
}

#[tokio::test]
async fn repeated_pushes_are_dropped() {
    let server = MockServer::bind().await;
    let (client, mut peer) = server.client(quick()).await;
    let mut messages = soon(client.listen("A")).await.unwrap();
    peer.revision = 9;
    peer.answer_read("A", json!([])).await;
    peer.push("A:upsert", json!({"id": "1"})).await;
    // What is covered by the read, or was heard; 10 is more than 9, whatever the text looks like.
    for revision in [8, 9, 9] {
        peer.revision = revision;
        peer.push("A:upsert", json!({"id": "again"})).await;
    }
    peer.revision = 99;
    peer.push("A:delete", json!({"id": "1"})).await;
    for event in ["reset ", "upsert 1", "delete 1"] {
        assert_eq!(heard(&mut messages).await, event);
    }
    // After a reconnect the same: an old push that comes behind the answer.
    drop(peer);
    let mut peer = server.accept().await;
    peer.answer_since(100, 105, json!([]), json!([])).await;
    peer.revision = 103;
    peer.push("A:upsert", json!({"id": "again"})).await;
    peer.push("A:upsert", json!({"id": "again"})).await;
    peer.push("A:upsert", json!({"id": "2"})).await;
    for event in ["disconnected", "reconnected", "upsert 2"] {
        assert_eq!(heard(&mut messages).await, event);
    }
}

#[tokio::test]
async fn only_the_last_event_of_what_was_missed_has_a_position() {
    let server = MockServer::bind().await;
    let (client, mut peer) = server.client(quick()).await;
    let from_before = Listen::to("A").since(position(3));
    let mut messages = soon(client.listen(from_before)).await.unwrap();
    peer.answer_since(3, 8, json!([{"id": "1"}, {"id": "2"}]), json!(["3"])).await;
    let mut positions = Vec::new();
    for _ in 0..3 {
        match soon(messages.next()).await {
            Some(Event::Delete { position, record: None, .. } | Event::Upsert { position, .. }) => {
                positions.push(position);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(positions, [None, None, Some(position(8))]);
}

#[tokio::test]
async fn a_subscriber_hears_what_it_missed_too() {
    let server = MockServer::bind().await;
    let (client, mut peer) = server.client(quick()).await;
    let mut messages = soon(client.subscribe("A")).await.unwrap();
    let id = peer.expect("A:subscribe").await;
    peer.revision = 4;
    peer.reply(&id, json!({})).await;
    peer.push("A:upsert", json!({"id": "1"})).await;
    assert_eq!(heard(&mut messages).await, "upsert 1");
    drop(peer);
    let mut peer = server.accept().await;
    let request = peer.request().await;
    assert_eq!((&request["event"], &request["data"]), (&json!("A:subscribe"), &json!({"since": position(5)})));
    peer.revision = 6;
    peer.reply_with(&request["id"], json!([{"id": "2"}]), json!({"deleted": []})).await;
    for event in ["disconnected", "reconnected", "upsert 2"] {
        assert_eq!(heard(&mut messages).await, event);
    }
}

#[tokio::test]
async fn a_connection_that_is_lost_before_the_answer_is_asked_the_same_again() {
    let server = MockServer::bind().await;
    let (client, mut peer) = server.client(quick()).await;
    let mut messages = soon(client.listen("A")).await.unwrap();
    peer.answer_read("A", json!([])).await;
    assert_eq!(heard(&mut messages).await, "reset ");
    for _ in 0..3 {
        drop(peer);
        peer = server.accept().await;
        assert_eq!(peer.request().await["data"]["since"], position(0));
    }
    drop(peer);
    let mut peer = server.accept().await;
    peer.answer_since(0, 1, json!([{"id": "1"}]), json!([])).await;
    // One loss and one return, however many attempts it took.
    for event in ["disconnected", "reconnected", "upsert 1"] {
        assert_eq!(heard(&mut messages).await, event);
    }
}

async fn answer_filtered(peer: &mut support::Peer, name: &str, records: Value) -> Value {
    let request = peer.request().await;
    peer.reply_with(&request["id"], records, json!({"filter": name})).await;
    request["data"].clone()
}

#[tokio::test]
async fn each_filter_of_a_model_hears_its_own() {
    let server = MockServer::bind().await;
    let (client, mut peer) = server.client(quick()).await;
    let mut young = soon(client.listen(Listen::to("A").filter(&json!({"age": 1})))).await.unwrap();
    assert_eq!(answer_filtered(&mut peer, "f1", json!([{"id": "1"}])).await, json!({"where": {"age": 1}}));
    let mut old = soon(client.listen(Listen::to("A").filter(&json!({"age": 99})))).await.unwrap();
    answer_filtered(&mut peer, "f2", json!([])).await;
    let mut some = soon(client.listen(Listen::to("A").ids(["x", "y"]))).await.unwrap();
    peer.answer_read("A", json!([])).await;

    // One change is for both filters: each has its own push, at the same position.
    peer.push_with("A:upsert", json!({"id": "2"}), json!({"filter": "f1"})).await;
    peer.push_with("A:delete", json!({"id": "1"}), json!({"filter": "f1", "left": true})).await;
    peer.revision = 1;
    peer.push_with("A:upsert", json!({"id": "1"}), json!({"filter": "f2"})).await;
    peer.push_with("A:upsert", json!({"id": "?"}), json!({"filter": "of nobody"})).await;
    peer.push("A:upsert", json!({"id": "x"})).await;
    peer.push("A:upsert", json!({"id": "of nobody"})).await;
    for event in ["reset 1", "upsert 2", "delete 1 left"] {
        assert_eq!(heard(&mut young).await, event);
    }
    for event in ["reset ", "upsert 1"] {
        assert_eq!(heard(&mut old).await, event);
    }
    for event in ["reset ", "upsert x"] {
        assert_eq!(heard(&mut some).await, event);
    }

    // Each goes on from its own position, in the order in which they came; the server may name filters anew.
    drop(peer);
    let mut peer = server.accept().await;
    let wanted = [
        json!({"where": {"age": 1}, "since": position(2)}),
        json!({"where": {"age": 99}, "since": position(2)}),
        json!({"ids": ["x", "y"], "since": position(4)}),
    ];
    peer.revision = 9;
    for (at, wanted) in wanted.into_iter().enumerate() {
        let request = peer.request().await;
        assert_eq!(request["data"], wanted);
        let more = json!({"deleted": [], "filter": format!("new {at}")});
        peer.reply_with(&request["id"], json!([]), more).await;
    }
    peer.push_with("A:upsert", json!({"id": "3"}), json!({"filter": "new 1"})).await;
    for event in ["disconnected", "reconnected", "upsert 3"] {
        assert_eq!(heard(&mut old).await, event);
    }

    // Whoever goes takes away only what is his.
    drop(young);
    let goodbye = peer.request().await;
    assert_eq!((&goodbye["event"], &goodbye["data"]), (&json!("A:unsubscribe"), &json!({"where": {"age": 1}})));
    let _overlaps = soon(client.listen(Listen::to("A").ids(["y", "z"]))).await.unwrap();
    peer.answer_read("A", json!([])).await;
    drop(some);
    assert_eq!(peer.request().await["data"], json!({"ids": ["x"]}));
}

/// A server with a log of 200 changes that drops the connection after some messages, here and there in the middle of an answer.
#[tokio::test]
async fn a_stream_over_many_lost_connections_has_no_hole_and_no_repetition() {
    const CHANGES: u64 = 200;
    let server = MockServer::bind().await;
    let (client, mut peer) = server.client(ClientOptions { event_buffer: 3, ..quick() }).await;
    let mut messages = soon(client.subscribe("A")).await.unwrap();
    let script = async {
        let mut told = 0;
        let mut lives = 0_u64;
        while told < CHANGES {
            lives += 1;
            let request = peer.request().await;
            peer.revision = match request["data"]["since"].as_str() {
                None => 0,
                Some(since) => since.rsplit_once('.').unwrap().1.parse().unwrap(),
            };
            // Some changes happened meanwhile.
            let missed = if request["data"].is_null() { 0 } else { (lives * 7 % 5).min(CHANGES - peer.revision) };
            let (from, to) = (peer.revision + 1, peer.revision + missed);
            let records: Vec<Value> = (from..=to).map(|n| json!({"id": n.to_string()})).collect();
            peer.revision = to;
            peer.reply_with(&request["id"], json!(records), json!({"deleted": []})).await;
            for _ in 0..(lives * 5 % 11).min(CHANGES - to) {
                let id = (peer.revision + 1).to_string();
                peer.push("A:upsert", json!({"id": id})).await;
            }
            told = peer.revision;
            if told < CHANGES {
                drop(peer);
                peer = server.accept().await;
            }
        }
        peer
    };
    let hear = async {
        let mut next = 1;
        while next <= CHANGES {
            match heard(&mut messages).await.as_str() {
                "disconnected" | "reconnected" => {}
                event => {
                    assert_eq!(event, format!("upsert {next}"));
                    next += 1;
                }
            }
        }
    };
    let (_peer, ()) = tokio::join!(script, hear);
}
