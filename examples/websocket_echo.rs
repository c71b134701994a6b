//! Says back what it is told, over the WebSocket framing of backsync and nothing else of it: for conformance suites, which
//! want such a server (`tests/websocket/run.sh`).
//!
//! `cargo run --example websocket_echo -- 127.0.0.1:9001`

use actix_http::ws::hash_key;
use backsync::websocket::{
    Agreed, Decoder, Opcode, Received, append_close_frame, append_compressed, append_frame, negotiate,
};
use std::{
    env,
    io::{self, ErrorKind, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    thread,
};

/// The largest message of the suites has 16 MiB.
const LIMIT: usize = 32 << 20;

fn main() -> io::Result<()> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9001".to_owned());
    let listener = TcpListener::bind(address)?;
    println!("listening on {}", listener.local_addr()?);
    for stream in listener.incoming() {
        let stream = stream?;
        thread::spawn(move || {
            // Whoever goes before the end is only gone.
            if let Err(cause) = shake_hands(stream).and_then(|(stream, early, agreed)| talk(stream, early, agreed)) {
                eprintln!("a connection ended: {cause}");
            }
        });
    }
    Ok(())
}

/// The socket, what came behind the request, and what was agreed to.
fn shake_hands(mut stream: TcpStream) -> io::Result<(TcpStream, Vec<u8>, Option<Agreed>)> {
    stream.set_nodelay(true)?;
    let mut head = Vec::new();
    let end = loop {
        if let Some(at) = head.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if read(&mut stream, &mut head)? == 0 || head.len() > 16 << 10 {
            return Err(ErrorKind::InvalidData.into());
        }
    };
    let early = head.split_off(end);
    let head = String::from_utf8(head).map_err(|_| ErrorKind::InvalidData)?;
    let all = |wanted: &str| {
        let fields = head.lines().filter_map(|line| line.split_once(':'));
        let found = fields.filter(move |(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.trim());
        found.collect::<Vec<_>>()
    };
    let keys = all("Sec-WebSocket-Key");
    let key = keys.first().ok_or(ErrorKind::InvalidData)?;
    let agreed = negotiate(all("Sec-WebSocket-Extensions")).map_err(|_| ErrorKind::InvalidData)?;
    let extensions =
        agreed.map_or_else(String::new, |agreed| format!("Sec-WebSocket-Extensions: {}\r\n", agreed.header()));
    let accept = hash_key(key.as_bytes());
    let accept = str::from_utf8(&accept).expect("base64 is text");
    write!(
        stream,
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{extensions}Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )?;
    Ok((stream, early, agreed))
}

fn talk(mut stream: TcpStream, mut held: Vec<u8>, agreed: Option<Agreed>) -> io::Result<()> {
    let append = if agreed.is_some_and(Agreed::sends) { append_compressed } else { append_frame };
    let mut decoder = Decoder::new(LIMIT, agreed.is_some());
    loop {
        let (mut at, mut out, mut ends) = (0, Vec::new(), false);
        while !ends {
            match decoder.decode(&mut held[at..]) {
                Ok(None) => break,
                Ok(Some((used, received))) => {
                    at += used;
                    match received {
                        Received::Text(text) => append(Opcode::Text, text.as_bytes(), &mut out),
                        Received::Binary(bytes) => append(Opcode::Binary, bytes, &mut out),
                        Received::Ping(payload) => append_frame(Opcode::Pong, payload, &mut out),
                        Received::Pong | Received::Fragment => {}
                        Received::Close(code) => {
                            append_close_frame(code.unwrap_or(1000), "", &mut out);
                            ends = true;
                        }
                    }
                }
                Err(fault) => {
                    append_close_frame(fault.close_code().number(), &fault.to_string(), &mut out);
                    ends = true;
                }
            }
        }
        stream.write_all(&out)?;
        if ends {
            return end(stream);
        }
        held.drain(..at);
        if read(&mut stream, &mut held)? == 0 {
            return Ok(());
        }
    }
}

/// Nothing more is said, and nothing more is listened to; the other side may still be speaking.
fn end(mut stream: TcpStream) -> io::Result<()> {
    stream.shutdown(Shutdown::Write)?;
    io::copy(&mut stream, &mut io::sink())?;
    Ok(())
}

fn read(stream: &mut TcpStream, into: &mut Vec<u8>) -> io::Result<usize> {
    let mut buffer = [0; 64 << 10];
    let count = stream.read(&mut buffer)?;
    into.extend_from_slice(&buffer[..count]);
    Ok(count)
}
