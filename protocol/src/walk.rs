//! Where things end in JSON text, without reading what they say.

/// The members of an object whose text is known to be valid JSON on one line, such as a stored record's: raw names and
/// values, several times as fast as reading them. Ends early where the text is not what it should be.
pub(crate) fn walk(object: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = object.strip_prefix('{').unwrap_or_default();
    std::iter::from_fn(move || {
        let from_name = rest.trim_ascii_start();
        let (name, behind) = from_name.split_at_checked(string_end(from_name.as_bytes())?.0)?;
        let from_value = behind.trim_ascii_start().strip_prefix(':')?.trim_ascii_start();
        let (value, behind) = from_value.split_at_checked(value_end(from_value.as_bytes())?)?;
        rest = behind.trim_ascii_start().strip_prefix(',').unwrap_or_default();
        Some((name, value))
    })
}

/// Where the string at the beginning of the text ends, and whether it has escapes (which are not looked at). None where there
/// is no string, no end, or a control character, which has to be escaped in JSON.
// Called for each string of each message, of which most are short.
#[inline(always)]
pub(crate) fn string_end(text: &[u8]) -> Option<(usize, bool)> {
    let (b'"', inside) = text.split_first()? else { return None };
    let length = special(inside)?;
    match inside[length] {
        b'"' => Some((1 + length + 1, false)),
        b'\\' => Some((escaped_end(text, 1 + length)?, true)),
        _ => None,
    }
}

/// The same, for a string in which the first escape is at this byte.
#[cold]
fn escaped_end(text: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match text[at] {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => return None,
        }
        at += special(text.get(at..)?)?;
    }
}

/// Where the first quote, backslash or control character is: what cannot stand in a JSON string as it is. Eight bytes at a time:
/// strings are short here, and what looks for bytes in long ones costs more to call than this to run.
#[inline(always)]
pub(crate) fn special(text: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES << 7;
    let repeat = |byte: u8| ONES * u64::from(byte);
    let (words, rest) = text.as_chunks();
    for (at, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        // Bytes below a limit borrow from their highest bit, which they did not have themselves. A borrow may mark bytes behind the
        // first that is right, never before it.
        let below = |word: u64, limit: u8| word.wrapping_sub(repeat(limit));
        let borrowed = below(word, 0x20) | below(word ^ repeat(b'"'), 1) | below(word ^ repeat(b'\\'), 1);
        let found = borrowed & !word & HIGH;
        if found != 0 {
            return Some(8 * at + found.trailing_zeros() as usize / 8);
        }
    }
    Some(8 * words.len() + special_of_few(rest)?)
}

/// The same, byte by byte: nearly all strings end before the last few bytes of a message.
#[cold]
fn special_of_few(text: &[u8]) -> Option<usize> {
    text.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20))
}

/// Where the value at the beginning of valid JSON ends.
pub(crate) fn value_end(text: &[u8]) -> Option<usize> {
    match text.first()? {
        b'"' => Some(string_end(text)?.0),
        b'{' | b'[' => bracketed_end(text),
        _ => text.iter().position(|b| matches!(b, b',' | b'}' | b']' | b' ' | b'\t')),
    }
}

/// Where the array or object at the beginning of the text ends, brackets of both kinds counted as one.
pub(crate) fn bracketed_end(text: &[u8]) -> Option<usize> {
    let (mut at, mut depth) = (0, 0_usize);
    loop {
        match text.get(at)? {
            b'"' => at += string_end(&text[at..])?.0 - 1,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return Some(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Members;

    #[test]
    fn walking_finds_what_reading_finds() {
        let text = r#"{"a":1,"b\"":[{"}":"]"},"\\"] , "c" : "x\\", "d":{},"e":-1.5e3}"#;
        let walked: Vec<_> = walk(text).collect();
        let read = Members::parse(text).unwrap();
        assert_eq!(walked.len(), 5);
        for ((name, value), (read_name, read_value)) in walked.into_iter().zip(&read.0) {
            assert_eq!(serde_json::from_str::<String>(name).unwrap(), *read_name);
            assert_eq!(value, read_value.get());
        }
        assert_eq!(walk("{}").count(), 0);
        for broken in ["", "x", "{\"a", "{\"a\":", "{\"a\":[", "{\"a\" 1}", "{\"a\":1"] {
            assert_eq!(walk(broken).count(), 0, "{broken}");
        }
    }
}
