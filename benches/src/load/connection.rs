//! One connection of the load generator: what was received in part, what is unsent, nothing else.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::Instant;

use mio::net::TcpStream;

use super::Door;
use super::api::{Lines, Records};
use super::step::Step;
use super::streaming::{Streaming, split};
use crate::failure::{Doing, Failure};
use crate::frame::{self, Frame};

/// The key and the answer it must get are those of RFC 6455, section 1.3.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
/// One key for every frame: a client must mask, and a server must unmask, whatever the key is.
const MASK: [u8; 4] = [0x5a, 0xc3, 0x17, 0x88];

/// A connection from its first request on.
#[derive(Debug)]
pub(super) struct Connection {
    /// Its number in the order of opening.
    number: usize,
    pub(super) stream: TcpStream,
    pub(super) upgraded: bool,
    /// Whether the poll tells of room to write, too.
    pub(super) watches_room: bool,
    held: Vec<u8>,
    unsent: Vec<u8>,
    speech: Speech,
}

/// What is spoken on a connection.
#[derive(Debug)]
enum Speech {
    WebSocket,
    Streaming(Streaming),
    Records(Records),
    Lines(Lines),
}

impl Connection {
    /// Connects and asks to be let in; the answer is still to come.
    pub(super) fn open(number: usize, to: SocketAddr, door: Door) -> Result<Self, Failure> {
        let connect = || {
            let stream = std::net::TcpStream::connect(to)?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            Ok::<_, io::Error>(TcpStream::from_std(stream))
        };
        let stream = connect().doing(format!("opening connection {number} to {to}"))?;
        let (speech, request) = match door {
            Door::WebSocket => (Speech::WebSocket, upgrade(to)),
            Door::Streaming => {
                let (streaming, request) = Streaming::open(number, to);
                (Speech::Streaming(streaming), request)
            }
            Door::Records => (Speech::Records(Records::open(to)), String::new()),
            Door::Lines => {
                let (lines, request) = Lines::open(to);
                (Speech::Lines(lines), request)
            }
        };
        let mut connection = Self {
            number,
            stream,
            // Where nothing is asked for at first, there is nothing to wait for.
            upgraded: request.is_empty(),
            watches_room: false,
            held: Vec::new(),
            unsent: request.into_bytes(),
            speech,
        };
        connection.send()?;
        Ok(connection)
    }

    /// Puts a text message behind what is to be sent. A stream's goes at once, by a request of its own.
    pub(super) fn queue(&mut self, text: &[u8]) -> Result<(), Failure> {
        match &mut self.speech {
            Speech::WebSocket => frame::put_masked(&mut self.unsent, frame::TEXT, text, MASK),
            Speech::Streaming(streaming) => {
                let text = std::str::from_utf8(text).expect("requests are text");
                streaming.send(text).map_err(|reason| self.closed(reason))?;
            }
            Speech::Records(records) => records.put(&mut self.unsent, text),
            Speech::Lines(lines) => lines.queue(text),
        }
        Ok(())
    }

