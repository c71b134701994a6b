//! A quick look at JSON: what nearly every message is like is read here, in one pass; everything else is left to `serde_json`.
//!
//! What this accepts is valid JSON, and means what `serde_json` says it means. What it does not accept may be valid still.

use crate::{
    json::{Members, Raw, Value},
    walk::{bracketed_end, string_end},
};
use serde::de::IgnoredAny;
use std::borrow::Cow;

/// The members of the object that the text is, with white space around it.
pub(crate) fn object(text: &str) -> Option<Members<'_>> {
    let mut cursor = Cursor::new(text);
    cursor.skip_space();
    let members = cursor.object()?;
    cursor.end().then_some(members)
}

/// The elements of the array that the text is, with white space around it.
pub(crate) fn array(text: &str) -> Option<Vec<Raw<'_>>> {
    let mut cursor = Cursor::new(text);
    cursor.skip_space();
    let elements = cursor.elements()?;
    cursor.end().then_some(elements)
}

/// The members of an envelope: to `each` come a name and its value, that of `data` opened up. Answers whether anything else is an
/// array or an object.
pub(crate) fn envelope<'a>(text: &'a str, mut each: impl FnMut(&str, Member<'a>)) -> Option<bool> {
    let mut cursor = Cursor::new(text);
    cursor.skip_space();
    cursor.members(|cursor, name| {
        let value = match (name.as_ref(), cursor.peek()) {
            ("data", Some(b'{')) => Member::Data(Value::Object(cursor.object()?)),
            ("data", Some(b'[')) => Member::Data(Value::Array(cursor.elements()?)),
            // Too seldom to be quick about.
            ("data", _) => return None,
            _ => Member::Raw(cursor.value()?),
        };
        each(&name, value);
        Some(())
    })?;
    let nests = cursor.nests;
    cursor.end().then_some(nests)
}

/// A member of an envelope.
pub(crate) enum Member<'a> {
    Data(Value<'a>),
    Raw(Raw<'a>),
}

struct Cursor<'a> {
    text: &'a str,
    at: usize,
    /// Whether a value was an array or an object.
    nests: bool,
}

impl<'a> Cursor<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, at: 0, nests: false }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while let Some(byte @ ..=b' ') = self.peek()
            && matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
        {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    fn end(mut self) -> bool {
        self.skip_space();
        self.at == self.text.len()
    }

    /// An object with its values as they stand.
    fn object(&mut self) -> Option<Members<'a>> {
        let mut members = Vec::with_capacity(8);
        self.members(|cursor, name| {
            members.push((name, cursor.value()?));
            Some(())
        })?;
        Some(Members(members))
    }

    /// An object, member by member; `value` takes the value in.
    fn members(&mut self, mut value: impl FnMut(&mut Self, Cow<'a, str>) -> Option<()>) -> Option<()> {
        self.take(b'{')?;
        self.skip_space();
        if self.take(b'}').is_some() {
            return Some(());
        }
        loop {
            let rest = &self.text[self.at..];
            let (length, escaped) = string_end(rest.as_bytes())?;
            // Names with escapes are for the thorough reader.
            if escaped {
                return None;
            }
            let name = &rest[1..length - 1];
            self.at += length;
            self.skip_space();
            self.take(b':')?;
            self.skip_space();
            value(self, Cow::Borrowed(name))?;
            self.skip_space();
            if self.take(b'}').is_some() {
                return Some(());
            }
            self.take(b',')?;
            self.skip_space();
        }
    }

    fn elements(&mut self) -> Option<Vec<Raw<'a>>> {
        self.take(b'[')?;
        self.skip_space();
        let mut elements = Vec::new();
        if self.take(b']').is_some() {
            return Some(elements);
        }
        loop {
            elements.push(self.value()?);
            self.skip_space();
            if self.take(b']').is_some() {
                return Some(elements);
            }
            self.take(b',')?;
            self.skip_space();
        }
    }

    fn value(&mut self) -> Option<Raw<'a>> {
        let rest = &self.text[self.at..];
        let bytes = rest.as_bytes();
        let length = match bytes.first()? {
            b'"' => {
                let (length, escaped) = string_end(bytes)?;
                if escaped && !is_valid(&rest[..length]) {
                    return None;
                }
                length
            }
            b'{' | b'[' => {
                self.nests = true;
                let length = bracketed_end(bytes)?;
                is_valid(&rest[..length]).then_some(length)?
            }
            b't' => bytes.starts_with(b"true").then_some(4)?,
            b'f' => bytes.starts_with(b"false").then_some(5)?,
            b'n' => bytes.starts_with(b"null").then_some(4)?,
            _ => number_end(bytes)?,
        };
        self.at += length;
        Some(Raw::trusted(&rest[..length]))
    }
}

