//! What a JSON value means, off its text: its kind, its order, and the one spelling of everything that means the same.
//!
//! Texts are values of valid JSON on one line. Of one that is damaged nothing sensible is said, and nothing panics.

use super::{
    number::{self, Number},
    text,
};
use crate::walk::{value_end, walk};
use std::{borrow::Cow, cmp::Ordering, collections::BTreeMap};

/// Arrays and objects that nest deeper than this are spelled by nobody: no filter can name them.
pub(super) const MAX_NESTING: usize = 128;

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    False,
    True,
    Number,
    Text,
    Array,
    Object,
}

impl Kind {
    pub(super) fn of(value: &str) -> Self {
        match value.as_bytes().first() {
            Some(b'"') => Self::Text,
            Some(b'{') => Self::Object,
            Some(b'[') => Self::Array,
            Some(b't') => Self::True,
            Some(b'f') => Self::False,
            Some(b'n') => Self::Null,
            _ => Self::Number,
        }
    }
}

/// The elements of an array; none for any other value.
pub(super) fn elements(array: &str) -> impl Iterator<Item = &str> {
    let mut rest = array.strip_prefix('[').unwrap_or_default();
    std::iter::from_fn(move || {
        let from_value = rest.trim_ascii_start();
        let (value, behind) = from_value.split_at_checked(value_end(from_value.as_bytes())?)?;
        rest = behind.trim_ascii_start().strip_prefix(',').unwrap_or_default();
        (!value.is_empty()).then_some(value)
    })
}

/// The members of an object by the one spelling of their names, quotes and all; the last of a repeated name counts.
/// `None` where there are more than `most`.
pub(super) fn members(object: &str, most: usize) -> Option<BTreeMap<Cow<'_, str>, &str>> {
    let mut members = BTreeMap::new();
    for (name, value) in walk(object) {
        members.insert(text::canonical(name), value);
        if members.len() > most {
            return None;
        }
    }
    Some(members)
}

/// The one spelling of a value, not copied where it is spelled so already. `None` where no filter can name the value, or
/// where its spelling is longer than `longest`.
pub(super) fn canonical(value: &str, longest: usize) -> Option<Cow<'_, str>> {
    let is_canonical = match Kind::of(value) {
        Kind::Null | Kind::False | Kind::True => true,
        Kind::Text => return Some(text::canonical(value)),
        Kind::Number => number::is_plain(value),
        Kind::Array | Kind::Object => false,
    };
    if is_canonical {
        return Some(Cow::Borrowed(value));
    }
    let mut out = String::new();
    append_canonical(value, &mut out, longest).map(|()| Cow::Owned(out))
}

/// As [`canonical`], behind what `out` has. On `None` part of the spelling may have been written.
pub(super) fn append_canonical(value: &str, out: &mut String, longest: usize) -> Option<()> {
    append(value, out, longest, MAX_NESTING)
}

fn append(value: &str, out: &mut String, longest: usize, nesting: usize) -> Option<()> {
    match Kind::of(value) {
        Kind::Null | Kind::False | Kind::True => out.push_str(value),
        Kind::Text => text::append(value, out),
        Kind::Number => Number::parse(value).append(out)?,
        Kind::Array => {
            let nesting = nesting.checked_sub(1)?;
            let mut separator = '[';
            for element in elements(value) {
                out.push(separator);
                append(element, out, longest, nesting)?;
                separator = ',';
            }
            out.push_str(if separator == '[' { "[]" } else { "]" });
        }
        Kind::Object => {
            let nesting = nesting.checked_sub(1)?;
            let mut separator = '{';
            for (name, value) in members(value, longest)? {
                out.push(separator);
                out.push_str(&name);
                out.push(':');
                append(value, out, longest, nesting)?;
                separator = ',';
            }
            out.push_str(if separator == '{' { "{}" } else { "}" });
        }
    }
    (out.len() <= longest).then_some(())
}

/// Whether a value means what the one spelling `canonical_value` means.
pub(super) fn is_equal(value: &str, canonical_value: &str) -> bool {
    if value == canonical_value {
        return true;
    }
    let kind = Kind::of(value);
    kind == Kind::of(canonical_value)
        && match kind {
            Kind::Null | Kind::False | Kind::True => true,
            Kind::Number => Number::parse(value) == Number::parse(canonical_value),
            Kind::Text => value.contains('\\') && text::canonical(value) == canonical_value,
            // Whatever gets longer than the other is different: a huge value costs no more than the small one.
            Kind::Array | Kind::Object => canonical(value, canonical_value.len()).is_some_and(|v| v == canonical_value),
        }
}

/// The order of two numbers, or of two strings by code point; there is none between other values.
pub(super) fn order(a: &str, b: &str) -> Option<Ordering> {
    match (Kind::of(a), Kind::of(b)) {
        (Kind::Number, Kind::Number) => Some(Number::parse(a).cmp(&Number::parse(b))),
        (Kind::Text, Kind::Text) => Some(text::decoded(a).cmp(&text::decoded(b))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelled(value: &str) -> String {
        canonical(value, usize::MAX).unwrap().into_owned()
    }

    #[test]
    fn what_means_the_same_is_spelled_the_same() {
        for (one, texts) in [
            (r#""A/é😀""#, &[r#""\u0041\/\u00E9\ud83d\ude00""#, r#""A/é😀""#][..]),
            (r#""\"\\\b\f\n\r\t\u001f""#, &[r#""\u0022\u005C\u0008\u000c\u000A\u000d\u0009\u001F""#]),
            (r#"{"a":[1,null],"b":true}"#, &[r#"{"b":true,"a":[1,null]}"#, r#"{ "\u0061" : [1.0 ,	null ] ,"b":true}"#]),
            (r#"{"a":2}"#, &[r#"{"a":1,"a":2}"#, r#"{"a":{},"\u0061":2.0}"#]),
            ("[]", &["[]", "[ ]"]),
            ("{}", &["{}", "{ }"]),
        ] {
            for text in texts {
                assert_eq!(spelled(text), one, "{text}");
                assert!(is_equal(text, one), "{text}");
            }
        }
        for (a, b) in [("1", "\"1\""), ("null", "false"), ("[1,2]", "[2,1]"), ("[]", "{}"), (r#"{"a":1}"#, "{}")] {
            assert_ne!(spelled(a), spelled(b));
            assert!(!is_equal(a, b) && !is_equal(b, a));
        }
    }

    #[test]
    fn spelling_ends_where_it_gets_too_long_or_too_deep() {
        assert_eq!(canonical("[1,2,3]", 7).as_deref(), Some("[1,2,3]"));
        assert_eq!(canonical("[1,2,3]", 6), None);
        assert_eq!(canonical(r#"{"a":1,"b":2}"#, 1), None);
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(canonical(&nested(MAX_NESTING), usize::MAX).is_some());
        assert_eq!(canonical(&nested(MAX_NESTING + 1), usize::MAX), None);
        assert_eq!(canonical(&nested(1_000_000), usize::MAX), None);
    }

    #[test]
    fn damaged_text_does_no_harm() {
        for text in [
            "",
            "\"",
            "\"\\",
            "\"\\\"",
            "\"\\u\"",
            "\"\\u12é\"",
            "\"\\é\"",
            "[",
            "[[",
            "{",
            "{\"a\"",
            "-",
            "x",
            "1e",
            "é",
        ] {
            let _ = (canonical(text, 100), is_equal(text, "\"a\""), order(text, text), text::decoded(text));
        }
    }
}
