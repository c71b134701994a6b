//! `upsert` and `delete`: the way everything communicates. One model, or a batch over several of one group.

use super::{Call, consult};
use crate::{
    broker::{
        error,
        hub::{ConnectionKey, Hub, Progress},
        inbox::{Answered, Asked, BATCH_EVENT, Entry, Form, ReplyTo},
        model::Model,
        turns::{Completion, Write},
    },
    store::{Commit, Few, Operation, Part, Terms, Transaction},
};
use backsync_protocol::{
    ErrorCode, ErrorObject, Event, Method, Options, RecordId, RecordInput, Request,
    json::{self, Members, Raw, Value},
    message,
    query::refuse_others,
    record::{meta, record_id},
};
use sha2::{Digest, Sha256};
use smallvec::smallvec;
use std::sync::Arc;

pub(super) fn begin(hub: &mut Hub, call: Call<'_>) -> Result<Progress, ErrorObject> {
    let asked = Asking { model: &call.model, method: call.method, options: call.options, text: call.text };
    // Everything is put together where it is to stand.
    let mut parts = vec![call.model.part(Few::new())];
    let form = asked.operations(hub, call.key, call.data, &mut parts[0].operations)?;
    if !hub.may_write(call.key, &call.model) {
        return Ok(Progress::Later);
    }
    let asked = Asked::One { method: call.method, form, answered: Answered::new() };
    let transaction = transaction(hub, call.key, call.id, call.text);
    submit(hub, call.key, call.id, transaction, parts, smallvec![call.model], asked);
    Ok(Progress::Taken)
}

/// An upsert of records that were read already, in a batch and answered as `"return":"minimal"` asks for. Takes them out of `records`
/// unless it is begun later.
///
/// It is not known again when it is sent again: there is no text that it could be told by.
pub(crate) fn begin_records(
    hub: &mut Hub,
    key: ConnectionKey,
    id: &str,
    model: Arc<Model>,
    options: Option<Raw<'_>>,
    records: &mut Vec<RecordInput>,
) -> Result<Progress, ErrorObject> {
    super::check(hub, key, Method::Upsert, &model)?;
    let options = Options::parse(options, Method::Upsert)?;
    if records.len() > 1 {
        refuse_base(&options)?;
    }
    if !hub.may_write(key, &model) {
        return Ok(Progress::Later);
    }
    let terms = terms(hub, key, &model, &options);
    let operations = records.drain(..).map(|record| upsert(record, options.replace, terms.clone()));
    let parts = vec![model.part(operations.collect())];
    let form = Form { batch: true, minimal: true };
    let asked = Asked::One { method: Method::Upsert, form, answered: Answered::new() };
    submit(hub, key, Some(id), None, parts, smallvec![model], asked);
    Ok(Progress::Taken)
}

