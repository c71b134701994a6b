//! Frames, and the escapes that get text through every transport.
//!
//! Over HTTP frames are lines until a transport dresses them: [`append_line`] makes them, [`take_frame`] takes
//! them.

use bytes::{Buf, Bytes, BytesMut};
use std::fmt::Write;

/// What a session begins with.
pub const GREETING: &str = "o";

/// What shows that a quiet session lives.
pub const HEARTBEAT: &str = "h";

/// The frame that ends a session.
pub fn close_frame(code: u16, reason: &str) -> String {
    let mut frame = format!("c[{code},");
    append_string(reason, &mut frame);
    frame.push(']');
    frame
}

/// The answer to `/info`: `entropy` is a random number that the client's own may lean on.
pub fn info(websocket: bool, cookie_needed: bool, entropy: u32) -> String {
    format!(r#"{{"websocket":{websocket},"origins":["*:*"],"cookie_needed":{cookie_needed},"entropy":{entropy}}}"#)
}

/// Append a JSON string in which everything that a transport might garble is escaped.
pub fn append_string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if is_garbled(c) => append_escape(c, out),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Append a JSON value as it is, but for what a transport might garble, and for the ends of lines: outside of its strings there
/// is nothing that could not as well be a blank.
pub fn append_value(json: &str, out: &mut String) {
    // The bytes that those characters begin with.
    let is_plain = |b: u8| b >= b' ' && b != 0xe2 && b != 0xef;
    if json.bytes().all(is_plain) {
        return out.push_str(json);
    }
    for c in json.chars() {
        match c {
            '\0'..='\x1f' => out.push(' '),
            c if is_garbled(c) => append_escape(c, out),
            c => out.push(c),
        }
    }
}

fn is_garbled(c: char) -> bool {
    matches!(c, '\0'..='\x1f' | '\u{200c}'..='\u{200f}' | '\u{2028}'..='\u{202f}' | '\u{2060}'..='\u{206f}' | '\u{fff0}'..='\u{ffff}')
}

fn append_escape(c: char, out: &mut String) {
    write!(out, "\\u{:04x}", u32::from(c)).expect("writing to a string cannot fail");
}

/// Append the frame of one message, which is written by `message`, as a line.
pub fn append_line(message: impl FnOnce(&mut String), out: &mut Vec<u8>) {
    let mut line = String::from("a[");
    message(&mut line);
    line.push_str("]\n");
    out.extend_from_slice(line.as_bytes());
}

/// The longest frame of several messages, in bytes: so that a big one does not wait for others.
const MERGED: usize = 64 << 10;

/// Take the first frame off `lines`, which are whole; with the end of its line. Messages that follow each other come as one
/// frame. `None` where there is nothing.
pub fn take_frame(lines: &mut BytesMut) -> Option<Bytes> {
    let mut used = line_end(lines, 0)?;
    let is_message = |at: usize| lines.get(at) == Some(&b'a');
    if !is_message(0) || !is_message(used) {
        return Some(lines.split_to(used).freeze());
    }
    let mut frame = lines[..used].to_vec();
    while is_message(used) && frame.len() < MERGED {
        let end = line_end(lines, used).expect("lines are whole");
        frame.truncate(frame.len() - "]\n".len());
        frame.push(b',');
        frame.extend_from_slice(&lines[used + "a[".len()..end]);
        used = end;
    }
    lines.advance(used);
    Some(frame.into())
}

fn line_end(lines: &[u8], from: usize) -> Option<usize> {
    lines[from..].iter().position(|b| *b == b'\n').map(|at| from + at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_where_transports_garble_it() {
        let mut out = String::new();
        append_string("a\"\\\n\u{200d}\u{2028}\u{fffe}é😀", &mut out);
        assert_eq!(out, r#""a\"\\\u000a\u200d\u2028\ufffeé😀""#);
        assert_eq!(close_frame(3000, "Go away!"), r#"c[3000,"Go away!"]"#);
    }

    #[test]
    fn a_value_stays_what_it_is_on_one_line() {
        let json = "{\r\n\t\"a\": \"é😀 \u{2028}\u{ffff}\\n\",\n\"b\":[1,\n2]}";
        let mut out = String::new();
        append_value(json, &mut out);
        assert_eq!(out, "{   \"a\": \"é😀 \\u2028\\uffff\\n\", \"b\":[1, 2]}");
        let value = |text| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(value(&out), value(json));
        let plain = r#"{"a":"ä"}"#;
        out.clear();
        append_value(plain, &mut out);
        assert_eq!(out, plain);
    }

    #[test]
    fn messages_that_wait_come_as_one_frame() {
        let mut lines = BytesMut::from("h\na[1]\na[\"x\",2]\nc[3000,\"\"]\n");
        let mut frames = Vec::new();
        while let Some(frame) = take_frame(&mut lines) {
            frames.push(String::from_utf8(frame.to_vec()).unwrap());
        }
        assert_eq!(frames, ["h\n", "a[1,\"x\",2]\n", "c[3000,\"\"]\n"]);
        let big = format!("a[\"{}\"]\n", "x".repeat(MERGED));
        let mut lines = BytesMut::from(format!("{big}a[1]\na[2]\n").as_str());
        assert_eq!(take_frame(&mut lines).unwrap(), big);
        assert_eq!(take_frame(&mut lines).unwrap(), "a[1,2]\n");
        assert_eq!(take_frame(&mut lines), None);
    }
}
