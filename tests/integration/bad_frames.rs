//! Frames that break WebSocket's rules: the connection is closed with the code that says so, the others go on.

use crate::{
    client::{Client, Door},
    server::{Server, Setup},
    wire::{BINARY, CLOSE, PING, PONG, TEXT, Wire, frame, with_first_byte},
};
use serde_json::json;

/// What a connection that sends these bytes is closed with. Another that was there before must not notice.
fn closed_by(setup: Setup, bytes: &[u8]) -> (u16, String) {
    let server = Server::start(setup);
    let mut witness = Client::connect(&server);
    witness.must("Kept:upsert", json!({"id": "x"}));
    witness.must("Kept:read", json!(null));
    let mut wire = Wire::upgraded(&server);
    wire.write(bytes);
    let closed = wire.closed();
    witness.request("Kept:upsert", json!({"id": "x", "n": 2}));
    assert_eq!(witness.receive()["data"]["_rev"], 2, "the push");
    assert_eq!(witness.receive()["data"]["_rev"], 2, "the reply");
    assert_eq!(Client::connect(&server).must("Kept:read", json!(null)), json!([{"id": "x", "n": 2, "_rev": 2}]));
    closed
}

#[test]
fn an_unmasked_frame_closes_with_1002() {
    let (code, reason) = closed_by(Setup::memory(), &[0x81, 2, b'{', b'}']);
    assert_eq!(code, 1002);
    assert!(reason.contains("masked"), "{reason}");
}

#[test]
fn broken_framing_closes_with_1002() {
    for (bytes, word) in [
        (with_first_byte(0xc1, b"{}"), "reserved"),
        (vec![0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0], "shortest"),
        (vec![0x81, 0xfe, 0, 2], "shortest"),
        (frame(3, b""), "unknown kind"),
        (frame(0, b"x"), "continuation of nothing"),
        ([with_first_byte(1, b"{"), frame(TEXT, b"{}")].concat(), "within another"),
        (with_first_byte(PING, b""), "control frame"),
        (frame(PING, &[0; 126]), "control frame"),
        (frame(CLOSE, &[3]), "close code"),
        (frame(CLOSE, &1005_u16.to_be_bytes()), "close code"),
    ] {
        let (code, reason) = closed_by(Setup::memory(), &bytes);
        assert_eq!(code, 1002, "{word}: {reason}");
        assert!(reason.contains(word), "{reason}");
    }
}

#[test]
fn text_that_is_not_utf8_closes_with_1007() {
    let (code, reason) = closed_by(Setup::memory(), &frame(TEXT, b"{\"id\":\"\xff\"}"));
    assert_eq!(code, 1007);
    assert!(reason.contains("UTF-8"), "{reason}");
    // A character may be cut by a fragment, but has to be whole in the end.
    let (code, _) = closed_by(Setup::memory(), &[with_first_byte(1, b"\"\xc3"), frame(0, b"\"")].concat());
    assert_eq!(code, 1007);
    // Nothing of the rest is waited for.
    let part = &frame(TEXT, &[b"\"\xc3\"".as_slice(), &[b'x'; 500]].concat())[..20];
    assert_eq!(closed_by(Setup::memory(), part).0, 1007);
    let (code, _) = closed_by(Setup::memory(), &frame(CLOSE, b"\x03\xe8\xff"));
    assert_eq!(code, 1007);
}

#[test]
fn a_frame_over_the_limit_closes_with_1009_before_it_is_read() {
    let limit = |setup: Setup| setup.set("limits.message_bytes", 2048);
    // Nothing but the head of it is ever sent.
    let claimed = [&[0x81, 0xff][..], &i64::MAX.to_be_bytes(), &[0; 4]].concat();
    let whole = frame(TEXT, &[b'x'; 2049]);
    let in_pieces = [with_first_byte(1, &[b'x'; 2048]), frame(0, b"x")].concat();
    let binary = frame(BINARY, &[0; 2049]);
    for bytes in [claimed, whole, in_pieces, binary] {
        let (code, reason) = closed_by(limit(Setup::sqlite()), &bytes);
        assert_eq!(code, 1009);
        assert!(reason.contains("2048"), "{reason}");
    }
}

#[test]
fn a_message_of_exactly_the_limit_is_taken() {
    let server = Server::start(Setup::memory().set("limits.message_bytes", 2048));
    let mut client = Client::connect(&server);
    let empty = json!({"id": 1, "event": "Kept:upsert", "data": {"id": "x", "t": ""}}).to_string();
    let full = json!({"id": 1, "event": "Kept:upsert", "data": {"id": "x", "t": "y".repeat(2048 - empty.len())}});
    assert_eq!(full.to_string().len(), 2048);
    client.send(&full);
    assert_eq!(client.receive()["id"], 1);
}

#[test]
fn fragments_pings_and_closes_in_order_are_fine() {
    let server = Server::memory();
    let mut wire = Wire::upgraded(&server);
    // A ping may come within a message.
    wire.write(&with_first_byte(1, b"{\"id\":1,\"event\":\"Kept"));
    wire.write(&frame(PING, b"still there?"));
    let pong = wire.beyond_heartbeats().unwrap();
    assert_eq!((pong.opcode, &*pong.payload), (PONG, &b"still there?"[..]));
    wire.write(&with_first_byte(0, b":re"));
    wire.write(&frame(0, b"ad\"}"));
    assert_eq!(wire.message()["data"], json!([]));
    // An unasked pong is nothing.
    wire.write(&frame(PONG, b""));
    // Byte by byte, as a slow line would bring it.
    for byte in frame(TEXT, b"{\"id\":2,\"event\":\"Kept:read\"}") {
        wire.write(&[byte]);
    }
    assert_eq!(wire.message()["id"], 2);
    wire.write(&frame(CLOSE, &[&4000_u16.to_be_bytes()[..], b"done"].concat()));
    assert_eq!(wire.closed().0, 4000, "the code comes back");
}

#[test]
fn many_frames_in_one_write_are_all_taken() {
    let server = Server::memory();
    let mut wire = Wire::upgraded(&server);
    let request = |id: u32| frame(TEXT, json!({"id": id, "event": "Kept:unsubscribe"}).to_string().as_bytes());
    wire.write(&(0..3000).flat_map(request).collect::<Vec<u8>>());
    for id in 0..3000 {
        assert_eq!(wire.message()["id"], id);
    }
}

#[test]
fn what_comes_with_the_handshake_is_not_lost() {
    let server = Server::memory();
    let mut wire = Wire::connect(server.address());
    let head = format!("{}\r\n\r\n", crate::wire::handshake("/ws").join("\r\n"));
    wire.write(&[head.as_bytes(), &frame(TEXT, b"{\"id\":1,\"event\":\"Kept:read\"}")].concat());
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(wire.byte());
    }
    assert_eq!(wire.message()["id"], 1);
}

#[test]
fn broken_sockjs_framing_closes_its_session() {
    let server = Server::memory();
    for door in [Door::Values, Door::Strings] {
        for text in ["x", "[1]", "{\"id\":1,\"event\":\"Kept:read\"}", "[\"x\""] {
            let mut client = Client::through(door, server.address());
            client.send_raw_text(text);
            let crate::client::Seen::Closed { code, reason } = client.see() else { panic!("{text} is not refused") };
            assert_eq!(code, 1002);
            assert!(reason.contains("JSON array of strings"), "{reason}");
        }
    }
    assert_eq!(Client::connect(&server).must("Kept:read", json!(null)), json!([]));
}
