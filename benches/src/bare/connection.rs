//! One connection of the bare server.

use std::io::{self, ErrorKind, Write};

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

/// A listener that lets more than this wait is cut off.
const MOST_UNSENT: usize = 64 << 20;

/// A socket, and what could not yet be read or written as a whole.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) stream: TcpStream,
    pub(super) upgraded: bool,
    pub(super) held: Vec<u8>,
    unsent: Vec<u8>,
    watches_room: bool,
}

impl Connection {
    /// A connection whose upgrade is still to come.
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream, upgraded: false, held: Vec::new(), unsent: Vec::new(), watches_room: false }
    }

    /// Writes `bytes` behind what still waits: straight from where they are, if nothing does.
    ///
    /// # Errors
    /// When the connection is broken or too far behind.
    pub(super) fn send(&mut self, bytes: &[u8], registry: &Registry, token: Token) -> io::Result<()> {
        if self.unsent.is_empty() {
            let written = write(&mut self.stream, bytes)?;
            self.unsent.extend_from_slice(&bytes[written..]);
        } else {
            self.unsent.extend_from_slice(bytes);
            let written = write(&mut self.stream, &self.unsent)?;
            self.unsent.drain(..written);
        }
        if self.unsent.len() > MOST_UNSENT {
            return Err(ErrorKind::OutOfMemory.into());
        }
        let waits = !self.unsent.is_empty();
        if waits != self.watches_room {
            self.watches_room = waits;
            let interest = if waits { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
            registry.reregister(&mut self.stream, token, interest)?;
        }
        Ok(())
    }
}

fn write(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<usize> {
    let mut written = 0;
    while written < bytes.len() {
        match stream.write(&bytes[written..]) {
            Ok(some) => written += some,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(written)
}
