use crate::stream::{
    BINARY, CLOSE, COMPRESSED, CONTINUATION, Heard, LAST, LIMIT, PING, PONG, TEXT, fragments, frame, hear,
    hear_compressed, text,
};
use backsync::websocket::{Opcode, append_compressed};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};

/// As a client does it, with any level and window.
fn deflate(message: &[u8], level: u32, window: u8) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() * 2 + 100);
    let mut deflate = Compress::new_with_window_bits(Compression::new(level), false, window);
    deflate.compress_vec(message, &mut out, FlushCompress::Sync).unwrap();
    out.truncate(out.strip_suffix(&[0, 0, 0xff, 0xff]).unwrap().len());
    out
}

fn json(length: usize) -> String {
    let record = r#"{"id":"%","name":"somebody, number %","when":%000,"tags":["blue","€"]},"#;
    let mut text = String::new();
    for n in 0..=length / 60 {
        text.push_str(&record.replace('%', &(n * 7919 % 1009).to_string()));
    }
    let mut end = length;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
}

const LENGTHS: [usize; 10] = [0, 1, 16, 64, 256, 1024, 4096, 8192, 32_768, 131_072];

#[test]
fn messages_of_all_lengths_windows_and_fragments_are_inflated() {
    for length in LENGTHS {
        let message = json(length);
        for (level, window) in [(0, 15), (2, 9), (6, 10), (6, 15), (9, 12)] {
            let payload = deflate(message.as_bytes(), level, window);
            let whole = [text(&message)];
            for size in [64, 1000, 32_768, 1 << 20] {
                let stream = fragments(COMPRESSED | TEXT, payload.chunks(size));
                assert_eq!(hear_compressed(&stream), whole, "{length} {level} {window} {size}");
            }
            let binary = frame(LAST | COMPRESSED | BINARY, &payload);
            assert_eq!(hear_compressed(&binary), [Heard::Binary(message.clone().into_bytes())]);
        }
    }
}

#[test]
fn what_the_server_compresses_any_client_inflates_with_a_window_of_4_kib() {
    for length in LENGTHS {
        let message = json(length);
        let mut out = Vec::new();
        append_compressed(Opcode::Text, message.as_bytes(), &mut out);
        assert!(out.len() <= message.len() + 10);
        let head = match out[1] {
            126 => 4,
            127 => 10,
            _ => 2,
        };
        let payload = &out[head..];
        if out[0] & COMPRESSED == 0 {
            assert!(length < 1024 && payload == message.as_bytes(), "{length}");
            continue;
        }
        let mut inflated = Vec::with_capacity(message.len() + 100);
        let payload = [payload, &[0, 0, 0xff, 0xff]].concat();
        let mut inflate = Decompress::new_with_window_bits(false, 12);
        inflate.decompress_vec(&payload, &mut inflated, FlushDecompress::Sync).unwrap();
        assert_eq!(inflated, message.as_bytes());
    }
}

#[test]
fn the_bit_means_something_at_the_first_frame_of_a_message_only() {
    let payload = deflate(b"abc", 6, 15);
    let first = frame(COMPRESSED | TEXT, &payload[..2]);
    for stream in [
        [&first[..], &frame(LAST | COMPRESSED, &payload[2..])].concat(),
        [&first[..], &frame(COMPRESSED, &payload[2..])].concat(),
        frame(LAST | COMPRESSED | PING, b""),
        frame(LAST | COMPRESSED | PONG, b""),
        frame(LAST | COMPRESSED | CLOSE, b""),
        frame(LAST | COMPRESSED | CONTINUATION, b""),
        frame(LAST | 0x20 | TEXT, b""),
        frame(LAST | COMPRESSED | 0x10 | TEXT, &payload),
    ] {
        assert_eq!(hear_compressed(&stream), [Heard::Fault(1002)], "{stream:x?}");
    }
    let ping = frame(LAST | PING, b"?");
    let good = [&first[..], &ping, &frame(LAST, &payload[2..]), &frame(LAST | TEXT, b"plain")].concat();
    assert_eq!(hear_compressed(&good), [Heard::Ping(b"?".to_vec()), text("abc"), text("plain")]);
    // Where it was not agreed to, it means nothing at all.
    assert_eq!(hear(&frame(LAST | COMPRESSED | TEXT, &payload)), [Heard::Fault(1002)]);
}

#[test]
fn what_cannot_be_inflated_is_refused() {
    let payload = deflate(json(2000).as_bytes(), 6, 15);
    for broken in [&b""[..], b"\xff\xff\xff\xff", b"\x06", b"\x01\x05\x00\x00\x00", &payload[..payload.len() / 2]] {
        let stream = frame(LAST | COMPRESSED | TEXT, broken);
        assert_eq!(hear_compressed(&stream), [Heard::Fault(1007)], "{:x?}", &broken[..broken.len().min(8)]);
    }
    // No message builds upon the one before.
    let mut deflate = Compress::new(Compression::new(6), false);
    let mut stream = Vec::new();
    for _ in 0..2 {
        let mut out = Vec::with_capacity(1000);
        deflate.compress_vec(b"a message that is said twice", &mut out, FlushCompress::Sync).unwrap();
        out.truncate(out.len() - 4);
        stream.extend(frame(LAST | COMPRESSED | TEXT, &out));
    }
    assert_eq!(hear_compressed(&stream), [text("a message that is said twice"), Heard::Fault(1007)]);
}

#[test]
fn text_and_limit_are_those_of_what_was_inflated() {
    let no_text = deflate(b"\xce\xba\xed\xa0\x80", 6, 15);
    assert_eq!(hear_compressed(&frame(LAST | COMPRESSED | TEXT, &no_text)), [Heard::Fault(1007)]);
    let full = deflate(&vec![b'x'; LIMIT], 6, 15);
    assert_eq!(hear_compressed(&frame(LAST | COMPRESSED | TEXT, &full)), [text(&"x".repeat(LIMIT))]);
    let bomb = deflate(&vec![b'x'; LIMIT + 1], 6, 15);
    assert_eq!(hear_compressed(&frame(LAST | COMPRESSED | TEXT, &bomb)), [Heard::Fault(1009)]);
}
