//! The bare server: the least that can deliver a message to many listeners, as the yardstick of what the real one adds.
//!
//! One thread, one epoll, no JSON, no records, no order to keep: a published text is framed once and the same bytes are
//! written to every listener. Its language is told in [`crate::dialect`].

mod connection;
mod upgrade;

use std::io::{ErrorKind, Read};
use std::net::SocketAddr;

use clap::ValueEnum;
use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token};
use serde::Serialize;

use self::connection::Connection;
use crate::failure::{Doing, Failure};
use crate::frame;

const LISTENER: Token = Token(usize::MAX - 1);
/// No bench has more channels.
const MOST_CHANNELS: usize = 1 << 16;

/// How messages leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    /// Each at once: one write for each listener and message.
    Each,
    /// All of one channel that came with one read of the input: one write for each listener.
    Batch,
    /// As `Each`, and a write is acknowledged with what it brought rather than with one byte: the answer is then as long as
    /// the broker's.
    Echo,
}

#[derive(Debug, Default)]
struct Channel {
    listeners: Vec<usize>,
    /// Finished frames that wait for the end of the input, in `Batch`.
    staged: Vec<u8>,
}

#[derive(Debug)]
struct Server {
    mode: Mode,
    poll: Poll,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    channels: Vec<Channel>,
    /// The channels with something staged.
    touched: Vec<usize>,
    /// Connections that broke while being written to.
    broken: Vec<usize>,
    /// The frame being delivered.
    frame: Vec<u8>,
    /// The answers to one read, which leave in one write in either mode.
    answers: Vec<u8>,
}

/// Serves on `listen` until the process ends.
///
/// # Errors
/// [`Failure::System`] when it cannot listen.
pub(crate) fn serve(listen: SocketAddr, mode: Mode) -> Result<(), Failure> {
    let mut listener = TcpListener::bind(listen).doing(format!("listening on {listen}"))?;
    let poll = Poll::new().doing("making a poll")?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE).doing("watching the listener")?;
    let mut server = Server {
        mode,
        poll,
        connections: Vec::new(),
        free: Vec::new(),
        channels: Vec::new(),
        touched: Vec::new(),
        broken: Vec::new(),
        frame: Vec::new(),
        answers: Vec::new(),
    };
    let mut events = Events::with_capacity(1024);
    let mut scratch = vec![0; 1 << 18];
    loop {
        match server.poll.poll(&mut events, None) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            polled => polled.doing("waiting for connections")?,
        }
        for event in &events {
            match event.token() {
                LISTENER => server.accept(&listener)?,
                Token(number) => {
                    if event.is_writable() {
                        server.resume(number);
                    }
                    if event.is_readable() || event.is_read_closed() {
                        server.read(number, &mut scratch, event.is_read_closed());
                    }
                }
            }
        }
        while let Some(number) = server.broken.pop() {
            server.close(number);
        }
    }
}

