//! `upsert` and `delete`: the way everything communicates.

use super::{Call, read::array};
use crate::{
    broker::{
        error,
        hub::{Hub, Progress},
        inbox::ReplyTo,
        model::{Completion, Write},
    },
    store::{Commit, Committed, Operation},
};
use backsync_protocol::{
    ErrorCode, ErrorObject, Method, Options, RecordId, RecordInput,
    json::{Members, Value},
    message,
    record::record_id,
};

pub(super) fn begin(hub: &mut Hub, call: Call<'_>) -> Result<Progress, ErrorObject> {
    let options = Options::parse(call.options, call.method)?;
    let Some(data) = call.data else { return Err(takes(call.method, "nothing")) };
    if !hub.may_write(call.key, &call.model) {
        return Ok(Progress::Later);
    }
    let (operations, batch) = match data {
        Value::Object(members) if call.method == Method::Upsert => {
            (vec![upsert(RecordInput::of(members, call.text)?, options.replace)], false)
        }
        Value::Object(members) => (vec![delete(members)?], false),
        Value::Array(values) => {
            let limit = hub.limits().batch_records;
            if values.len() > limit {
                return Err(error::limit(&format!("{} records in one batch", values.len()), limit));
            }
            let operations = values.iter().enumerate().map(|(at, value)| {
                let operation = match call.method {
                    Method::Upsert => RecordInput::parse(*value).map(|record| upsert(record, options.replace)),
                    _ => Members::parse(value.get()).map_err(|_| no_id()).and_then(|members| delete(&members)),
                };
                operation.map_err(|e| ErrorObject { message: format!("element {at} of the batch: {}", e.message), ..e })
            });
            (operations.collect::<Result<_, _>>()?, true)
        }
        Value::Other(kind) => return Err(takes(call.method, kind)),
    };
    let (worker, connection, id) = (hub.worker(), call.key, call.id.map(Box::from));
    let to = ReplyTo { worker, connection, id, model: call.model.clone(), method: call.method, batch };
    hub.submit(call.key, &call.model, Write { commit: Commit { operations }, completion: Completion::Reply(to) });
    Ok(Progress::Taken)
}

fn upsert(record: RecordInput, replace: bool) -> Operation {
    let id = record
        .id
        .unwrap_or_else(|| RecordId::parse(&uuid::Uuid::now_v7().to_string()).expect("36 bytes are an allowed length"));
    Operation::Upsert { id, attributes: record.attributes, replace }
}

fn delete(members: &Members<'_>) -> Result<Operation, ErrorObject> {
    Ok(Operation::Delete { id: record_id(members.find("id").ok_or_else(no_id)?)? })
}

fn no_id() -> ErrorObject {
    ErrorObject::new(ErrorCode::InvalidData, "a deletion names its record: {\"id\":…}")
}

fn takes(method: Method, given: &str) -> ErrorObject {
    let takes = match method {
        Method::Upsert => "a record, which is a JSON object, or an array of records",
        _ => "{\"id\":…}, or an array of them",
    };
    ErrorObject::new(ErrorCode::InvalidData, format!("{} takes {takes}, not {given}", method.name()))
}

/// Answer a write, behind its own push.
pub(crate) fn reply(hub: &mut Hub, to: &ReplyTo, committed: &Committed) {
    let Some(id) = &to.id else { return };
    let position = Some(committed.position);
    hub.reply(to.connection, &to.model, |out| {
        let event = to.event();
        match (to.method, to.batch) {
            (Method::Upsert, true) => {
                let records: Vec<_> = committed.records.iter().flatten().cloned().collect();
                message::append_reply(id, event, &array(&records), position, out);
            }
            (Method::Upsert, false) => {
                let record = committed.records[0].as_ref().expect("an upsert has a record");
                message::append_reply(id, event, &record.json, position, out);
            }
            _ => message::append_reply(id, event, "{}", position, out),
        }
    });
}
