//! The broker: takes requests, has them done by the store, and brings every change to everybody who listens, in one order.
//!
//! [`Broker`] is what all workers of a node share; each worker has a [`Hub`] with its connections. Nothing here knows a
//! socket: a connection is a [`Sink`] that takes bytes.

mod chunk;
mod error;
mod framing;
mod hub;
mod inbox;
mod methods;
mod model;
mod outbox;
mod relay;
mod sequencer;
#[cfg(test)]
mod tests;

pub use framing::Framing;
pub use hub::{ConnectionKey, Hub, Progress, Sink};

use crate::{
    auth::Policy,
    bus::{Bus, Origin, Publication},
    store::{Answer, Bounds, Commit, Committed, Store, StoreError},
};
use backsync_protocol::{ErrorObject, ModelName};
use chunk::Chunk;
use inbox::{Inbox, Item};
use model::{Completion, Model, Offered, Write};
use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, OnceLock, PoisonError, RwLock, Weak},
};
use tokio::sync::oneshot;

/// What a stranger may make grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How deep arrays and objects of a message may nest.
    pub depth: usize,
    /// Records in one batch, ids in one request.
    pub batch_records: usize,
    /// Models of the server.
    pub models: usize,
    /// Listeners of one connection: models heard as a whole, and records heard alone.
    pub listeners_per_connection: usize,
    /// Bytes that wait to be written to one connection before it is ended as too slow. Replies always go.
    pub queue_bytes: usize,
    /// Writes of one connection that wait for their outcome.
    pub in_flight: usize,
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
    /// What a stranger may make grow.
    pub limits: Limits,
    /// What single models may grow to.
    pub bounds: HashMap<ModelName, Bounds>,
    /// How many workers, each with a hub, deliver.
    pub workers: usize,
}

/// A node's broker; a handle that is cheap to clone.
#[derive(Clone)]
pub struct Broker(Arc<Inner>);

