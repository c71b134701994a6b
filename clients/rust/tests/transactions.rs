//! Writes that take effect once: the client's name, the ids of its requests, and what is repeated under them.
#![forbid(unsafe_code)]

#[allow(dead_code, unreachable_pub)]
mod support;

use backsync_client::{
    Client, ClientError, ClientName, ClientOptions, ConflictPolicy, ConnectError, RequestOptions, Side, WriteOptions,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use support::{MockServer, quick, soon};

fn named(name: &str) -> ClientOptions {
    ClientOptions { name: ClientName::Named(name.to_owned()), ..quick() }
}

#[tokio::test]
async fn a_client_has_a_random_name_and_keeps_it_over_reconnects() {
    let server = MockServer::bind().await;
    let (client, peer) = server.client(quick()).await;
    let name = client.name().unwrap().to_owned();
    assert_eq!((peer.query.as_str(), name.len()), (format!("client={name}").as_str(), 36));
    drop(peer);
    assert_eq!(server.accept().await.query, format!("client={name}"));
    let (other, _peer) = server.client(quick()).await;
    assert_ne!(other.name(), Some(name.as_str()));
}

#[tokio::test]
async fn a_client_may_be_given_a_name_or_none() {
    let server = MockServer::bind().await;
    let (_client, peer) = server.client(named("till&3")).await;
    assert_eq!(peer.query, "client=till%263");
    let (client, peer) = server.client(ClientOptions { name: ClientName::Anonymous, ..quick() }).await;
    assert_eq!((peer.query.as_str(), client.name()), ("", None));
    let address = format!("{}?client=by-url", server.address());
    let (client, peer) = tokio::join!(Client::connect(&address, quick()), server.accept());
    assert_eq!((peer.query.as_str(), client.unwrap().name()), ("client=by-url", Some("by-url")));
    let refused = Client::connect(&address, named("no spaces")).await;
    assert!(matches!(refused, Err(ConnectError::InvalidName { .. })));
}

#[tokio::test]
async fn a_write_whose_reply_was_lost_is_repeated_under_its_id_with_the_same_text() {
    for options in [quick(), named("till")] {
        let server = MockServer::bind().await;
        let (client, mut peer) = server.client(options).await;
        let mut replies = Vec::new();
        let mut sent = Vec::new();
        for n in 0..5 {
            // No ids of their own, and members in an order that nobody may change.
            let record = format!(r#"{{"z":{n},"a":1.50}}"#);
            let record: &serde_json::value::RawValue = serde_json::from_str(&record).unwrap();
            replies.push(soon(client.start("A:upsert", record, RequestOptions::default())).await.unwrap());
            sent.push(peer.text().await);
        }
        let id = |text: &str| serde_json::from_str::<Value>(text).unwrap()["id"].clone();
        peer.reply(&id(&sent[1]), json!("done")).await;
        assert_eq!(soon(replies.remove(1)).await.unwrap().data.get(), "\"done\"");
        sent.remove(1);
        for _ in 0..2 {
            drop(peer);
            peer = server.accept().await;
            for text in &sent {
                assert_eq!(peer.text().await, *text);
            }
        }
        for text in &sent {
            peer.reply(&id(text), json!("first outcome")).await;
        }
        for reply in replies {
            assert_eq!(soon(reply).await.unwrap().data.get(), "\"first outcome\"");
        }
    }
}

#[tokio::test]
async fn ids_of_one_name_never_come_back() {
    let server = MockServer::bind().await;
    let mut seen = BTreeSet::new();
    for _restart_of_the_program in 0..3 {
        let (client, mut peer) = server.client(named("till")).await;
        for _ in 0..5 {
            let _reply = soon(client.start("A:upsert", &json!({}), RequestOptions::default())).await.unwrap();
            let id = peer.expect("A:upsert").await;
            assert!(id.is_string() && seen.insert(id.to_string()), "{id}");
        }
    }
}

#[tokio::test]
async fn a_conflict_is_told_with_the_record_as_it_is() {
    let server = MockServer::bind().await;
    let (client, mut peer) = server.client(quick()).await;
    let write = tokio::spawn({
        let client = client.clone();
        async move {
            let terms = WriteOptions {
                policy: Some(ConflictPolicy::Merge),
                base: Some(3),
                prefer: Some(Side::Server),
                replace: true,
            };
            client.upsert_with("A", &json!({"id": "x", "n": 1}), terms).await
        }
    });
    let request = peer.request().await;
    let options = json!({"policy": "merge", "base": 3, "prefer": "server", "replace": true});
    assert_eq!(request["options"], options);
    let error = json!({"code": "conflict", "message": "both changed n", "retry": false,
        "record": {"id": "x", "n": 2, "_rev": 5}, "properties": ["n"]});
    peer.send(json!({"id": request["id"], "event": "A:upsert", "data": null, "error": error})).await;
    let Err(ClientError::Refused(error)) = soon(write).await.unwrap() else { panic!("a conflict") };
    assert!(error.is_conflict());
    assert_eq!(error.properties, ["n"]);
    assert_eq!(error.current::<Value>().unwrap().unwrap()["n"], 2);
}

#[tokio::test]
async fn a_batch_is_one_request_with_an_answer_for_each_write() {
    let server = MockServer::bind().await;
    let (client, mut peer) = server.client(quick()).await;
    assert!(soon(client.batch().commit()).await.unwrap().is_empty());
    let broken = client.batch().upsert("A", &json!({"id": "1"})).update("A", "1", &json!("no object"));
    assert!(matches!(soon(broken.commit()).await, Err(ClientError::Encode(_))));
    let terms = WriteOptions { base: Some(7), ..WriteOptions::default() };
    let batch = client
        .batch()
        .upsert("A", &json!([{"id": "1"}, {"id": "2"}]))
        .update_with("B", "3", &json!({"n": 1}), WriteOptions { replace: true, ..terms })
        .delete_with("A", "4", WriteOptions { replace: true, ..terms });
    assert_eq!(batch.len(), 3);
    let done = tokio::spawn(batch.commit());
    let request = peer.request().await;
    assert_eq!(request["event"], "$batch:commit");
    let wanted = json!([
        {"event": "A:upsert", "data": [{"id": "1"}, {"id": "2"}]},
        {"event": "B:upsert", "data": {"id": "3", "n": 1}, "options": {"base": 7, "replace": true}},
        {"event": "A:delete", "data": {"id": "4"}, "options": {"base": 7}},
    ]);
    assert_eq!(request["data"], wanted);
    let results = json!([
        {"event": "A:upsert", "data": [{"id": "1"}, {"id": "2"}], "position": "a"},
        {"event": "B:upsert", "data": {"id": "3", "n": 1}, "position": "b"},
        {"event": "A:delete", "data": {}, "position": "a"},
    ]);
    peer.reply(&request["id"], results).await;
    let replies = soon(done).await.unwrap().unwrap();
    assert_eq!((replies.len(), replies[1].position.as_deref()), (3, Some("b")));
    assert_eq!(replies[1].parse::<Value>().unwrap()["id"], "3");
}
