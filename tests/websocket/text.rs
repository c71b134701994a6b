use crate::stream::{BINARY, Heard, LAST, TEXT, fragments, frame, head, hear, refused_after, text, with_head};

/// What may stand behind a first byte: the table of RFC 3629, section 4.
fn may_follow(lead: u8, second: u8) -> bool {
    match lead {
        0x00..=0x7f => matches!(second, 0x00..=0x7f | 0xc2..=0xf4),
        0xc2..=0xdf | 0xe1..=0xec | 0xee | 0xef | 0xf1..=0xf3 => (0x80..=0xbf).contains(&second),
        0xe0 => (0xa0..=0xbf).contains(&second),
        0xed => (0x80..=0x9f).contains(&second),
        0xf0 => (0x90..=0xbf).contains(&second),
        0xf4 => (0x80..=0x8f).contains(&second),
        _ => false,
    }
}

#[test]
fn every_two_bytes_are_judged_as_soon_as_they_are_there() {
    for lead in 0..=u8::MAX {
        let alone = matches!(lead, 0x00..=0x7f | 0xc2..=0xf4);
        // Of a frame that has more to come, behind its head of six bytes.
        assert_eq!(refused_after(&with_head(&head(LAST | TEXT, 9), &[lead])), (!alone).then_some(7), "{lead:x}");
        for second in 0..=u8::MAX {
            let refused = refused_after(&with_head(&head(LAST | TEXT, 9), &[lead, second]));
            let expected = (!may_follow(lead, second)).then_some(if alone { 8 } else { 7 });
            assert_eq!(refused, expected, "{lead:x} {second:x}");
        }
    }
}

const TEXTS: [&str; 12] = [
    "",
    "Hello-µ@ßöäüàá-UTF-8!!",
    "κόσμε",
    "\0",
    "\u{7f}\u{80}\u{7ff}",
    "\u{800}\u{ffff}",
    "\u{10000}\u{10ffff}",
    "\u{d7ff}\u{e000}\u{fffd}",
    "\u{fffe}\u{1fffe}\u{10fffe}",
    "\u{feff}with a mark",
    "👩‍👩‍👧‍👦 𝄞 العربية 한국어",
    "a\u{300}\u{301}\u{302}\u{303}",
];

#[test]
fn texts_come_whole_wherever_they_are_cut() {
    for message in TEXTS {
        assert_eq!(hear(&frame(LAST | TEXT, message.as_bytes())), [text(message)]);
        for size in 1..=message.len() {
            assert_eq!(hear(&fragments(TEXT, message.as_bytes().chunks(size))), [text(message)], "in pieces of {size}");
        }
        for cut in 0..=message.len() {
            let (first, rest) = message.as_bytes().split_at(cut);
            assert_eq!(hear(&fragments(TEXT, [first, b"", rest])), [text(message)], "cut at {cut}");
        }
    }
}

/// What is no text, and how many bytes of it show that; none where only its end does.
const NO_TEXTS: [(&[u8], Option<usize>); 31] = [
    (b"\x80", Some(1)),
    (b"\xbf", Some(1)),
    (b"a\x80b", Some(2)),
    (b"\xc0\x80", Some(1)),
    (b"\xc0\xaf", Some(1)),
    (b"\xc1\xbf", Some(1)),
    (b"\xe0\x80\xaf", Some(2)),
    (b"\xe0\x9f\xbf", Some(2)),
    (b"\xf0\x80\x80\xaf", Some(2)),
    (b"\xf0\x8f\xbf\xbf", Some(2)),
    (b"\xf8\x88\x80\x80\x80", Some(1)),
    (b"\xfc\x84\x80\x80\x80\x80", Some(1)),
    (b"\xfe", Some(1)),
    (b"\xff", Some(1)),
    (b"\xed\xa0\x80", Some(2)),
    (b"\xed\xbf\xbf", Some(2)),
    (b"\xed\xa0\x80\xed\xb0\x80", Some(2)),
    (b"\xf4\x90\x80\x80", Some(2)),
    (b"\xf5\x80\x80\x80", Some(1)),
    (b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited", Some(13)),
    (b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4\x90\x80\x80edited", Some(13)),
    (b"\xc3a", Some(2)),
    (b"\xe2\x82a", Some(3)),
    (b"\xf0\x9f\x98a", Some(4)),
    (b"\xc3\xc3\xa4", Some(2)),
    (b"\xe2\x82\xe2\x82\xac", Some(3)),
    (b"ok\xf0\x9f\x98\xf0", Some(6)),
    (b"\xc3", None),
    (b"\xe2\x82", None),
    (b"\xf0\x9f\x98", None),
    (b"text \xce", None),
];

#[test]
fn what_is_no_text_is_refused_with_its_first_wrong_byte() {
    for (bytes, wrong) in NO_TEXTS {
        let whole = frame(LAST | TEXT, bytes);
        assert_eq!(hear(&whole), [Heard::Fault(1007)], "{bytes:x?}");
        assert_eq!(refused_after(&whole), Some(6 + wrong.unwrap_or(bytes.len())), "{bytes:x?}");
        // What is not the end may go on.
        let open = refused_after(&frame(TEXT, bytes));
        assert_eq!(open, wrong.map(|wrong| 6 + wrong), "{bytes:x?}");
        for cut in 0..=bytes.len() {
            let (first, rest) = bytes.split_at(cut);
            let stream = fragments(TEXT, [first, rest]);
            assert_eq!(hear(&stream), [Heard::Fault(1007)], "{bytes:x?} cut at {cut}");
            // Six bytes of each head go before.
            let at = wrong.unwrap_or(bytes.len());
            assert_eq!(
                refused_after(&stream),
                Some(at + if at > cut || wrong.is_none() { 12 } else { 6 }),
                "{bytes:x?} {cut}"
            );
        }
        assert_eq!(hear(&frame(LAST | BINARY, bytes)), [Heard::Binary(bytes.to_vec())]);
    }
}

#[test]
fn a_text_begins_anew_with_each_message() {
    let stream =
        [frame(LAST | TEXT, "ä".as_bytes()), fragments(TEXT, [&b"\xc3"[..], b"\xa4"]), frame(LAST | TEXT, b"\xa4")];
    assert_eq!(hear(&stream.concat()), [text("ä"), text("ä"), Heard::Fault(1007)]);
}
