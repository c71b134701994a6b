use crate::stream::{
    BINARY, CLOSE, CONTINUATION, Heard, LAST, LIMIT, PING, PONG, TEXT, fragments, frame, head, hear, refused_after,
    text, with_head,
};

const LENGTHS: [usize; 12] = [0, 1, 124, 125, 126, 127, 128, 1000, 65_534, 65_535, 65_536, 100_000];

#[test]
fn messages_of_all_lengths_come_whole() {
    for length in LENGTHS {
        let letters = "a*".repeat(length).split_off(length);
        assert_eq!(hear(&frame(LAST | TEXT, letters.as_bytes())), [text(&letters)], "{length}");
        let bytes: Vec<u8> = (0..length).map(|at| (at * 7 % 256) as u8).collect();
        assert_eq!(hear(&frame(LAST | BINARY, &bytes)), [Heard::Binary(bytes.clone())], "{length}");
    }
}

#[test]
fn a_length_is_in_its_shortest_form() {
    for (bytes, is_right) in [
        (&[0xfe, 0, 0][..], false),
        (&[0xfe, 0, 125], false),
        (&[0xfe, 0, 126], true),
        (&[0xff, 0, 0, 0, 0, 0, 0, 0, 0], false),
        (&[0xff, 0, 0, 0, 0, 0, 0, 0, 126], false),
        (&[0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff], false),
        (&[0xff, 0, 0, 0, 0, 0, 1, 0, 0], true),
        (&[0xff, 0x80, 0, 0, 0, 0, 0, 0, 1], false),
    ] {
        let head = [&[LAST | BINARY], bytes].concat();
        let heard = hear(&with_head(&head, &vec![7; if bytes.len() == 3 { 126 } else { 65_536 }]));
        assert_eq!(heard != [Heard::Fault(1002)], is_right, "{bytes:x?}");
    }
}

#[test]
fn what_is_over_the_limit_is_refused_by_its_head() {
    let limit = LIMIT as u64;
    for first in [LAST | TEXT, LAST | BINARY, TEXT, BINARY] {
        for length in [limit + 1, 1 << 32, i64::MAX as u64] {
            assert_eq!(hear(&head(first, length)), [Heard::Fault(1009)]);
        }
        assert_eq!(hear(&head(first, limit)), []);
    }
    let almost = vec![b'x'; LIMIT - 10];
    let mut stream = frame(TEXT, &almost);
    stream.extend(frame(CONTINUATION, b"123456789"));
    assert_eq!(
        hear(&[&stream[..], &frame(LAST, b"0")].concat()),
        [text(&format!("{}1234567890", "x".repeat(LIMIT - 10)))]
    );
    assert_eq!(hear(&[&stream[..], &head(LAST, 2)].concat()), [Heard::Fault(1009)]);
}

#[test]
fn every_first_byte_means_what_the_table_says() {
    for first in 0..=u8::MAX {
        let (reserved, opcode, last) = (first & 0x70, first & 0x0f, first & LAST != 0);
        let expected = match opcode {
            _ if reserved != 0 => vec![Heard::Fault(1002)],
            TEXT if last => vec![text("")],
            BINARY if last => vec![Heard::Binary(Vec::new())],
            TEXT | BINARY => vec![],
            CLOSE if last => vec![Heard::Close(None)],
            PING if last => vec![Heard::Ping(Vec::new())],
            PONG if last => vec![Heard::Pong],
            _ => vec![Heard::Fault(1002)],
        };
        assert_eq!(hear(&frame(first, b"")), expected, "{first:x}");
        // Behind a good message, and within one, which only a continuation goes on with.
        let mut behind = vec![text("a")];
        behind.extend(expected.clone());
        assert_eq!(hear(&[frame(LAST | TEXT, b"a"), frame(first, b"")].concat()), behind, "{first:x}");
        let expected = match opcode {
            CONTINUATION if reserved == 0 && last => vec![text("a")],
            CONTINUATION if reserved == 0 => vec![],
            TEXT | BINARY => vec![Heard::Fault(1002)],
            _ => expected,
        };
        assert_eq!(hear(&[frame(TEXT, b"a"), frame(first, b"")].concat()), expected, "{first:x}");
    }
}

#[test]
fn a_frame_without_a_mask_is_refused_with_its_second_byte() {
    for length in [0, 5, 125, 126, 127] {
        for first in [LAST | TEXT, LAST | BINARY, LAST | PING, LAST | CLOSE] {
            assert_eq!(refused_after(&[first, length, 0, 0, 0]), Some(2));
        }
    }
}

#[test]
fn control_frames_have_at_most_125_bytes_and_are_whole() {
    for opcode in [PING, PONG] {
        for length in [0, 1, 8, 124, 125] {
            let payload: Vec<u8> = (0..length).map(|at| 0xff - at).collect();
            let expected = if opcode == PING { Heard::Ping(payload.clone()) } else { Heard::Pong };
            assert_eq!(hear(&frame(LAST | opcode, &payload)), [expected]);
        }
    }
    for opcode in [CLOSE, PING, PONG] {
        for length in [126, 127, 65_535, 65_536, 1 << 40] {
            let bytes = head(LAST | opcode, length);
            assert_eq!(refused_after(&bytes), Some(bytes.len()), "{length}");
        }
        assert_eq!(hear(&frame(opcode, b"a")), [Heard::Fault(1002)]);
    }
}

#[test]
fn control_frames_may_stand_within_a_message() {
    let ping = |n: u8| frame(LAST | PING, &[n]);
    let stream = [
        frame(TEXT, b"frag"),
        ping(1),
        frame(LAST | PONG, b"?"),
        frame(CONTINUATION, b""),
        ping(2),
        frame(LAST, b"ment"),
        ping(3),
    ];
    let pinged = |n: u8| Heard::Ping(vec![n]);
    assert_eq!(hear(&stream.concat()), [pinged(1), Heard::Pong, pinged(2), text("fragment"), pinged(3)]);
    let pings: Vec<u8> = (0..10).flat_map(ping).collect();
    assert_eq!(hear(&pings), (0..10).map(pinged).collect::<Vec<_>>());
}

#[test]
fn a_message_in_fragments_is_the_message() {
    let message: String = ('a'..='z').chain('α'..='ω').cycle().take(5000).collect();
    for size in [1, 2, 3, 64, 125, 126, 1000, 4999, message.len()] {
        let stream = fragments(TEXT, message.as_bytes().chunks(size));
        assert_eq!(hear(&stream), [text(&message)], "in pieces of {size}");
        let stream = fragments(BINARY, message.as_bytes().chunks(size));
        assert_eq!(hear(&stream), [Heard::Binary(message.clone().into_bytes())], "in pieces of {size}");
    }
    assert_eq!(hear(&fragments(TEXT, [&b""[..], b"", b""])), [text("")]);
}

#[test]
fn a_fragment_out_of_place_is_refused() {
    for stream in [
        frame(LAST, b"x"),
        frame(CONTINUATION, b"x"),
        [frame(LAST | TEXT, b"whole"), frame(LAST, b"x")].concat(),
        [frame(TEXT, b"a"), frame(LAST | TEXT, b"b")].concat(),
        [frame(TEXT, b"a"), frame(CONTINUATION, b"b"), frame(BINARY, b"c")].concat(),
        [fragments(TEXT, [&b"a"[..], b"b"]), frame(CONTINUATION, b"c")].concat(),
    ] {
        assert_eq!(hear(&stream).last(), Some(&Heard::Fault(1002)), "{stream:x?}");
    }
}
