//! The examples, run as they stand, in threads of this process.

use crate::{
    client::{Client, Door, Seen},
    server::HUNG,
    wire::{BINARY, CLOSE, PING, PONG, TEXT, Wire, frame, handshake, with_first_byte},
};
use backsync::telemetry::ServerLogLayer;
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, SocketAddr},
    sync::mpsc,
    thread::{self, JoinHandle},
};
use tokio::sync::oneshot;
use tracing_subscriber::layer::SubscriberExt;

#[allow(dead_code)]
#[path = "../../examples/custom_handler.rs"]
mod custom_handler;
#[allow(dead_code)]
#[path = "../../examples/embed.rs"]
mod embed;
#[allow(dead_code)]
#[path = "../../examples/tracing_layer.rs"]
mod tracing_layer;

const ANYWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A server in a thread of its own; it ends with this value.
struct Running {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// `serve` says where it listens, and ends when it is told to.
    fn start<F: Future<Output = ()>>(
        serve: impl FnOnce(mpsc::Sender<SocketAddr>, oneshot::Receiver<()>) -> F + Send + 'static,
    ) -> Self {
        let ((ready, is_ready), (stop, stopping)) = (mpsc::channel(), oneshot::channel());
        let thread = thread::spawn(move || actix_rt::System::new().block_on(serve(ready, stopping)));
        let address = is_ready.recv_timeout(HUNG).expect("it starts");
        Self { address, stop: Some(stop), thread: Some(thread) }
    }

    fn embedded() -> Self {
        Self::start(async |ready: mpsc::Sender<SocketAddr>, stopping: oneshot::Receiver<()>| {
            let (server, backsync, address) = embed::server(ANYWHERE).unwrap();
            let (handle, server) = (server.handle(), actix_rt::spawn(server));
            ready.send(address).unwrap();
            let _ = stopping.await;
            backsync.close().await;
            handle.stop(false).await;
            server.await.unwrap().unwrap();
        })
    }

    fn with_handlers() -> Self {
        Self::start(async |ready: mpsc::Sender<SocketAddr>, stopping: oneshot::Receiver<()>| {
            let serving = custom_handler::server(ANYWHERE).unwrap().start().unwrap();
            ready.send(serving.address()).unwrap();
            let _ = stopping.await;
            serving.stop().await.unwrap();
        })
    }

    fn ask_to_stop(&mut self) {
        // It may have ended already.
        let _ = self.stop.take().map(|stop| stop.send(()));
    }

    fn client(&self) -> Client {
        Client::below("/realtime", Door::Plain, self.address)
    }

    /// A WebSocket in the application, after its handshake.
    fn wire(&self) -> Wire {
        let mut wire = Wire::connect(self.address);
        let answer = wire.ask(&handshake("/realtime/ws"));
        assert_eq!(answer.status, 101, "{answer:?}");
        wire
    }

    /// An answer of the application to a plain request.
    fn http(&self, method: &str, path: &str, body: &str) -> (u16, String, String) {
        let mut wire = Wire::connect(self.address);
        let line = format!("{method} {path} HTTP/1.1");
        let length = format!("Content-Length: {}\r\n\r\n{body}", body.len());
        let answer = wire.ask(&[line, "Host: localhost".into(), length]);
        (answer.status, answer.head, answer.body)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.ask_to_stop();
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(thread::panicking() || ended.is_none_or(|ended| ended.is_ok()), "the server panicked");
    }
}

#[test]
fn an_application_has_pages_of_its_own_and_doors_of_every_framing() {
    let app = Running::embedded();
    let (status, _, page) = app.http("GET", "/", "");
    assert!(status == 200 && page.contains("/realtime/ws"), "{page}");
    assert_eq!(app.http("GET", "/ws", "").0, 404, "the doors are where they were mounted, and nowhere else");
    let mut clients: Vec<Client> =
        Door::ALL.into_iter().map(|door| Client::below("/realtime", door, app.address)).collect();
    for client in &mut clients {
        assert_eq!(client.must("Note:read", Value::Null), json!([]));
    }
    let (status, _, note) = app.http("POST", "/notes", "from the application");
    assert_eq!(status, 201);
    let note: Value = serde_json::from_str(&note).unwrap();
    for client in &mut clients {
        assert_eq!(client.receive()["data"], note);
    }
    clients[1].request("Note:upsert", json!({"id": note["id"], "text": "from a client"}));
    for client in &mut clients {
        assert_eq!(client.receive()["data"]["text"], "from a client");
    }
    let (_, _, notes) = app.http("GET", "/notes", "");
    assert_eq!(serde_json::from_str::<Value>(&notes).unwrap()[0]["text"], "from a client");
}

