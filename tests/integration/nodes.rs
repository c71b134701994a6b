//! SockJS over HTTP where each request may come to another node: servers in threads of this process, and one directory.

use crate::{
    client::{Client, Door},
    server::HUNG,
};
use backsync::{
    Backsync,
    directory::{Claim, Directory, DirectoryError, Lookup, Memory, Node, SessionKey},
    settings::Settings,
    store,
};
use futures_util::FutureExt;
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::mpsc,
    thread::{self, JoinHandle},
    time::Instant,
};
use tokio::sync::oneshot;

/// A server in a thread of its own; it ends with this value.
struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    fn start(directory: impl Directory, set: impl FnOnce(&mut Settings)) -> Self {
        let ((ready, is_ready), (stop, stopping)) = (mpsc::channel(), oneshot::channel::<()>());
        let mut settings = Settings::default();
        settings.server.listen = (Ipv4Addr::LOCALHOST, 0).into();
        settings.server.workers = 2;
        // A session over HTTP is there for a while after its last receiver.
        settings.server.shutdown_grace_s = 0;
        set(&mut settings);
        let serve = async move {
            let builder = Backsync::builder().settings(settings).store(store::Memory::default());
            let serving = builder.directory(directory).build().unwrap().start().unwrap();
            ready.send(serving.address()).unwrap();
            let _ = stopping.await;
            serving.stop().await.unwrap();
        };
        let thread = thread::spawn(move || actix_rt::System::new().block_on(serve));
        let address = is_ready.recv_timeout(HUNG).expect("it starts");
        Self { address, stop: Some(stop), thread: Some(thread) }
    }

    fn several<const N: usize>(directory: &Memory) -> [Self; N] {
        [(); N].map(|()| Self::start(directory.clone(), |_| ()))
    }

    /// Send a request, and have the head of its answer read: the status, and what comes behind.
    fn open(&self, method: &str, path: &str, headers: &str, body: &str) -> (u16, BufReader<TcpStream>) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(HUNG)).unwrap();
        // Before 1.1 a body is what comes until the end.
        let head =
            format!("{method} {path} HTTP/1.0\r\nHost: localhost\r\n{headers}Content-Length: {}\r\n", body.len());
        stream.write_all(format!("{head}\r\n{body}").as_bytes()).unwrap();
        let (mut reader, mut status) = (BufReader::new(stream), None);
        loop {
            let line = line(&mut reader);
            status = status.or_else(|| line.split(' ').nth(1)?.parse().ok());
            if line.trim_end().is_empty() {
                return (status.expect("an answer has a status"), reader);
            }
        }
    }

    fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> (u16, String) {
        let (status, mut reader) = self.open(method, path, headers, body);
        let mut answer = String::new();
        reader.read_to_string(&mut answer).expect("an answer has an end");
        (status, answer)
    }

    /// The next frame that is no heartbeat.
    fn poll(&self, session: &str) -> String {
        loop {
            let (status, body) = self.ask("POST", &format!("/sockjs/000/{session}/xhr"), "", "");
            assert_eq!(status, 200, "{body}");
            if body != "h\n" {
                return body.trim_end().to_owned();
            }
        }
    }

    /// What becomes of messages that are sent.
    fn send(&self, session: &str, messages: &[Value]) -> u16 {
        let messages: Vec<String> = messages.iter().map(Value::to_string).collect();
        self.ask("POST", &format!("/sockjs/000/{session}/xhr_send"), "", &json!(messages).to_string()).0
    }

    fn stream(&self, session: &str) -> BufReader<TcpStream> {
        let (status, mut reader) = self.open("POST", &format!("/sockjs/000/{session}/xhr_streaming"), "", "");
        assert_eq!(status, 200);
        assert_eq!(line(&mut reader).len(), 2049, "what old browsers need to begin with");
        reader
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.stop.take().map(|stop| stop.send(()));
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(thread::panicking() || ended.is_none_or(|ended| ended.is_ok()), "the server panicked");
    }
}

fn line(reader: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    reader.read_line(&mut line).expect("something comes");
    line
}

/// The messages of a frame.
fn messages(frame: &str) -> Vec<Value> {
    let messages: Vec<String> =
        frame.strip_prefix('a').map(|array| serde_json::from_str(array).unwrap()).unwrap_or_default();
    messages.iter().map(|message| serde_json::from_str(message).unwrap()).collect()
}

