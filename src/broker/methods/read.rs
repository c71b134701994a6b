//! `read` and `subscribe`: a snapshot, and from it on every change of what was read, without a hole between the two.

use super::Call;
use crate::{
    broker::{
        error,
        hub::{ConnectionKey, Hub, Progress, Scope},
        model::Model,
    },
    store::{Answer, Selection, Snapshot, StoreError},
};
use backsync_protocol::{ErrorCode, ErrorObject, Method, Options, Query, Record, Revision, message};
use std::sync::Arc;

/// A read on its way.
#[derive(Debug)]
struct Read {
    key: ConnectionKey,
    id: Option<Box<str>>,
    model: Arc<Model>,
    method: Method,
    query: Query,
    /// What is heard in addition, once it is read.
    listen: Scope,
    /// Changes are held back meanwhile.
    paused: bool,
}

/// A read whose snapshot is there.
#[derive(Debug)]
pub(crate) struct Finished {
    read: Read,
    snapshot: Snapshot,
}

impl Finished {
    pub(crate) fn key(&self) -> ConnectionKey {
        self.read.key
    }

    pub(crate) fn model(&self) -> &Model {
        &self.read.model
    }

    pub(crate) fn revision(&self) -> Revision {
        self.snapshot.position.revision
    }
}

pub(super) fn begin(hub: &mut Hub, call: &Call<'_>) -> Result<Progress, ErrorObject> {
    let options = Options::parse(call.options, call.method)?;
    let query = Query::parse(call.data, call.method, hub.limits().batch_records)?;
    if !hub.may_read(call.key) {
        return Ok(Progress::Later);
    }
    let listen = if options.listen { Scope::of(&query) } else { Scope::default() };
    let already = hub.scope(call.key, &call.model);
    let more = usize::from(listen.whole && !already.whole) + listen.ids.difference(&already.ids).count();
    let limit = hub.limits().listeners_per_connection;
    if hub.listener_count(call.key) + more > limit {
        return Err(error::limit("this connection has all the listeners it may have", limit));
    }
    hub.set_reading(call.key, true);
    let (key, id, model, method) = (call.key, call.id.map(Box::from), call.model.clone(), call.method);
    place(hub, Read { key, id, model, method, query, listen, paused: false });
    Ok(Progress::Taken)
}

/// First of all the node has to know where delivery of the model begins.
fn place(hub: &mut Hub, read: Read) {
    if read.model.is_placed() {
        return ask(hub, read);
    }
    let position = hub.store().position(&read.model.name);
    when_answered(hub, position, |hub, position| match position {
        Ok(position) => {
            read.model.place(position);
            ask(hub, read);
        }
        Err(cause) => fail(hub, read, &cause),
    });
}

fn ask(hub: &mut Hub, mut read: Read) {
    if !read.listen.is_empty() || !hub.scope(read.key, &read.model).is_empty() {
        hub.pause(read.key, &read.model);
        read.paused = true;
    }
    let selection = match (read.method, &read.query) {
        (Method::Read, Query::All) => Selection::All,
        (Method::Read, Query::One(id)) => Selection::Ids(vec![id.clone()]),
        (Method::Read, Query::Ids(ids)) => Selection::Ids(ids.clone()),
        // A subscription is a read of nothing: it has a position to begin at.
        _ => Selection::Ids(Vec::new()),
    };
    let answer = hub.store().read(&read.model.name, selection);
    when_answered(hub, answer, |hub, answer| match answer {
        Ok(snapshot) => {
            let finished = Finished { read, snapshot };
            if finished.read.paused {
                // What is in the inbox may be what the snapshot covers.
                hub.drain();
                if hub.is_behind(&finished.read.model, finished.revision()) {
                    return hub.finish_later(finished);
                }
            }
            finish(hub, finished);
        }
        Err(cause) => fail(hub, read, &cause),
    });
}

/// Reply, and go live.
pub(crate) fn finish(hub: &mut Hub, finished: Finished) {
    let Finished { read, snapshot } = finished;
    let missing = matches!(read.query, Query::One(_)) && snapshot.records.is_empty();
    let revision = snapshot.position.revision;
    let prior = hub.scope(read.key, &read.model);
    let scope = if missing { prior.clone() } else { prior.clone().union(read.listen) };
    let held = if read.paused { hub.unpause(read.key, &read.model, scope.clone()) } else { Vec::new() };
    if !(read.method == Method::Read && read.query == Query::All) {
        hub.emit_held(read.key, &prior, &held, revision, true);
    }
    if let Some(id) = &read.id {
        let event = read.model.event(read.method);
        let position = Some(snapshot.position);
        hub.reply(read.key, &read.model, |out| match (&read.query, read.method) {
            (_, Method::Subscribe) => message::append_reply(id, event, "{}", position, out),
            (Query::One(wanted), _) => match snapshot.records.first() {
                Some(record) => message::append_reply(id, event, &record.json, position, out),
                None => message::append_failed_reply(id, event, &not_found(&read.model, wanted.as_str()), out),
            },
            _ => {
                let data = array(&snapshot.records);
                match read.model.bounds.max_records {
                    Some(max) => {
                        let extra = format!("\"max_records\":{max}");
                        message::append_reply_with(id, event, &data, &extra, position, out);
                    }
                    None => message::append_reply(id, event, &data, position, out),
                }
            }
        });
    }
    hub.emit_held(read.key, &scope, &held, revision, false);
    hub.set_reading(read.key, false);
}

fn fail(hub: &mut Hub, read: Read, cause: &StoreError) {
    tracing::error!(model = %read.model.name, error = %cause, "the store did not answer a read");
    if read.paused {
        let prior = hub.scope(read.key, &read.model);
        let held = hub.unpause(read.key, &read.model, prior.clone());
        hub.emit_held(read.key, &prior, &held, Revision(0), false);
    }
    let event = read.model.event(read.method);
    hub.fail(read.key, read.id.as_deref(), event, &error::of_store(cause));
    hub.set_reading(read.key, false);
}

fn not_found(model: &Model, id: &str) -> ErrorObject {
    let message = format!("{} has no record {}", model.name, backsync_protocol::json::excerpt(id));
    ErrorObject::new(ErrorCode::NotFound, message)
}

/// Go on with the answer: at once where it is there, else when it comes, if the hub still lives.
fn when_answered<T: 'static>(
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

/// Records as a JSON array.
pub(super) fn array(records: &[Record]) -> String {
    let mut json = String::with_capacity(records.iter().map(|record| record.json.len() + 1).sum::<usize>() + 2);
    json.push('[');
    for (at, record) in records.iter().enumerate() {
        if at > 0 {
            json.push(',');
        }
        json.push_str(&record.json);
    }
    json.push(']');
    json
}
