//! `read` and `subscribe`: a snapshot, and from it on every change of what was read, without a hole between the two.

use super::{
    Call, consult,
    populate::{self, Follow},
};
use crate::{
    broker::{
        error,
        handler::Decision,
        hub::{ConnectionKey, Hub, Meets, Progress, Scope},
        model::Model,
    },
    store::{self, Answer, Selection, Snapshot, StoreError},
};
use backsync_protocol::{
    Cursor, Epoch, ErrorCode, ErrorObject, Method, Options, Position, Query, Record, Revision, Since, Which, json,
    message,
};
use std::{collections::BTreeMap, num::NonZeroU64, sync::Arc};

/// A read on its way.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) key: ConnectionKey,
    id: Option<Box<str>>,
    pub(super) model: Arc<Model>,
    method: Method,
    query: Query,
    /// Whether it is heard, too,
    pub(super) listens: bool,
    /// and what that adds, once it is read.
    pub(super) listen: Scope,
    /// References to follow.
    pub(super) follow: Follow,
    /// Changes are held back meanwhile.
    pub(super) is_paused: bool,
    /// Models that references lead to, of which changes are held back, too.
    pub(super) beside: BTreeMap<usize, Arc<Model>>,
}

impl Read {
    /// Find out what is to be heard, and which references are to be followed.
    ///
    /// # Errors
    /// `limit_exceeded` where the connection has no room for that; `invalid_data` and `forbidden` for the references.
    fn choose(&mut self, hub: &mut Hub) -> Result<(), ErrorObject> {
        self.listen = if self.listens { Scope::of(&self.query) } else { Scope::default() };
        let more = self.listen.clone().without(&hub.scope(self.key, &self.model)).len();
        let limit = hub.limits().listeners_per_connection;
        if hub.listener_count(self.key) + more > limit {
            return Err(error::limit("this connection has all the listeners it may have", limit));
        }
        self.follow = Follow::resolve(hub, self.key, &self.model, &self.query.populate)?;
        Ok(())
    }
}

pub(super) fn begin(hub: &mut Hub, call: &Call<'_>) -> Result<Progress, ErrorObject> {
    let options = Options::parse(call.options, call.method)?;
    let query = Query::parse(call.data, call.method, hub.limits().batch_records)?;
    if !hub.may_read(call.key) {
        return Ok(Progress::Later);
    }
    let (key, id, model, method) = (call.key, call.id.map(Box::from), call.model.clone(), call.method);
    let (listens, listen) = (options.listen, Scope::default());
    let follow = Follow::default();
    let beside = BTreeMap::new();
    let mut read = Read { key, id, model, method, query, listens, listen, follow, is_paused: false, beside };
    if read.model.handler.is_none() {
        read.choose(hub)?;
    }
    hub.set_reading(key, true);
    place(hub, read);
    Ok(Progress::Taken)
}

/// First of all the node has to know where delivery of the model begins.
fn place(hub: &mut Hub, read: Read) {
    if read.model.is_ready() {
        return ask_handler(hub, read);
    }
    let position = hub.broker.stands(&read.model);
    when_answered(hub, position, |hub, position| match position {
        Ok(position) => {
            hub.broker.place_at(&read.model, position);
            place(hub, read);
        }
        Err(cause) => fail(hub, read, &cause),
    });
}

/// Ask the model's handler, where it has one, what to read. What changes meanwhile is held back already: so it is not missing
/// from what a handler answers.
fn ask_handler(hub: &mut Hub, mut read: Read) {
    if read.model.handler.is_none() {
        return ask(hub, read);
    }
    pause(hub, &mut read);
    let caller = hub.caller(read.key, &read.model.name, Some(read.method), read.id.as_deref());
    let asking = consult::read(caller, read.model.clone(), read.query.clone());
    hub.when_decided(asking, |hub, decided| {
        if !hub.connection_is_open(read.key) {
            return;
        }
        let chosen = decided.and_then(|decided| {
            let answered = match decided {
                Decision::Continue(query) => {
                    read.query = query;
                    None
                }
                Decision::Answer(records) => Some(records),
            };
            read.choose(hub).map(|()| answered)
        });
        match chosen {
            Ok(None) => ask(hub, read),
            Ok(Some(records)) => {
                let position = hub.held_from(read.key, &read.model).expect("a read with a handler is paused");
                finish(hub, read, Snapshot { records, deleted: Vec::new(), reset: true, next: None, position });
            }
            Err(error) => refuse(hub, read, &error),
        }
    });
}

