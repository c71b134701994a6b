//! A client that speaks messages through any door. It knows the framings and nothing of the protocol.

use crate::{
    fallback::Fallback,
    server::{HUNG, Server},
};
use serde_json::{Value, json};
use std::{
    collections::VecDeque,
    net::{SocketAddr, TcpStream},
};
use tungstenite::{Message, WebSocket, protocol::frame::coding::CloseCode};

/// The doors, and how messages are wrapped there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// `/ws`.
    Plain,
    /// `/backsync/websocket`, the raw WebSocket under a SockJS prefix.
    Raw,
    /// SockJS under `/backsync`: messages go out as values.
    Values,
    /// SockJS under `/sockjs`: messages go out as strings.
    Strings,
    /// SockJS over HTTP, under `/backsync`: many frames in a response.
    Streaming,
    /// SockJS over HTTP, under `/sockjs`: a response for each frame.
    Polling,
}

impl Door {
    pub(crate) const ALL: [Self; 6] =
        [Self::Plain, Self::Raw, Self::Values, Self::Strings, Self::Streaming, Self::Polling];

    pub(crate) const WEBSOCKETS: [Self; 4] = [Self::Plain, Self::Raw, Self::Values, Self::Strings];

    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Plain => "/ws",
            Self::Raw => "/backsync/websocket",
            Self::Values => "/backsync/000/tests/websocket",
            Self::Strings => "/sockjs/000/tests/websocket",
            Self::Streaming => "/backsync/000",
            Self::Polling => "/sockjs/000",
        }
    }

    /// Whether there are frames at all, and not only messages.
    pub(crate) fn has_frames(self) -> bool {
        !matches!(self, Self::Streaming | Self::Polling)
    }

    pub(crate) fn is_sockjs(self) -> bool {
        matches!(self, Self::Values | Self::Strings | Self::Streaming | Self::Polling)
    }
}

/// What a client sees next.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Seen {
    Message(Value),
    /// The end, with the server's words.
    Closed {
        code: u16,
        reason: String,
    },
    /// The end, without any.
    Lost,
}

pub(crate) struct Client {
    door: Door,
    carrier: Carrier,
    /// Taken out of a frame, and not yet looked at.
    queue: VecDeque<Seen>,
    next_id: u64,
}

enum Carrier {
    Socket(Box<WebSocket<TcpStream>>),
    Http(Box<Fallback>),
}

impl Client {
    /// Through the headline door.
    pub(crate) fn connect(server: &Server) -> Self {
        Self::through(Door::Plain, server.address())
    }

    pub(crate) fn through(door: Door, address: SocketAddr) -> Self {
        Self::with_query(door, address, "")
    }

    /// Through a door with something behind its path, such as `?client=me`.
    pub(crate) fn with_query(door: Door, address: SocketAddr, query: &str) -> Self {
        Self::open(door, address, query).unwrap_or_else(|cause| panic!("no connection at {}: {cause}", door.path()))
    }

    /// Through a door that is mounted below a path.
    pub(crate) fn below(prefix: &str, door: Door, address: SocketAddr) -> Self {
        let path = format!("{prefix}{}", door.path());
        Self::at(door, address, &path, "").unwrap_or_else(|cause| panic!("no connection at {path}: {cause}"))
    }

    pub(crate) fn try_through(door: Door, address: SocketAddr) -> Result<Self, String> {
        Self::open(door, address, "")
    }

    fn open(door: Door, address: SocketAddr, query: &str) -> Result<Self, String> {
        Self::at(door, address, door.path(), query)
    }

    fn at(door: Door, address: SocketAddr, path: &str, query: &str) -> Result<Self, String> {
        let carrier = match door {
            Door::Streaming => Carrier::Http(Fallback::open(address, path, "xhr_streaming", query)?.into()),
            Door::Polling => Carrier::Http(Fallback::open(address, path, "xhr", query)?.into()),
            _ => Carrier::Socket(Self::socket(door, address, path, query)?.into()),
        };
        Ok(Self { door, carrier, queue: VecDeque::new(), next_id: 1 })
    }

