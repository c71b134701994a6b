//! Records: JSON objects with an identity, kept as text.

use crate::{
    error::{ErrorCode, ErrorObject},
    json::{self, Members, Raw},
    name::RecordId,
    position::Revision,
    walk::walk,
};
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
    pub fn parse(value: Raw<'_>) -> Result<Self, ErrorObject> {
        match Members::parse(value.get()) {
            Ok(members) => Self::of(&members, value.get()),
            Err(_) => Err(Self::not_a_record(&json::excerpt(value.get()))),
        }
    }

    /// Read a record whose members were read already, out of `text`.
    ///
    /// # Errors
    /// As for [`Self::parse`].
    pub fn of(members: &Members<'_>, text: &str) -> Result<Self, ErrorObject> {
        let id = members.find("id").map(record_id).transpose()?;
        Ok(Self { id, attributes: Attributes::of(members, text) })
    }

    /// The error for something that is no record.
    pub fn not_a_record(what: &str) -> ErrorObject {
        ErrorObject::new(ErrorCode::InvalidData, format!("a record is a JSON object, not {what}"))
    }
}

/// Read a record's id: a string, or an integer that is kept as its decimal text.
///
/// # Errors
/// `invalid_data` for anything else.
pub fn record_id(value: Raw<'_>) -> Result<RecordId, ErrorObject> {
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

/// The members of a record that are its owner's: not `id`, and none that begins with `_`. Kept as the text of a JSON
/// object, on one line, each name once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attributes(String);

impl Default for Attributes {
    fn default() -> Self {
        Self("{}".to_owned())
    }
}

impl Attributes {
    fn of(members: &Members<'_>, text: &str) -> Self {
        if let Some(inside) = verbatim(members, text) {
            let mut object = String::with_capacity(inside.len() + 2);
            object.push('{');
            object.push_str(inside);
            object.push('}');
            return Self(object);
        }
        let last = members.lookup();
        // The last of a repeated name counts, as for every JSON parser.
        let counts =
            |name: &str, value: Raw<'_>| last.find(name).is_some_and(|last| std::ptr::eq(last.get(), value.get()));
        let attributes = members.0.iter().filter(|(name, value)| is_attribute(name) && counts(name, *value));
        Self::from_members(attributes.map(|(name, value)| (name, *value)), text.len())
    }

    fn from_members<'a>(members: impl Iterator<Item = (&'a Cow<'a, str>, Raw<'a>)>, size: usize) -> Self {
        let mut object = String::with_capacity(size + 2);
        object.push('{');
        for (name, value) in members {
            if object.len() > 1 {
                object.push(',');
            }
            json::append_string(name, &mut object);
            object.push(':');
            json::append_one_line(value.get(), &mut object);
        }
        object.push('}');
        Self(object)
    }

    /// Bytes of text.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.inside().is_empty()
    }

    fn inside(&self) -> &str {
        &self.0[1..self.0.len() - 1]
    }

    /// What the attributes of a stored record become when these are set over them, or take their place (`replace`). `None`
    /// where that changes nothing.
    ///
    /// # Errors
    /// What `serde_json` says where the stored text is no JSON object: it was damaged.
    pub fn over(&self, stored: &Record, replace: bool) -> Result<Option<Self>, serde_json::Error> {
        // Most often the same attributes come again, in the same order, some with other values.
        let stored_attributes = || walk(&stored.json).filter(|(name, _)| *name != "\"id\"" && !name.starts_with("\"_"));
        if stored_attributes().map(|(name, _)| name).eq(walk(&self.0).map(|(name, _)| name)) {
            let mut values = stored_attributes().zip(walk(&self.0)).map(|((_, old), (_, new))| (old, new));
            let differs = |old, new| old != new && !json::same(Raw::trusted(old), Raw::trusted(new));
            return Ok(values.any(|(old, new)| differs(old, new)).then(|| self.clone()));
        }
        let (old, new) = (Members::parse(&stored.json)?, Members::parse(&self.0)?);
        let (in_old, in_new) = (old.lookup(), new.lookup());
        let kept = || old.0.iter().filter(|(name, _)| is_attribute(name));
        if new.0.iter().all(|(name, value)| in_old.find(name).is_some_and(|old| json::same(old, *value)))
            && (!replace || kept().count() == new.0.len())
        {
            return Ok(None);
        }
        if replace {
            return Ok(Some(self.clone()));
        }
        let kept = kept().map(|(name, old)| (name, in_new.find(name).unwrap_or(*old)));
        let added = new.0.iter().filter(|(name, _)| in_old.find(name).is_none()).map(|(name, value)| (name, *value));
        Ok(Some(Self::from_members(kept.chain(added), stored.json.len() + self.0.len())))
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
    if first != "id" || rest.len() > 16 || !rest.iter().enumerate().all(|(at, (name, _))| is_plain(at, name)) {
        return None;
    }
    let offset = |value: Raw<'_>| value.get().as_ptr() as usize - text.as_ptr() as usize;
    let (from, to) = (offset(*id) + id.get().len(), offset(*last) + last.get().len());
    let inside = text[from..to].trim_ascii_start().strip_prefix(',')?.trim_ascii_start();
    json::is_one_line(inside).then_some(inside)
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
            if !attributes.is_empty() {
                json.push(',');
                json.push_str(attributes.inside());
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
        assert_eq!(got.attributes.over(&record, true).unwrap(), None);
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
    fn setting_over_keeps_the_rest_and_replacing_does_not() {
        let of = |text| input(text).unwrap().attributes;
        let stored = |text| Record::new(RecordId::parse("i\"d").unwrap(), &of(text), Revision(1));
        let old = stored(r#"{"a":1,"b":{"x":1},"c":"k"}"#);
        let over = |text, replace| of(text).over(&old, replace).unwrap();
        assert_eq!(over(r#"{"d":4,"b":null}"#, false), Some(of(r#"{"a":1,"b":null,"c":"k","d":4}"#)));
        assert_eq!(over(r#"{"d":4,"b":null}"#, true), Some(of(r#"{"d":4,"b":null}"#)));
        assert_eq!(over(r#"{"b":{"x": 1},"c":"\u006b"}"#, false), None);
        assert_eq!(over("{}", false), None);
        assert_eq!(over("{}", true), Some(Attributes::default()));
        assert_eq!(over(r#"{"c":"k","b":{"x":1},"a":1}"#, true), None);
        assert_eq!(over(r#"{"a":1,"b":{"x":1}}"#, true), Some(of(r#"{"a":1,"b":{"x":1}}"#)));
        // What begins as the stored one does is not yet the same.
        assert_eq!(of(r#"{"id":"x","a":1}"#).over(&stored(r#"{"a":1,"b":2}"#), true).unwrap(), Some(of(r#"{"a":1}"#)));
    }

    #[test]
    fn the_usual_record_is_kept_as_it_came() {
        for (text, kept) in [
            (r#"{"id":"x","a":1,"b" : [ 2 ]}"#, r#"{"a":1,"b" : [ 2 ]}"#),
            (r#"{ "id" : "x" , "a":1 }"#, r#"{"a":1}"#),
            (r#"{"id":"x","a":1,"a":2}"#, r#"{"a":2}"#),
            (r#"{"id":"x","a":1,"_b":2}"#, r#"{"a":1}"#),
            (r#"{"a":1,"id":"x"}"#, r#"{"a":1}"#),
            ("{\"id\":\"x\",\"a\":\n1}", r#"{"a":1}"#),
            (r#"{"id":"x"}"#, "{}"),
            ("{}", "{}"),
        ] {
            assert_eq!(input(text).unwrap().attributes.0, kept, "{text}");
        }
    }
}