fn key(session: &str) -> SessionKey {
    SessionKey::new("/sockjs", session)
}

/// An address where nobody listens.
fn nowhere() -> Node {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    Node::new(format!("http://{}", listener.local_addr().unwrap()))
}

fn claim(directory: &Memory, session: &str, node: &Node) {
    assert_eq!(directory.claim(key(session), node, None).now_or_never().unwrap().unwrap(), Claim::Ours);
}

fn owner(directory: &Memory, session: &str) -> Option<Node> {
    directory.find(key(session)).now_or_never().unwrap().unwrap()
}

#[test]
fn any_node_takes_any_request_of_a_session() {
    let directory = Memory::default();
    let nodes: [Server; 3] = Server::several(&directory);
    assert_eq!(nodes[0].poll("s"), "o");
    assert_eq!(nodes[1].send("s", &[json!({"id": "first", "event": "Fruit:subscribe"})]), 204);
    assert_eq!(messages(&nodes[2].poll("s"))[0]["id"], "first");
    let mut seen = Vec::new();
    for n in 0..30 {
        let write = json!({"id": n, "event": "Fruit:upsert", "data": {"id": format!("f{n}")}});
        assert_eq!(nodes[n % 3].send("s", &[write]), 204);
        // A push and a reply, in one frame or in two.
        while seen.len() < 2 * n + 2 {
            seen.extend(messages(&nodes[(n + seen.len()) % 3].poll("s")));
        }
    }
    for (n, pair) in seen.chunks(2).enumerate() {
        let id = json!(format!("f{n}"));
        assert_eq!((&pair[0]["id"], &pair[0]["data"]["id"], &pair[1]["id"]), (&Value::Null, &id, &json!(n)));
    }
    assert_eq!(directory.len(), 1);
}

#[test]
fn every_transport_is_passed_on_as_it_is() {
    let directory = Memory::default();
    let [here, there]: [Server; 2] = Server::several(&directory);
    for (name, method, path, prelude) in [
        ("s1", "POST", "xhr_streaming", "hhhh"),
        ("s2", "GET", "eventsource", "\r\n"),
        ("s3", "GET", "htmlfile?c=cb", "<!doctype html>"),
    ] {
        assert_eq!(here.poll(name), "o");
        let (status, mut stream) = there.open(method, &format!("/sockjs/000/{name}/{path}"), "", "");
        assert_eq!(status, 200);
        assert_eq!(there.send(name, &[json!({"id": "said", "event": "Fruit:read"})]), 204);
        let mut body = String::new();
        while !body.contains("said") {
            let line = line(&mut stream);
            assert!(!line.is_empty(), "{name} ended with {body}");
            body.push_str(&line);
        }
        assert!(body.starts_with(prelude), "{body}");
    }
    assert_eq!(here.ask("GET", "/sockjs/000/s4/jsonp?c=cb", "", ""), (200, "/**/cb(\"o\");\r\n".into()));
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let sent = there.ask("POST", "/sockjs/000/s4/jsonp_send", form, "d=%5B%22x%22%5D");
    assert_eq!(sent, (200, "ok".into()));
    let (_, script) = there.ask("GET", "/sockjs/000/s4/jsonp?c=cb", "", "");
    assert!(script.starts_with("/**/cb(\"a[") && script.contains("invalid_message"), "{script}");
    let broken = there.ask("POST", "/sockjs/000/s4/xhr_send", "", "x");
    assert_eq!(broken, (500, "Broken JSON encoding.".into()));
}

