//! Strings: what they say, off their JSON text, and the one spelling of each.
//!
//! A string is a sequence of code points. Half a surrogate pair, which JSON can say and UTF-8 cannot, is one like any other.

use std::borrow::Cow;

/// What a string says: UTF-8, with each half of a surrogate pair that stands alone encoded as if it were a character.
/// The order of these bytes is that of the code points.
pub(super) fn decoded(text: &str) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\\', text.as_bytes()).is_none() {
        return Cow::Borrowed(inside(text).as_bytes());
    }
    let mut bytes = Vec::with_capacity(text.len());
    for_each_piece(text, |piece| match piece {
        Piece::Plain(plain) => bytes.extend_from_slice(plain.as_bytes()),
        Piece::Char(char) => bytes.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
        Piece::Half(half) => bytes.extend([0xed, 0x80 | (half >> 6 & 0x3f) as u8, 0x80 | (half & 0x3f) as u8]),
    });
    Cow::Owned(bytes)
}

/// The one spelling of a string.
pub(super) fn canonical(text: &str) -> Cow<'_, str> {
    if memchr::memchr(b'\\', text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    append(text, &mut out);
    Cow::Owned(out)
}

/// As [`canonical`], behind what `out` has.
pub(super) fn append(text: &str, out: &mut String) {
    out.push('"');
    for_each_piece(text, |piece| match piece {
        Piece::Plain(plain) => out.push_str(plain),
        Piece::Half(half) => out.push_str(&format!("\\u{half:04x}")),
        Piece::Char(char) => match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0'..'\u{20}' => out.push_str(&format!("\\u{:04x}", u32::from(char))),
            _ => out.push(char),
        },
    });
    out.push('"');
}

enum Piece<'a> {
    /// Text without an escape.
    Plain(&'a str),
    /// An escaped character.
    Char(char),
    /// An escaped half of a surrogate pair without its other half.
    Half(u32),
}

fn inside(text: &str) -> &str {
    text.get(1..text.len().saturating_sub(1)).unwrap_or_default()
}

fn for_each_piece<'a>(text: &'a str, mut each: impl FnMut(Piece<'a>)) {
    let mut rest = inside(text);
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        each(Piece::Plain(&rest[..at]));
        let (piece, length) = escape(&rest[at + 1..]);
        each(piece);
        rest = &rest[at + 1 + length..];
    }
    each(Piece::Plain(rest));
}

/// What the escape says whose backslash is before `text`, and its length.
fn escape(text: &str) -> (Piece<'_>, usize) {
    let char = match text.chars().next() {
        Some('b') => '\u{8}',
        Some('f') => '\u{c}',
        Some('n') => '\n',
        Some('r') => '\r',
        Some('t') => '\t',
        Some('u') => return unicode_escape(text),
        Some(other) => other,
        None => return (Piece::Plain(""), 0),
    };
    (Piece::Char(char), char.len_utf8())
}

fn unicode_escape(text: &str) -> (Piece<'_>, usize) {
    let unit = |text: &str| u32::from_str_radix(text.strip_prefix('u')?.get(..4)?, 16).ok();
    let Some(first) = unit(text) else { return (Piece::Plain(&text[..1]), 1) };
    if let Some(char) = char::from_u32(first) {
        return (Piece::Char(char), 5);
    }
    let second = text[5..].strip_prefix('\\').and_then(unit);
    match second {
        Some(second @ 0xdc00..0xe000) if first < 0xdc00 => {
            let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
            (Piece::Char(char::from_u32(code).expect("a pair of surrogates is a character")), 11)
        }
        _ => (Piece::Half(first), 5),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_surrogate_pair_is_a_code_point_of_its_own() {
        assert_eq!(canonical(r#""\uD83D""#), r#""\ud83d""#);
        assert_eq!(canonical(r#""\ud83dx\ude00\ud83d\ud83d\ude00""#), r#""\ud83dx\ude00\ud83d😀""#);
        assert_ne!(canonical(r#""\ud800""#), canonical(r#""\ud801""#));
        // Between the characters below the surrogates and those above.
        assert!(decoded(r#""\ud800""#) > decoded("\"\u{d7ff}\""));
        assert!(decoded(r#""\udfff""#) < decoded("\"\u{e000}\""));
        assert!(decoded("\"\u{ffff}\"") < decoded("\"😀\""));
    }

    #[test]
    fn damaged_text_does_no_harm() {
        for text in ["", "\"", "\"\\", "\"\\\"", "\"\\u\"", "\"\\u12é\"", "\"\\é\"", "\"\\ud83d\\\"", "é"] {
            let _ = (decoded(text), canonical(text));
        }
    }
}
