//! Writes of a group of models take turns: one step of the store at a time, which takes all that waits.

use super::{
    inbox::{Failure, ReplyTo},
    model::Model,
};
use crate::store::{Commit, Committed, Few};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::oneshot;

/// Bounded by what fills it: a connection's writes in flight are limited, and the server's own code waits for its.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    waiting: Few<Write>,
    busy: bool,
}

/// A commit on its way.
#[derive(Debug)]
pub(crate) struct Write {
    pub(crate) commit: Commit,
    /// The models of the commit's parts.
    pub(crate) models: Few<Arc<Model>>,
    pub(crate) completion: Completion,
}

/// Who wants to know.
#[derive(Debug)]
pub(crate) enum Completion {
    /// A connection.
    Reply(Box<ReplyTo>),
    /// The server's own code.
    Signal(oneshot::Sender<Result<Committed, Failure>>),
}

impl Turns {
    /// Take writes in. `Some` makes the caller the one who commits, these and whatever [`Self::next`] gives.
    pub(crate) fn begin(&self, writes: Few<Write>) -> Option<Few<Write>> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.busy {
            state.waiting.extend(writes);
            return None;
        }
        state.busy = true;
        Some(writes)
    }

    /// All writes that wait now, for the one who commits and has not begun yet.
    pub(crate) fn more(&self) -> Few<Write> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner).waiting)
    }

    /// All writes that wait now, for the one who commits; with none, the turn has ended.
    pub(crate) fn next(&self) -> Few<Write> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.busy = !state.waiting.is_empty();
        if state.busy { std::mem::take(&mut state.waiting) } else { Few::new() }
    }
}
