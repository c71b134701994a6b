//! Frames, and the escapes that get text through every transport.

use std::fmt::Write;

/// What a session begins with.
pub const fn greeting() -> &'static str {
    "o"
}

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
            '\0'..='\x1f'
            | '\u{200c}'..='\u{200f}'
            | '\u{2028}'..='\u{202f}'
            | '\u{2060}'..='\u{206f}'
            | '\u{fff0}'..='\u{ffff}' => {
                write!(out, "\\u{:04x}", u32::from(c)).expect("writing to a string cannot fail");
            }
            c => out.push(c),
        }
    }
    out.push('"');
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
}
