//! JSON as text: the few things that are done to a value without building a tree of it.

use crate::{scan, walk};
use serde::{
    Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;
use std::{borrow::Cow, collections::HashMap, fmt};

/// A JSON value as its text. Whoever has one knows that it is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Raw<'a>(&'a str);

impl<'a> Raw<'a> {
    /// The text, without white space around it.
    pub fn get(self) -> &'a str {
        self.0
    }

    pub(crate) fn trusted(text: &'a str) -> Self {
        Self(text)
    }
}

impl<'a> From<&'a RawValue> for Raw<'a> {
    fn from(value: &'a RawValue) -> Self {
        Self(value.get())
    }
}

impl<'de> serde::Deserialize<'de> for Raw<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&RawValue>::deserialize(deserializer).map(Self::from)
    }
}

/// The members of a JSON object in the order of the text, values unparsed. Repeated names are all there.
#[derive(Debug, Default)]
pub struct Members<'a>(pub Vec<(Cow<'a, str>, Raw<'a>)>);

impl<'a> Members<'a> {
    /// Read the outermost level of an object.
    ///
    /// # Errors
    /// What `serde_json` says where the text is no JSON object.
    pub fn parse(text: &'a str) -> Result<Self, serde_json::Error> {
        if let Some(members) = scan::object(text) {
            return Ok(members);
        }
        match serde_json::from_str(text)? {
            Value::Object(members) => Ok(members),
            _ => Err(serde::de::Error::custom("not an object")),
        }
    }

    /// The last member of this name. For one look; for many there is [`Self::lookup`].
    pub fn find(&self, name: &str) -> Option<Raw<'a>> {
        self.0.iter().rev().find(|(n, _)| n == name).map(|(_, value)| *value)
    }

    /// A way to find members by name that stays cheap when there are very many.
    pub fn lookup(&self) -> Lookup<'_, 'a> {
        if self.0.len() <= 16 {
            Lookup::Few(self)
        } else {
            Lookup::Many(self.0.iter().map(|(name, value)| (name.as_ref(), *value)).collect())
        }
    }
}

/// A JSON value whose outermost level was read in the same pass that checked it.
#[derive(Debug)]
pub enum Value<'a> {
    /// An object.
    Object(Members<'a>),
    /// An array.
    Array(Vec<Raw<'a>>),
    /// Neither: what it is, for an error message.
    Other(&'static str),
}

impl Value<'_> {
    /// What it is, for an error message.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Object(_) => "an object",
            Self::Array(_) => "an array",
            Self::Other(kind) => kind,
        }
    }
}

impl<'de> serde::Deserialize<'de> for Value<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Outermost;
        impl<'de> Visitor<'de> for Outermost {
            type Value = Value<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON value")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value<'de>, A::Error> {
                let mut members = Vec::with_capacity(8);
                while let Some(Name(name)) = map.next_key()? {
                    members.push((name, map.next_value()?));
                }
                Ok(Value::Object(Members(members)))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value<'de>, A::Error> {
                let mut array = Vec::new();
                while let Some(element) = elements.next_element()? {
                    array.push(element);
                }
                Ok(Value::Array(array))
            }
            fn visit_unit<E>(self) -> Result<Value<'de>, E> {
                Ok(Value::Other("null"))
            }
            fn visit_bool<E>(self, _: bool) -> Result<Value<'de>, E> {
                Ok(Value::Other("true or false"))
            }
            fn visit_i64<E>(self, _: i64) -> Result<Value<'de>, E> {
                Ok(Value::Other("a number"))
            }
            fn visit_u64<E>(self, _: u64) -> Result<Value<'de>, E> {
                Ok(Value::Other("a number"))
            }
            fn visit_f64<E>(self, _: f64) -> Result<Value<'de>, E> {
                Ok(Value::Other("a number"))
            }
            fn visit_str<E>(self, _: &str) -> Result<Value<'de>, E> {
                Ok(Value::Other("a string"))
            }
        }
        deserializer.deserialize_any(Outermost)
    }
}

/// Finds the last member of a name.
#[derive(Debug)]
pub enum Lookup<'m, 'a> {
    /// By asking each.
    Few(&'m Members<'a>),
    /// By a table.
    Many(HashMap<&'m str, Raw<'a>>),
}

impl<'a> Lookup<'_, 'a> {
    /// The last member of this name.
    pub fn find(&self, name: &str) -> Option<Raw<'a>> {
        match self {
            Self::Few(members) => members.find(name),
            Self::Many(table) => table.get(name).copied(),
        }
    }
}

/// A member's name, borrowed where it has no escapes.
pub(crate) struct Name<'a>(pub(crate) Cow<'a, str>);

impl<'de> serde::Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Name<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// The text of a JSON string, without a copy where it has no escapes; `None` for any other value.
pub fn string(value: Raw<'_>) -> Option<Cow<'_, str>> {
    let text = value.get();
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    if inner.as_bytes().contains(&b'\\') {
        serde_json::from_str(text).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(inner))
    }
}

/// The elements of a JSON array, unparsed; `None` for any other value.
pub fn elements(value: Raw<'_>) -> Option<Vec<Raw<'_>>> {
    value.get().starts_with('[').then(|| array(value.get()).ok()).flatten()
}

/// The elements of the JSON array that a text is, unparsed.
///
/// # Errors
/// What `serde_json` says where it is none.
pub fn array(text: &str) -> Result<Vec<Raw<'_>>, serde_json::Error> {
    scan::array(text).map_or_else(|| serde_json::from_str(text), Ok)
}

