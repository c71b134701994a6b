//! HTTP that breaks its rules, or comes so slowly that it never ends: a clear status or a closed connection, soon; the server
//! lives on, and takes no memory for it.

use crate::{
    server::{HUNG, Server},
    wire::handshake,
};
use std::{
    fs,
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(HUNG)).unwrap();
    stream.set_write_timeout(Some(HUNG)).unwrap();
    stream
}

/// The status of the answer to these bytes, behind which the server closes; none where it closed without one.
fn status(server: &Server, bytes: &[u8]) -> Option<u16> {
    let mut stream = connect(server);
    // It may have answered and gone before all was sent.
    let _ = stream.write_all(bytes);
    to_the_end(&mut stream)
}

fn to_the_end(stream: &mut TcpStream) -> Option<u16> {
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => {}
        Err(cause) if matches!(cause.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => {}
        Err(cause) => panic!("the connection stays open: {cause}, {:?}", String::from_utf8_lossy(&answer)),
    }
    let head = String::from_utf8_lossy(&answer);
    head.split(' ').nth(1).map(|status| status.parse().unwrap())
}

fn lives(server: &Server) {
    let good = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    assert_eq!(status(server, good), Some(200));
}

/// What the server has in memory.
fn resident_bytes(server: &Server) -> u64 {
    let text = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

#[test]
fn what_two_servers_could_read_in_two_ways_is_400() {
    let server = Server::memory();
    let body = "0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for headers in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5, 5",
        "Content-Length: +5",
        "Content-Length: -1",
        "Content-Length: 0x5",
        "Content-Length: 99999999999999999999999",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding : chunked",
        "X-Folded: a\r\n b",
        "X-Cut: a\rb",
        "X-Null: a\0b",
        "No colon",
        ": no name",
        "Host: other",
    ] {
        let request = format!("POST /healthz HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n\r\n{body}");
        assert_eq!(status(&server, request.as_bytes()), Some(400), "{headers}");
    }
    lives(&server);
}

#[test]
fn what_is_no_request_is_400() {
    let server = Server::memory();
    let tls = [&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3][..], &[0x80; 100]].concat();
    for bytes in [
        &b"GET /heal\0thz HTTP/1.1\r\nHost: localhost\r\n\r\n"[..],
        b"GET /healthz HTTP/3.1\r\nHost: localhost\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\xff\xfe\xfd\r\n\r\n",
        &tls,
    ] {
        assert_eq!(status(&server, bytes), Some(400), "{:?}", String::from_utf8_lossy(bytes));
    }
    lives(&server);
}

#[test]
fn heads_without_end_are_431_and_take_no_memory() {
    let server = Server::memory();
    let before = resident_bytes(&server);
    let start = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n";
    let long = vec![b'a'; 4 << 20];
    for bytes in [
        [&start[..], b"X-Long: ", &long].concat(),
        [&start[..], &b"X-Many: a\r\n".repeat(400_000)].concat(),
        [b"GET /", &long[..]].concat(),
        long,
    ] {
        for _ in 0..5 {
            // The reset of what was still on its way may overtake the answer.
            assert!(matches!(status(&server, &bytes), Some(431) | None));
        }
    }
    lives(&server);
    let grown = resident_bytes(&server).saturating_sub(before);
    assert!(grown < 32 << 20, "{grown} bytes more than before");
}

#[test]
fn who_does_not_come_to_the_end_of_a_request_is_closed() {
    let server = Server::memory();
    let mut silent = connect(&server);
    let mut halfway = connect(&server);
    halfway.write_all(b"GET /healthz HT").unwrap();
    // A byte now and then is no sign of an end.
    let mut slow = connect(&server);
    slow.write_all(b"GET /healthz HTTP/1.1\r\nX-Slow: ").unwrap();
    slow.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let begin = Instant::now();
    let mut answer = [0; 12];
    loop {
        let written = slow.write_all(b"a");
        match slow.read_exact(&mut answer) {
            Ok(()) => break assert_eq!(&answer, b"HTTP/1.1 408"),
            Err(cause) if matches!(cause.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => written.unwrap(),
            // The byte that crossed the answer.
            Err(cause) => break assert_eq!(cause.kind(), ErrorKind::ConnectionReset),
        }
        assert!(begin.elapsed() < HUNG, "the server listens for ever");
    }
    assert_eq!(to_the_end(&mut silent), Some(408));
    assert_eq!(to_the_end(&mut halfway), Some(408));
    lives(&server);
}

#[test]
fn an_upgrade_with_a_body_or_of_an_old_version_is_none() {
    let server = Server::memory();
    for path in ["/ws", "/sockjs/000/body/websocket"] {
        for header in ["Content-Length: 5", "Transfer-Encoding: chunked"] {
            let mut lines = handshake(path);
            lines.push(header.to_owned());
            let request = format!("{}\r\n\r\nhello", lines.join("\r\n"));
            assert_eq!(status(&server, request.as_bytes()), Some(400), "{path} {header}");
        }
        let request = format!("{}\r\n\r\n", handshake(path).join("\r\n")).replace("HTTP/1.1", "HTTP/1.0");
        assert_eq!(status(&server, request.as_bytes()), Some(400), "{path}");
    }
    lives(&server);
}

#[test]
fn an_upgrade_on_an_unknown_path_is_404_with_any_method_and_body() {
    let server = Server::memory();
    for path in ["/nowhere", "/ws/", "/%zz/%00", "/../../etc/passwd", "//ws"] {
        for method in ["GET", "POST", "OPTIONS", "CONNECT", "BREW"] {
            let mut lines = handshake(path);
            lines[0] = format!("{method} {path} HTTP/1.1");
            lines.push("Content-Length: 3".to_owned());
            let request = format!("{}\r\n\r\nabc", lines.join("\r\n"));
            let status = status(&server, request.as_bytes());
            assert!(matches!(status, Some(400 | 404)), "{method} {path}: {status:?}");
        }
    }
    lives(&server);
}
