use crate::stream::{CLOSE, Heard, LAST, PING, TEXT, frame, hear, text};
use backsync::websocket::append_close_frame;

fn close(payload: &[u8]) -> Vec<u8> {
    frame(LAST | CLOSE, payload)
}

/// Those of section 7.4, and what was registered since: 1012 to 1014.
fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

#[test]
fn every_code_is_taken_or_refused() {
    for code in 0..=u16::MAX {
        let expected = if may_be_sent(code) { Heard::Close(Some(code)) } else { Heard::Fault(1002) };
        assert_eq!(hear(&close(&code.to_be_bytes())), [expected], "{code}");
    }
}

#[test]
fn a_close_has_no_code_or_a_whole_one_and_a_text_behind_it() {
    for (payload, expected) in [
        (&b""[..], Heard::Close(None)),
        (b"\x03", Heard::Fault(1002)),
        (b"\x03\xe8", Heard::Close(Some(1000))),
        (b"\x03\xe8bye, \xe2\x82\xac", Heard::Close(Some(1000))),
        (b"\x03\xe8bye, \xe2\x82", Heard::Fault(1007)),
        (b"\x03\xe8\xce\xba\xed\xa0\x80", Heard::Fault(1007)),
        (&[&b"\x03\xe8"[..], &[b'x'; 123]].concat(), Heard::Close(Some(1000))),
        (&[&b"\x03\xe8"[..], &[b'x'; 124]].concat(), Heard::Fault(1002)),
    ] {
        assert_eq!(hear(&close(payload)), [expected], "{payload:x?}");
    }
}

#[test]
fn a_close_within_a_message_is_heard() {
    let stream = [frame(LAST | TEXT, b"a"), frame(TEXT, b"b"), frame(LAST | PING, b""), close(b"\x03\xe9")].concat();
    assert_eq!(hear(&stream), [text("a"), Heard::Ping(vec![]), Heard::Close(Some(1001))]);
}

#[test]
fn what_the_server_says_last_would_be_taken_by_itself() {
    for code in (0..=u16::MAX).filter(|code| may_be_sent(*code)) {
        let mut out = Vec::new();
        append_close_frame(code, "€".repeat(code as usize % 60).as_str(), &mut out);
        assert_eq!(hear(&close(&out[2..])), [Heard::Close(Some(code))]);
    }
}
