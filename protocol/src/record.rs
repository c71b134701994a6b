//! Records: JSON objects with an identity, kept as text.

use crate::{
    error::{ErrorCode, ErrorObject},
    json::{self, Members, Raw},
    name::RecordId,
    position::Revision,
    walk::walk,
};
use serde::de::IgnoredAny;
use std::{borrow::Cow, cell::RefCell, sync::Arc};

/// Every record's text begins so.
const BEFORE_ID: &str = "{\"id\":\"";

/// What stands before a record's revision,
const REVISION: &str = ",\"_rev\":";

/// and before the time of its last change.
const LAST_CHANGE: &str = ",\"_lastChange\":";

/// Where a record's id stands: nearly always it is in the record's text as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum IdAt {
    /// In the text, behind [`BEFORE_ID`].
    Plain(u16),
    /// It has escapes there, so it is kept once more, behind the text.
    Behind(u16),
}

impl IdAt {
    fn of(id: &str) -> Self {
        if json::is_plain(id) { Self::plain(id) } else { Self::Behind(length(id)) }
    }

    /// Of an id without escapes.
    fn plain(id: &str) -> Self {
        Self::Plain(length(id))
    }

    fn find(self, text: &str) -> &str {
        match self {
            Self::Plain(length) => &text[BEFORE_ID.len()..BEFORE_ID.len() + usize::from(length)],
            Self::Behind(length) => &text[text.len() - usize::from(length)..],
        }
    }

    /// Bytes behind the JSON.
    fn behind(self) -> usize {
        match self {
            Self::Plain(_) => 0,
            Self::Behind(length) => usize::from(length),
        }
    }
}

fn length(id: &str) -> u16 {
    // Ids are at most `RecordId::MAX_BYTES` long.
    u16::try_from(id.len()).expect("an id has at most 256 bytes")
}

/// What a client sent as one record: what is to be stored of it, and what it says about the state it was made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordInput {
    /// `{"id":…, attributes…}`, on one line, each name once, none that begins with `_`; behind it the id where it is not plain.
    text: String,
    id: IdAt,
    /// `_rev`: the revision of the record that was edited.
    pub base: Option<Revision>,
    /// `_lastChange`: when it was edited, in milliseconds since 1970 by the client's clock.
    pub last_change: Option<u64>,
}

impl RecordInput {
    /// Read one record of an upsert. `make_id` is asked where it has no id.
    ///
    /// # Errors
    /// `invalid_data` where it is no object, its `id` is neither text of allowed length nor an integer, or its `_rev` or
    /// `_lastChange` is no whole number.
    pub fn parse(value: Raw<'_>, make_id: impl FnOnce() -> RecordId) -> Result<Self, ErrorObject> {
        match Members::parse(value.get()) {
            Ok(members) => Self::of(&members, value.get(), make_id),
            Err(_) => Err(no_record(value.get())),
        }
    }

    /// Read one record out of a text that nobody has looked at. `make_id` is asked where it has no id.
    ///
    /// # Errors
    /// `invalid_message` for what is no JSON, `too_deep` for what nests deeper than `depth`, `invalid_data` as for [`Self::parse`].
    pub fn read(text: &str, depth: usize, make_id: impl FnOnce() -> RecordId) -> Result<Self, ErrorObject> {
        let members = Members::parse(text).map_err(|_| match serde_json::from_str::<IgnoredAny>(text) {
            Ok(_) => no_record(text.trim()),
            Err(cause) => ErrorObject::new(ErrorCode::InvalidMessage, format!("not JSON: {cause}")),
        })?;
        if json::is_deeper_than(text, depth) {
            return Err(ErrorObject::too_deep(depth));
        }
        Self::of(&members, text, make_id)
    }

    /// Read a record whose members were read already, out of `text`.
    ///
    /// # Errors
    /// As for [`Self::parse`].
    pub fn of(members: &Members<'_>, text: &str, make_id: impl FnOnce() -> RecordId) -> Result<Self, ErrorObject> {
        let (mut base, mut last_change) = (None, None);
        if members.0.iter().any(|(name, _)| name.starts_with('_')) {
            base = meta(members, "_rev")?.map(Revision);
            last_change = meta(members, "_lastChange")?;
        }
        if let Some((id, inside)) = verbatim(members, text) {
            let mut kept = String::with_capacity(BEFORE_ID.len() + id.len() + inside.len() + 3);
            kept.push_str(BEFORE_ID);
            kept.push_str(id);
            kept.push_str("\",");
            kept.push_str(inside);
            kept.push('}');
            return Ok(Self { text: kept, id: IdAt::plain(id), base, last_change });
        }
        let id = members.find("id").map(record_id).transpose()?.unwrap_or_else(make_id);
        let last = members.lookup();
        // The last of a repeated name counts, as for every JSON parser.
        let counts =
            |name: &str, value: Raw<'_>| last.find(name).is_some_and(|last| std::ptr::eq(last.get(), value.get()));
        let attributes = members.0.iter().filter(|(name, value)| is_attribute(name) && counts(name, *value));
        let attributes = attributes.map(|(name, value)| (name.as_ref(), *value));
        Ok(Self { base, last_change, ..Self::from_members(id.as_str(), attributes, text.len()) })
    }

