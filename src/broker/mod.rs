//! The broker: takes requests, has them done by the store, and brings every change to everybody who listens, in one order.
//!
//! [`Broker`] is what all workers of a node share; each worker has a [`Hub`] with its connections. Nothing here knows a
//! socket: a connection is a [`Sink`] that takes bytes.

mod caller;
mod catch_up;
mod chunk;
mod commit;
mod door;
mod error;
mod feed;
mod framing;
mod handler;
#[cfg(test)]
mod handler_tests;
mod heads;
mod hub;
mod inbox;
mod methods;
mod model;
mod outbox;
mod own;
mod presence;
mod relay;
mod rules;
mod sequencer;
mod sweep;
#[cfg(test)]
mod test_support;
#[cfg(test)]
mod tests;
mod turns;

pub use caller::{Caller, ConnectionId};
pub use feed::{FeedError, Update};
pub use framing::Framing;
pub use handler::{Handler, Step};
pub use hub::{ConnectionKey, Hub, Progress, Sink};
#[cfg(feature = "server")]
pub(crate) use methods::new_id;
#[cfg(feature = "server")]
pub(crate) use outbox::{Outbox, Written};
pub use own::{Answering, record_of};
pub use rules::{ModelRules, Reference};

use crate::{
    auth::{Authenticator, Policy},
    bus::{Bus, Origin},
    store::{Commit, Done, Few, Millis, Operation, Store, StoreError},
};
use backsync_protocol::{ErrorObject, ModelName};
use inbox::Inbox;
use model::Model;
use presence::Presence;
use std::{
    collections::HashMap,
    fmt,
    future::Future,
    sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, Weak, atomic::AtomicBool},
};
use tokio::sync::{Notify, oneshot};
use turns::{Completion, Write};

/// What a stranger may make grow, and what is done for those on narrow lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How deep arrays and objects of a message may nest.
    pub depth: usize,
    /// Records in one batch, ids in one request.
    pub batch_records: usize,
    /// Models of the server.
    pub models: usize,
    /// Listeners of one connection: models heard as a whole, records heard alone, and filters.
    pub listeners_per_connection: usize,
    /// Bytes that wait to be written to one connection. Beyond it its pushes are let go of, and it is told in short what it
    /// missed when it has read what is left. Replies always go.
    pub queue_bytes: usize,
    /// Writes of one connection that wait for their outcome.
    pub in_flight: usize,
    /// Messages of so many bytes and more are compressed for those who take them so ([`Framing::compressed`]).
    pub compress_from: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth: 64,
            batch_records: 10_000,
            models: 10_000,
            listeners_per_connection: 1000,
            queue_bytes: 16 << 20,
            in_flight: 256,
            compress_from: 1024,
        }
    }
}

/// What a broker stands on.
pub struct Parts {
    /// Where records live.
    pub store: Arc<dyn Store>,
    /// How other nodes hear of changes.
    pub bus: Arc<dyn Bus>,
    /// Who may do what.
    pub policy: Arc<dyn Policy>,
    /// Who somebody is.
    pub authenticator: Arc<dyn Authenticator>,
    /// What a stranger may make grow.
    pub limits: Limits,
    /// What holds for single models.
    pub rules: HashMap<ModelName, ModelRules>,
    /// What the server's own code has to say to single models.
    pub handlers: HashMap<ModelName, Arc<dyn Handler>>,
    /// Milliseconds since 1970.
    pub clock: fn() -> Millis,
    /// How many workers, each with a hub, deliver.
    pub workers: usize,
    /// How long the records of a session stay after its last connection, in milliseconds.
    pub linger: Millis,
    /// How long a node counts as alive after it was last heard of, in milliseconds, where others share the store.
    pub lease: Millis,
    /// How often connections get a heartbeat, in milliseconds: clients are told.
    pub heartbeat: Millis,
}

/// A node's broker; a handle that is cheap to clone.
#[derive(Clone)]
pub struct Broker(Arc<Inner>);

struct Inner {
    this: Weak<Inner>,
    parts: Parts,
    /// Whether any model is ephemeral.
    has_ephemeral: bool,
    models: RwLock<HashMap<ModelName, Arc<Model>>>,
    inboxes: Box<[Inbox]>,
    origin: OnceLock<Origin>,
    presence: Mutex<Presence>,
    /// A session may end now that did not before.
    sessions_changed: Notify,
    /// The store has been seen to take its time.
    store_waits: AtomicBool,
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker").field("limits", &self.0.parts.limits).finish_non_exhaustive()
    }
}