fn pause(hub: &mut Hub, read: &mut Read) {
    hub.pause(read.key, &read.model);
    read.is_paused = true;
}

/// Ask the store.
pub(super) fn ask(hub: &mut Hub, mut read: Read) {
    let hears = |hub: &mut Hub| !read.listen.is_empty() || !hub.scope(read.key, &read.model).is_empty();
    if !read.is_paused && hears(hub) {
        pause(hub, &mut read);
    }
    let era = hub.era(&read.model).unwrap_or_default();
    let wanted = match read.method {
        // A subscription is a read of nothing: it has a position to begin at.
        Method::Subscribe if read.query.since.is_none() => {
            store::Read { selection: Selection::Ids(Vec::new()), ..store::Read::default() }
        }
        _ => wanted(&read.query),
    };
    let answer = hub.store().read(&read.model.name, wanted);
    when_answered(hub, answer, move |hub, answer| match answer {
        Ok(snapshot) => answered(hub, read, snapshot, era),
        Err(cause) => fail(hub, read, &cause),
    });
}

/// The store answered what it was asked in this era of the worker.
fn answered(hub: &mut Hub, read: Read, snapshot: Snapshot, era: u64) {
    if read.is_paused {
        // What is in the inbox may be what the snapshot covers.
        hub.drain();
        if hub.connection_is_open(read.key) {
            let when = match hub.meets(&read.model, era, snapshot.position) {
                Meets::Now => return finish(hub, read, snapshot),
                Meets::Never => return ask(hub, read),
                Meets::At(revision) => Some(revision),
                Meets::NextEra => None,
            };
            let (key, model) = (read.key, read.model.clone());
            return hub.when_reached(key, &model, when, move |hub| answered(hub, read, snapshot, era));
        }
    }
    finish(hub, read, snapshot);
}

/// What to ask the store for.
pub(crate) fn wanted(query: &Query) -> store::Read {
    // A position that this server cannot have given is of a history that it does not know.
    let foreign = Position { epoch: Epoch(NonZeroU64::MAX), revision: Revision(0) };
    store::Read {
        selection: match &query.which {
            Which::All => Selection::All,
            Which::One(id) => Selection::Ids(vec![id.clone()]),
            Which::Ids(ids) => Selection::Ids(ids.clone()),
        },
        filter: query.filter.clone(),
        sort: query.sort.clone(),
        skip: query.skip,
        limit: query.limit,
        after: query.after.clone(),
        since: query.since.map(|since| match since {
            Since::Known(position) => position,
            Since::Foreign => foreign,
        }),
    }
}

fn finish(hub: &mut Hub, read: Read, snapshot: Snapshot) {
    if read.follow.is_empty() {
        finish_with(hub, read, &snapshot, None);
    } else {
        populate::begin(hub, read, snapshot);
    }
}

/// Reply, and go live. `populated` has the records in the place of the snapshot's, and further members of the reply.
pub(super) fn finish_with(hub: &mut Hub, read: Read, snapshot: &Snapshot, populated: Option<(&[String], &str)>) {
    let missing = matches!(read.query.which, Which::One(_)) && snapshot.records.is_empty();
    let revision = snapshot.position.revision;
    let prior = hub.scope(read.key, &read.model);
    let scope = if missing { prior.clone() } else { prior.clone().union(read.listen.clone()) };
    let held = if read.is_paused { hub.unpause(read.key, &read.model, scope.clone()) } else { Vec::new() };
    // Also where the reply has all of it anew: a look takes nothing from the listening that was there before.
    hub.emit_held(read.key, &prior, &held, revision, true);
    if let Some(id) = &read.id {
        let event = read.model.event(read.method);
        hub.reply(read.key, [&read.model], |out| match (&read.query.which, snapshot.records.first()) {
            (Which::One(wanted), None) => {
                message::append_failed_reply(id, event, &not_found(&read.model, wanted.as_str()), out);
            }
            (which, first) => {
                message::begin_reply(id, event, out);
                match (which, first) {
                    _ if read.method == Method::Subscribe && read.query.since.is_none() => out.push_str("{}"),
                    (Which::One(_), Some(record)) => {
                        out.push_str(populated.map_or(record.json(), |(data, _)| &data[0]))
                    }
                    _ => match populated {
                        None => append_array(snapshot.records.iter().map(Some), out),
                        Some((data, _)) => {
                            out.push('[');
                            out.push_str(&data.join(","));
                            out.push(']');
                        }
                    },
                }
                out.push_str(populated.map_or("", |(_, extra)| extra));
                append_extras(&read, snapshot, out);
                message::end(Some(snapshot.position), out);
            }
        });
    }
    hub.emit_held(read.key, &scope, &held, revision, false);
    hub.set_reading(read.key, false);
}

