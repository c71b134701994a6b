//! Records: JSON objects with an identity, kept as text.

use crate::{
    error::{ErrorCode, ErrorObject},
    json::{self, Members},
    name::RecordId,
    position::Revision,
};
use serde_json::value::RawValue;
use std::{borrow::Cow, cell::RefCell, sync::Arc};

/// What a client sent as one record. The server's own members (`_…`) are taken out of the attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordInput {
    /// Absent where the server shall make one.
    pub id: Option<RecordId>,
    /// The other members.
    pub attributes: Attributes,
}

impl RecordInput {
    /// Read one record of an upsert.
    ///
    /// # Errors
    /// `invalid_data` where it is no object, or its `id` is neither text of allowed length nor an integer.
    pub fn parse(value: &RawValue) -> Result<Self, ErrorObject> {
        let text = value.get();
        let members = Members::parse(text).map_err(|_| {
            let message = format!("a record is a JSON object, not {}", json::excerpt(text));
            ErrorObject::new(ErrorCode::InvalidData, message)
        })?;
        let id = members.find("id").map(record_id).transpose()?;
        Ok(Self { id, attributes: Attributes::of(&members, text) })
    }
}

/// Read a record's id: a string, or an integer that is kept as its decimal text.
///
/// # Errors
/// `invalid_data` for anything else.
pub fn record_id(value: &RawValue) -> Result<RecordId, ErrorObject> {
    let text = value.get();
    if let Some(id) = json::string(value) {
        return RecordId::parse(&id);
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.bytes().all(|b| b.is_ascii_digit()) {
        return RecordId::parse(text);
    }
    Err(ErrorObject::new(
        ErrorCode::InvalidData,
        format!("a record's id is a string or an integer, not {}", json::excerpt(text)),
    ))
}

/// The members of a record that are its owner's: not `id`, and none that begins with `_`. Kept as the inside of a JSON
/// object, on one line, each name once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Attributes(String);

impl Attributes {
    fn of(members: &Members<'_>, text: &str) -> Self {
        if let Some(inside) = verbatim(members, text) {
            return Self(inside.to_owned());
        }
        let mut inside = String::with_capacity(text.len());
        let last = members.lookup();
        // The last of a repeated name counts, as for every JSON parser.
        let counts =
            |name: &str, value: &RawValue| last.find(name).is_some_and(|counting| std::ptr::eq(counting, value));
        let attributes = members.0.iter().filter(|(name, value)| is_attribute(name) && counts(name, value));
        append_members(attributes.map(|(name, value)| (name, *value)), &mut inside);
        Self(inside)
    }

    /// The attributes of a stored record.
    ///
    /// # Errors
    /// What `serde_json` says where the text is no JSON object.
    pub fn of_record(text: &str) -> Result<Self, serde_json::Error> {
        Ok(Self::of(&Members::parse(text)?, text))
    }

    /// These attributes with those of `newer` set over them; `None` where that changes nothing.
    ///
    /// # Errors
    /// What `serde_json` says where one of them is not the inside of an object: only text that came from elsewhere.
    pub fn merged(&self, newer: &Self) -> Result<Option<Self>, serde_json::Error> {
        if self == newer {
            return Ok(None);
        }
        let (mine, theirs) = (format!("{{{}}}", self.0), format!("{{{}}}", newer.0));
        let (mine, theirs) = (Members::parse(&mine)?, Members::parse(&theirs)?);
        let (in_mine, in_theirs) = (mine.lookup(), theirs.lookup());
        if theirs.0.iter().all(|(name, value)| in_mine.find(name).is_some_and(|old| json::same(old, value))) {
            return Ok(None);
        }
        let mut text = String::with_capacity(self.0.len() + newer.0.len());
        let kept = mine.0.iter().map(|(name, old)| (name, in_theirs.find(name).unwrap_or(old)));
        let added =
            theirs.0.iter().filter(|(name, _)| in_mine.find(name).is_none()).map(|(name, value)| (name, *value));
        append_members(kept.chain(added), &mut text);
        Ok(Some(Self(text)))
    }

    /// Whether both say the same.
    pub fn same(&self, other: &Self) -> bool {
        let object = |text: &str| serde_json::from_str::<Box<RawValue>>(&format!("{{{text}}}"));
        self == other || matches!((object(&self.0), object(&other.0)), (Ok(a), Ok(b)) if json::same(&a, &b))
    }
}

fn is_attribute(name: &str) -> bool {
    name != "id" && !name.starts_with('_')
}

/// The usual record has its id first, no members of the server's, none twice and no line breaks: then the rest of its text
/// is what is to be kept.
fn verbatim<'a>(members: &Members<'_>, text: &'a str) -> Option<&'a str> {
    let [(first, id), rest @ ..] = members.0.as_slice() else { return None };
    let (_, last) = rest.last()?;
    let is_plain = |at: usize, name: &str| is_attribute(name) && rest[..at].iter().all(|(other, _)| other != name);
    if first != "id"
        || rest.len() > 16
        || !rest.iter().enumerate().all(|(at, (name, _))| is_plain(at, name))
        || text.bytes().any(|b| matches!(b, b'\n' | b'\r'))
    {
        return None;
    }
    let offset = |value: &RawValue| value.get().as_ptr() as usize - text.as_ptr() as usize;
    let (from, to) = (offset(id) + id.get().len(), offset(last) + last.get().len());
    Some(text[from..to].trim_ascii_start().strip_prefix(',')?.trim_ascii_start())
}

fn append_members<'a>(members: impl Iterator<Item = (&'a Cow<'a, str>, &'a RawValue)>, text: &mut String) {
    for (name, value) in members {
        if !text.is_empty() {
            text.push(',');
        }
        json::append_string(name, text);
        text.push(':');
        json::append_one_line(value.get(), text);
    }
}