impl Broker {
    /// Put a broker together and attach it to its bus.
    pub fn new(parts: Parts) -> Self {
        let inboxes = (0..parts.workers).map(|_| Inbox::default()).collect();
        let (models, origin) = (RwLock::default(), OnceLock::new());
        let (presence, sessions_changed) = (Mutex::new(Presence::new(incarnation())), Notify::new());
        let store_waits = AtomicBool::new(false);
        let has_ephemeral = parts.rules.values().any(|rules| rules.ephemeral);
        let inner = Arc::new_cyclic(|this| Inner {
            this: this.clone(),
            parts,
            has_ephemeral,
            models,
            inboxes,
            origin,
            presence,
            sessions_changed,
            store_waits,
        });
        inner.origin.get_or_init(|| inner.parts.bus.attach(inner.this.clone()));
        Self(inner)
    }

    /// The limits in force.
    pub fn limits(&self) -> &Limits {
        &self.0.parts.limits
    }

    /// A write by the server's own code: broadcast like any other, and no handler is asked. It begins with the call, and is
    /// done whether or not the answer is waited for. [`Self::upsert`] and its like are easier to use.
    ///
    /// # Errors
    /// What the store says; `conflict` and `forbidden` as a client would get them; `limit_exceeded` where the model would be
    /// one too many.
    pub fn write(
        &self,
        model: &ModelName,
        operations: Few<Operation>,
    ) -> impl Future<Output = Result<Done, ErrorObject>> + Send + use<> {
        let begun = self.model(model.as_str()).map(|model| {
            let commit = Commit { parts: vec![model.part(operations)], transaction: None, now: self.now() };
            let (sender, outcome) = oneshot::channel();
            let write = Write { commit, completion: Completion::Signal(model, sender) };
            self.submit([write], None);
            outcome
        });
        async {
            match begun?.await {
                Ok(Ok(mut committed)) => Ok(committed.parts.remove(0)),
                Ok(Err(failure)) => Err(error::of_failure(&failure, None)),
                Err(_) => Err(error::of_store(&StoreError::Closed)),
            }
        }
    }

    /// The name of this node, another one each time it starts or is taken for dead, and the milliseconds between heartbeats.
    pub(crate) fn about(&self) -> (Arc<str>, Millis) {
        (self.presence().node().clone(), self.0.parts.heartbeat)
    }

    /// Milliseconds since 1970.
    pub(crate) fn now(&self) -> Millis {
        (self.0.parts.clock)()
    }

    fn store(&self) -> &Arc<dyn Store> {
        &self.0.parts.store
    }

    /// The model of this name, made on first use.
    fn model(&self, name: &str) -> Result<Arc<Model>, ErrorObject> {
        if let Some(model) = self.known_model(name) {
            return Ok(model);
        }
        let name = ModelName::parse(name)?;
        let mut models = self.0.models.write().unwrap_or_else(PoisonError::into_inner);
        let (index, limit) = (models.len(), self.limits().models);
        if let Some(model) = models.get(&name) {
            return Ok(model.clone());
        }
        if index >= limit {
            return Err(error::limit("the server has all the models it may have", limit));
        }
        let rules = self.0.parts.rules.get(&name).cloned().unwrap_or_default();
        let turns = match &rules.group {
            None => Arc::default(),
            Some(group) => models
                .values()
                .find(|model| model.rules.group.as_ref() == Some(group))
                .map_or_else(Arc::default, |model| model.turns.clone()),
        };
        let handler = self.0.parts.handlers.get(&name).cloned();
        let model = Arc::new(Model::new(name.clone(), index, rules, handler, self.limits().compress_from, turns));
        models.insert(name, model.clone());
        Ok(model)
    }

    fn known_model(&self, name: &str) -> Option<Arc<Model>> {
        self.0.models.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    fn models(&self) -> Vec<Arc<Model>> {
        self.0.models.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    fn origin(&self) -> Origin {
        *self.0.origin.get().expect("a broker is attached when it is made")
    }
}

/// A name for a node that no other has or had.
fn incarnation() -> Arc<str> {
    uuid::Uuid::new_v4().to_string().into()
}