/// What a reply bears beside the records.
fn append_extras(read: &Read, snapshot: &Snapshot, out: &mut String) {
    if read.query.since.is_some() && snapshot.reset {
        out.push_str(",\"reset\":true");
    } else if read.query.since.is_some() {
        out.push_str(",\"deleted\":[");
        for (at, id) in snapshot.deleted.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            json::append_string(id.as_str(), out);
        }
        out.push(']');
    }
    if let Some(next) = snapshot.next.as_ref().map(ToString::to_string) {
        out.push_str(",\"next\":");
        if next.len() > Cursor::MAX_BYTES { out.push_str("null") } else { json::append_string(&next, out) }
    }
    if let Some(filter) = read.listen.filters.first() {
        out.push_str(",\"filter\":");
        json::append_string(filter.name(), out);
    }
    if let Some(max) = read.model.rules.bounds.max_records
        && read.method == Method::Read
        && matches!(read.query.which, Which::All)
    {
        out.push_str(",\"max_records\":");
        json::append_number(max.get().into(), out);
    }
}

fn fail(hub: &mut Hub, read: Read, cause: &StoreError) {
    tracing::error!(model = %read.model.name, error = %cause, "the store did not answer a read");
    refuse(hub, read, &error::of_store(cause));
}

/// It fails, and everything stays as it was.
pub(super) fn refuse(hub: &mut Hub, read: Read, error: &ErrorObject) {
    if read.is_paused {
        let prior = hub.scope(read.key, &read.model);
        let held = hub.unpause(read.key, &read.model, prior.clone());
        hub.emit_held(read.key, &prior, &held, Revision(0), false);
    }
    leave_beside(hub, &read);
    let event = read.model.event(read.method);
    hub.fail(read.key, read.id.as_deref(), event, error);
    hub.set_reading(read.key, false);
}

/// Go on with the models of which nothing is needed as if they had not been read.
pub(super) fn leave_beside(hub: &mut Hub, read: &Read) {
    for model in read.beside.values() {
        let prior = hub.scope(read.key, model);
        let held = hub.unpause(read.key, model, prior.clone());
        hub.emit_held(read.key, &prior, &held, Revision(0), false);
    }
}

fn not_found(model: &Model, id: &str) -> ErrorObject {
    let message = format!("{} has no record {}", model.name, backsync_protocol::json::excerpt(id));
    ErrorObject::new(ErrorCode::NotFound, message)
}

/// Go on with the answer: at once where it is there, else when it comes, if the hub still lives.
pub(crate) fn when_answered<T: 'static>(
    hub: &mut Hub,
    answer: Answer<T>,
    then: impl FnOnce(&mut Hub, Result<T, StoreError>) + 'static,
) {
    match answer {
        Answer::Ready(answer) => then(hub, answer.expect("an answer is taken once")),
        Answer::Later(answer) => {
            let hub = hub.handle();
            tokio::task::spawn_local(async move {
                let answer = answer.await;
                if let Some(hub) = hub.upgrade() {
                    let mut hub = hub.borrow_mut();
                    then(&mut hub, answer);
                    hub.flush();
                }
            });
        }
    }
}

/// Append records as a JSON array, `null` where there is none.
pub(crate) fn append_array<'r>(records: impl Iterator<Item = Option<&'r Record>> + Clone, out: &mut String) {
    let text = |record: Option<&'r Record>| record.map_or("null", Record::json);
    out.reserve(records.clone().map(|record| text(record).len() + 1).sum::<usize>() + 64);
    out.push('[');
    for (at, record) in records.enumerate() {
        if at > 0 {
            out.push(',');
        }
        out.push_str(text(record));
    }
    out.push(']');
}
