//! The load generator: any number of connections on one thread, one poll, one receive buffer.

mod api;
mod connection;
mod http;
mod step;
mod streaming;

use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token};

use self::connection::Connection;
use crate::failure::{Doing, Failure};

/// Connections asking for their upgrade at one time: few enough for any listen queue.
const OPENING_AT_ONCE: usize = 64;
/// How long the load looks again and again before it sleeps. A sleeping reader has to be woken by the server's write,
/// through an interrupt to the other CPU: that would go on the server's account, or not, as the reader happens to sleep.
const AWAKE: Duration = Duration::from_millis(5);
/// Quiet for so long means that what is awaited will not come.
const STALL: Duration = Duration::from_secs(10);

/// How connections come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// By a WebSocket at `/ws`.
    WebSocket,
    /// By SockJS' `xhr_streaming`.
    Streaming,
    /// By HTTP at `/api`, a request for each record.
    Records,
    /// The same, one request with a line for each record.
    Lines,
}

/// A text message that came in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival<'a> {
    /// The connection it came on, by its number in the order of opening.
    pub(crate) connection: usize,
    /// The message.
    pub(crate) text: &'a [u8],
    /// When it was read.
    pub(crate) at: Instant,
}

/// All connections to one server.
#[derive(Debug)]
pub(crate) struct Load {
    poll: Poll,
    events: Events,
    connections: Vec<Connection>,
    scratch: Vec<u8>,
    quiet_since: Instant,
}

impl Load {
    /// A load without connections.
    ///
    /// # Errors
    /// [`Failure::System`] when the system has no poll to give.
    pub(crate) fn new() -> Result<Self, Failure> {
        Ok(Self {
            poll: Poll::new().doing("making a poll")?,
            events: Events::with_capacity(1024),
            connections: Vec::new(),
            scratch: vec![0; 1 << 18],
            quiet_since: Instant::now(),
        })
    }

    /// Opens `count` more connections and waits until all are in; their numbers.
    ///
    /// # Errors
    /// Whatever keeps one of them from coming about.
    pub(crate) fn open(&mut self, count: usize, to: SocketAddr, door: Door) -> Result<Range<usize>, Failure> {
        let opened = self.connections.len()..self.connections.len() + count;
        while self.connections.len() < opened.end {
            let group = self.connections.len()..opened.end.min(self.connections.len() + OPENING_AT_ONCE);
            for number in group.clone() {
                let mut connection = Connection::open(number, to, door)?;
                let registry = self.poll.registry();
                registry
                    .register(&mut connection.stream, Token(number), Interest::READABLE)
                    .doing("watching a connection")?;
                self.connections.push(connection);
            }
            while self.connections[group.clone()].iter().any(|connection| !connection.upgraded) {
                self.turn("the upgrades", |early| {
                    Err(Failure::Wrong(format!(
                        "a message before any request: {}",
                        String::from_utf8_lossy(early.text)
                    )))
                })?;
            }
        }
        Ok(opened)
    }

    /// Puts a text message behind what `connection` is to send.
    ///
    /// # Errors
    /// [`Failure::Closed`] when a stream's message is not taken.
    pub(crate) fn queue(&mut self, connection: usize, text: &[u8]) -> Result<(), Failure> {
        self.connections[connection].queue(text)
    }

    /// Sends all that is queued on `connection`, in one write if the socket takes it, the rest when it does.
    ///
    /// # Errors
    /// [`Failure::Closed`] when the connection is gone.
    pub(crate) fn send(&mut self, connection: usize) -> Result<(), Failure> {
        let token = Token(connection);
        let connection = &mut self.connections[connection];
        connection.send()?;
        if connection.has_unsent() != connection.watches_room {
            connection.watches_room = connection.has_unsent();
            let interest = match connection.watches_room {
                true => Interest::READABLE | Interest::WRITABLE,
                false => Interest::READABLE,
            };
            self.poll.registry().reregister(&mut connection.stream, token, interest).doing("watching for room")?;
        }
        Ok(())
    }

    /// Waits until something can be received, and hands each text message to `sink`.
    ///
    /// # Errors
    /// [`Failure::Stalled`] with `awaited` when for ten seconds nothing came, what `sink` says, or a closed connection.
    pub(crate) fn turn(
        &mut self,
        awaited: &str,
        sink: impl FnMut(Arrival<'_>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let some = self.turn_within(Duration::from_millis(500), sink)?;
        if some {
            self.quiet_since = Instant::now();
        } else if self.quiet_since.elapsed() > STALL {
            return Err(Failure::Stalled { seconds: STALL.as_secs(), what: awaited.into() });
        }
        Ok(())
    }

    /// For `pause`, hands each text message that comes to `sink`; connections stay answered meanwhile.
    ///
    /// # Errors
    /// What `sink` says, or a closed connection.
    pub(crate) fn rest(
        &mut self,
        pause: Duration,
        mut sink: impl FnMut(Arrival<'_>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let until = Instant::now() + pause;
        while let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            self.turn_within(left, &mut sink)?;
        }
        self.quiet_since = Instant::now();
        Ok(())
    }

    fn turn_within(
        &mut self,
        limit: Duration,
        mut sink: impl FnMut(Arrival<'_>) -> Result<(), Failure>,
    ) -> Result<bool, Failure> {
        self.wait(limit).doing("waiting for the connections")?;
        let mut room = Vec::new();
        for event in &self.events {
            let Token(number) = event.token();
            if event.is_writable() {
                room.push(number);
            }
            if event.is_readable() || event.is_read_closed() {
                let connection = &mut self.connections[number];
                connection.receive(&mut self.scratch, event.is_read_closed(), |text, at| {
                    sink(Arrival { connection: number, text, at })
                })?;
            }
        }
        for number in room {
            self.send(number)?;
        }
        Ok(!self.events.is_empty())
    }

    /// Fills the events with what there is, as soon as there is something or `limit` is over.
    fn wait(&mut self, limit: Duration) -> io::Result<()> {
        let until = Instant::now() + AWAKE.min(limit);
        loop {
            let asleep = match Instant::now() < until {
                true => Duration::ZERO,
                false => limit.saturating_sub(AWAKE),
            };
            match self.poll.poll(&mut self.events, Some(asleep)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
                Ok(()) if asleep.is_zero() && self.events.is_empty() && Instant::now() < until => {
                    // Where the server has no CPU of its own, it needs this one.
                    std::thread::yield_now();
                }
                Ok(()) => return Ok(()),
            }
        }
    }
}