/// Whether arrays and objects nest deeper than `limit`. The text must be valid JSON.
pub fn is_deeper_than(text: &str, limit: usize) -> bool {
    // `{` and `[` differ in one bit. Counting them is a fraction of a real scan, and nearly always enough.
    // In runs that a byte can count, which compiles to a few instructions for many bytes.
    let in_run = |run: &[u8]| usize::from(run.iter().map(|b| u8::from(b & 0xdf == b'[')).sum::<u8>());
    let opened: usize = text.as_bytes().chunks(255).map(in_run).sum();
    if opened <= limit {
        return false;
    }
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => {
                depth += 1;
                if depth > limit {
                    return true;
                }
            }
            b'}' | b']' => depth -= 1,
            _ => {}
        }
    }
    false
}

/// Whether the text has no line break.
pub fn is_one_line(text: &str) -> bool {
    memchr::memchr2(b'\n', b'\r', text.as_bytes()).is_none()
}

/// Append a value's text on one line: white space between tokens goes if there is a line break among it. The text must
/// be valid JSON, in which a raw line break can only be such white space.
pub fn append_one_line(text: &str, out: &mut String) {
    if is_one_line(text) {
        out.push_str(text);
        return;
    }
    let (mut in_string, mut escaped) = (false, false);
    out.extend(text.chars().filter(|c| {
        if in_string {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => in_string = false,
                _ => {}
            }
            return true;
        }
        in_string = *c == '"';
        !matches!(c, ' ' | '\t' | '\n' | '\r')
    }));
}

/// Append a number in decimal.
pub fn append_number(number: u64, out: &mut String) {
    out.push_str(itoa::Buffer::new().format(number));
}

/// Whether a text stands in a JSON string as it is.
pub fn is_plain(text: &str) -> bool {
    walk::special(text.as_bytes()).is_none()
}

/// Append `text` as a JSON string.
pub fn append_string(text: &str, out: &mut String) {
    if is_plain(text) {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        out.push_str(&serde_json::to_string(text).expect("a string is always serializable"));
    }
}

/// Whether two values mean the same: members in any order, strings by what they say, numbers by how they are written.
pub fn same(a: Raw<'_>, b: Raw<'_>) -> bool {
    if a.get() == b.get() {
        return true;
    }
    match (a.get().as_bytes()[0], b.get().as_bytes()[0]) {
        (b'"', b'"') => string(a) == string(b),
        (b'[', b'[') => match (elements(a), elements(b)) {
            (Some(a), Some(b)) => a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| same(*a, *b)),
            _ => false,
        },
        (b'{', b'{') => match (Members::parse(a.get()), Members::parse(b.get())) {
            (Ok(a), Ok(b)) => {
                let (in_a, in_b) = (a.lookup(), b.lookup());
                let equal = |name: &str| matches!((in_a.find(name), in_b.find(name)), (Some(a), Some(b)) if same(a, b));
                a.0.iter().chain(&b.0).all(|(name, _)| equal(name))
            }
            _ => false,
        },
        _ => false,
    }
}

/// A quoted piece of somebody's text for an error message: at most 60 characters of it.
pub fn excerpt(text: &str) -> String {
    let mut piece: String = text.chars().take(60).collect();
    if piece.len() < text.len() {
        piece.push('…');
    }
    format!("{piece:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Raw<'_> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn depth_counts_brackets_outside_strings_only() {
        assert!(!is_deeper_than(r#"{"a":[1,{"b":2}]}"#, 3));
        assert!(is_deeper_than(r#"{"a":[1,{"b":2}]}"#, 2));
        assert!(!is_deeper_than(r#"["[[[[[[\"[[[[[[\\"]"#, 1));
        assert!(!is_deeper_than("[[],[],[],[]]", 2));
    }

    #[test]
    fn an_array_is_read_whole_or_not_at_all() {
        let texts = |text| array(text).ok().map(|elements| elements.into_iter().map(Raw::get).collect::<Vec<_>>());
        assert_eq!(texts(" [ ] "), Some(vec![]));
        assert_eq!(texts(r#"[1, {"a":[2]},"\u00e9]", null]"#), Some(vec!["1", r#"{"a":[2]}"#, r#""\u00e9]""#, "null"]));
        for wrong in ["", "{}", "[", "[1,]", "[1] 2", "[1 2]", "[+1]", r#"["\x"]"#] {
            assert_eq!(texts(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn one_line_keeps_strings_and_drops_white_space() {
        let mut out = String::new();
        append_one_line("{ \"a b\\\" \" :\r\n [ 1 ,\t2 ] }", &mut out);
        assert_eq!(out, r#"{"a b\" ":[1,2]}"#);
        out.clear();
        append_one_line(r#"{ "a": 1 }"#, &mut out);
        assert_eq!(out, r#"{ "a": 1 }"#);
    }

    #[test]
    fn sameness_is_of_meaning() {
        assert!(same(raw(r#"{"a":1,"b":[ 2 ]}"#), raw(r#"{"b":[2],"a":1}"#)));
        assert!(same(raw(r#""\u0041""#), raw(r#""A""#)));
        assert!(!same(raw(r#"{"a":1}"#), raw(r#"{"a":1,"b":1}"#)));
        assert!(!same(raw(r#"{"a":1,"b":1}"#), raw(r#"{"a":1}"#)));
        assert!(!same(raw("123456789012345678901"), raw("123456789012345678902")));
        assert!(!same(raw("null"), raw("0")));
    }

    #[test]
    fn members_keep_order_and_the_last_of_a_name_counts() {
        let members = Members::parse(r#"{"b":1,"a":2,"\u0062":3}"#).unwrap();
        assert_eq!(members.0.len(), 3);
        assert_eq!(members.find("b").unwrap().get(), "3");
        assert!(Members::parse("[1]").is_err());
        assert!(Members::parse(r#"{"a":1} x"#).is_err());
    }
}
