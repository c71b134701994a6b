//! Requests: order, many at once, what a lost connection does to them.
#![forbid(unsafe_code)]

#[allow(dead_code, unreachable_pub)]
mod support;

use backsync_client::{Client, ClientError, ClientOptions, ConnectError, End, Initial, RequestOptions, Retry, Status};
use serde_json::{Value, json};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use support::{MockServer, quick, soon};
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

async fn start(client: &Client, event: &str, data: Value) -> backsync_client::PendingReply {
    soon(client.start(event, &data, RequestOptions::default())).await.unwrap()
}

#[tokio::test]
async fn many_requests_are_outstanding_and_replies_may_come_in_any_order() {
    let server = MockServer::bind().await;
    let (client, mut peer) = server.client(quick()).await;
    let (first, second) =
        (start(&client, "A:upsert", json!({"n": 1})).await, start(&client, "A:upsert", json!({"n": 2})).await);
    let (one, two) = (peer.request().await, peer.request().await);
    assert_eq!((&one["data"]["n"], &two["data"]["n"]), (&json!(1), &json!(2)));
    peer.reply(&two["id"], json!("two")).await;
    peer.reply(&two["id"], json!("two again")).await;
    peer.reply(&json!("nobody's"), json!("noise")).await;
    peer.send_frame(Message::text("no message")).await;
    peer.reply(&one["id"], json!("one")).await;
    assert_eq!(soon(second).await.unwrap().parse::<String>().unwrap(), "two");
    assert_eq!(soon(first).await.unwrap().data.get(), "\"one\"");
}

#[tokio::test]
async fn who_asks_too_much_waits_for_a_reply() {
    let server = MockServer::bind().await;
    let (client, mut peer) = server.client(ClientOptions { max_outstanding: 2, ..quick() }).await;
    let first = start(&client, "A:read", json!(null)).await;
    let _second = start(&client, "A:read", json!(null)).await;
    let third = tokio::spawn({
        let client = client.clone();
        async move { client.read("B").await }
    });
    let one = peer.expect("A:read").await;
    peer.expect("A:read").await;
    assert!(!third.is_finished());
    peer.reply(&one, json!([])).await;
    soon(first).await.unwrap();
    let three = peer.expect("B:read").await;
    peer.reply(&three, json!([{"id": "x"}])).await;
    assert_eq!(soon(third).await.unwrap().unwrap().len(), 1);
}