    /// Put a record together from attributes, of which each name is given once.
    pub(crate) fn from_members<'a>(id: &str, members: impl Iterator<Item = (&'a str, Raw<'a>)>, size: usize) -> Self {
        let mut text = String::with_capacity(size + id.len() + 10);
        text.push_str("{\"id\":");
        json::append_string(id, &mut text);
        for (name, value) in members {
            text.push(',');
            json::append_string(name, &mut text);
            text.push(':');
            json::append_one_line(value.get(), &mut text);
        }
        text.push('}');
        let at = IdAt::of(id);
        if at.behind() > 0 {
            text.push_str(id);
        }
        Self { text, id: at, base: None, last_change: None }
    }

    /// A stored record, to be stored once more.
    ///
    /// # Errors
    /// What `serde_json` says where its text is no JSON object: it was damaged.
    pub fn again(stored: &Record) -> Result<Self, serde_json::Error> {
        let members = Members::parse(stored.json())?;
        let attributes = members.0.iter().filter(|(name, _)| is_attribute(name));
        let attributes = attributes.map(|(name, value)| (name.as_ref(), *value));
        Ok(Self::from_members(stored.id(), attributes, stored.json().len()))
    }

    /// The record's identity.
    pub fn id(&self) -> &str {
        self.id.find(&self.text)
    }

    /// `{"id":…, attributes…}` on one line.
    pub fn json(&self) -> &str {
        &self.text[..self.text.len() - self.id.behind()]
    }

    /// Bytes of text.
    pub fn size(&self) -> usize {
        self.text.len()
    }

    /// Names as JSON text, and values.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = (&str, &str)> {
        // The first is the id.
        walk(self.json()).skip(1)
    }
}

fn no_record(given: &str) -> ErrorObject {
    ErrorObject::new(ErrorCode::InvalidData, format!("a record is a JSON object, not {}", json::excerpt(given)))
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

/// One of the members that are the server's, as a client gives it back: a whole number; absent and `null` are the same.
///
/// # Errors
/// `invalid_data` for anything else.
pub fn meta(members: &Members<'_>, name: &str) -> Result<Option<u64>, ErrorObject> {
    match members.find(name).map(Raw::get) {
        None | Some("null") => Ok(None),
        Some(text) => text.parse().map(Some).map_err(|_| {
            let message = format!("{name} is a whole number, as a record bore it, not {}", json::excerpt(text));
            ErrorObject::new(ErrorCode::InvalidData, message)
        }),
    }
}

pub(crate) fn is_attribute(name: &str) -> bool {
    name != "id" && !name.starts_with('_')
}

/// The usual record has its id first and plain, some attributes, none twice, no line breaks, and members of the server's only at
/// the end: then what is to be kept stands in its text as it is. Answers the id and the attributes.
fn verbatim<'a>(members: &Members<'_>, text: &'a str) -> Option<(&'a str, &'a str)> {
    let [(first, id), rest @ ..] = members.0.as_slice() else { return None };
    let servers = rest.iter().rev().take_while(|(name, _)| name.starts_with('_')).count();
    let rest = &rest[..rest.len() - servers];
    let (_, last) = rest.last()?;
    if first != "id" || rest.len() > 16 || !are_attributes(rest) {
        return None;
    }
    let offset = |value: Raw<'_>| value.get().as_ptr() as usize - text.as_ptr() as usize;
    let (from, to) = (offset(*id), offset(*last) + last.get().len());
    let (id, inside) = text[from..to].split_at(id.get().len());
    let id = id.strip_prefix('"')?.strip_suffix('"')?;
    let inside = inside.trim_ascii_start().strip_prefix(',')?.trim_ascii_start();
    let is_usual = json::is_plain(id) && (1..=RecordId::MAX_BYTES).contains(&id.len()) && json::is_one_line(inside);
    is_usual.then_some((id, inside))
}

/// Whether these are attributes, and none is there twice.
fn are_attributes(members: &[(Cow<'_, str>, Raw<'_>)]) -> bool {
    // Names of different length, first or last letter mostly have different bits, and then need not be compared.
    let mut bits = 0_u64;
    members.iter().enumerate().all(|(at, (name, _))| {
        let of = |byte: Option<&u8>| usize::from(*byte.unwrap_or(&0));
        let bit = 1 << ((name.len() + 5 * of(name.as_bytes().first()) + 11 * of(name.as_bytes().last())) % 64);
        let is_new = bits & bit == 0 || members[..at].iter().all(|(other, _)| other != name);
        bits |= bit;
        is_new && is_attribute(name)
    })
}