    /// Whether something is still to be sent.
    pub(super) fn has_unsent(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Sends what the socket takes, in one write if it takes all.
    pub(super) fn send(&mut self) -> Result<(), Failure> {
        if let Speech::Lines(lines) = &mut self.speech {
            lines.put_chunk(&mut self.unsent);
        }
        let mut sent = 0;
        while sent < self.unsent.len() {
            match self.stream.write(&self.unsent[sent..]) {
                Ok(some) => sent += some,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(self.closed(error.to_string())),
            }
        }
        self.unsent.drain(..sent);
        Ok(())
    }

    /// Reads what is there and hands every text message to `sink` with the moment it was read; pings are answered.
    /// `scratch` is where the bytes lie meanwhile. With `ending` it reads on until the end shows, because no further
    /// event will tell of it.
    pub(super) fn receive(
        &mut self,
        scratch: &mut [u8],
        ending: bool,
        mut sink: impl FnMut(&[u8], Instant) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        loop {
            let held = self.held.len();
            scratch[..held].copy_from_slice(&self.held);
            self.held.clear();
            let (got, filled) = match self.stream.read(&mut scratch[held..]) {
                Ok(0) => return Err(self.closed("the stream ended")),
                Ok(got) => (held + got, held + got == scratch.len()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => (held, false),
                Err(error) if error.kind() == ErrorKind::Interrupted => (held, true),
                Err(error) => return Err(self.closed(error.to_string())),
            };
            let blocked = got == held;
            let at = Instant::now();
            let used = self.take(&scratch[..got], |text| sink(text, at))?;
            self.held.extend_from_slice(&scratch[used..got]);
            if self.held.len() == scratch.len() {
                return Err(self.closed(format!("a message of more than {} bytes", scratch.len())));
            }
            // A read that leaves room has emptied the socket: the next arrival is a new event.
            if !filled && (blocked || !ending) {
                return Ok(());
            }
        }
    }

    /// Takes all that is whole off the front of `bytes`; the number of bytes it had.
    fn take(&mut self, bytes: &[u8], mut sink: impl FnMut(&[u8]) -> Result<(), Failure>) -> Result<usize, Failure> {
        let mut used = 0;
        loop {
            let rest = &bytes[used..];
            let step = match &mut self.speech {
                Speech::WebSocket => return self.take_frames(bytes, sink),
                Speech::Streaming(streaming) => streaming.step(rest),
                Speech::Records(records) => records.step(rest),
                Speech::Lines(lines) => lines.step(rest),
            };
            let (more, step) = step.map_err(|reason| self.closed(reason))?;
            used += more;
            match step {
                Step::More => return Ok(used),
                Step::Passed => {}
                Step::Opened => self.upgraded = true,
                Step::Message(message) => sink(message)?,
                Step::Messages(messages) => split(messages, &mut sink)?,
                Step::Ended(request) => {
                    self.unsent.extend_from_slice(request.as_bytes());
                    self.send()?;
                }
            }
        }
    }

    fn take_frames(
        &mut self,
        bytes: &[u8],
        mut sink: impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<usize, Failure> {
        let mut used = match self.upgraded {
            true => 0,
            false => self.take_upgrade(bytes)?,
        };
        while self.upgraded {
            let rest = &bytes[used..];
            let found = frame::first(rest).map_err(|_| self.closed("an absurdly long frame"))?;
            let Some(Frame { opcode, last, key, start, end }) = found else { break };
            let payload = &rest[start..end];
            match opcode {
                _ if key.is_some() || !last => return Err(self.closed("a masked or a divided frame")),
                frame::TEXT => sink(payload)?,
                frame::PING => {
                    frame::put_masked(&mut self.unsent, frame::PONG, payload, MASK);
                    self.send()?;
                }
                frame::PONG => {}
                frame::CLOSE => return Err(self.closed(close_reason(payload))),
                other => return Err(self.closed(format!("a frame of kind {other}"))),
            }
            used += end;
        }
        Ok(used)
    }

    fn take_upgrade(&mut self, bytes: &[u8]) -> Result<usize, Failure> {
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(0) };
        let head = String::from_utf8_lossy(&bytes[..end]);
        let accepted = head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .any(|(name, value)| name.eq_ignore_ascii_case("sec-websocket-accept") && value.trim() == ACCEPT);
        if !head.starts_with("HTTP/1.1 101") || !accepted {
            let status = head.lines().next().unwrap_or_default();
            return Err(self.closed(format!("no upgrade, but {status:?}")));
        }
        self.upgraded = true;
        Ok(end + 4)
    }

    fn closed(&self, reason: impl Into<String>) -> Failure {
        Failure::Closed { connection: self.number, reason: reason.into() }
    }
}

fn upgrade(to: SocketAddr) -> String {
    format!(
        "GET /ws HTTP/1.1\r\nHost: {to}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
}

fn close_reason(payload: &[u8]) -> String {
    match payload {
        [a, b, reason @ ..] => {
            format!("close {} {}", u16::from_be_bytes([*a, *b]), String::from_utf8_lossy(reason))
        }
        _ => "close without a code".into(),
    }
}