#[test]
fn a_client_that_goes_away_at_another_node_has_gone_at_the_one_that_has_its_session() {
    let directory = Memory::default();
    let [here, there]: [Server; 2] = Server::several(&directory);
    assert_eq!(here.poll("s"), "o");
    drop(there.stream("s"));
    let begin = Instant::now();
    let interrupted = loop {
        match here.poll("s") {
            frame if frame.starts_with("c[2010") => assert!(begin.elapsed() < HUNG, "it is never noticed"),
            frame => break frame,
        }
    };
    assert_eq!(interrupted, r#"c[1002,"Connection interrupted"]"#);
}

#[test]
fn of_two_receivers_at_different_nodes_the_second_is_refused() {
    let directory = Memory::default();
    let nodes: [Server; 3] = Server::several(&directory);
    assert_eq!(nodes[0].poll("s"), "o");
    let mut stream = nodes[1].stream("s");
    for node in &nodes {
        assert_eq!(node.poll("s"), r#"c[2010,"Another connection still open"]"#);
    }
    assert_eq!(nodes[2].send("s", &[json!({"id": 1, "event": "Fruit:read"})]), 204);
    let said = std::iter::repeat_with(|| line(&mut stream)).find(|frame| frame != "h\n");
    assert_eq!(messages(&said.expect("it goes on"))[0]["id"], 1);
}

#[test]
fn a_session_that_ended_says_so_at_every_node() {
    let directory = Memory::default();
    let nodes = [(); 3].map(|()| Server::start(directory.clone(), |settings| settings.limits.message_bytes = 1024));
    assert_eq!(nodes[0].poll("s"), "o");
    assert_eq!(nodes[1].send("s", &[json!("x".repeat(1024))]), 204);
    for node in nodes.iter().rev() {
        assert_eq!(node.poll("s"), r#"c[1009,"a message is larger than is allowed"]"#);
    }
}

#[test]
fn large_messages_pass_and_a_slow_reader_at_another_node_misses_nothing() {
    let directory = Memory::default();
    let [here, there]: [Server; 2] = Server::several(&directory);
    assert_eq!(here.poll("s"), "o");
    assert_eq!(there.send("s", &[json!({"id": "first", "event": "Big:subscribe"})]), 204);
    assert_eq!(messages(&there.poll("s"))[0]["id"], "first");
    let mut writer = Client::through(Door::Plain, here.address);
    // More than all buffers on the way hold, while nobody reads.
    let text = "ä".repeat(200 << 10);
    let mut stream = there.stream("s");
    for n in 0..12 {
        writer.must("Big:upsert", json!({"id": format!("n{n}"), "text": text}));
    }
    let mut heard = 0;
    while heard < 12 {
        let frame = line(&mut stream);
        if frame.is_empty() {
            // A response is full after a while.
            stream = there.stream("s");
        }
        for push in messages(frame.trim_end()) {
            assert_eq!(
                (&push["data"]["id"], push["data"]["text"] == text.as_str()),
                (&json!(format!("n{heard}")), true)
            );
            heard += 1;
        }
    }
    assert_eq!(there.send("s", &[json!({"id": 1, "event": "Other:upsert", "data": {"id": "up", "text": text}})]), 204);
    writer.must("Other:read", json!({"id": "up"}));
}

#[test]
fn a_node_on_every_address_is_known_by_the_one_that_it_advertises_or_not_at_all() {
    let directory = Memory::default();
    let on_every_address = |advertise: &'static str| {
        let server = Server::start(directory.clone(), move |settings| {
            settings.server.listen = (Ipv4Addr::UNSPECIFIED, 0).into();
            settings.server.advertise = advertise.into();
        });
        assert_eq!(server.poll("s"), "o");
        owner(&directory, "s")
    };
    assert_eq!(on_every_address(""), None);
    let known = on_every_address("http://node-1.internal:9000").unwrap();
    assert_eq!(known.address(), "http://node-1.internal:9000");
}

#[test]
fn a_node_that_has_gone_is_taken_over_from() {
    let directory = Memory::default();
    let [here, there]: [Server; 2] = Server::several(&directory);
    claim(&directory, "s", &nowhere());
    assert_eq!(here.send("s", &[]), 404);
    assert_eq!(here.poll("s"), "o");
    assert_eq!(owner(&directory, "s").unwrap().address(), format!("http://{}", here.address));
    assert_eq!(there.send("s", &[json!({"id": 1, "event": "Fruit:read"})]), 204);
    assert_eq!(messages(&there.poll("s"))[0]["id"], 1);
}

#[test]
fn a_node_that_lives_again_is_told_from_the_one_that_was_at_its_address() {
    let directory = Memory::default();
    let [here, there]: [Server; 2] = Server::several(&directory);
    for (session, comes_to) in [("s1", &here), ("s2", &there)] {
        let before = Node::new(format!("http://{}", there.address));
        claim(&directory, session, &before);
        assert_eq!(comes_to.send(session, &[]), 404);
        assert_eq!(comes_to.poll(session), "o");
        assert_ne!(owner(&directory, session), Some(before));
        assert_eq!(here.send(session, &[]), 204);
        assert_eq!(there.send(session, &[]), 204);
    }
}

#[test]
fn who_pretends_to_be_a_node_is_refused_and_pages_are_judged_behind_nodes_too() {
    let directory = Memory::default();
    let [here, there]: [Server; 2] = Server::several(&directory);
    let mark = |token: &str| format!("backsync-forwarded-to: {token}\r\n");
    assert_eq!(here.ask("POST", "/sockjs/000/s/xhr", &mark("x"), "").0, 421);
    assert_eq!(here.ask("POST", "/sockjs/000/s/xhr_send", &mark(""), "[]").0, 421);
    assert!(directory.is_empty());
    assert_eq!(here.poll("s"), "o");
    let token = owner(&directory, "s").unwrap().token().to_owned();
    assert_eq!(there.ask("POST", "/sockjs/000/s/xhr_send", &mark(&token), "[]").0, 421, "it is for the other one");
    assert_eq!(here.ask("POST", "/sockjs/000/s/xhr_send", &mark(&token), "[]").0, 204);
    let foreign = "Origin: http://evil.example\r\n";
    assert_eq!(here.ask("POST", "/sockjs/000/s/xhr_send", &(mark(&token) + foreign), "[]").0, 403);
    assert_eq!(there.ask("POST", "/sockjs/000/s/xhr_send", foreign, "[]").0, 403);
}

#[test]
fn who_gets_no_place_leaves_no_entry_but_reaches_a_session_elsewhere() {
    let directory = Memory::default();
    let [full, other] = [1, 100]
        .map(|connections| Server::start(directory.clone(), move |settings| settings.limits.connections = connections));
    let _only = Client::through(Door::Plain, full.address);
    for n in 0..20 {
        assert_eq!(full.ask("POST", &format!("/sockjs/000/s{n}/xhr"), "", "").0, 503);
        assert_eq!(other.send(&format!("t{n}"), &[]), 404);
    }
    assert!(directory.is_empty());
    assert_eq!(other.poll("s"), "o");
    assert_eq!(full.send("s", &[json!({"id": 1, "event": "Fruit:read"})]), 204);
    assert_eq!(messages(&full.poll("s"))[0]["id"], 1);
}

/// Tells what is kept.
#[derive(Debug)]
struct Told(Memory, mpsc::Sender<Vec<SessionKey>>);

impl Directory for Told {
    fn claim<'a>(&'a self, session: SessionKey, node: &'a Node, gone: Option<&'a Node>) -> Lookup<'a, Claim> {
        self.0.claim(session, node, gone)
    }

    fn find(&self, session: SessionKey) -> Lookup<'_, Option<Node>> {
        self.0.find(session)
    }

    fn keep<'a>(&'a self, sessions: &'a [SessionKey], node: &'a Node) -> Lookup<'a, ()> {
        // The test may be over.
        let _ = self.1.send(sessions.to_vec());
        self.0.keep(sessions, node)
    }
}