thread_local! {
    /// Where a record's text is put together, so that it is allocated once, in its final size.
    static SCRATCH: RefCell<String> = const { RefCell::new(String::new()) };
}

/// A record as the server keeps and sends it; cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The JSON, and behind it the id where it is not plain: one allocation.
    text: Arc<str>,
    revision: Revision,
    id: IdAt,
    /// The bytes at the end of the JSON with the members that are the server's.
    tail: u8,
}

impl Record {
    /// A record at a revision, with the time of its last change where it bears one.
    pub fn new(input: &RecordInput, revision: Revision, last_change: Option<u64>) -> Self {
        SCRATCH.with_borrow_mut(|text| {
            text.clear();
            append_before_revision(input, last_change, text);
            text.push_str(REVISION);
            json::append_number(revision.0, text);
            text.push('}');
            // Two names and two numbers.
            let tail = (text.len() + 1 - input.json().len()) as u8;
            if input.id.behind() > 0 {
                text.push_str(input.id());
            }
            Self { text: Arc::from(text.as_str()), revision, id: input.id, tail }
        })
    }

    /// The text of [`Self::new`] up to the revision, for stores that give the revision themselves: what follows is
    /// `,"_rev":`, the revision and `}`.
    pub fn before_revision(input: &RecordInput, last_change: Option<u64>) -> String {
        let mut text = String::with_capacity(input.json().len() + 40);
        append_before_revision(input, last_change, &mut text);
        text
    }

    /// A record as a store kept it. `None` where the parts do not belong together: they were damaged.
    pub fn restore(id: &str, json: &str, revision: Revision) -> Option<Self> {
        let may_be_id = (1..=RecordId::MAX_BYTES).contains(&id.len());
        if !may_be_id || !json.starts_with("{\"id\":") || !json.ends_with('}') {
            return None;
        }
        let at = IdAt::of(id);
        let text = if at.behind() > 0 { format!("{json}{id}").into() } else { Arc::from(json) };
        let tail = u8::try_from(json.len() - tail_at(json)).ok()?;
        let is_there = at.behind() > 0 || json.get(BEFORE_ID.len()..BEFORE_ID.len() + id.len()) == Some(id);
        is_there.then_some(Self { text, revision, id: at, tail })
    }

    /// Its identity.
    pub fn id(&self) -> &str {
        self.id.find(&self.text)
    }

    /// The model's revision at which it last changed.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// The whole as JSON: `{"id":…, attributes…, "_rev":…}` on one line.
    pub fn json(&self) -> &str {
        &self.text[..self.text.len() - self.id.behind()]
    }

    /// `_lastChange`, where it bears one: it stands before `_rev` at the end.
    pub fn last_change(&self) -> Option<u64> {
        let number = self.tail().strip_prefix(LAST_CHANGE)?;
        number[..number.bytes().take_while(u8::is_ascii_digit).count()].parse().ok()
    }

    /// Append what tells which state of which record it is: `{"id":…,"_rev":…}`.
    pub fn append_stamp(&self, out: &mut String) {
        out.push_str("{\"id\":");
        json::append_string(self.id(), out);
        out.push_str(REVISION);
        json::append_number(self.revision.0, out);
        out.push('}');
    }

    /// Append it as JSON with this `_lastChange`, in the place of all that is the server's.
    pub fn append_dated(&self, last_change: u64, out: &mut String) {
        let json = self.json();
        out.push_str(&json[..json.len() - self.tail().len()]);
        out.push_str(LAST_CHANGE);
        json::append_number(last_change, out);
        out.push('}');
    }

    /// The end of the text with the members that are the server's.
    pub(crate) fn tail(&self) -> &str {
        let json = self.json();
        &json[json.len() - usize::from(self.tail)..]
    }
}

/// Where the members that are the server's begin in a record's text.
fn tail_at(json: &str) -> usize {
    let without_number = |text: &str| text.len() - text.bytes().rev().take_while(u8::is_ascii_digit).count();
    let end = json.len().saturating_sub(1);
    let Some(before) = json[..without_number(&json[..end])].strip_suffix(REVISION) else { return end };
    let named = &before[..without_number(before)];
    named.strip_suffix(LAST_CHANGE).map_or(before.len(), str::len)
}

fn append_before_revision(input: &RecordInput, last_change: Option<u64>, text: &mut String) {
    let json = input.json();
    text.push_str(&json[..json.len() - 1]);
    if let Some(last_change) = last_change {
        text.push_str(LAST_CHANGE);
        json::append_number(last_change, text);
    }
}

#[cfg(test)]
mod tests;
