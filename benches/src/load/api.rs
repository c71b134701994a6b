//! `/api` as a connection of the load generator: a request for each record, or one request with a line for each.

use std::io::Write;
use std::net::SocketAddr;

use super::http::{Head, chunk};
use super::step::Step;

/// Where records of the first model are written.
const MODEL: &str = "/api/Bench";

/// Requests that follow each other on a connection that stays open.
#[derive(Debug)]
pub(super) struct Records {
    to: SocketAddr,
    /// Bytes of the answer's body that are still to come.
    awaited: Option<usize>,
}

impl Records {
    /// A connection without requests.
    pub(super) fn open(to: SocketAddr) -> Self {
        Self { to, awaited: None }
    }

    /// Appends the request that writes a record.
    pub(super) fn put(&self, out: &mut Vec<u8>, record: &[u8]) {
        let (to, length) = (self.to, record.len());
        write!(
            out,
            "POST {MODEL} HTTP/1.1\r\nHost: {to}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        )
        .expect("a vector takes everything");
        out.extend_from_slice(record);
    }

    /// Takes the next piece off the front of `bytes`: how many it had, and what it was.
    pub(super) fn step<'a>(&mut self, bytes: &'a [u8]) -> Result<(usize, Step<'a>), String> {
        match self.awaited {
            Some(length) if bytes.len() < length => Ok((0, Step::More)),
            Some(length) => {
                self.awaited = None;
                Ok((length, Step::Message(&bytes[..length])))
            }
            None => {
                let Some(head) = Head::first(bytes) else { return Ok((0, Step::More)) };
                let length = head.value("content-length").and_then(|length| length.parse().ok());
                if !head.is(&["200", "201"]) || length.is_none() {
                    return Err(format!("no record, but {:?}", head.status()));
                }
                self.awaited = length;
                Ok((head.end, Step::Passed))
            }
        }
    }
}

/// One request that goes on, and is answered while it does.
#[derive(Debug)]
pub(super) struct Lines {
    /// Lines that are still to be sent, as one chunk.
    queued: Vec<u8>,
    read: Place,
}

/// Where in the answer the reading is.
#[derive(Clone, Copy, Debug)]
enum Place {
    Head,
    BeforeChunk,
    /// So many bytes before the end of a chunk.
    Chunk(usize),
}

impl Lines {
    /// A request without lines, and how it begins.
    pub(super) fn open(to: SocketAddr) -> (Self, String) {
        let head = format!(
            "POST {MODEL} HTTP/1.1\r\nHost: {to}\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
        );
        (Self { queued: Vec::new(), read: Place::Head }, head)
    }

    /// Has a record sent with the next chunk.
    pub(super) fn queue(&mut self, record: &[u8]) {
        self.queued.extend_from_slice(record);
        self.queued.push(b'\n');
    }

    /// Appends what is queued, as one chunk.
    pub(super) fn put_chunk(&mut self, out: &mut Vec<u8>) {
        if !self.queued.is_empty() {
            write!(out, "{:x}\r\n", self.queued.len()).expect("a vector takes everything");
            out.append(&mut self.queued);
            out.extend_from_slice(b"\r\n");
        }
    }

    /// Takes the next piece off the front of `bytes`: how many it had, and what it was.
    pub(super) fn step<'a>(&mut self, bytes: &'a [u8]) -> Result<(usize, Step<'a>), String> {
        match self.read {
            Place::Head => {
                let Some(head) = Head::first(bytes) else { return Ok((0, Step::More)) };
                if !head.is(&["200"]) || !head.is_chunked() {
                    return Err(format!("no lines, but {:?}", head.status()));
                }
                self.read = Place::BeforeChunk;
                Ok((head.end, Step::Opened))
            }
            Place::BeforeChunk => {
                let Some((start, size)) = chunk(bytes)? else { return Ok((0, Step::More)) };
                if size == 0 {
                    return Err("the answer ended before the request".into());
                }
                self.read = Place::Chunk(size);
                Ok((start, Step::Passed))
            }
            Place::Chunk(0) => {
                if bytes.len() < 2 {
                    return Ok((0, Step::More));
                }
                self.read = Place::BeforeChunk;
                Ok((2, Step::Passed))
            }
            Place::Chunk(left) => {
                let there = &bytes[..left.min(bytes.len())];
                match there.iter().position(|byte| *byte == b'\n') {
                    Some(end) => {
                        self.read = Place::Chunk(left - end - 1);
                        Ok((end + 1, Step::Message(&there[..end])))
                    }
                    None if there.len() < left => Ok((0, Step::More)),
                    None => Err(format!("a chunk ends within a line: {}", there.escape_ascii())),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: SocketAddr = SocketAddr::V4(std::net::SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, 1));

    /// All messages of `bytes`, which come one by one.
    fn messages(
        bytes: &[u8],
        mut step: impl for<'a> FnMut(&'a [u8]) -> Result<(usize, Step<'a>), String>,
    ) -> Result<Vec<String>, String> {
        let (mut at, mut messages) = (0, Vec::new());
        for end in 0..=bytes.len() {
            while at < end {
                let (used, step) = step(&bytes[at..end])?;
                match step {
                    Step::More => break,
                    Step::Message(text) => messages.push(String::from_utf8(text.to_vec()).unwrap()),
                    _ => {}
                }
                at += used;
            }
        }
        Ok(messages)
    }

    #[test]
    fn answers_that_follow_each_other_are_told_apart_by_their_length() {
        let one = "HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n{\"a\":1}\n";
        let other = "HTTP/1.1 201 Created\r\nlocation: /\r\ncontent-length: 2\r\n\r\n{}";
        let mut records = Records::open(HERE);
        let both = messages([one, other].concat().as_bytes(), |bytes| records.step(bytes));
        assert_eq!(both.unwrap(), ["{\"a\":1}\n", "{}"]);
    }

    #[test]
    fn a_refused_record_is_no_answer() {
        let refused = b"HTTP/1.1 422 Unprocessable Entity\r\ncontent-length: 2\r\n\r\n{}";
        let mut records = Records::open(HERE);
        assert!(messages(refused, |bytes| records.step(bytes)).unwrap_err().contains("422"));
    }

    #[test]
    fn lines_are_found_in_chunks_however_they_come() {
        let answer = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab\nc\n\r\n3\r\nde\n\r\n";
        let (mut lines, _) = Lines::open(HERE);
        assert_eq!(messages(answer, |bytes| lines.step(bytes)).unwrap(), ["ab", "c", "de"]);
    }

    #[test]
    fn an_answer_that_ends_early_is_noticed() {
        let answer = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nab\n\r\n0\r\n\r\n";
        let (mut lines, _) = Lines::open(HERE);
        assert!(messages(answer, |bytes| lines.step(bytes)).is_err());
    }

    #[test]
    fn lines_that_are_queued_together_are_one_chunk() {
        let (mut lines, _) = Lines::open(HERE);
        let mut sent = Vec::new();
        lines.queue(b"{\"id\":\"a\"}");
        lines.queue(b"{}");
        lines.put_chunk(&mut sent);
        lines.put_chunk(&mut sent);
        assert_eq!(sent, b"e\r\n{\"id\":\"a\"}\n{}\n\r\n");
    }
}