impl Server {
    fn accept(&mut self, listener: &TcpListener) -> Result<(), Failure> {
        loop {
            let mut stream = match listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error).doing("accepting a connection"),
            };
            let number = self.free.pop().unwrap_or(self.connections.len());
            let watched = stream
                .set_nodelay(true)
                .and_then(|()| self.poll.registry().register(&mut stream, Token(number), Interest::READABLE));
            watched.doing("watching a connection")?;
            let connection = Some(Connection::new(stream));
            match self.connections.get_mut(number) {
                Some(place) => *place = connection,
                None => self.connections.push(connection),
            }
        }
    }

    fn read(&mut self, number: usize, scratch: &mut [u8], ending: bool) {
        loop {
            let Some(connection) = self.connections.get_mut(number).and_then(Option::as_mut) else { return };
            let held = connection.held.len();
            scratch[..held].copy_from_slice(&connection.held);
            let got = match connection.stream.read(&mut scratch[held..]) {
                Ok(0) => return self.close(number),
                Ok(got) => held + got,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => return self.close(number),
            };
            let used = match connection.upgraded {
                true => self.take_frames(number, &mut scratch[..got]),
                false => self.take_head(number, &scratch[..got]),
            };
            let Some(used) = used.filter(|used| got - used < scratch.len()) else { return self.close(number) };
            if let Some(connection) = &mut self.connections[number] {
                connection.held.clear();
                connection.held.extend_from_slice(&scratch[used..got]);
                // What idles keeps no buffer.
                if connection.held.is_empty() {
                    connection.held = Vec::new();
                }
            }
            if got < scratch.len() && !ending {
                return;
            }
        }
    }

    /// The bytes used of a request head, or nothing when the connection is to be closed. A client speaks again only
    /// after the answer, so there is never a frame behind it.
    fn take_head(&mut self, number: usize, bytes: &[u8]) -> Option<usize> {
        let Some(answer) = upgrade::answer(bytes) else { return Some(0) };
        let connection = self.connections[number].as_mut()?;
        connection.upgraded = answer.upgraded;
        connection.send(answer.head.as_bytes(), self.poll.registry(), Token(number)).ok()?;
        answer.upgraded.then_some(bytes.len())
    }

    /// Does all that whole frames ask for; the bytes they had, or nothing when the connection is to be closed.
    fn take_frames(&mut self, number: usize, bytes: &mut [u8]) -> Option<usize> {
        let mut used = 0;
        while let Some(found) = frame::first(&bytes[used..]).ok()? {
            let payload = &mut bytes[used + found.start..used + found.end];
            frame::mask(payload, found.key?);
            used += found.end;
            match found.opcode {
                frame::TEXT if found.last => self.obey(number, payload)?,
                frame::PING => frame::put(&mut self.answers, frame::PONG, payload),
                frame::PONG => {}
                _ => return None,
            }
        }
        while let Some(channel) = self.touched.pop() {
            let mut staged = std::mem::take(&mut self.channels[channel].staged);
            self.deliver(channel, &staged);
            staged.clear();
            self.channels[channel].staged = staged;
        }
        if !self.answers.is_empty() {
            let connection = self.connections[number].as_mut()?;
            let sent = connection.send(&self.answers, self.poll.registry(), Token(number));
            self.answers.clear();
            sent.ok()?;
        }
        Some(used)
    }

    fn obey(&mut self, number: usize, text: &[u8]) -> Option<()> {
        let blank = text.iter().position(|byte| *byte == b' ').unwrap_or(text.len());
        let channel: usize = std::str::from_utf8(text.get(1..blank)?).ok()?.parse().ok()?;
        if channel >= MOST_CHANNELS {
            return None;
        }
        if channel >= self.channels.len() {
            self.channels.resize_with(channel + 1, Channel::default);
        }
        match text[0] {
            b'S' => {
                self.channels[channel].listeners.push(number);
                frame::put(&mut self.answers, frame::TEXT, b"S");
            }
            b'P' => {
                let message = text.get(blank + 1..)?;
                self.publish(channel, message);
                let answer = if self.mode == Mode::Echo { message } else { b"A" };
                frame::put(&mut self.answers, frame::TEXT, answer);
            }
            _ => return None,
        }
        Some(())
    }

    fn publish(&mut self, channel: usize, text: &[u8]) {
        let place = &mut self.channels[channel];
        if place.listeners.is_empty() {
            return;
        }
        match self.mode {
            Mode::Each | Mode::Echo => {
                let mut finished = std::mem::take(&mut self.frame);
                finished.clear();
                frame::put(&mut finished, frame::TEXT, text);
                self.deliver(channel, &finished);
                self.frame = finished;
            }
            Mode::Batch => {
                if place.staged.is_empty() {
                    self.touched.push(channel);
                }
                frame::put(&mut place.staged, frame::TEXT, text);
            }
        }
    }

    fn deliver(&mut self, channel: usize, bytes: &[u8]) {
        for &number in &self.channels[channel].listeners {
            let Some(connection) = &mut self.connections[number] else { continue };
            if connection.send(bytes, self.poll.registry(), Token(number)).is_err() {
                self.broken.push(number);
            }
        }
    }

    fn resume(&mut self, number: usize) {
        let Some(connection) = self.connections.get_mut(number).and_then(Option::as_mut) else { return };
        if connection.send(b"", self.poll.registry(), Token(number)).is_err() {
            self.close(number);
        }
    }

    fn close(&mut self, number: usize) {
        if self.connections[number].take().is_some() {
            for channel in &mut self.channels {
                channel.listeners.retain(|listener| *listener != number);
            }
            self.free.push(number);
        }
    }
}