#[test]
fn what_a_directory_says_about_living_sessions_is_kept() {
    let (keeps, kept) = mpsc::channel();
    let node = Server::start(Told(Memory::default(), keeps), |_| ());
    assert_eq!(node.poll("s"), "o");
    let _receiver = node.stream("s");
    for _ in 0..2 {
        assert_eq!(kept.recv_timeout(HUNG).expect("it is kept again and again"), [key("s")]);
    }
}

#[derive(Debug)]
struct Failing;

impl Directory for Failing {
    fn claim<'a>(&'a self, _: SessionKey, _: &'a Node, _: Option<&'a Node>) -> Lookup<'a, Claim> {
        Box::pin(async { Err(DirectoryError::new("out of order")) })
    }

    fn find(&self, _: SessionKey) -> Lookup<'_, Option<Node>> {
        Box::pin(async { Err(DirectoryError::new("out of order")) })
    }

    fn keep<'a>(&'a self, _: &'a [SessionKey], _: &'a Node) -> Lookup<'a, ()> {
        Box::pin(async { Err(DirectoryError::new("out of order")) })
    }
}

#[test]
fn a_directory_that_fails_locks_nobody_out() {
    let node = Server::start(Failing, |_| ());
    assert_eq!(node.poll("s"), "o");
    assert_eq!(node.send("s", &[json!({"id": 1, "event": "Fruit:read"})]), 204);
    assert_eq!(messages(&node.poll("s"))[0]["id"], 1);
    // It may be somewhere.
    assert_eq!(node.send("unknown", &[]), 503);
}
