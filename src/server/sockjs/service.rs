//! SockJS for message services of somebody's own, within an actix-web application.

use super::{Endpoint, Entrance, SockJsOptions};
use crate::{
    broker::{Framing, Outbox, Progress, Sink, Written},
    server::{
        origin::Origins,
        party::{Host, Party, Place},
        transports::Door,
        upgrade::Refusal,
    },
    sockjs::Prefix,
    websocket::{Opcode, append_frame},
};
use actix_web::web::ServiceConfig;
use bytes::Bytes;
use std::{
    cell::{Cell, RefCell},
    fmt,
    rc::{Rc, Weak},
    sync::{Arc, atomic::AtomicUsize},
    time::Duration,
};

/// Beyond this many bytes that wait to be written, no further message of a client is taken.
const HIGH_WATER: usize = 1 << 20;

/// Something that talks messages with SockJS clients.
pub trait Service: Send + Sync + 'static {
    /// A client has come; `peer` is how it is talked to. All of this happens on one thread.
    fn open(&self, peer: Peer) -> Box<dyn Talk>;
}

impl<F: Fn(Peer) -> Box<dyn Talk> + Send + Sync + 'static> Service for F {
    fn open(&self, peer: Peer) -> Box<dyn Talk> {
        self(peer)
    }
}

/// What a service does with one client.
pub trait Talk {
    /// A message came.
    fn message(&mut self, message: Message<'_>);

    /// The client has gone.
    fn end(&mut self) {}
}

/// What a client sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message<'a> {
    /// Text.
    Text(&'a str),
    /// Bytes, which only come over a raw WebSocket.
    Binary(&'a [u8]),
}

/// What may be chosen about a SockJS service.
#[derive(Debug, Clone)]
pub struct ServiceOptions {
    /// About SockJS itself.
    pub sockjs: SockJsOptions,
    /// Which pages may connect.
    pub origins: Origins,
    /// The largest message, in bytes.
    pub message_bytes: usize,
    /// How many connections and sessions may be open at once.
    pub connections: usize,
    /// How often a quiet client gets a sign of life.
    pub heartbeat: Duration,
}

impl Default for ServiceOptions {
    fn default() -> Self {
        Self {
            sockjs: SockJsOptions::default(),
            origins: Origins { allowed: Vec::new(), loopback: false },
            message_bytes: 1 << 20,
            connections: 20_000,
            heartbeat: Duration::from_secs(25),
        }
    }
}

/// A message service behind SockJS; a handle that is cheap to clone.
#[derive(Clone)]
pub struct SockJs(Arc<Inner>);

struct Inner {
    service: Box<dyn Service>,
    endpoint: Arc<Endpoint>,
    connections: usize,
    heartbeat: Duration,
    open: Arc<AtomicUsize>,
}

impl fmt::Debug for SockJs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SockJs").field("endpoint", &self.0.endpoint).finish_non_exhaustive()
    }
}

impl SockJs {
    /// A service that nobody can reach yet.
    pub fn new(service: impl Service, options: ServiceOptions) -> Self {
        let ServiceOptions { sockjs, origins, message_bytes, connections, heartbeat } = options;
        let endpoint = Arc::new(Endpoint::new(Prefix::Strings, Door::RAW, sockjs, origins, message_bytes));
        Self(Arc::new(Inner { service: Box::new(service), endpoint, connections, heartbeat, open: Arc::default() }))
    }

    /// Serve it below `prefix`: `App::new().configure(echo.mount("/echo"))`.
    pub fn mount(&self, prefix: &str) -> impl FnOnce(&mut ServiceConfig) + Clone + Send + use<> {
        let (this, prefix) = (self.clone(), prefix.trim_end_matches('/').to_owned());
        move |config: &mut ServiceConfig| {
            let endpoint = this.0.endpoint.clone();
            let host = Rc::new(Own { service: this.0, peers: RefCell::default() });
            actix_web::rt::spawn(beat(Rc::downgrade(&host), host.service.heartbeat));
            Entrance::new(endpoint, true, move || Ok(host.clone())).open(&prefix, config);
        }
    }
}

/// A sign of life for everybody, for as long as the application's thread lives.
async fn beat(host: Weak<Own>, interval: Duration) {
    let mut clock = tokio::time::interval(interval);
    clock.tick().await;
    loop {
        clock.tick().await;
        let Some(host) = host.upgrade() else { return };
        let mut peers = std::mem::take(&mut *host.peers.borrow_mut());
        peers.retain(|peer| peer.upgrade().inspect(|line| line.beat()).is_some());
        host.peers.borrow_mut().append(&mut peers);
    }
}

/// The service, on one thread.
struct Own {
    service: Arc<Inner>,
    peers: RefCell<Vec<Weak<Line>>>,
}