/// `$batch:commit`: an array of `{event, data, options}`, all or nothing.
pub(super) fn begin_batch(hub: &mut Hub, key: ConnectionKey, request: &Request<'_>) -> Result<Progress, ErrorObject> {
    let invalid = |message: String| ErrorObject::new(ErrorCode::InvalidData, message);
    if request.options.is_some() {
        let message = "a batch has no options of its own: each of its entries has";
        return Err(ErrorObject::new(ErrorCode::InvalidOptions, message));
    }
    let Some(Value::Array(elements)) = &request.data else {
        let takes = "takes an array of {\"event\":\"Model:upsert\",\"data\":…}";
        let given = request.data.as_ref().map_or("nothing", Value::kind);
        return Err(invalid(format!("{BATCH_EVENT} {takes}, not {given}")));
    };
    if !hub.may_read(key) {
        return Ok(Progress::Later);
    }
    let (mut parts, mut models): (Vec<Part>, Few<Arc<Model>>) = (Vec::new(), Few::new());
    let mut entries = Vec::with_capacity(elements.len().min(64));
    let mut left = hub.limits().batch_records;
    for (at, element) in elements.iter().enumerate() {
        let (model, method, operations, form) = entry(hub, key, *element).map_err(|error| error.of_element(at))?;
        let weight = operations.len().max(1);
        let limit = hub.limits().batch_records;
        left = left.checked_sub(weight).ok_or_else(|| error::limit("too many records in one batch", limit))?;
        if let Some(first) = models.first().filter(|first| !Arc::ptr_eq(&first.turns, &model.turns)) {
            let (a, b) = (&first.name, &model.name);
            let message = format!("{a} and {b} are not of one group, and only models of one group share a batch");
            return Err(invalid(message).of_element(at));
        }
        let part = models.iter().position(|known| known.index == model.index).unwrap_or_else(|| {
            parts.push(model.part(Few::new()));
            models.push(model.clone());
            models.len() - 1
        });
        let from = parts[part].operations.len();
        parts[part].operations.extend(operations);
        let operations = from..parts[part].operations.len();
        entries.push(Entry { method, form, part, operations, answered: Answered::new() });
    }
    if entries.is_empty() {
        if let Some(id) = request.id {
            hub.reply(key, [], |out| message::append_reply(id, BATCH_EVENT, "[]", None, out));
        }
        return Ok(Progress::Taken);
    }
    let transaction = transaction(hub, key, request.id, request.text);
    submit(hub, key, request.id, transaction, parts, models, Asked::Batch(entries));
    Ok(Progress::Taken)
}

fn entry(
    hub: &mut Hub,
    key: ConnectionKey,
    element: Raw<'_>,
) -> Result<(Arc<Model>, Method, Few<Operation>, Form), ErrorObject> {
    let invalid = |message: &str| ErrorObject::new(ErrorCode::InvalidData, message);
    let wants = "an entry is an object {\"event\":\"Model:upsert\",\"data\":…,\"options\":…}";
    let members = Members::parse(element.get()).map_err(|_| invalid(wants))?;
    refuse_others(&members, &["event", "data", "options"], "an entry of a batch")?;
    let event = members.find("event").and_then(json::string).ok_or_else(|| invalid(wants))?;
    let event = Event::parse(&event)?;
    let method = Method::parse(event.method).filter(|method| matches!(method, Method::Upsert | Method::Delete));
    let method = method.ok_or_else(|| invalid("a batch has upserts and deletes only"))?;
    let model = hub.model(event.model)?;
    super::check(hub, key, method, &model)?;
    let data = members.find("data");
    let value = data.and_then(|data| serde_json::from_str::<Value<'_>>(data.get()).ok());
    let options = members.find("options").filter(|options| options.get() != "null");
    let asked = Asking { model: &model, method, options, text: data.map_or("", Raw::get) };
    let mut operations = Few::new();
    let form = asked.operations(hub, key, value.as_ref(), &mut operations)?;
    Ok((model, method, operations, form))
}

/// A write as it is asked for; `text` is what its record was read out of.
struct Asking<'a> {
    model: &'a Model,
    method: Method,
    options: Option<Raw<'a>>,
    text: &'a str,
}

impl Asking<'_> {
    /// Add what is to be done, and say how it is answered.
    fn operations(
        &self,
        hub: &mut Hub,
        key: ConnectionKey,
        data: Option<&Value<'_>>,
        operations: &mut Few<Operation>,
    ) -> Result<Form, ErrorObject> {
        let options = Options::parse(self.options, self.method)?;
        let terms = terms(hub, key, self.model, &options);
        let [one, many] = [false, true].map(|batch| Form { batch, minimal: options.minimal });
        match data {
            Some(Value::Object(members)) if self.method == Method::Upsert => {
                let record = RecordInput::of(members, self.text, new_id)?;
                operations.push(upsert(record, options.replace, terms));
                Ok(one)
            }
            Some(Value::Object(members)) => {
                operations.push(delete(members, terms)?);
                Ok(one)
            }
            Some(Value::Array(values)) => {
                let limit = hub.limits().batch_records;
                if values.len() > limit {
                    return Err(error::limit(&format!("{} records in one batch", values.len()), limit));
                }
                refuse_base(&options)?;
                let operation = |value: Raw<'_>| match self.method {
                    Method::Upsert => {
                        RecordInput::parse(value, new_id).map(|record| upsert(record, options.replace, terms.clone()))
                    }
                    _ => {
                        let members = Members::parse(value.get()).map_err(|_| no_id())?;
                        delete(&members, terms.clone())
                    }
                };
                operations.reserve(values.len());
                for (at, value) in values.iter().enumerate() {
                    operations.push(operation(*value).map_err(|error| error.of_element(at))?);
                }
                Ok(many)
            }
            None => Err(self.takes("nothing")),
            Some(Value::Other(kind)) => Err(self.takes(kind)),
        }
    }

    fn takes(&self, given: &str) -> ErrorObject {
        let takes = match self.method {
            Method::Upsert => "a record, which is a JSON object, or an array of records",
            _ => "{\"id\":…}, or an array of them",
        };
        ErrorObject::new(ErrorCode::InvalidData, format!("{} takes {takes}, not {given}", self.method.name()))
    }
}