#[test]
fn all_threads_of_an_application_hear_each_other() {
    let app = Running::embedded();
    // Two threads take turns in accepting.
    let mut clients: Vec<Client> = (0..8).map(|_| app.client()).collect();
    for client in &mut clients {
        client.must("Note:subscribe", Value::Null);
    }
    for (n, client) in clients.iter_mut().enumerate() {
        client.send(&json!({"event": "Note:upsert", "data": {"id": format!("n{n}")}}));
    }
    let orders: BTreeSet<Vec<String>> =
        clients.iter_mut().map(|client| (0..8).map(|_| client.receive()["data"]["id"].to_string()).collect()).collect();
    assert_eq!(orders.len(), 1, "everybody hears the same in the same order");
}

#[test]
fn large_and_many_messages_go_through_the_narrow_way_out() {
    let app = Running::embedded();
    let (mut writer, mut reader) = (app.client(), app.client());
    reader.must("Note:subscribe", Value::Null);
    // Far more than the pipe holds, while nobody reads.
    let text = "ä".repeat(200 << 10);
    for n in 0..20 {
        writer.must("Note:upsert", json!({"id": format!("n{n}"), "text": text}));
    }
    for n in 0..20 {
        let push = reader.receive();
        assert_eq!((&push["data"]["id"], push["data"]["text"] == text.as_str()), (&json!(format!("n{n}")), true));
    }
    assert_eq!(reader.must("Note:read", Value::Null).as_array().unwrap().len(), 20);
    let ids: Vec<u64> =
        (0..3000).map(|n| writer.request("Small:upsert", json!({"id": format!("s{}", n % 7)}))).collect();
    for id in ids {
        assert_eq!(writer.receive()["id"], id);
    }
}

#[test]
fn frames_in_an_application_follow_the_same_rules() {
    let app = Running::embedded();
    let read = br#"{"id":1,"event":"Note:read"}"#;
    let mut wire = app.wire();
    wire.write(&frame(BINARY, b"x"));
    assert_eq!(wire.message()["data"]["code"], "binary_message");
    wire.write(&frame(PING, b"are you there"));
    let pong = wire.beyond_heartbeats().unwrap();
    assert_eq!((pong.opcode, pong.payload.as_slice()), (PONG, b"are you there".as_slice()));
    let (first, rest) = read.split_at(9);
    wire.write(&[with_first_byte(TEXT, first), frame(PING, b""), with_first_byte(0x80, rest)].concat());
    assert_eq!(wire.beyond_heartbeats().unwrap().opcode, PONG);
    assert_eq!(wire.message()["data"], json!([]));
    wire.write(&frame(TEXT, b"no message"));
    assert_eq!(wire.message()["data"]["code"], "invalid_message");
    wire.write(&frame(CLOSE, &1000_u16.to_be_bytes()));
    assert_eq!(wire.closed(), (1000, String::new()));

    let too_big = vec![b' '; (1 << 20) + 1];
    let fragments: Vec<u8> = std::iter::once(with_first_byte(TEXT, &too_big[..1 << 19]))
        .chain((0..2).map(|_| with_first_byte(0, &too_big[..1 << 19])))
        .flatten()
        .collect();
    for (bytes, code) in [
        (frame(TEXT, b"\xff\xfe"), 1007),
        (frame(TEXT, &too_big), 1009),
        (fragments, 1009),
        (frame(0, b"a continuation of nothing"), 1002),
        (vec![0x81, 0x01, b'x'], 1002),
    ] {
        let mut wire = app.wire();
        wire.write(&bytes);
        assert_eq!(wire.closed().0, code);
    }
    let mut exact = app.wire();
    let text = format!("{}{}", " ".repeat((1 << 20) - read.len()), std::str::from_utf8(read).unwrap());
    exact.write(&frame(TEXT, text.as_bytes()));
    assert_eq!(exact.message()["id"], 1);
}

#[test]
fn an_application_admits_whom_a_server_of_its_own_would() {
    let app = Running::embedded();
    let with = |path: &str, spoil: &dyn Fn(&mut Vec<String>)| {
        let mut lines = handshake(path);
        spoil(&mut lines);
        Wire::connect(app.address).ask(&lines)
    };
    let origin = |origin: &'static str| move |lines: &mut Vec<String>| lines.push(format!("Origin: {origin}"));
    assert_eq!(with("/realtime/ws", &origin("http://localhost")).status, 101);
    assert_eq!(with("/realtime/ws", &origin("http://evil.example")).status, 403);
    assert_eq!(with("/realtime/ws?client=me", &|_| ()).status, 101);
    assert_eq!(with("/realtime/nothing", &|_| ()).status, 404);
    assert_eq!(with("/realtime/backsync/a/b/other", &|_| ()).status, 404);
    let version = with("/realtime/ws", &|lines| lines.iter_mut().for_each(|line| *line = line.replace(": 13", ": 8")));
    assert!(version.status == 426 && version.head.contains("sec-websocket-version: 13"), "{version:?}");
    let plain = app.http("GET", "/realtime/backsync/000/x/websocket", "");
    assert_eq!((plain.0, plain.2.as_str()), (400, "Can \"Upgrade\" only to \"WebSocket\".\n"));
    let posted = app.http("POST", "/realtime/ws", "");
    assert!(posted.0 == 405 && posted.1.contains("allow: get"), "{posted:?}");
    let (status, _, info) = app.http("GET", "/realtime/sockjs/info", "");
    assert!(status == 200 && info.contains("\"websocket\":true"), "{info}");
    assert_eq!(app.http("GET", "/realtime/backsync", "").2, "Welcome to SockJS!\n");
}

