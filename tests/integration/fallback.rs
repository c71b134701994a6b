//! SockJS over HTTP as a client speaks it: a response that is read frame by frame, and a request for what is sent.

use crate::server::HUNG;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::atomic::{AtomicU64, Ordering},
};

/// A session over HTTP.
pub(crate) struct Fallback {
    address: SocketAddr,
    /// With the session's name.
    path: String,
    query: String,
    /// `xhr` or `xhr_streaming`.
    receiver: &'static str,
    /// The connection that receives, and whether the head of its response was read.
    incoming: BufReader<TcpStream>,
    is_reading: bool,
    outgoing: BufReader<TcpStream>,
    /// The last chunk, as far as it is not looked at.
    chunk: String,
}

impl Fallback {
    /// Open a session below `path`, which is `/<prefix>/<server>`.
    pub(crate) fn open(address: SocketAddr, path: &str, receiver: &'static str, query: &str) -> Result<Self, String> {
        static SESSIONS: AtomicU64 = AtomicU64::new(0);
        let path = format!("{path}/tests{}", SESSIONS.fetch_add(1, Ordering::Relaxed));
        let connect = || connect(address).map_err(|cause| cause.to_string());
        let (incoming, outgoing) = (connect()?, connect()?);
        let (query, chunk) = (query.to_owned(), String::new());
        let mut this = Self { address, path, query, receiver, incoming, is_reading: false, outgoing, chunk };
        this.ask();
        match this.frame() {
            Some(frame) if frame == "o" => Ok(this),
            first => Err(format!("a session begins with its greeting, not with {first:?}")),
        }
    }

    /// The next frame; `None` where the server has gone.
    pub(crate) fn frame(&mut self) -> Option<String> {
        loop {
            if let Some((line, rest)) = self.chunk.split_once('\n') {
                let (line, rest) = (line.to_owned(), rest.to_owned());
                self.chunk = rest;
                // What old browsers need to begin with.
                if line.starts_with("hh") {
                    continue;
                }
                return Some(line);
            }
            if !self.is_reading {
                let head = head(&mut self.incoming)?;
                assert!(head.starts_with("HTTP/1.1 200") && head.contains("chunked"), "{head}");
                self.is_reading = true;
            }
            let chunk = next_chunk(&mut self.incoming)?;
            // Behind the frame of a poll there is only the end.
            if chunk.is_empty() || self.receiver == "xhr" && next_chunk(&mut self.incoming)?.is_empty() {
                // There is always one who receives, or the session would not live long.
                self.is_reading = false;
                self.ask();
            }
            assert!(self.chunk.is_empty(), "a chunk is whole lines");
            self.chunk = chunk;
        }
    }

    /// Ask for the next response. That there is none shows when it is read.
    fn ask(&mut self) {
        let (path, receiver, query) = (&self.path, self.receiver, &self.query);
        let request = format!("POST {path}/{receiver}{query} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n");
        let _ = self.incoming.get_mut().write_all(request.as_bytes());
    }

    /// Send an array of messages. Whether the server took it.
    pub(crate) fn send(&mut self, messages: &str) -> bool {
        let (path, length) = (&self.path, messages.len());
        let request =
            format!("POST {path}/xhr_send HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n\r\n{messages}");
        if self.outgoing.get_mut().write_all(request.as_bytes()).is_err() {
            return false;
        }
        let Some(head) = head(&mut self.outgoing) else { return false };
        if head.starts_with("HTTP/1.1 204") {
            return true;
        }
        // Whatever the body is.
        self.outgoing = connect(self.address).unwrap_or_else(|cause| panic!("{cause}"));
        false
    }
}

fn connect(address: SocketAddr) -> std::io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(HUNG))?;
    stream.set_write_timeout(Some(HUNG))?;
    Ok(BufReader::new(stream))
}

fn head(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if line(stream, &mut head)? == 0 {
            return None;
        }
    }
    Some(head)
}

/// The next chunk of a body; empty behind the last.
fn next_chunk(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut size = String::new();
    line(stream, &mut size)?;
    let size = usize::from_str_radix(size.trim(), 16).ok()?;
    let mut bytes = vec![0; size + 2];
    stream.read_exact(&mut bytes).ok()?;
    bytes.truncate(size);
    Some(String::from_utf8(bytes).expect("frames are text"))
}

fn line(stream: &mut BufReader<TcpStream>, out: &mut String) -> Option<usize> {
    match stream.read_line(out) {
        Err(cause) if cause.kind() == std::io::ErrorKind::WouldBlock => panic!("nothing came"),
        read => read.ok(),
    }
}
