//! A worker's connections and listeners, and the delivery to them.
//!
//! A hub belongs to one thread: no lock, no message and no task wake for a delivery. Everything is staged while a batch of
//! input is handled, and [`Hub::flush`] then writes once to each connection that has something. What many get is one
//! shared buffer; a connection that gets an answer in the batch is served individually, so that every reply stands right
//! behind its own push.

mod answers;
mod behind;
mod connections;
mod delivery;
mod filters;
mod handlers;
mod listeners;
mod scope;
mod sessions;
mod telling;
mod writes;

pub use connections::{ConnectionKey, Sink};

use super::{Broker, Framing, Limits, inbox::Item, methods, model::Model, turns::Write};
use crate::{
    auth::{Action, Denied},
    store::{Millis, Store},
};
use backsync_protocol::{CloseCode, ErrorCode, ErrorObject, Event, Method, RecordInput, Request, json::Raw, message};
use bytes::Bytes;
use connections::Connections;
use foldhash::{HashMap, HashMapExt};
use listeners::Listeners;
pub(crate) use listeners::Meets;
pub(crate) use scope::Scope;
use std::{
    cell::RefCell,
    rc::{Rc, Weak},
    sync::Arc,
    task::Context,
};

/// Beyond this many bytes that wait to be written, no further request of a connection is taken.
const HIGH_WATER: usize = 1 << 20;

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// It was taken, or answered with an error.
    Taken,
    /// It has to wait for an earlier one: offer it again after [`Sink::resume`].
    Later,
}

/// The connections of one worker.
#[derive(Debug)]
pub struct Hub {
    this: Weak<RefCell<Hub>>,
    pub(super) broker: Broker,
    pub(super) worker: usize,
    connections: Connections,
    /// By `Model::index`; a model that nobody here listens to has none.
    listeners: Vec<Option<Box<Listeners>>>,
    names: HashMap<Box<str>, Arc<Model>>,
    /// What the last event meant: most requests are as the one before.
    understood: Option<(Arc<Model>, Method)>,
    /// Models with chunks that were not flushed.
    staged: Vec<usize>,
    /// Connections served individually in this batch.
    individual: Vec<u32>,
    /// How often was flushed.
    flushes: u64,
    /// How many tellings there were: each has a number.
    tellings: u64,
    is_draining: bool,
    /// To be begun.
    writes: Vec<Write>,
    spare: Vec<Item>,
    json: String,
    /// When what was read since the last flush came.
    now: Option<Millis>,
}

impl Hub {
    /// The hub of a worker; `worker` counts from 0 and is below the broker's number of workers.
    pub fn new(broker: Broker, worker: usize) -> Rc<RefCell<Self>> {
        Rc::new_cyclic(|this| {
            RefCell::new(Self {
                this: this.clone(),
                broker,
                worker,
                connections: Connections::default(),
                listeners: Vec::new(),
                names: HashMap::new(),
                understood: None,
                staged: Vec::new(),
                individual: Vec::new(),
                flushes: 0,
                tellings: 0,
                is_draining: false,
                writes: Vec::new(),
                spare: Vec::new(),
                json: String::new(),
                now: None,
            })
        })
    }