#[test]
fn an_application_that_ends_tells_its_clients() {
    let mut app = Running::embedded();
    let (mut client, mut gone) = (app.client(), app.client());
    client.must("Note:read", Value::Null);
    gone.must("Note:read", Value::Null);
    drop(gone);
    app.ask_to_stop();
    let notice = client.receive();
    assert_eq!((&notice["event"], &notice["data"]["code"]), (&json!("$session:close"), &json!("shutdown")));
    assert_eq!(client.see(), Seen::Closed { code: 1001, reason: "the server is shutting down".to_owned() });
}

#[test]
fn models_behave_as_their_handlers_say() {
    let server = Running::with_handlers();
    let [mut client, mut watcher] = [(); 2].map(|()| Client::through(Door::Plain, server.address));
    watcher.must("Order:read", Value::Null);
    let order = client.must("Order:upsert", json!({"id": "o1", "amount": 12, "by": "me"}));
    assert!(order["by"] == "anonymous" && order["placed_at"].as_u64().is_some(), "{order}");
    assert_eq!(watcher.receive()["data"], order);
    assert_eq!(client.fails("Order:upsert", json!({"amount": -1})), "invalid_data");
    let batch = client.ask("Order:upsert", json!([{"id": "o2", "amount": 1}, {"id": "o3", "amount": "much"}]));
    assert_eq!(batch["error"]["element"], 1);
    client.must("Order:upsert", json!({"id": "o1", "paid": true}));
    assert_eq!(watcher.receive()["data"]["paid"], true);
    assert_eq!(client.fails("Order:delete", json!({"id": "o1"})), "forbidden");
    client.must("Order:upsert", json!({"id": "o4", "amount": 0.5}));
    client.must("Order:delete", json!({"id": "o4"}));
    let seen = [(); 2].map(|()| watcher.receive()["event"].clone());
    assert_eq!(seen, ["Order:upsert", "Order:delete"]);
}

#[test]
fn a_computed_read_is_listened_to_and_the_servers_own_saves_are_heard() {
    let server = Running::with_handlers();
    let [mut client, mut watcher] = [(); 2].map(|()| Client::through(Door::Plain, server.address));
    client.must("Order:upsert", json!({"id": "o1", "amount": 12}));
    let computed = watcher.must("Statistics:read", json!({"id": "all"}));
    assert_eq!((&computed["orders"], &computed["amount"]), (&json!(1), &json!(12.0)));
    assert_eq!(client.fails("Statistics:upsert", json!({"id": "all"})), "forbidden");
    client.must("Order:upsert", json!({"id": "o2", "amount": 3}));
    loop {
        // What was computed for the first order may come as well.
        let push = watcher.receive();
        assert_eq!(push["event"], "Statistics:upsert");
        if push["data"]["orders"] == 2 {
            break assert_eq!(push["data"]["amount"], 15.0);
        }
    }
    let mut clock = Client::through(Door::Values, server.address);
    clock.must("Clock:subscribe", Value::Null);
    let [first, second] = [(); 2].map(|()| clock.receive()["data"]["ms"].as_u64().unwrap());
    assert!(first < second);
}

#[test]
fn a_programs_log_becomes_records_here_or_elsewhere() {
    let (layer, lines) = ServerLogLayer::new();
    let server = Running::start(async |ready: mpsc::Sender<SocketAddr>, stopping: oneshot::Receiver<()>| {
        let serving = tracing_layer::server(ANYWHERE, lines).unwrap().start().unwrap();
        ready.send(serving.address()).unwrap();
        let _ = stopping.await;
        serving.stop().await.unwrap();
    });
    let mut client = Client::through(Door::Plain, server.address);
    client.must("AppLog:subscribe", Value::Null);
    let subscriber = tracing_subscriber::registry().with(layer);
    tracing::subscriber::with_default(subscriber, || tracing::info!(number = 7, "a job is done"));
    let line = client.receive()["data"].clone();
    assert_eq!(
        (&line["level"], &line["message"], &line["number"]),
        (&json!("info"), &json!("a job is done"), &json!(7))
    );

    let (layer, lines) = ServerLogLayer::new();
    let subscriber = tracing_subscriber::registry().with(layer);
    tracing::subscriber::with_default(subscriber, || {
        tracing::info!("first");
        tracing::warn!("second");
    });
    let url = format!("ws://{}/ws", server.address);
    // The layer is gone, so the sending ends when all is sent.
    thread::spawn(move || {
        let sending = async { tracing_layer::send(&url, lines).await.map_err(|cause| cause.to_string()) };
        actix_rt::System::new().block_on(sending)
    })
    .join()
    .unwrap()
    .unwrap();
    let messages = [(); 2].map(|()| client.receive()["data"]["message"].clone());
    assert_eq!(messages, ["first", "second"]);
}
