//! Messages compressed on their way (RFC 7692): what is agreed to at each door, what comes and goes then, and that a bomb is none.

use crate::{
    client::{Client, Door},
    server::{Server, Setup},
    wire::{CLOSE, Frame, PING, TEXT, Wire, frame, handshake, with_first_byte},
};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use serde_json::{Value, json};

const OFFER: &str = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits";

fn deflate(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + 100);
    Compress::new(Compression::best(), false).compress_vec(message, &mut out, FlushCompress::Sync).unwrap();
    out.truncate(out.strip_suffix(&[0, 0, 0xff, 0xff]).unwrap().len());
    out
}

fn inflate(payload: &[u8]) -> String {
    let mut out = Vec::with_capacity(1 << 20);
    let payload = [payload, &[0, 0, 0xff, 0xff]].concat();
    Decompress::new(false).decompress_vec(&payload, &mut out, FlushDecompress::Sync).unwrap();
    String::from_utf8(out).unwrap()
}

/// A frame with the first reserved bit.
fn compressed(message: &str) -> Vec<u8> {
    with_first_byte(0xc1, &deflate(message.as_bytes()))
}

fn offering(server: &Server, door: Door, offer: &str) -> (Wire, String) {
    let mut wire = Wire::connect(server.address());
    let mut lines = handshake(door.path());
    lines.push(offer.to_owned());
    let answer = wire.ask(&lines);
    assert_eq!(answer.status, 101, "{answer:?}");
    let agreed =
        answer.head.lines().find_map(|line| line.strip_prefix("sec-websocket-extensions: ")).unwrap_or_default();
    (wire, agreed.to_owned())
}

/// The text of the next frame that is no heartbeat, and whether it came compressed.
fn text(wire: &mut Wire) -> (String, bool) {
    let Frame { opcode, payload, compressed } = wire.beyond_heartbeats().expect("the connection is open");
    assert_eq!(opcode, TEXT);
    let text = if compressed { inflate(&payload) } else { String::from_utf8(payload).unwrap() };
    (text, compressed)
}

fn upsert(id: &str, length: usize) -> Value {
    json!({"id": 1, "event": "Kept:upsert", "data": {"id": id, "text": "lorem ipsum ".repeat(length / 12)}})
}

#[test]
fn long_messages_go_compressed_at_every_door_and_short_ones_do_not() {
    let server = Server::memory();
    for door in Door::WEBSOCKETS {
        let (mut wire, agreed) = offering(&server, door, OFFER);
        assert_eq!(agreed, "permessage-deflate; server_no_context_takeover; client_no_context_takeover");
        if door.is_sockjs() {
            assert_eq!(text(&mut wire), ("o".to_owned(), false));
        }
        let wrapped = |message: Value| match door {
            Door::Plain | Door::Raw => message.to_string(),
            _ => json!([message.to_string()]).to_string(),
        };
        let id = format!("{door:?}");
        wire.write(&compressed(&wrapped(json!({"id": 0, "event": "Kept:subscribe"}))));
        assert!(!text(&mut wire).1);
        // One that did not offer it hears the same, plain.
        let mut plain = Client::through(door, server.address());
        plain.must("Kept:subscribe", json!(null));
        for (length, is_long) in [(100, false), (5000, true)] {
            // Compressed and plain requests are both fine.
            let request = wrapped(upsert(&id, length));
            wire.write(&if is_long { frame(TEXT, request.as_bytes()) } else { compressed(&request) });
            let (push, reply) = (text(&mut wire), text(&mut wire));
            assert_eq!((push.1, reply.1), (is_long, is_long), "{door:?} {length}");
            let heard = plain.receive();
            assert_eq!(heard["data"]["text"].as_str().unwrap().len(), length / 12 * 12);
            match door {
                Door::Plain | Door::Raw => assert_eq!(serde_json::from_str::<Value>(&push.0).unwrap(), heard),
                Door::Values => assert_eq!(serde_json::from_str::<Value>(&push.0[1..]).unwrap()[0], heard),
                _ => {
                    let strings: Vec<String> = serde_json::from_str(&push.0[1..]).unwrap();
                    assert_eq!(serde_json::from_str::<Value>(&strings[0]).unwrap(), heard);
                }
            }
        }
        wire.write(&frame(CLOSE, &1000_u16.to_be_bytes()));
    }
}

