//! Live models: what a listener hears, across lost connections, refusals and slow readers.
#![forbid(unsafe_code)]

#[allow(dead_code, unreachable_pub)]
mod support;

use backsync_client::{ClientError, ClientOptions};
use serde_json::json;
use std::{future::poll_fn, task::Poll};
use support::{MockServer, heard, quick, soon};

#[tokio::test]
async fn a_listener_hears_the_model_and_then_its_changes() {
    let server = MockServer::bind().await;
    let (client, mut peer) = server.client(quick()).await;
    let mut messages = soon(client.listen("A")).await.unwrap();
    // A push before the answer belongs to what the answer contains.
    peer.push("A:upsert", json!({"id": "early"})).await;
    peer.answer_read("A", json!([{"id": "1"}, {"id": "2"}])).await;
    peer.push("A:upsert", json!({"id": "3"})).await;
    peer.push("B:upsert", json!({"id": "of another model"})).await;
    peer.push("A:delete", json!({"id": "1"})).await;
    peer.push("A:reset", json!([{"id": "9"}])).await;
    for event in ["reset 1,2", "upsert 3", "delete 1", "reset 9"] {
        assert_eq!(heard(&mut messages).await, event);
    }
}

#[tokio::test]
async fn a_slow_reader_is_waited_for_and_misses_nothing() {
    let server = MockServer::bind().await;
    let (client, mut peer) = server.client(ClientOptions { event_buffer: 2, ..quick() }).await;
    let mut messages = soon(client.listen("A")).await.unwrap();
    peer.answer_read("A", json!([])).await;
    for n in 0..200 {
        peer.push("A:upsert", json!({"id": n.to_string()})).await;
    }
    // Requests are still sent while nothing is read.
    let write = soon(client.start("A:upsert", &json!({}), Default::default())).await.unwrap();
    let id = peer.expect("A:upsert").await;
    peer.reply(&id, json!({})).await;
    assert_eq!(heard(&mut messages).await, "reset ");
    for n in 0..200 {
        assert_eq!(heard(&mut messages).await, format!("upsert {n}"));
    }
    soon(write).await.unwrap();
}

#[tokio::test]
async fn a_slow_reader_hears_everything_in_order_across_lost_connections() {
    let server = MockServer::bind().await;
    let (client, mut peer) = server.client(ClientOptions { event_buffer: 1, ..quick() }).await;
    let mut messages = soon(client.listen("A")).await.unwrap();
    peer.answer_read("A", json!([{"id": "1"}])).await;
    peer.push("A:upsert", json!({"id": "2"})).await;
    drop(peer);
    assert_eq!(heard(&mut messages).await, "reset 1");
    assert_eq!(heard(&mut messages).await, "upsert 2");
    assert_eq!(heard(&mut messages).await, "disconnected");
    let mut peer = server.accept().await;
    peer.answer_since(1, 9, json!([{"id": "3"}, {"id": "2"}]), json!(["1"])).await;
    drop(peer);
    for event in ["reconnected", "delete 1", "upsert 3", "upsert 2", "disconnected"] {
        assert_eq!(heard(&mut messages).await, event);
    }
}

#[tokio::test]
async fn who_may_not_listen_is_told_and_may_try_again() {
    let server = MockServer::bind().await;
    let (client, mut peer) = server.client(quick()).await;
    let mut messages = soon(client.listen("A")).await.unwrap();
    let id = peer.expect("A:read").await;
    let error = json!({"code": "forbidden", "message": "not yours", "retry": false});
    peer.send(json!({"id": id, "event": "A:read", "data": null, "error": error})).await;
    assert_eq!(heard(&mut messages).await, "failed forbidden");
    assert_eq!(heard(&mut messages).await, "end");
    let mut again = soon(client.listen("A")).await.unwrap();
    peer.answer_read("A", json!([])).await;
    assert_eq!(heard(&mut again).await, "reset ");
}

#[tokio::test]
async fn a_store_that_is_away_for_a_moment_is_asked_again() {
    let server = MockServer::bind().await;
    let (client, mut peer) = server.client(quick()).await;
    let mut messages = soon(client.listen("A")).await.unwrap();
    let id = peer.expect("A:read").await;
    let error = json!({"code": "store_unavailable", "message": "just now", "retry": true});
    peer.send(json!({"id": id, "event": "A:read", "data": null, "error": error})).await;
    peer.answer_read("A", json!([{"id": "1"}])).await;
    assert_eq!(heard(&mut messages).await, "reset 1");
}

#[tokio::test]
async fn one_subscription_for_the_same_records_and_the_end_of_it_is_told_to_the_server() {
    let server = MockServer::bind().await;
    let (client, mut peer) = server.client(quick()).await;
    let mut first = soon(client.listen("A")).await.unwrap();
    peer.answer_read("A", json!([])).await;
    assert_eq!(heard(&mut first).await, "reset ");
    assert!(matches!(soon(client.subscribe("A")).await, Err(ClientError::AlreadyListening { .. })));
    drop(first);
    let goodbye = peer.request().await;
    assert_eq!((&goodbye["event"], &goodbye["data"]), (&json!("A:unsubscribe"), &json!({})));
    let mut second = soon(client.listen("A")).await.unwrap();
    peer.answer_read("A", json!([{"id": "1"}])).await;
    assert_eq!(heard(&mut second).await, "reset 1");
    soon(client.close()).await;
    assert_eq!(heard(&mut second).await, "end");
}

#[tokio::test]
async fn who_opens_and_does_not_wait_leaves_nothing_behind() {
    let server = MockServer::bind().await;
    let (client, mut peer) = server.client(quick()).await;
    let mut opening = Box::pin(client.listen("A"));
    // Far enough that the connection's task has heard of it.
    assert!(poll_fn(|cx| Poll::Ready(opening.as_mut().poll(cx).is_pending())).await);
    peer.expect("A:read").await;
    drop(opening);
    peer.expect("A:unsubscribe").await;
}
