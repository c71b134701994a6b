//! SockJS' `xhr_streaming` as a connection of the load generator: responses that do not end soon, one after the other.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::http::{Head, chunk};
use super::step::Step;

/// The prefix whose messages are JSON values.
const PREFIX: &str = "/backsync/bench";

/// What was read of the responses.
#[derive(Debug)]
pub(super) struct Streaming {
    to: SocketAddr,
    session: usize,
    in_body: bool,
}

impl Streaming {
    /// A session, and the request that opens it.
    pub(super) fn open(session: usize, to: SocketAddr) -> (Self, String) {
        let this = Self { to, session, in_body: false };
        let request = this.request();
        (this, request)
    }

    fn request(&self) -> String {
        let Self { to, session, .. } = self;
        format!("POST {PREFIX}/{session}/xhr_streaming HTTP/1.1\r\nHost: {to}\r\nContent-Length: 0\r\n\r\n")
    }

    /// Sends a message on a connection of its own. This is for what comes before the measuring, and waits.
    pub(super) fn send(&self, text: &str) -> Result<(), String> {
        let Self { to, session, .. } = self;
        let body = serde_json::to_string(&[text]).expect("text is JSON");
        let length = body.len();
        let request = format!(
            "POST {PREFIX}/{session}/xhr_send HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        let ask = || {
            let mut stream = TcpStream::connect(to)?;
            stream.write_all(request.as_bytes())?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok::<_, std::io::Error>(answer)
        };
        match ask() {
            Ok(answer) if answer.starts_with("HTTP/1.1 204") => Ok(()),
            Ok(answer) => Err(format!("a message was answered {:?}", answer.lines().next())),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Takes the next piece off the front of `bytes`: how many it had, and what it was.
    pub(super) fn step<'a>(&mut self, bytes: &'a [u8]) -> Result<(usize, Step<'a>), String> {
        if !self.in_body {
            let Some(head) = Head::first(bytes) else { return Ok((0, Step::More)) };
            if !head.is(&["200"]) || !head.is_chunked() {
                return Err(format!("no stream, but {:?}", head.status()));
            }
            self.in_body = true;
            return Ok((head.end, Step::Passed));
        }
        let Some((start, size)) = chunk(bytes)? else { return Ok((0, Step::More)) };
        let end = start + size;
        if bytes.len() < end + 2 {
            return Ok((0, Step::More));
        }
        let step = match &bytes[start..end] {
            [] => {
                self.in_body = false;
                Step::Ended(self.request())
            }
            b"o\n" => Step::Opened,
            [b'h', ..] => Step::Passed,
            [b'a', b'[', messages @ .., b']', b'\n'] => Step::Messages(messages),
            other => return Err(format!("a frame {}", other[..other.len().min(100)].escape_ascii())),
        };
        Ok((end + 2, step))
    }
}

/// Hands each object of the inside of a JSON array to `sink`.
pub(super) fn split<E>(array: &[u8], mut sink: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
    let (mut depth, mut start, mut in_string, mut escaped) = (0, 0, false, false);
    for (at, byte) in array.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' => {
                if depth == 0 {
                    start = at;
                }
                depth += 1;
            }
            b'}' => {
                depth -= 1;
                if depth == 0 {
                    sink(&array[start..=at])?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_read_however_it_comes() {
        let bytes = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhh\n\r\n2\r\no\n\r\n12\r\na[{\"a\":\"}\\\"\"},{}]\n\r\n0\r\n\r\n";
        let (mut streaming, _) = Streaming::open(0, ([127, 0, 0, 1], 1).into());
        let (mut at, mut seen) = (0, Vec::new());
        for end in 0..=bytes.len() {
            while at < end {
                let (used, step) = streaming.step(&bytes[at..end]).unwrap();
                match step {
                    Step::More => break,
                    Step::Passed => seen.push("passed".to_owned()),
                    Step::Opened => seen.push("opened".to_owned()),
                    Step::Message(message) => panic!("{}", message.escape_ascii()),
                    Step::Ended(_) => seen.push("ended".to_owned()),
                    Step::Messages(messages) => split::<()>(messages, |message| {
                        seen.push(String::from_utf8(message.to_vec()).unwrap());
                        Ok(())
                    })
                    .unwrap(),
                }
                at += used;
            }
        }
        assert_eq!(seen, ["passed", "passed", "opened", r#"{"a":"}\""}"#, "{}", "ended"]);
    }
}