    fn socket(door: Door, address: SocketAddr, path: &str, query: &str) -> Result<WebSocket<TcpStream>, String> {
        let stream = TcpStream::connect(address).map_err(|cause| cause.to_string())?;
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(HUNG)).unwrap();
        stream.set_write_timeout(Some(HUNG)).unwrap();
        let url = format!("ws://{address}{path}{query}");
        let (mut socket, _) = tungstenite::client(url, stream).map_err(|cause| cause.to_string())?;
        if door.is_sockjs() {
            assert_eq!(socket.read().unwrap(), Message::text("o"), "a SockJS session begins with its greeting");
        }
        Ok(socket)
    }

    /// Whether there are frames at all, and not only messages.
    pub(crate) fn has_frames(&self) -> bool {
        self.door.has_frames()
    }

    pub(crate) fn send(&mut self, message: &Value) {
        self.send_text(&message.to_string());
    }

    /// Several messages at once: in one frame, whose framing the door decides.
    pub(crate) fn send_all(&mut self, messages: &[Value]) {
        let frame = if self.door.is_sockjs() {
            Value::from(messages.iter().map(Value::to_string).collect::<Vec<_>>())
        } else {
            Value::from(messages)
        };
        self.send_frame(frame.to_string());
    }

    /// One message that may be anything.
    pub(crate) fn send_text(&mut self, text: &str) {
        self.send_frame(if self.door.is_sockjs() { json!([text]).to_string() } else { text.to_owned() });
    }

    /// A text frame as it stands, whatever the door wants around messages.
    pub(crate) fn send_raw_text(&mut self, text: &str) {
        self.send_frame(text.to_owned());
    }

    pub(crate) fn send_binary(&mut self, bytes: &[u8]) {
        match &mut self.carrier {
            Carrier::Socket(socket) => socket.send(Message::binary(bytes.to_vec())).unwrap(),
            Carrier::Http(_) => panic!("there is nothing binary over HTTP"),
        }
    }

    fn send_frame(&mut self, text: String) {
        self.try_send_frame(text).unwrap_or_else(|cause| panic!("cannot send: {cause}"));
    }

    fn try_send_frame(&mut self, text: String) -> Result<(), String> {
        match &mut self.carrier {
            Carrier::Socket(socket) => socket.send(Message::text(text)).map_err(|cause| cause.to_string()),
            Carrier::Http(session) => {
                session.send(&text).then_some(()).ok_or_else(|| "the server did not take it".to_owned())
            }
        }
    }

    /// Send, where the server may have gone. Whether it took it is not known.
    pub(crate) fn try_send(&mut self, message: &Value) -> bool {
        self.try_send_frame(message.to_string()).is_ok()
    }

    /// The next message, or the end.
    pub(crate) fn see(&mut self) -> Seen {
        loop {
            if let Some(seen) = self.queue.pop_front() {
                return seen;
            }
            let socket = match &mut self.carrier {
                Carrier::Socket(socket) => socket,
                Carrier::Http(session) => match session.frame() {
                    Some(frame) => {
                        self.unwrap(&frame);
                        continue;
                    }
                    None => return Seen::Lost,
                },
            };
            match socket.read() {
                Ok(Message::Text(text)) => self.unwrap(text.as_str()),
                Ok(Message::Close(Some(frame))) => {
                    return Seen::Closed { code: number(frame.code), reason: frame.reason.to_string() };
                }
                Ok(Message::Close(None)) => return Seen::Lost,
                Ok(Message::Ping(_) | Message::Pong(_)) => {}
                Ok(other) => panic!("not a frame of this protocol: {other:?}"),
                Err(tungstenite::Error::Io(cause)) if cause.kind() == std::io::ErrorKind::WouldBlock => {
                    panic!("nothing came")
                }
                Err(_) => return Seen::Lost,
            }
        }
    }

    fn unwrap(&mut self, text: &str) {
        let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_else(|_| panic!("not JSON: {text}"));
        if !self.door.is_sockjs() {
            return self.queue.push_back(Seen::Message(parse(text)));
        }
        match text.as_bytes()[0] {
            b'h' => {}
            b'a' => {
                for message in parse(&text[1..]).as_array().unwrap() {
                    let message = match self.door {
                        Door::Strings | Door::Polling => parse(message.as_str().expect("this door sends strings")),
                        _ => message.clone(),
                    };
                    assert!(message.is_object(), "a message is an object: {text}");
                    self.queue.push_back(Seen::Message(message));
                }
            }
            b'c' => {
                let close = parse(&text[1..]);
                let code = u16::try_from(close[0].as_u64().unwrap()).unwrap();
                self.queue.push_back(Seen::Closed { code, reason: close[1].as_str().unwrap().to_owned() });
            }
            _ => panic!("not a SockJS frame: {text}"),
        }
    }

    /// The next message; there has to be one.
    pub(crate) fn receive(&mut self) -> Value {
        match self.see() {
            Seen::Message(message) => message,
            end => panic!("the connection ended: {end:?}"),
        }
    }

    /// Send a request and take its reply, which has to be the very next message.
    pub(crate) fn ask(&mut self, event: &str, data: Value) -> Value {
        let id = self.request(event, data);
        let reply = self.receive();
        assert_eq!(reply["id"], id, "not the reply to {event}: {reply}");
        reply
    }

    /// The same, and it has to be a good one.
    pub(crate) fn must(&mut self, event: &str, data: Value) -> Value {
        let reply = self.ask(event, data);
        assert!(reply.get("error").is_none(), "{event} failed: {reply}");
        reply["data"].clone()
    }

    /// The code of the error that this request is answered with.
    pub(crate) fn fails(&mut self, event: &str, data: Value) -> String {
        let reply = self.ask(event, data);
        reply["error"]["code"].as_str().unwrap_or_else(|| panic!("{event} did not fail: {reply}")).to_owned()
    }

    /// Send a request, and answer the id it bears.
    pub(crate) fn request(&mut self, event: &str, data: Value) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.send(&json!({"id": id, "event": event, "data": data}));
        id
    }
}

fn number(code: CloseCode) -> u16 {
    code.into()
}

/// The revision within a position, for tests that look behind what is opaque to clients.
pub(crate) fn revision(message: &Value) -> u64 {
    let position = message["position"].as_str().unwrap_or_else(|| panic!("no position in {message}"));
    position.parse::<backsync_protocol::Position>().unwrap().revision.0
}