#[tokio::test]
async fn a_refusal_is_an_error_with_its_code() {
    let server = MockServer::bind().await;
    let (client, mut peer) = server.client(quick()).await;
    let asked = tokio::spawn({
        let client = client.clone();
        async move { client.read_one("A", "x").await }
    });
    let request = peer.request().await;
    assert_eq!((&request["data"], &request["options"]), (&json!({"id": "x"}), &json!({"listen": false})));
    let error = json!({"code": "not_found", "message": "no record 'x'", "retry": false});
    peer.send(json!({"id": request["id"], "event": "A:read", "data": null, "error": error})).await;
    match soon(asked).await.unwrap() {
        Err(ClientError::Refused(error)) => assert_eq!(error.code, "not_found"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_server_killed_mid_batch_gets_everything_unanswered_again_in_order() {
    let server = MockServer::bind().await;
    let (client, mut peer) = server.client(quick()).await;
    let mut replies = Vec::new();
    for n in 0..10 {
        replies.push(start(&client, "A:upsert", json!({"id": n.to_string()})).await);
    }
    for n in 0..6 {
        let request = peer.request().await;
        assert_eq!(request["data"]["id"], n.to_string());
        // The replies of 0 to 2 arrive, those of 3 to 5 are lost; 6 to 9 are never read.
        if n < 3 {
            peer.reply(&request["id"], json!(n)).await;
        }
    }
    for (n, reply) in replies.drain(..3).enumerate() {
        assert_eq!(soon(reply).await.unwrap().parse::<usize>().unwrap(), n);
    }
    drop(peer);
    // While the server is away more is asked.
    replies.push(start(&client, "A:upsert", json!({"id": "10"})).await);
    let mut peer = server.accept().await;
    for n in 3..11 {
        let request = peer.request().await;
        assert_eq!(request["data"]["id"], n.to_string());
        peer.reply(&request["id"], json!(n)).await;
    }
    for (n, reply) in (3..).zip(replies) {
        assert_eq!(soon(reply).await.unwrap().parse::<usize>().unwrap(), n);
    }
}

#[tokio::test]
async fn a_request_that_must_not_be_repeated_ends_with_the_connection() {
    let server = MockServer::bind().await;
    let (client, mut peer) = server.client(quick()).await;
    let options = RequestOptions { retry: Some(Retry::Fail), ..RequestOptions::default() };
    let once = soon(client.start("A:upsert", &json!({}), options)).await.unwrap();
    let again = start(&client, "A:delete", json!({"id": "x"})).await;
    peer.expect("A:upsert").await;
    drop(peer);
    assert!(matches!(soon(once).await, Err(ClientError::ConnectionLost)));
    let mut peer = server.accept().await;
    let id = peer.expect("A:delete").await;
    peer.reply(&id, json!({})).await;
    soon(again).await.unwrap();
}

#[tokio::test]
async fn a_message_that_the_server_does_not_take_fails_and_the_others_go_on() {
    let server = MockServer::bind().await;
    let (client, mut peer) = server.client(quick()).await;
    let small = start(&client, "A:upsert", json!("s")).await;
    let large = start(&client, "A:upsert", json!("x".repeat(5000))).await;
    peer.expect("A:upsert").await;
    peer.expect("A:upsert").await;
    let frame = CloseFrame { code: CloseCode::Size, reason: "too big".into() };
    peer.send_frame(Message::Close(Some(frame))).await;
    assert!(matches!(soon(large).await, Err(ClientError::TooLarge { bytes: 5000.. })));
    let mut peer = server.accept().await;
    let request = peer.request().await;
    assert_eq!(request["data"], "s");
    peer.reply(&request["id"], json!({})).await;
    soon(small).await.unwrap();
}

#[tokio::test]
async fn a_half_open_connection_is_noticed() {
    let server = MockServer::bind().await;
    let options =
        ClientOptions { ping_after: Duration::from_millis(20), idle_timeout: Duration::from_millis(80), ..quick() };
    let (client, mut peer) = server.client(options).await;
    // Seen at the level of frames: the client asks whether the server is there.
    let reply = start(&client, "A:upsert", json!({})).await;
    peer.expect("A:upsert").await;
    assert!(matches!(peer.frame().await, Some(Message::Ping(_))));
    // The mock reads no more, so no pong is sent.
    let mut second = server.accept().await;
    let id = second.expect("A:upsert").await;
    second.reply(&id, json!({})).await;
    soon(reply).await.unwrap();
    drop(peer);
}

#[tokio::test]
async fn pings_are_answered() {
    let server = MockServer::bind().await;
    let (_client, mut peer) = server.client(quick()).await;
    peer.send_frame(Message::Ping("abc".into())).await;
    assert_eq!(peer.frame().await, Some(Message::Pong("abc".into())));
}

#[tokio::test]
async fn the_server_may_end_it_for_good() {
    let server = MockServer::bind().await;
    let (client, mut peer) = server.client(quick()).await;
    let waits = start(&client, "A:upsert", json!({})).await;
    peer.push("$session:close", json!({"code": "kicked", "reason": "by an operator", "reconnect": false})).await;
    match soon(waits).await {
        Err(ClientError::Ended(End::ByServer { code, .. })) => assert_eq!(code, "kicked"),
        other => panic!("{other:?}"),
    }
    assert!(matches!(soon(client.read("A")).await, Err(ClientError::Ended(End::ByServer { .. }))));
    assert!(matches!(soon(client.listen("A")).await, Err(ClientError::Ended(End::ByServer { .. }))));
}

#[tokio::test]
async fn a_drained_connection_comes_back() {
    let server = MockServer::bind().await;
    let (client, mut peer) = server.client(quick()).await;
    let waits = start(&client, "A:upsert", json!({})).await;
    peer.push("$session:close", json!({"code": "shutting_down", "reason": "restart", "reconnect": true})).await;
    drop(peer);
    let mut peer = server.accept().await;
    let id = peer.expect("A:upsert").await;
    peer.reply(&id, json!({})).await;
    soon(waits).await.unwrap();
}

#[tokio::test]
async fn closing_waits_for_the_answers_and_then_says_goodbye() {
    let server = MockServer::bind().await;
    let (client, mut peer) = server.client(ClientOptions { event_buffer: 1, ..quick() }).await;
    // Events that nobody reads do not keep the replies waiting.
    let mut unread = soon(client.listen("B")).await.unwrap();
    peer.answer_read("B", json!([])).await;
    peer.push("B:upsert", json!({"id": "1"})).await;
    peer.push("B:upsert", json!({"id": "2"})).await;
    let waits = start(&client, "A:upsert", json!({})).await;
    peer.expect("A:upsert").await;
    let closing = tokio::spawn({
        let client = client.clone();
        async move { client.close().await }
    });
    // Lost in the middle of it: what is not answered is sent again all the same.
    drop(peer);
    let mut peer = server.accept().await;
    let id = peer.expect("A:upsert").await;
    assert!(!closing.is_finished());
    let refused = soon(client.start("A:upsert", &json!({}), RequestOptions::default())).await.unwrap();
    assert!(matches!(soon(refused).await, Err(ClientError::Ended(End::Closed))));
    peer.reply(&id, json!("done")).await;
    assert_eq!(soon(waits).await.unwrap().data.get(), "\"done\"");
    assert!(matches!(peer.frame().await, Some(Message::Close(_))));
    soon(closing).await.unwrap();
    assert!(matches!(*client.status().borrow(), Status::Ended(End::Closed)));
    soon(client.close()).await;
    while soon(unread.next()).await.is_some() {}
}

#[tokio::test]
async fn aborting_ends_at_once_and_answers_everybody() {
    let server = MockServer::bind().await;
    let (client, mut peer) = server.client(quick()).await;
    let waits = start(&client, "A:upsert", json!({})).await;
    peer.expect("A:upsert").await;
    soon(client.abort()).await;
    assert!(matches!(peer.frame().await, Some(Message::Close(_))));
    assert!(matches!(soon(waits).await, Err(ClientError::Ended(End::Closed))));
    assert!(matches!(*client.status().borrow(), Status::Ended(End::Closed)));
}

#[tokio::test]
async fn a_client_that_is_closed_while_the_server_is_away_ends_when_nothing_waits() {
    let server = MockServer::bind().await;
    let (client, peer) = server.client(quick()).await;
    let waits = start(&client, "A:upsert", json!({})).await;
    drop((peer, server));
    let mut status = client.status();
    soon(status.wait_for(|status| matches!(status, Status::Connecting { failed: 1.. }))).await.unwrap();
    let closing = tokio::spawn({
        let client = client.clone();
        async move { client.close().await }
    });
    assert!(!closing.is_finished());
    soon(client.abort()).await;
    assert!(matches!(soon(waits).await, Err(ClientError::Ended(End::Closed))));
    soon(closing).await.unwrap();
}

#[tokio::test]
async fn the_last_handle_takes_the_connection_with_it() {
    let server = MockServer::bind().await;
    let (client, mut peer) = server.client(quick()).await;
    let clone = client.clone();
    drop(client);
    let reply = start(&clone, "A:upsert", json!({})).await;
    let id = peer.expect("A:upsert").await;
    peer.reply(&id, json!({})).await;
    soon(reply).await.unwrap();
    drop(clone);
    assert_eq!(peer.frame().await, None);
}

#[tokio::test]
async fn a_first_attempt_fails_fast_or_goes_on() {
    let server = MockServer::bind().await;
    let address = server.address();
    // Somebody hangs up during the handshake.
    let hang_up = async { drop(server.accept_silently().await) };
    let (failed, ()) = tokio::join!(Client::connect(&address, quick()), hang_up);
    assert!(matches!(failed, Err(ConnectError::Unreachable { .. })));

    let patient = ClientOptions { initial: Initial::KeepTrying, ..quick() };
    let client = soon(Client::connect(&address, patient)).await.unwrap();
    let waits = start(&client, "A:upsert", json!({})).await;
    for _ in 0..3 {
        drop(server.accept_silently().await);
    }
    let mut peer = server.accept().await;
    let id = peer.expect("A:upsert").await;
    peer.reply(&id, json!({})).await;
    soon(waits).await.unwrap();
}

#[tokio::test]
async fn patience_ends_where_it_is_bounded() {
    let server = MockServer::bind().await;
    let options = ClientOptions { give_up_after: Some(Duration::from_millis(20)), ..quick() };
    let (client, peer) = server.client(options).await;
    let waits = start(&client, "A:upsert", json!({})).await;
    drop((server, peer));
    assert!(matches!(soon(waits).await, Err(ClientError::Ended(End::GaveUp(_)))));
}

#[tokio::test]
async fn a_server_that_never_shakes_hands_is_not_waited_for_for_ever() {
    let server = MockServer::bind().await;
    let options = ClientOptions { connect_timeout: Duration::from_millis(30), ..quick() };
    let address = server.address();
    let (failed, _held) = tokio::join!(Client::connect(&address, options), server.accept_silently());
    assert!(matches!(failed, Err(ConnectError::Unreachable { .. })), "{failed:?}");
}

#[tokio::test]
async fn session_errors_are_heard() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&heard);
    let on_session_error: Arc<dyn Fn(backsync_client::ServerError) + Send + Sync> =
        Arc::new(move |error| into.lock().unwrap().push(error.code));
    let server = MockServer::bind().await;
    let (client, mut peer) = server.client(ClientOptions { on_session_error: Some(on_session_error), ..quick() }).await;
    let reply = start(&client, "A:upsert", json!({})).await;
    let id = peer.expect("A:upsert").await;
    peer.push("$session:error", json!({"code": "invalid_message", "message": "not JSON", "retry": false})).await;
    peer.reply(&id, json!({})).await;
    soon(reply).await.unwrap();
    assert_eq!(*heard.lock().unwrap(), ["invalid_message"]);
}
