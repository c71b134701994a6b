//! A client of plain HTTP: requests over one connection, answers whole or as they come.

use crate::server::{HUNG, Server};
use serde_json::Value;
use std::{
    collections::HashMap,
    fmt::Write as _,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
};

/// One connection, which is kept.
pub(crate) struct Http(BufReader<TcpStream>);

/// An answer; of one whose body goes on, what came before.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// By their names in lower case.
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
}

impl Answer {
    /// The body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|cause| panic!("{cause}: {self:?}"))
    }

    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name}: {self:?}"))
    }
}

impl Http {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(HUNG)).unwrap();
        stream.set_write_timeout(Some(HUNG)).unwrap();
        Self(BufReader::new(stream))
    }

    pub(crate) fn to(server: &Server) -> Self {
        Self::connect(server.address())
    }

    /// Ask, and read the whole answer. `head` is method and path, as in `GET /api/Task`.
    #[track_caller]
    pub(crate) fn ask(&mut self, head: &str, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Answer {
        self.send(head, headers, body.as_ref());
        let mut answer = self.head();
        if answer.status == 204 || answer.status == 304 || head.starts_with("HEAD") {
            return answer;
        }
        if let Some(length) = answer.headers.get("content-length") {
            let mut body = vec![0; length.parse().unwrap()];
            self.0.read_exact(&mut body).unwrap();
            answer.body = String::from_utf8(body).unwrap();
        } else {
            while let Some(chunk) = self.chunk() {
                answer.body.push_str(&chunk);
            }
        }
        answer
    }

    pub(crate) fn get(&mut self, path: &str) -> Answer {
        self.ask(&format!("GET {path}"), &[], "")
    }

    /// Send JSON.
    #[track_caller]
    pub(crate) fn json(&mut self, head: &str, body: &str) -> Answer {
        self.ask(head, &[("content-type", "application/json")], body)
    }

    /// Ask, and read what comes before the body.
    pub(crate) fn begin(&mut self, head: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(head, headers, b"");
        self.head()
    }

    /// Send the head of a request whose body follows in pieces.
    pub(crate) fn begin_chunked(&mut self, head: &str, headers: &[(&str, &str)]) {
        let request = Self::request(head, headers, "transfer-encoding: chunked");
        self.0.get_mut().write_all(request.as_bytes()).unwrap();
    }

    /// A piece of it; the empty one ends it.
    pub(crate) fn piece(&mut self, bytes: &str) {
        let stream = self.0.get_mut();
        write!(stream, "{:x}\r\n{bytes}\r\n", bytes.len()).unwrap();
    }

    fn send(&mut self, head: &str, headers: &[(&str, &str)], body: &[u8]) {
        let request = Self::request(head, headers, &format!("content-length: {}", body.len()));
        let stream = self.0.get_mut();
        stream.write_all(&[request.as_bytes(), body].concat()).unwrap();
    }

    fn request(head: &str, headers: &[(&str, &str)], length: &str) -> String {
        let mut request = format!("{head} HTTP/1.1\r\nhost: localhost\r\n{length}\r\n");
        for (name, value) in headers {
            write!(request, "{name}: {value}\r\n").unwrap();
        }
        request + "\r\n"
    }

    pub(crate) fn head(&mut self) -> Answer {
        let status = self.line();
        let status = status.split(' ').nth(1).and_then(|status| status.parse().ok());
        let mut headers = HashMap::new();
        loop {
            let line = self.line();
            let Some((name, value)) = line.split_once(':') else { break };
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        Answer { status: status.expect("an answer has a status"), headers, body: String::new() }
    }

    /// The next chunk of a body; none behind the last.
    pub(crate) fn chunk(&mut self) -> Option<String> {
        let size = usize::from_str_radix(self.line().trim(), 16).unwrap();
        let mut bytes = vec![0; size + 2];
        self.0.read_exact(&mut bytes).unwrap();
        bytes.truncate(size);
        (size > 0).then(|| String::from_utf8(bytes).unwrap())
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }
}
