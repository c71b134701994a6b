//! What a node knows of one model. How its changes go out is in [`door`](super::door).

use super::{
    chunk::{Framings, Source},
    door::Delivery,
    feed::Feed,
    handler::Handler,
    rules::ModelRules,
    turns::Turns,
};
use crate::store::{Few, Operation, Part};
use backsync_protocol::{Epoch, Method, ModelName};
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicU16, Ordering},
};

/// One model on this node.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) name: ModelName,
    /// `Model:method` for each method.
    events: [Box<str>; Method::ALL.len()],
    /// Its place in the tables of the workers.
    pub(crate) index: usize,
    pub(crate) rules: ModelRules,
    /// What the server's own code has to say to it.
    pub(crate) handler: Option<Arc<dyn Handler>>,
    /// The size from which messages are compressed.
    compress_from: usize,
    /// Whose turn it is to write, together with all models of its group.
    pub(crate) turns: Arc<Turns>,
    /// A summary of `Delivery::interest`, to be read without the lock.
    pub(super) framings: AtomicU16,
    /// Whether it is known where delivery begins, and others' changes are told; changed under the lock, to be read without.
    pub(super) placed: AtomicBool,
    /// Whether somebody had use for that lately.
    pub(super) used: AtomicBool,
    delivery: Mutex<Delivery>,
    /// What is known of it for those who go by time.
    pub(super) feed: Feed,
}

impl Model {
    pub(crate) fn new(
        name: ModelName,
        index: usize,
        rules: ModelRules,
        handler: Option<Arc<dyn Handler>>,
        compress_from: usize,
        turns: Arc<Turns>,
    ) -> Self {
        let events = Method::ALL.map(|method| format!("{name}:{}", method.name()).into());
        Self {
            name,
            events,
            index,
            rules,
            handler,
            compress_from,
            turns,
            framings: AtomicU16::new(0),
            placed: AtomicBool::new(false),
            used: AtomicBool::new(false),
            delivery: Mutex::default(),
            feed: Feed::default(),
        }
    }

    /// `Model:method`.
    pub(crate) fn event(&self, method: Method) -> &str {
        &self.events[method as usize]
    }

    /// What a commit does to it.
    pub(crate) fn part(&self, operations: Few<Operation>) -> Part {
        Part { model: self.name.clone(), bounds: self.rules.bounds, operations }
    }

    /// Where a run of its changes comes from.
    pub(crate) fn source(&self, epoch: Epoch) -> Source {
        // Readers are told how many records there may be, not how old they are.
        let evictions = self.rules.push_evictions || self.rules.bounds.max_age.is_some();
        Source { model: self.name.clone(), epoch, evictions, compress_from: self.compress_from }
    }

    pub(super) fn delivery(&self) -> MutexGuard<'_, Delivery> {
        self.delivery.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is known where delivery begins.
    pub(crate) fn is_placed(&self) -> bool {
        self.placed.load(Ordering::Acquire)
    }

    /// The same, for who has use for it: it is not let go of for a while.
    pub(crate) fn is_ready(&self) -> bool {
        if !self.used.load(Ordering::Relaxed) {
            self.used.store(true, Ordering::Relaxed);
        }
        self.is_placed()
    }

    /// Framings that somebody listens with. Who begins to listen after this was asked reads the store afterwards, and so
    /// finds there whatever was committed before.
    pub(crate) fn framings(&self) -> Framings {
        Framings(self.framings.load(Ordering::Acquire))
    }
}
