//! What a worker has still to deliver: one hand-over between threads for each batch, not for each connection.

use super::{chunk::Chunk, hub::ConnectionKey, model::Model};
use crate::store::{Committed, StoreError};
use backsync_protocol::Method;
use std::{
    sync::{Arc, Mutex, PoisonError},
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
    /// Changes, to all who listen.
    Chunk(Arc<Model>, Arc<Chunk>),
    /// The outcome of a write, to the one who asked.
    Outcome(ReplyTo, Result<Committed, Arc<StoreError>>),
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
    /// What was written to.
    pub(crate) model: Arc<Model>,
    /// What was asked.
    pub(crate) method: Method,
    /// Whether an array was sent, and is to be answered.
    pub(crate) batch: bool,
}

impl ReplyTo {
    /// The event of the request, which its reply bears too.
    pub(crate) fn event(&self) -> &str {
        self.model.event(self.method)
    }
}

impl Inbox {
    /// Add an item. The worker is woken unless it is the one that calls, which looks by itself.
    pub(crate) fn push(&self, item: Item, wake: bool) {
        let waker = {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            state.items.push(item);
            if wake { state.waker.take() } else { None }
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Take all there is, leaving `empty` (whose allocation is used again) in its place.
    pub(crate) fn swap(&self, empty: &mut Vec<Item>) {
        debug_assert!(empty.is_empty(), "what is put into the inbox's place is empty");
        std::mem::swap(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner).items, empty);
    }

    /// Ready as soon as there is something.
    pub(crate) fn poll_filled(&self, waker: &Waker) -> Poll<()> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.items.is_empty() {
            return Poll::Ready(());
        }
        state.waker = Some(waker.clone());
        Poll::Pending
    }
}
