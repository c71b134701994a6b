//! A socket that says exactly the bytes it is told to, and what came back.

use crate::server::{HUNG, Server};
use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
};

/// An answer to an HTTP request.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

/// A frame from the server.
#[derive(Debug, PartialEq)]
pub(crate) struct Frame {
    pub(crate) opcode: u8,
    pub(crate) payload: Vec<u8>,
    pub(crate) compressed: bool,
}

pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

pub(crate) struct Wire {
    stream: TcpStream,
}

/// A good handshake, line by line, for tests to spoil.
pub(crate) fn handshake(path: &str) -> Vec<String> {
    [
        &format!("GET {path} HTTP/1.1"),
        "Host: localhost",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ]
    .map(str::to_owned)
    .into()
}

impl Wire {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(HUNG)).unwrap();
        stream.set_write_timeout(Some(HUNG)).unwrap();
        Self { stream }
    }

    /// A WebSocket at `/ws`, after its handshake.
    pub(crate) fn upgraded(server: &Server) -> Self {
        let mut wire = Self::connect(server.address());
        let answer = wire.ask(&handshake("/ws"));
        assert_eq!(answer.status, 101, "{answer:?}");
        wire
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Send an HTTP request; the body is read only as far as its length is announced.
    pub(crate) fn ask(&mut self, lines: &[String]) -> Answer {
        self.write(format!("{}\r\n\r\n", lines.join("\r\n")).as_bytes());
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.byte());
        }
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let length =
            head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |n| n.parse().unwrap());
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).unwrap();
        Answer { status, head, body: String::from_utf8(body).unwrap() }
    }

    /// The next frame; none at the end of the stream, which may cut one.
    pub(crate) fn frame(&mut self) -> Option<Frame> {
        let mut head = [0; 2];
        if !self.fill(&mut head) {
            return None;
        }
        assert_eq!(head[0] & 0xb0, 0x80, "the server does not fragment, and one reserved bit has a meaning");
        let compressed = head[0] & 0x40 != 0;
        assert_eq!(head[1] & 0x80, 0, "the server does not mask");
        let length = match head[1] {
            126 => u64::from(u16::from_be_bytes(self.bytes())),
            127 => u64::from_be_bytes(self.bytes()),
            short => u64::from(short),
        };
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        self.fill(&mut payload).then_some(Frame { opcode: head[0] & 0x0f, payload, compressed })
    }

    fn fill(&mut self, bytes: &mut [u8]) -> bool {
        match self.stream.read_exact(bytes) {
            Ok(()) => true,
            Err(cause) if matches!(cause.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset) => false,
            Err(cause) => panic!("nothing came: {cause}"),
        }
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.bytes::<1>()[0]
    }

    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.stream.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// The next frame that is no heartbeat; none at the end of the stream.
    pub(crate) fn beyond_heartbeats(&mut self) -> Option<Frame> {
        let heartbeat = Frame { opcode: PING, payload: Vec::new(), compressed: false };
        loop {
            let frame = self.frame();
            if frame.as_ref() != Some(&heartbeat) {
                return frame;
            }
        }
    }

    /// The close that has to come next, and behind it the end of the stream.
    pub(crate) fn closed(&mut self) -> (u16, String) {
        let frame = self.beyond_heartbeats().expect("a close frame goes before the end");
        assert_eq!(frame.opcode, CLOSE, "{}", String::from_utf8_lossy(&frame.payload));
        let (code, reason) = frame.payload.split_first_chunk().expect("a close frame has a code");
        assert_eq!(self.frame(), None, "nothing follows a close frame");
        (u16::from_be_bytes(*code), String::from_utf8(reason.to_vec()).unwrap())
    }

    /// The next text frame, as JSON.
    pub(crate) fn message(&mut self) -> serde_json::Value {
        let frame = self.beyond_heartbeats().expect("a message");
        assert_eq!((frame.opcode, frame.compressed), (TEXT, false), "{frame:?}");
        serde_json::from_slice(&frame.payload).unwrap()
    }
}

/// A frame as a client sends it: whole and masked.
pub(crate) fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    with_first_byte(0x80 | opcode, payload)
}

/// The same with a first byte of choice.
pub(crate) fn with_first_byte(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x1f, 0x80, 0x03, 0xfa];
    let mut frame = vec![first];
    match payload.len() {
        n @ 0..126 => frame.push(0x80 | u8::try_from(n).unwrap()),
        n @ 126..=0xffff => {
            frame.push(0x80 | 126);
            frame.extend(u16::try_from(n).unwrap().to_be_bytes());
        }
        n => {
            frame.push(0x80 | 127);
            frame.extend((n as u64).to_be_bytes());
        }
    }
    frame.extend(mask);
    frame.extend(payload.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]));
    frame
}