impl Host for Own {
    fn open(&self, framing: Framing, first: &[u8], _: Option<&str>, sink: Rc<dyn Sink>) -> Box<dyn Party> {
        let [is_blocked, is_closing, is_staging, waits] = [false, false, true, false].map(Cell::new);
        let line = Line { framing, outbox: RefCell::default(), sink, is_blocked, is_closing, is_staging, waits };
        line.outbox.borrow_mut().own().extend_from_slice(first);
        let peer = Peer(Rc::new(line));
        self.peers.borrow_mut().push(Rc::downgrade(&peer.0));
        let talk = Some(self.service.service.open(peer.clone()));
        Box::new(Client { peer, talk })
    }

    fn place(&self) -> Result<Place, Refusal> {
        Place::take(&self.service.open, self.service.connections)
    }
}

/// The way to one client; a handle that is cheap to clone. What is said to somebody who has gone is lost.
#[derive(Clone)]
pub struct Peer(Rc<Line>);

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer").field("framing", &self.0.framing).finish_non_exhaustive()
    }
}

struct Line {
    framing: Framing,
    outbox: RefCell<Outbox>,
    sink: Rc<dyn Sink>,
    is_blocked: Cell<bool>,
    is_closing: Cell<bool>,
    /// What is said now is written when all that came is handled.
    is_staging: Cell<bool>,
    waits: Cell<bool>,
}

impl Peer {
    /// Send a message.
    pub fn send(&self, message: &str) {
        self.0.say(|framing, out| framing.append(message, usize::MAX, out));
    }

    /// Send a message that is no text. Only a raw WebSocket has such; answers whether this client has one.
    pub fn send_binary(&self, message: &[u8]) -> bool {
        let is_raw = self.0.framing == Framing::WebSocket;
        if is_raw {
            self.0.say(|_, out| append_frame(Opcode::Binary, message, out));
        }
        is_raw
    }

    /// Bytes that wait for the client to read; who sends by itself looks at this.
    pub fn waiting_bytes(&self) -> usize {
        self.0.outbox.borrow().len()
    }

    /// End it, once everything before is written. `code` is 1000, or of 3000 to 4999.
    pub fn close(&self, code: u16, reason: &str) {
        if !self.0.is_closing.replace(true) {
            self.0.framing.append_close(code, reason, self.0.outbox.borrow_mut().own());
            self.0.write_unless_staging();
        }
    }
}

impl Line {
    fn say(&self, append: impl FnOnce(Framing, &mut Vec<u8>)) {
        if !self.is_closing.get() {
            append(self.framing, self.outbox.borrow_mut().own());
            self.write_unless_staging();
        }
    }

    fn beat(&self) {
        if !self.is_closing.get() && !self.is_blocked.get() {
            self.outbox.borrow_mut().push(Bytes::from_static(self.framing.heartbeat()));
            self.write_unless_staging();
        }
    }

    fn write_unless_staging(&self) {
        if !self.is_staging.get() && !self.is_blocked.get() {
            self.write();
        }
    }

    fn write(&self) {
        match self.outbox.borrow_mut().write(|slices| self.sink.write(slices)) {
            Written::All if self.is_closing.get() => self.sink.ended(),
            Written::All => {}
            Written::Some => {
                self.is_blocked.set(true);
                self.sink.blocked();
            }
            Written::Gone => self.sink.ended(),
        }
    }
}

/// One client, from where its bytes come.
struct Client {
    peer: Peer,
    talk: Option<Box<dyn Talk>>,
}

impl Client {
    fn hear(&mut self, message: Message<'_>) {
        if self.peer.0.is_closing.get() {
            return;
        }
        self.peer.0.is_staging.set(true);
        if let Some(talk) = &mut self.talk {
            talk.message(message);
        }
    }
}

impl Party for Client {
    fn receive(&mut self, message: &str) -> Progress {
        if self.peer.waiting_bytes() > HIGH_WATER {
            self.peer.0.waits.set(true);
            return Progress::Later;
        }
        self.hear(Message::Text(message));
        Progress::Taken
    }

    fn receive_binary(&mut self, message: &[u8]) {
        self.hear(Message::Binary(message));
    }

    fn seen(&mut self) {}

    fn send(&mut self, bytes: &[u8]) {
        if !self.peer.0.is_closing.get() {
            self.peer.0.outbox.borrow_mut().own().extend_from_slice(bytes);
        }
    }

    fn close(&mut self, code: u16, reason: &str) {
        self.peer.close(code, reason);
    }

    fn unblocked(&mut self) {
        self.peer.0.is_blocked.set(false);
        self.flush();
        if self.peer.waiting_bytes() <= HIGH_WATER && self.peer.0.waits.take() {
            self.peer.0.sink.resume();
        }
    }

    fn flush(&mut self) {
        self.peer.0.is_staging.set(false);
        self.peer.0.write_unless_staging();
    }

    fn leave(&mut self) {
        self.peer.0.is_closing.set(true);
        if let Some(mut talk) = self.talk.take() {
            talk.end();
        }
    }
}