    /// Deliver what other threads put into the inbox, for as long as the hub lives. One task of each worker runs this.
    pub async fn run(hub: Rc<RefCell<Self>>) {
        std::future::poll_fn(|context: &mut Context<'_>| {
            let mut hub = hub.borrow_mut();
            while hub.broker.0.inboxes[hub.worker].poll_filled(context.waker()).is_ready() {
                hub.flush();
            }
            std::task::Poll::Pending
        })
        .await
    }

    /// Take a connection in.
    pub fn open(&mut self, framing: Framing, sink: Rc<dyn Sink>) -> ConnectionKey {
        self.connections.insert(framing, sink)
    }

    /// Forget a connection. Writes of it that are in flight are still done.
    pub fn remove(&mut self, key: ConnectionKey) {
        self.begin_writes();
        let Some(connection) = self.connections.remove(key) else { return };
        self.tell_of_end(key, &connection);
        if let Some(session) = &connection.session {
            self.broker.detach(session, connection.client.is_some());
        }
        for listening in &connection.listening {
            self.leave(key, listening, connection.framing);
        }
        self.individual.retain(|index| *index != key.index);
    }

    /// How many connections there are.
    pub fn len(&self) -> usize {
        self.connections.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Handle one message. Everything it causes is staged until [`Self::flush`].
    pub fn receive(&mut self, key: ConnectionKey, text: &str) -> Progress {
        if let Some(progress) = self.defer(key) {
            return progress;
        }
        match Request::parse(text, self.broker.limits().depth) {
            Ok(request) => self
                .dispatch(key, &request)
                .unwrap_or_else(|error| self.refuse(key, request.id, &request.event, &error)),
            // Replies come in the order of the requests, refusals too.
            Err(_) if !self.may_read(key) => Progress::Later,
            Err(failure) => {
                match (failure.id, failure.event) {
                    (Some(id), event) => self.fail(key, Some(&id), event.as_deref().unwrap_or(""), &failure.error),
                    (None, event) => self.session_error(key, event.as_deref(), &failure.error),
                }
                Progress::Taken
            }
        }
    }

    /// Handle an upsert of records that the server itself has read, like a message of this id (JSON text) with an array of them and the
    /// option `"return":"minimal"`. `records` is empty when it was taken.
    pub fn receive_records(
        &mut self,
        key: ConnectionKey,
        id: &str,
        model: &str,
        options: Option<Raw<'_>>,
        records: &mut Vec<RecordInput>,
    ) -> Progress {
        let progress = self.defer(key).unwrap_or_else(|| {
            let begun = self.model(model);
            let begun = begun.and_then(|model| methods::begin_records(self, key, id, model, options, records));
            begun.unwrap_or_else(|error| self.refuse(key, Some(id), &format!("{model}:upsert"), &error))
        });
        if progress == Progress::Taken {
            records.clear();
        }
        progress
    }

    /// Whether a message is not looked at: because nobody is there any more, or because it has to wait.
    fn defer(&mut self, key: ConnectionKey) -> Option<Progress> {
        let Some(connection) = self.connections.find(key) else { return Some(Progress::Taken) };
        connection.seen = true;
        if connection.closing {
            return Some(Progress::Taken);
        }
        let is_told = connection.behind.is_some() || connection.told > 0;
        if connection.reading || is_told || connection.outbox.len() > HIGH_WATER {
            connection.waits = true;
            return Some(Progress::Later);
        }
        None
    }

    /// Tell what is wrong with a request, in its turn.
    fn refuse(&mut self, key: ConnectionKey, id: Option<&str>, event: &str, error: &ErrorObject) -> Progress {
        if !self.may_read(key) {
            return Progress::Later;
        }
        self.fail(key, id, event, error);
        Progress::Taken
    }

    fn dispatch(&mut self, key: ConnectionKey, request: &Request<'_>) -> Result<Progress, ErrorObject> {
        if request.event.starts_with('$') {
            return methods::system(self, key, Event::parse(&request.event)?, request);
        }
        let (model, method) = self.understand(&request.event)?;
        let (id, text, data, options) = (request.id, request.text, request.data.as_ref(), request.options);
        let call = methods::Call { key, id, model, method, data, text, options };
        methods::dispatch(self, call)
    }

    fn understand(&mut self, event: &str) -> Result<(Arc<Model>, Method), ErrorObject> {
        if let Some((model, method)) = &self.understood
            && model.event(*method) == event
        {
            return Ok((model.clone(), *method));
        }
        let event = Event::parse(event)?;
        let method = Method::parse(event.method).ok_or_else(|| {
            let known = Method::ALL.map(Method::name).join(", ");
            let message = format!("no method {}; there are {known}", backsync_protocol::json::excerpt(event.method));
            ErrorObject::new(ErrorCode::UnknownMethod, message)
        })?;
        let model = self.model(event.model)?;
        self.understood = Some((model.clone(), method));
        Ok((model, method))
    }

    pub(super) fn model(&mut self, name: &str) -> Result<Arc<Model>, ErrorObject> {
        if let Some(model) = self.names.get(name) {
            return Ok(model.clone());
        }
        let model = self.broker.model(name)?;
        self.names.insert(name.into(), model.clone());
        Ok(model)
    }

    /// A sign of life that is no message.
    pub fn seen(&mut self, key: ConnectionKey) {
        if let Some(connection) = self.connections.find(key) {
            connection.seen = true;
        }
    }

    /// Bytes for one connection only, such as a pong.
    pub fn send(&mut self, key: ConnectionKey, bytes: &[u8]) {
        if let Some(connection) = self.connections.find(key).filter(|connection| !connection.closing) {
            connection.outbox.own().extend_from_slice(bytes);
            self.connections.mark_dirty(key.index);
        }
    }

    /// End a connection once what waits for it is written: with a push `$session:close` where `notice` gives its code and
    /// whether to reconnect, then the close of its framing.
    pub fn close(&mut self, key: ConnectionKey, code: impl Into<u16>, reason: &str, notice: Option<(&str, bool)>) {
        let compress_from = self.limits().compress_from;
        let Some(connection) = self.connections.find(key).filter(|connection| !connection.closing) else { return };
        let framing = connection.framing;
        if let Some((code, reconnect)) = notice {
            self.json.clear();
            message::append_session_close(code, reason, reconnect, &mut self.json);
            framing.append(&self.json, compress_from, connection.outbox.own());
        }
        framing.append_close(code.into(), reason, connection.outbox.own());
        connection.closing = true;
        connection.silent = 0;
        self.connections.mark_dirty(key.index);
    }

    /// End all connections.
    pub fn close_all(&mut self, code: CloseCode, reason: &str, notice: Option<(&str, bool)>) {
        for key in self.connections.keys() {
            self.close(key, code, reason, notice);
        }
        self.flush();
    }

    /// A connection takes more again.
    pub fn unblocked(&mut self, key: ConnectionKey) {
        if let Some(connection) = self.connections.find(key) {
            connection.blocked = false;
            // Who reads, lives.
            connection.seen = true;
            self.connections.mark_dirty(key.index);
            self.flush();
        }
    }

    /// Heartbeats, for the connections whose turn it is in this `turn` of `turns`: who was not heard of since its last
    /// `patience` turns is ended, the others are asked for a sign of life.
    pub fn heartbeat(&mut self, turn: usize, turns: usize, patience: u8) {
        for key in self.connections.keys() {
            if key.index as usize % turns != turn % turns || self.is_too_slow(key) {
                continue;
            }
            let Some(connection) = self.connections.find(key) else { continue };
            let seen = std::mem::take(&mut connection.seen) && !connection.closing;
            let lives = seen || (!connection.framing.is_answered() && !connection.closing);
            connection.silent = if lives { 0 } else { connection.silent.saturating_add(1) };
            // A closing one has at least a whole turn to take the last words in.
            let patience = if connection.closing { 2 } else { patience };
            if connection.silent >= patience {
                connection.sink.ended();
            } else if !connection.closing && !connection.blocked {
                connection.outbox.push(Bytes::from_static(connection.framing.heartbeat()));
                self.connections.mark_dirty(key.index);
            }
        }
        self.flush();
    }

    // ---- what the methods need ----

    pub(super) fn handle(&self) -> Weak<RefCell<Self>> {
        self.this.clone()
    }

    pub(super) fn limits(&self) -> &Limits {
        self.broker.limits()
    }

    pub(super) fn store(&self) -> &Arc<dyn Store> {
        self.broker.store()
    }

    pub(super) fn worker(&self) -> usize {
        self.worker
    }

    pub(super) fn check(&mut self, key: ConnectionKey, action: Action<'_>) -> Result<(), Denied> {
        let Some(connection) = self.connections.find(key) else { return Ok(()) };
        self.broker.0.parts.policy.check(&connection.identity, action)
    }

    pub(super) fn framing(&mut self, key: ConnectionKey) -> Option<Framing> {
        self.connections.find(key).map(|connection| connection.framing)
    }

    pub(super) fn connection_is_open(&mut self, key: ConnectionKey) -> bool {
        self.connections.find(key).is_some()
    }

    pub(super) fn set_reading(&mut self, key: ConnectionKey, reading: bool) {
        if let Some(connection) = self.connections.find(key) {
            connection.reading = reading;
            if !reading {
                self.pay_owed(key);
                self.wake(key);
            }
        }
    }

    pub(super) fn listener_count(&mut self, key: ConnectionKey) -> usize {
        self.connections.find(key).map_or(0, |connection| connection.listeners())
    }
}