struct Inner {
    this: Weak<Inner>,
    parts: Parts,
    models: RwLock<HashMap<ModelName, Arc<Model>>>,
    inboxes: Box<[Inbox]>,
    origin: OnceLock<Origin>,
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
        let inner = Arc::new_cyclic(|this| Inner { this: this.clone(), parts, models, inboxes, origin });
        inner.origin.get_or_init(|| inner.parts.bus.attach(inner.this.clone()));
        Self(inner)
    }

    /// The limits in force.
    pub fn limits(&self) -> &Limits {
        &self.0.parts.limits
    }

    /// A write by the server's own code: broadcast like any other. The answer is the outcome; the write goes on where it is
    /// not waited for.
    ///
    /// # Errors
    /// What the store says; `limit_exceeded` where the model would be one too many.
    pub async fn write(&self, model: &ModelName, commit: Commit) -> Result<Committed, ErrorObject> {
        let model = self.model(model.as_str())?;
        let (sender, outcome) = oneshot::channel();
        self.submit(&model, Write { commit, completion: Completion::Signal(sender) }, None);
        match outcome.await {
            Ok(outcome) => outcome.map_err(|cause| error::of_store(&cause)),
            Err(_) => Err(error::of_store(&StoreError::Closed)),
        }
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
        let bounds = self.0.parts.bounds.get(&name).copied().unwrap_or_default();
        let model = Arc::new(Model::new(name.clone(), index, bounds));
        models.insert(name, model.clone());
        Ok(model)
    }

    fn known_model(&self, name: &str) -> Option<Arc<Model>> {
        self.0.models.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// Have a write done, with whatever else waits for its model. A store that answers at once is done when this
    /// returns; `here` is the worker that calls, if it is one.
    fn submit(&self, model: &Arc<Model>, write: Write, here: Option<usize>) {
        let Some(Write { commit, completion }) = model.begin_write(write) else { return };
        let (mut commits, mut completions) = (vec![commit], vec![completion]);
        while !commits.is_empty() {
            if !model.is_placed() {
                match self.store().position(&model.name) {
                    Answer::Ready(Some(Ok(position))) => model.place(position),
                    _ => {
                        tokio::spawn(self.clone().commit_rest(model.clone(), Work::Place(commits), completions));
                        return;
                    }
                }
            }
            match self.store().commit(&model.name, commits, model.bounds) {
                Answer::Ready(outcome) => {
                    self.finish(model, outcome.expect("an answer is taken once"), completions, here);
                }
                answer @ Answer::Later(_) => {
                    tokio::spawn(self.clone().commit_rest(model.clone(), Work::Answer(answer), completions));
                    return;
                }
            }
            (commits, completions) = model.next_writes();
        }
    }

    /// The same, for a store that takes its time.
    async fn commit_rest(self, model: Arc<Model>, mut work: Work, mut completions: Vec<Completion>) {
        loop {
            let outcome = match work {
                Work::Place(commits) => match self.place(&model).await {
                    Ok(()) => self.store().commit(&model.name, commits, model.bounds).await,
                    Err(cause) => Err(cause),
                },
                Work::Answer(answer) => answer.await,
            };
            self.finish(&model, outcome, completions, None);
            let (commits, next) = model.next_writes();
            if commits.is_empty() {
                return;
            }
            (work, completions) = (Work::Place(commits), next);
        }
    }

    /// Ask the store where a model stands, so that delivery knows where it begins.
    async fn place(&self, model: &Model) -> Result<(), StoreError> {
        if !model.is_placed() {
            model.place(self.store().position(&model.name).await?);
        }
        Ok(())
    }

    /// Deliver what was committed, and every outcome behind it.
    fn finish(
        &self,
        model: &Arc<Model>,
        outcome: Result<Vec<Committed>, StoreError>,
        completions: Vec<Completion>,
        here: Option<usize>,
    ) {
        let outcome = match outcome {
            Ok(committed) => committed,
            Err(cause) => {
                tracing::error!(model = %model.name, error = %cause, writes = completions.len(), "the store refused to commit");
                let cause = Arc::new(cause);
                completions.into_iter().for_each(|completion| self.refuse(completion, &cause, here));
                return;
            }
        };
        for (committed, completion) in outcome.into_iter().zip(completions) {
            let epoch = committed.position.epoch;
            let publication = self.publication(model, &committed);
            let chunk = (!committed.changes.is_empty())
                .then(|| Arc::new(Chunk::encode(&model.name, epoch, &committed.changes, model.framings())));
            let (outcome, signal) = match completion {
                Completion::Reply(reply_to) => (Some((reply_to, committed)), None),
                Completion::Signal(sender) => (None, Some((sender, committed))),
            };
            if model.deliver(&self.0.inboxes, here, epoch, chunk, outcome) == Offered::CatchUp {
                relay::spawn_catch_up(self.clone(), model.clone());
            }
            if let Some((sender, committed)) = signal {
                // Whoever asked may have gone.
                let _ = sender.send(Ok(committed));
            }
            if let Some(publication) = publication {
                self.0.parts.bus.publish(self.origin(), &publication);
            }
        }
    }

    fn refuse(&self, completion: Completion, cause: &Arc<StoreError>, here: Option<usize>) {
        match completion {
            Completion::Reply(reply_to) => {
                let worker = reply_to.worker;
                self.0.inboxes[worker].push(Item::Outcome(reply_to, Err(cause.clone())), here != Some(worker));
            }
            // Whoever asked may have gone.
            Completion::Signal(sender) => drop(sender.send(Err(cause.clone()))),
        }
    }

    fn publication(&self, model: &Model, committed: &Committed) -> Option<Publication> {
        if committed.changes.is_empty() || !self.0.parts.bus.has_others(self.origin()) {
            return None;
        }
        let changes = committed.changes.as_slice().into();
        Some(Publication { model: model.name.clone(), epoch: committed.position.epoch, changes })
    }

    fn origin(&self) -> Origin {
        *self.0.origin.get().expect("a broker is attached when it is made")
    }
}

/// A step of committing.
enum Work {
    /// To be asked of the store, where the model may not be placed yet.
    Place(Vec<Commit>),
    /// Asked already.
    Answer(Answer<Vec<Committed>>),
}