#[test]
fn what_was_not_offered_or_is_switched_off_is_not_done() {
    let off = Server::start(Setup::memory().set("websocket.compression", false));
    let on = Server::memory();
    for (server, offer) in [(&off, OFFER), (&on, "Sec-WebSocket-Extensions: permessage-bzip2"), (&on, "X-Other: x")] {
        let (mut wire, agreed) = offering(server, Door::Plain, offer);
        assert_eq!(agreed, "");
        wire.write(&frame(TEXT, upsert("x", 5000).to_string().as_bytes()));
        let (reply, is_compressed) = text(&mut wire);
        assert!(reply.contains("lorem") && !is_compressed);
        wire.write(&compressed("{}"));
        assert_eq!(wire.closed().0, 1002);
    }
    // The size is a setting.
    let server = Server::start(Setup::memory().set("websocket.compress_from_bytes", 100));
    let (mut wire, _) = offering(&server, Door::Plain, OFFER);
    wire.write(&frame(TEXT, upsert("x", 200).to_string().as_bytes()));
    assert!(text(&mut wire).1);
}

#[test]
fn a_small_window_is_promised_and_kept_by_sending_plain() {
    let server = Server::memory();
    let offer = "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=9";
    let (mut wire, agreed) = offering(&server, Door::Plain, offer);
    assert!(agreed.ends_with("; server_max_window_bits=9"), "{agreed}");
    wire.write(&compressed(&upsert("x", 5000).to_string()));
    assert!(!text(&mut wire).1);
}

#[test]
fn an_extension_header_that_is_none_is_400() {
    let server = Server::memory();
    for header in ["permessage-deflate; client_max_window_bits=", "a b", "\u{e4}"] {
        let mut lines = handshake("/ws");
        lines.push(format!("Sec-WebSocket-Extensions: {header}"));
        let answer = Wire::connect(server.address()).ask(&lines);
        assert_eq!(answer.status, 400, "{answer:?}");
        assert!(answer.body.contains("sec-websocket-extensions"), "{answer:?}");
    }
    // A refused one gave its place back.
    let server = Server::start(Setup::memory().set("limits.connections", 1));
    let mut lines = handshake("/ws");
    lines.push("Sec-WebSocket-Extensions: ;".to_owned());
    assert_eq!(Wire::connect(server.address()).ask(&lines).status, 400);
    Client::connect(&server).must("Kept:read", json!(null));
}

#[test]
fn a_compressed_message_may_come_in_fragments_with_a_ping_between() {
    let server = Server::memory();
    let (mut wire, _) = offering(&server, Door::Plain, OFFER);
    let payload = deflate(upsert("x", 3000).to_string().as_bytes());
    let (first, rest) = payload.split_at(7);
    wire.write(&[with_first_byte(0x41, first), frame(PING, b"?"), with_first_byte(0, b""), frame(0, rest)].concat());
    assert_eq!(wire.beyond_heartbeats().unwrap().payload, b"?");
    assert!(text(&mut wire).0.contains("lorem"));
    // And a plain one may follow, with a compressed one by another connection in the middle of it.
    let (mut other, _) = offering(&server, Door::Plain, OFFER);
    wire.write(&with_first_byte(1, b"{\"id\":7,\"event\":"));
    other.write(&compressed(&upsert("y", 3000).to_string()));
    assert!(text(&mut other).0.contains("lorem"));
    wire.write(&frame(0, b"\"Kept:read\"}"));
    assert!(text(&mut wire).0.starts_with("{\"id\":7,"));
}

#[test]
fn what_is_broken_is_closed_with_a_code_and_harms_nobody() {
    let server = Server::start(Setup::memory().set("limits.message_bytes", 100_000));
    let mut witness = Client::connect(&server);
    let bomb = deflate(&vec![b' '; 64 << 20]);
    assert!(bomb.len() < 100_000);
    for (bytes, code) in [
        (with_first_byte(0xc1, &[0xff; 20]), 1007),
        (with_first_byte(0xc1, &[]), 1007),
        (with_first_byte(0xc1, &deflate(b"{\"id\":\"\xff\"}")), 1007),
        (with_first_byte(0xc1, &bomb), 1009),
        (with_first_byte(0xc2, &bomb), 1009),
        (with_first_byte(0xc9, b""), 1002),
        (with_first_byte(0xa1, b"{}"), 1002),
        ([with_first_byte(0x41, b"\x00"), with_first_byte(0xc0, b"")].concat(), 1002),
    ] {
        let (mut wire, _) = offering(&server, Door::Plain, OFFER);
        wire.write(&bytes);
        assert_eq!(wire.closed().0, code, "{:x?}", &bytes[..bytes.len().min(30)]);
        witness.must("Kept:upsert", json!({"id": "x"}));
    }
}