fn is_valid(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

fn number_end(text: &[u8]) -> Option<usize> {
    let digits = |from: usize| text[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut at = usize::from(text.first() == Some(&b'-'));
    let whole = digits(at);
    if whole == 0 || (whole > 1 && text[at] == b'0') {
        return None;
    }
    at += whole;
    if text.get(at) == Some(&b'.') {
        let fraction = digits(at + 1);
        at += (fraction > 0).then_some(1 + fraction)?;
    }
    if matches!(text.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(text.get(at + 1), Some(b'+' | b'-')));
        let exponent = digits(at + 1 + sign);
        at += (exponent > 0).then_some(1 + sign + exponent)?;
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn thorough(text: &str) -> Option<Vec<(String, String)>> {
        match serde_json::from_str(text).ok()? {
            Value::Object(Members(members)) => {
                Some(members.into_iter().map(|(name, value)| (name.into_owned(), value.get().to_owned())).collect())
            }
            _ => None,
        }
    }

    fn quick(text: &str) -> Option<Vec<(String, String)>> {
        let Members(members) = object(text)?;
        Some(members.into_iter().map(|(name, value)| (name.into_owned(), value.get().to_owned())).collect())
    }

    const SEED: &str = "{\"id\":\"a-1\",\"n\":-12.50e+3,\"b\" : true ,\"s\":\"x\\\"\\u00e9\\\\é😀\",\"z\":null,\n\"o\":{\"a\":[1,{}]},\"e\":\"\",\"f\":false,\"i\":0}";

    #[test]
    fn the_usual_is_taken_and_read_alike() {
        assert!(quick(SEED).is_some());
        assert_eq!(quick(SEED), thorough(SEED));
        assert_eq!(quick(" {} "), Some(vec![]));
    }

    /// A hundred thousand texts that are nearly right: never is anything taken that is wrong, or read in another way.
    #[test]
    fn what_is_taken_is_what_the_thorough_reader_reads() {
        let mut random = Random::new(0);
        let mut below = |bound: usize| random.below(bound);
        let pieces: Vec<char> = "{}[]\",:\\ \t\n\u{0}\u{1f}0123456789-+.eEtrufalsn/x\u{2028}é😀".chars().collect();
        let (mut taken, mut rounds) = (0, 0);
        while rounds < 100_000 {
            rounds += 1;
            let mut text: Vec<char> = SEED.chars().collect();
            for _ in 0..=below(3) {
                let at = below(text.len().max(1));
                match below(4) {
                    _ if text.is_empty() => break,
                    0 => drop(text.remove(at)),
                    1 => text.insert(at, pieces[below(pieces.len())]),
                    2 => text[at] = pieces[below(pieces.len())],
                    _ => text.truncate(at.max(1)),
                }
            }
            let text: String = text.into_iter().collect();
            if let Some(members) = quick(&text) {
                taken += 1;
                assert_eq!(Some(members), thorough(&text), "{text}");
            }
        }
        assert!(taken > 1000, "only {taken} of {rounds} were taken");
    }
}
