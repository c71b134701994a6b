//! What a worker has still to deliver: one hand-over between threads for each batch, not for each connection.

use super::{Caller, chunk::Stretch, door::Begun, hub::ConnectionKey, model::Model};
use crate::store::{Committed, Few, Rejected, StoreError};
use backsync_protocol::{Method, Record, Revision};
use std::{
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Poll, Waker},
};

/// Things in the order in which this worker's connections shall see them.
///
/// Bounded by what fills it: a write in flight takes its place until it is answered, and their number is limited for
/// each connection.
#[derive(Debug, Default)]
pub(crate) struct Inbox(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    items: Vec<Item>,
    waker: Option<Waker>,
}

/// A thing to deliver.
#[derive(Debug)]
pub(crate) enum Item {
    /// Changes of an era, to all who listen.
    Changes(Arc<Model>, u64, Stretch),
    /// Another era of the model begins.
    Begun(Arc<Model>, Begun),
    /// The outcome of a write, to the one who asked.
    Outcome(Box<ReplyTo>, Result<Committed, Failure>),
}

/// Why a write was not done.
#[derive(Debug, Clone)]
pub(crate) enum Failure {
    /// The store did not do what it was asked.
    Store(Arc<StoreError>),
    /// What was asked may not be done.
    Rejected(Box<Rejected>),
}

/// Who waits for the outcome of a write.
#[derive(Debug)]
pub(crate) struct ReplyTo {
    /// The worker of the connection.
    pub(crate) worker: usize,
    /// The connection.
    pub(crate) connection: ConnectionKey,
    /// The request's id as JSON text, where it wants a reply.
    pub(crate) id: Option<Box<str>>,
    /// The models that are written to, in the order of the commit's parts.
    pub(crate) models: Few<Arc<Model>>,
    /// What was asked.
    pub(crate) asked: Asked,
    /// Who asked, where a handler is to know of the changes.
    pub(crate) caller: Option<Box<Caller>>,
    /// Whether the first thing that it did was an insertion.
    pub(crate) inserted: bool,
    /// The first and the last change of it, in its first model.
    pub(crate) changed: Option<(Revision, Revision)>,
}

/// What was asked, which says how the reply looks.
#[derive(Debug)]
pub(crate) enum Asked {
    /// One method of one model.
    One { method: Method, form: Form, answered: Answered },
    /// Several, in one atomic batch.
    Batch(Vec<Entry>),
}

/// What the result of a write is to look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Form {
    /// An array, as what was sent.
    pub(crate) batch: bool,
    /// Its records are named only, with their revisions.
    pub(crate) minimal: bool,
}

/// One entry of a batch.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) method: Method,
    pub(crate) form: Form,
    /// Which part of the commit,
    pub(crate) part: usize,
    /// and which of its operations.
    pub(crate) operations: Range<usize>,
    pub(crate) answered: Answered,
}

/// What a handler answered in the place of operations: which of the elements that were sent, counted from 0 and ascending, and
/// the record, none for a deletion. The operations are what is left without them.
pub(crate) type Answered = Vec<(usize, Option<Record>)>;

impl ReplyTo {
    /// The event of the request, which its reply bears too.
    pub(crate) fn event(&self) -> &str {
        match &self.asked {
            Asked::One { method, .. } => self.models[0].event(*method),
            Asked::Batch(_) => BATCH_EVENT,
        }
    }
}

/// The event of an atomic batch over several models.
pub(crate) const BATCH_EVENT: &str = "$batch:commit";

impl Inbox {
    /// Take all there is, leaving `empty` (whose allocation is used again) in its place.
    pub(crate) fn swap(&self, empty: &mut Vec<Item>) {
        debug_assert!(empty.is_empty(), "what is put into the inbox's place is empty");
        std::mem::swap(&mut self.state().items, empty);
    }

    /// Ready as soon as there is something.
    pub(crate) fn poll_filled(&self, waker: &Waker) -> Poll<()> {
        let mut state = self.state();
        if !state.items.is_empty() {
            return Poll::Ready(());
        }
        state.waker = Some(waker.clone());
        Poll::Pending
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Puts items into the workers' inboxes. An inbox stays open for whatever follows into it; the worker is woken when it is closed, unless
/// it is the one that calls, which looks by itself.
#[derive(Debug)]
pub(crate) struct Filling<'a> {
    inboxes: &'a [Inbox],
    here: Option<usize>,
    open: Option<(usize, MutexGuard<'a, State>)>,
}

impl<'a> Filling<'a> {
    /// `here` is the worker that calls, if it is one.
    pub(crate) fn new(inboxes: &'a [Inbox], here: Option<usize>) -> Self {
        Self { inboxes, here, open: None }
    }

    pub(crate) fn push(&mut self, worker: usize, item: Item) {
        if self.open.as_ref().is_none_or(|(open, _)| *open != worker) {
            self.close();
        }
        self.open.get_or_insert_with(|| (worker, self.inboxes[worker].state())).1.items.push(item);
    }

    fn close(&mut self) {
        if let Some((worker, mut state)) = self.open.take()
            && self.here != Some(worker)
        {
            let waker = state.waker.take();
            drop(state);
            waker.into_iter().for_each(Waker::wake);
        }
    }
}

impl Drop for Filling<'_> {
    fn drop(&mut self) {
        self.close();
    }
}
