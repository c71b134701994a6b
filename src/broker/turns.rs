//! Writes of a group of models take turns: one step of the store at a time, which takes all that waits.

use super::{
    inbox::{Failure, ReplyTo},
    model::Model,
    presence::Named,
};
use crate::store::{Commit, Committed, Few};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::oneshot;

/// Bounded by what fills it: a connection's writes in flight are limited, and the server's own code waits for its.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    waiting: Writes,
    busy: bool,
}

/// A commit on its way.
#[derive(Debug)]
pub(crate) struct Write {
    pub(crate) commit: Commit,
    pub(crate) completion: Completion,
}

/// Commits as a store takes them, and for each who follows it.
#[derive(Debug, Default)]
pub(crate) struct Writes {
    pub(crate) commits: Few<Commit>,
    pub(crate) followers: Few<Follower>,
}

/// Who is waiting for a commit.
#[derive(Debug)]
pub(crate) struct Follower {
    pub(crate) completion: Completion,
    /// For each part, what is written in somebody's name. Empty where no model is ephemeral.
    pub(crate) named: Vec<Vec<Named>>,
}

/// Who wants to know.
#[derive(Debug)]
pub(crate) enum Completion {
    /// A connection.
    Reply(Box<ReplyTo>),
    /// The server's own code, which writes to one model.
    Signal(Arc<Model>, oneshot::Sender<Result<Committed, Failure>>),
}

impl Completion {
    /// The models of the commit's parts.
    pub(crate) fn models(&self) -> &[Arc<Model>] {
        match self {
            Self::Reply(to) => &to.models,
            Self::Signal(model, _) => std::slice::from_ref(model),
        }
    }
}

impl Writes {
    pub(crate) fn with_capacity(count: usize) -> Self {
        Self { commits: Few::with_capacity(count), followers: Few::with_capacity(count) }
    }

    pub(crate) fn push(&mut self, Write { commit, completion }: Write) {
        self.commits.push(commit);
        self.followers.push(Follower { completion, named: Vec::new() });
    }

    pub(crate) fn append(&mut self, others: Self) {
        self.commits.extend(others.commits);
        self.followers.extend(others.followers);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.commits.is_empty()
    }

    /// The models of all parts.
    pub(crate) fn models(&self) -> impl Iterator<Item = &Arc<Model>> {
        self.followers.iter().flat_map(|follower| follower.completion.models())
    }
}

impl Turns {
    /// Take writes in. `Some` makes the caller the one who commits, these and whatever [`Self::next`] gives.
    pub(crate) fn begin(&self, writes: Writes) -> Option<Writes> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.busy {
            state.waiting.append(writes);
            return None;
        }
        state.busy = true;
        Some(writes)
    }

    /// All writes that wait now, for the one who commits and has not begun yet.
    pub(crate) fn more(&self) -> Writes {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner).waiting)
    }

    /// All writes that wait now, for the one who commits; with none, the turn has ended.
    pub(crate) fn next(&self) -> Writes {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.busy = !state.waiting.is_empty();
        std::mem::take(&mut state.waiting)
    }
}
