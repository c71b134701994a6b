//! What a client is told of its write: the result of each operation, or why it was not done.

use super::read::append_array;
use crate::{
    broker::{
        Framing, error,
        hub::Hub,
        inbox::{Answered, Asked, Entry, Failure, Form, ReplyTo},
    },
    store::{Committed, Done, Few, Rejected},
};
use backsync_protocol::{ErrorObject, Method, Record, json, message};
use std::ops::Range;

/// Answer a write, behind its own pushes.
pub(crate) fn reply(hub: &mut Hub, to: &ReplyTo, committed: &Committed) {
    let Some(id) = &to.id else { return };
    let tells_more = hub.framing(to.connection) == Some(Framing::Lines);
    let append_changed = |out: &mut String| {
        if let (true, Some((first, last))) = (tells_more, to.changed) {
            out.push_str(",\"changed\":[");
            json::append_number(first.0, out);
            out.push(',');
            json::append_number(last.0, out);
            out.push(']');
        }
    };
    match &to.asked {
        Asked::One { method, form, answered } => {
            let done = &committed.parts[0];
            hub.reply(to.connection, &to.models, |out| {
                message::begin_reply(id, to.event(), out);
                append_result(*method, *form, answered, done, 0..done.records.len(), out);
                match form.batch {
                    true => append_changed(out),
                    false if tells_more && to.inserted => out.push_str(",\"created\":true"),
                    false => {}
                }
                message::end(Some(done.position), out);
            });
        }
        Asked::Batch(entries) => hub.reply(to.connection, &to.models, |out| {
            message::begin_reply(id, to.event(), out);
            out.push('[');
            for (at, entry) in entries.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                let done = &committed.parts[entry.part];
                message::begin_result(to.models[entry.part].event(entry.method), out);
                append_result(entry.method, entry.form, &entry.answered, done, entry.operations.clone(), out);
                message::end(Some(done.position), out);
            }
            out.push(']');
            append_changed(out);
            message::end(None, out);
        }),
    }
}

/// The result of operations of one method. A deletion that was done gives `{}`; a write that lost to another gives the record
/// that won, which is `null` where that was a deletion.
fn append_result(
    method: Method,
    form: Form,
    answered: &Answered,
    done: &Done,
    operations: Range<usize>,
    out: &mut String,
) {
    // A repeated write has its first outcome; a handler may have left other operations then.
    let records = done.records.get(operations).unwrap_or_default();
    let merged: Few<Option<Record>>;
    let records = if answered.is_empty() {
        records
    } else {
        merged = merge(records, answered);
        &merged
    };
    match (method, form.batch, records) {
        (Method::Upsert, true, records) if form.minimal => append_stamps(records, out),
        (Method::Upsert, true, records) => append_array(records.iter().map(Option::as_ref), out),
        (_, true, _) => out.push_str("{}"),
        (_, _, [Some(record)]) if form.minimal => record.append_stamp(out),
        (_, _, [Some(record)]) => out.push_str(record.json()),
        (Method::Upsert, ..) => out.push_str("null"),
        _ => out.push_str("{}"),
    }
}

fn append_stamps(records: &[Option<Record>], out: &mut String) {
    out.push('[');
    for (at, record) in records.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        match record {
            Some(record) => record.append_stamp(out),
            None => out.push_str("null"),
        }
    }
    out.push(']');
}

/// What the store did and what a handler answered, in the order of the elements.
fn merge(records: &[Option<Record>], answered: &Answered) -> Few<Option<Record>> {
    let (mut records, mut merged) = (records.iter().cloned(), Few::new());
    for (at, record) in answered {
        merged.extend(records.by_ref().take(at - merged.len()));
        merged.push(record.clone());
    }
    merged.extend(records);
    merged
}

/// What a client is told of a write that was not done.
pub(crate) fn refusal(failure: &Failure, to: &ReplyTo) -> ErrorObject {
    match &to.asked {
        Asked::One { form: Form { batch: false, .. }, .. } => error::of_failure(failure, None),
        Asked::One { answered, .. } => error::of_failure(
            failure,
            Some(&|rejected: &Rejected| {
                // An operation's element is behind those that were answered before it.
                let behind = |element: usize, (at, _): &(usize, _)| if *at <= element { element + 1 } else { element };
                answered.iter().fold(rejected.operation, behind)
            }),
        ),
        Asked::Batch(entries) => error::of_failure(
            failure,
            Some(&|rejected: &Rejected| {
                let is_it =
                    |entry: &Entry| entry.part == rejected.part && entry.operations.contains(&rejected.operation);
                entries.iter().position(is_it).unwrap_or_default()
            }),
        ),
    }
}
