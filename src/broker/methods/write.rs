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
    json::{self, Members},
    message,
    record::record_id,
};
use serde_json::value::RawValue;

pub(super) fn begin(hub: &mut Hub, call: Call<'_>) -> Result<Progress, ErrorObject> {
    let options = Options::parse(call.options, call.method)?;
    let Some(data) = call.data else {
        let takes = if call.method == Method::Upsert {
            "a record, or an array of records"
        } else {
            "{\"id\"}, or an array of them"
        };
        return Err(ErrorObject::new(ErrorCode::InvalidData, format!("{} takes data: {takes}", call.method.name())));
    };
    if !hub.may_write(call.key, &call.model) {
        return Ok(Progress::Later);
    }
    let operation = |value: &RawValue| match call.method {
        Method::Upsert => upsert(value, options.replace),
        _ => delete(value),
    };
    let (operations, batch) = match json::elements(data) {
        None => (vec![operation(data)?], false),
        Some(values) => {
            let limit = hub.limits().batch_records;
            if values.len() > limit {
                return Err(error::limit(&format!("{} records in one batch", values.len()), limit));
            }
            let operations = values.into_iter().enumerate().map(|(at, value)| {
                operation(value)
                    .map_err(|e| ErrorObject { message: format!("element {at} of the batch: {}", e.message), ..e })
            });
            (operations.collect::<Result<_, _>>()?, true)
        }
    };
    let (worker, connection, id) = (hub.worker(), call.key, call.id.map(Box::from));
    let to = ReplyTo { worker, connection, id, model: call.model.clone(), method: call.method, batch };
    hub.submit(call.key, &call.model, Write { commit: Commit { operations }, completion: Completion::Reply(to) });
    Ok(Progress::Taken)
}

fn upsert(value: &RawValue, replace: bool) -> Result<Operation, ErrorObject> {
    let RecordInput { id, attributes } = RecordInput::parse(value)?;
    let id = id
        .unwrap_or_else(|| RecordId::parse(&uuid::Uuid::now_v7().to_string()).expect("36 bytes are an allowed length"));
    Ok(Operation::Upsert { id, attributes, replace })
}

fn delete(value: &RawValue) -> Result<Operation, ErrorObject> {
    let id = Members::parse(value.get()).ok().and_then(|members| members.find("id"));
    let Some(id) = id else {
        let message = format!("a deletion is {{\"id\":…}}, not {}", json::excerpt(value.get()));
        return Err(ErrorObject::new(ErrorCode::InvalidData, message));
    };
    Ok(Operation::Delete { id: record_id(id)? })
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