thread_local! {
    /// Where a record's text is put together, so that it is allocated once, in its final size.
    static SCRATCH: RefCell<String> = const { RefCell::new(String::new()) };
}

/// A record as the server keeps and sends it; cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its identity.
    pub id: RecordId,
    /// The model's revision at which it last changed.
    pub revision: Revision,
    /// The whole as JSON: `{"id":…, attributes…, "_rev":…}` on one line.
    pub json: Arc<str>,
}

impl Record {
    /// Put a record together.
    pub fn new(id: RecordId, attributes: &Attributes, revision: Revision) -> Self {
        let json = SCRATCH.with_borrow_mut(|json| {
            json.clear();
            json.push_str("{\"id\":");
            json::append_string(id.as_str(), json);
            if !attributes.0.is_empty() {
                json.push(',');
                json.push_str(&attributes.0);
            }
            json.push_str(",\"_rev\":");
            json::append_number(revision.0, json);
            json.push('}');
            Arc::from(json.as_str())
        });
        Self { id, revision, json }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(text: &str) -> Result<RecordInput, ErrorObject> {
        RecordInput::parse(serde_json::from_str(text).unwrap())
    }

    #[test]
    fn a_record_keeps_what_is_its_owners() {
        let got = input("{\"_rev\":3,\"b\":123456789012345678901234567890,\"id\":7,\n\"a\":{\"x\": [] },\"b\":1e400}")
            .unwrap();
        assert_eq!(got.id.clone().unwrap().as_str(), "7");
        let record = Record::new(got.id.unwrap(), &got.attributes, Revision(9));
        assert_eq!(&*record.json, r#"{"id":"7","a":{"x": [] },"b":1e400,"_rev":9}"#);
        assert_eq!(Attributes::of_record(&record.json).unwrap(), got.attributes);
    }

    #[test]
    fn ids_are_text_or_integers() {
        for good in [r#"{"id":"x"}"#, r#"{"id":-12}"#, r#"{"id":123456789012345678901234567890}"#, "{}"] {
            assert!(input(good).is_ok(), "{good}");
        }
        for bad in [r#"{"id":""}"#, r#"{"id":1.5}"#, r#"{"id":1e3}"#, r#"{"id":null}"#, r#"{"id":[]}"#, "[]", "3"] {
            assert_eq!(input(bad).unwrap_err().code, ErrorCode::InvalidData, "{bad}");
        }
    }

    #[test]
    fn merging_sets_what_is_given_and_keeps_the_rest() {
        let of = |text| input(text).unwrap().attributes;
        let old = of(r#"{"a":1,"b":{"x":1},"c":"k"}"#);
        let merged = old.merged(&of(r#"{"d":4,"b":null}"#)).unwrap().unwrap();
        assert_eq!(merged, of(r#"{"a":1,"b":null,"c":"k","d":4}"#));
        assert_eq!(old.merged(&of(r#"{"b":{"x": 1},"c":"\u006b"}"#)).unwrap(), None);
        assert_eq!(old.merged(&of("{}")).unwrap(), None);
        assert!(of(r#"{"a":1,"b":2}"#).same(&of(r#"{"b":2,"a":1}"#)));
        assert!(!of(r#"{"a":1}"#).same(&of("{}")));
    }
}