/// The terms on which somebody writes.
fn terms(hub: &mut Hub, key: ConnectionKey, model: &Model, options: &Options) -> Terms {
    let owner = if model.rules.ephemeral { hub.owner(key) } else { None };
    let terms = model.rules.terms();
    let policy = options.policy.unwrap_or(terms.policy);
    Terms { policy, prefer: options.prefer, base: options.base, owner, ..terms }
}

fn refuse_base(options: &Options) -> Result<(), ErrorObject> {
    let message = "base goes with one record; in a batch each record bears its own as _rev";
    options.base.map_or(Ok(()), |_| Err(ErrorObject::new(ErrorCode::InvalidOptions, message)))
}

/// An upsert, on these terms or those of the record itself.
pub(crate) fn upsert(record: RecordInput, replace: bool, terms: Terms) -> Operation {
    let terms = Terms { base: terms.base.or(record.base), last_change: record.last_change, ..terms };
    Operation::Upsert { record, replace, terms }
}

fn delete(members: &Members<'_>, terms: Terms) -> Result<Operation, ErrorObject> {
    let id = record_id(members.find("id").ok_or_else(no_id)?)?;
    let base = terms.base.or(meta(members, "_rev")?.map(backsync_protocol::Revision));
    Ok(Operation::Delete { id, terms: Terms { base, last_change: meta(members, "_lastChange")?, ..terms } })
}

/// An id for a record that has none.
pub(crate) fn new_id() -> RecordId {
    RecordId::parse(&uuid::Uuid::now_v7().to_string()).expect("36 bytes are an allowed length")
}

fn no_id() -> ErrorObject {
    ErrorObject::new(ErrorCode::InvalidData, "a deletion names its record: {\"id\":…}")
}

/// What a write is told by when it is sent again: its id, and that the text is the same. Only of a client that has a name.
fn transaction(hub: &mut Hub, key: ConnectionKey, id: Option<&str>, text: &str) -> Option<Box<Transaction>> {
    let (id, client) = id.zip(hub.client(key))?;
    let mut digest = [0; 16];
    digest.copy_from_slice(&Sha256::digest(text)[..16]);
    Some(Box::new(Transaction { client, id: id.into(), digest }))
}

fn submit(
    hub: &mut Hub,
    key: ConnectionKey,
    id: Option<&str>,
    transaction: Option<Box<Transaction>>,
    parts: Vec<Part>,
    models: Few<Arc<Model>>,
    asked: Asked,
) {
    let commit = Commit { parts, transaction, now: hub.now() };
    let to = Box::new(ReplyTo {
        worker: hub.worker(),
        connection: key,
        id: id.map(Box::from),
        models,
        asked,
        caller: None,
        inserted: false,
        changed: None,
    });
    match to.models.iter().find(|model| model.handler.is_some()) {
        None => hub.submit(key, Write { commit, completion: Completion::Reply(to) }),
        Some(handled) => {
            // Without a caller the connection is gone.
            if let Some(caller) = hub.caller(key, &handled.name, None, id) {
                consult::write(hub, key, commit, to, caller);
            }
        }
    }
}
