//! What the scripts answer, taken apart. Anything else than expected is damage: the keys are not as this program writes them.

use super::Damaged;
use crate::store::ChangeKind;
use backsync_protocol::{Record, Revision};
use redis::Value;

pub(super) fn list(value: Value) -> Result<Vec<Value>, Damaged> {
    match value {
        Value::Array(values) => Ok(values),
        other => Err(unexpected("a list", &other)),
    }
}

/// A list of exactly so many.
pub(super) fn exactly<const N: usize>(value: Value) -> Result<[Value; N], Damaged> {
    list(value)?.try_into().map_err(|list: Vec<Value>| Damaged(format!("{} values, not {N}", list.len())))
}

pub(super) fn text(value: Value) -> Result<String, Damaged> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes).map_err(|_| Damaged("text that is not UTF-8".into())),
        Value::SimpleString(text) => Ok(text),
        other => Err(unexpected("text", &other)),
    }
}

/// Text, where there is one.
pub(super) fn optional(value: Value) -> Result<Option<String>, Damaged> {
    match value {
        Value::Nil => Ok(None),
        value => text(value).map(Some),
    }
}

pub(super) fn number(value: Value) -> Result<u64, Damaged> {
    match value {
        Value::Int(number) => u64::try_from(number).map_err(|_| Damaged(format!("{number}"))),
        // Scores come so.
        Value::Double(number) if number >= 0.0 && number.fract() == 0.0 => Ok(number as u64),
        value => parse(&text(value)?),
    }
}

pub(super) fn parse(text: &str) -> Result<u64, Damaged> {
    text.parse().map_err(|_| Damaged(format!("{} is no number", backsync_protocol::json::excerpt(text))))
}

fn unexpected(what: &str, value: &Value) -> Damaged {
    let kind = match value {
        Value::Nil => "nothing",
        Value::Int(_) => "a number",
        Value::BulkString(_) | Value::SimpleString(_) => "text",
        Value::Array(_) => "a list",
        _ => "something else",
    };
    Damaged(format!("{kind}, not {what}"))
}

/// A record as it is kept.
pub(super) struct Stored {
    pub(super) record: Record,
    /// The revision at which it was inserted.
    pub(super) born: Revision,
}

/// `<revision> <inserted at revision> <inserted at, ms> <json>`.
pub(super) fn stored(id: &str, value: &str) -> Result<Stored, Damaged> {
    let mut pieces = value.splitn(4, ' ');
    let mut next = || pieces.next().ok_or_else(|| Damaged("a record without its numbers".into()));
    let (revision, born, _, json) = (parse(next()?)?, parse(next()?)?, next()?, next()?);
    Ok(Stored { record: record(id, json, revision)?, born: Revision(born) })
}

/// An entry of the log: the record, the revision at which it was inserted, and what happened.
pub(super) fn entry(kind: &str, value: &str) -> Result<(ChangeKind, Stored), Damaged> {
    let kind = kind_of(kind)?;
    let mut pieces = value.splitn(4, ' ');
    let mut next = || pieces.next().ok_or_else(|| Damaged("an entry of the log without its numbers".into()));
    let (revision, born, length, rest) = (parse(next()?)?, parse(next()?)?, parse(next()?)?, next()?);
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let (id, json) =
        rest.split_at_checked(length).ok_or_else(|| Damaged("an entry of the log that ends early".into()))?;
    Ok((kind, Stored { record: record(id, json, revision)?, born: Revision(born) }))
}

fn kind_of(letter: &str) -> Result<ChangeKind, Damaged> {
    match letter {
        "i" => Ok(ChangeKind::Insert),
        "u" => Ok(ChangeKind::Update),
        "d" => Ok(ChangeKind::Delete),
        "e" => Ok(ChangeKind::Evict),
        other => Err(Damaged(format!("{} is no kind of change", backsync_protocol::json::excerpt(other)))),
    }
}

pub(super) fn record(id: &str, json: &str, revision: u64) -> Result<Record, Damaged> {
    let damaged = || Damaged(format!("the record {} is not as it was written", backsync_protocol::json::excerpt(id)));
    Record::restore(id, json, Revision(revision)).ok_or_else(damaged)
}
