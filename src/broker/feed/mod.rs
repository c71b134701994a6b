//! The feed of a model: what became of it since a time, for clients that know milliseconds only.
//!
//! No change is lost or repeated between two looks, each from the time that the one before answered: [`marks`] says how.
//! Marks are records of a model beside the one that they are of, which no client can name; so they are the same for all nodes.

mod asking;
mod marks;
#[cfg(test)]
mod tests;

use super::{Broker, error, methods, model::Model};
use crate::store::{Bounds, Commit, Millis, Part, Read, Snapshot, StoreError};
use backsync_protocol::{ErrorCode, ErrorObject, ModelName, Position, Query, Record, RecordId, Revision, json};
use marks::{Mark, Marks, Start};
use smallvec::smallvec;
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{Semaphore, SemaphorePermit};

/// So often is a mark tried, where other nodes make marks of the same model: somebody succeeds each time.
const ATTEMPTS: usize = 50;

/// What a node knows of a model's feed.
#[derive(Debug)]
pub(super) struct Feed {
    marks: Mutex<Arc<Marks>>,
    /// Who may make a mark: one at a time, so that those of one node do not get in each other's way.
    turn: Semaphore,
}

impl Default for Feed {
    fn default() -> Self {
        Self { marks: Mutex::default(), turn: Semaphore::new(1) }
    }
}

/// What became of a model since a time.
#[derive(Debug)]
pub struct Update {
    /// From when on to ask for what comes later.
    pub now: Millis,
    records: std::vec::IntoIter<Record>,
    removed: std::vec::IntoIter<RecordId>,
    marks: Arc<Marks>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// What became of the model since then is not known (any more): ask for everything, since 0.
    #[error("{0}; ask for everything, with since=0")]
    Gone(&'static str),
    /// What the store says, and what a policy or a handler does.
    #[error(transparent)]
    Failed(#[from] ErrorObject),
}

const TOO_OLD: FeedError = FeedError::Gone("what became of the model since then is not known any more");

const UNKNOWN: FeedError = FeedError::Gone("this server did not give this time");

impl Broker {
    /// What became of a model since a time that was answered before; everything since 0. No policy and no handler is asked.
    ///
    /// # Errors
    /// [`FeedError`].
    pub async fn updates(&self, model: &str, since: Millis) -> Result<Update, FeedError> {
        self.tell(&*self.model(model)?, &Query::default(), since).await
    }

    /// The same, of what a query asks for of the whole model.
    async fn tell(&self, model: &Model, query: &Query, since: Millis) -> Result<Update, FeedError> {
        let (start, mut known) = {
            let _turn = model.feed.turn().await;
            self.learn(model).await?;
            let marks = model.feed.marks();
            (marks.start(since), marks.reach())
        };
        let (after, within) = match start {
            Start::Beginning => (None, None),
            Start::After(position, within) => (Some(position), within),
            Start::Gone => return Err(TOO_OLD),
        };
        let mut found = self.read_after(model, query, after).await?;
        if after.is_some() && found.reset {
            return Err(TOO_OLD);
        }
        if within.is_some_and(|epoch| epoch != found.position.epoch) {
            return Err(UNKNOWN);
        }
        let _turn = model.feed.turn().await;
        for _ in 0..ATTEMPTS {
            self.learn(model).await?;
            let (reach, last, next) = {
                let marks = model.feed.marks();
                (marks.reach(), marks.last(), marks.next_look(found.position, self.now()))
            };
            match last {
                // What had a time before the model was read, and is beyond it, was taken back.
                _ if reach > found.position.revision && reach > known => {
                    known = reach;
                    let later = self.read_after(model, query, Some(found.position)).await?;
                    match (later.reset, after) {
                        (false, _) => follow(&mut found, later),
                        (true, None) => found = later,
                        (true, Some(_)) => return Err(TOO_OLD),
                    }
                }
                Some(last) if last.position == found.position && last.time >= since => {
                    return Ok(model.feed.update(last.time, found, after.is_some()));
                }
                _ if next.time < since => return Err(UNKNOWN),
                _ => {
                    if self.keep(model, next).await? {
                        return Ok(model.feed.update(next.time, found, after.is_some()));
                    }
                }
            }
        }
        Err(busy(&model.name))
    }

    /// Give the changes of a batch, of which these are the first and the last, a time of their own, which nothing else has, and answer
    /// it.
    async fn date(&self, model: &Model, batch: Option<(Revision, Revision)>) -> Result<Millis, FeedError> {
        let stands = self.store().position(&model.name).await.map_err(|cause| failed(model, &cause))?;
        let _turn = model.feed.turn().await;
        for _ in 0..ATTEMPTS {
            self.learn(model).await?;
            let (bare, next) = {
                let marks = model.feed.marks();
                (marks.bare(), marks.next_batch(batch, stands, self.now()))
            };
            if let Some(bare) = bare.filter(|_| batch.is_none()) {
                return Ok(bare.time);
            }
            if self.keep(model, next).await? {
                return Ok(next.time);
            }
        }
        Err(busy(&model.name))
    }

    /// What became of the model after a position; everything without one.
    async fn read_after(&self, model: &Model, query: &Query, after: Option<Position>) -> Result<Snapshot, FeedError> {
        let read = Read { since: after, ..methods::wanted(query) };
        self.store().read(&model.name, read).await.map_err(|cause| failed(model, &cause))
    }

    /// Find out which marks there are by now. The turn is the caller's.
    async fn learn(&self, model: &Model) -> Result<(), FeedError> {
        let since = model.feed.marks().seen();
        let read = self.store().read(&marks_of(model), Read { since, ..Read::default() }).await;
        let snapshot = read.map_err(|cause| failed(model, &cause))?;
        let mut marks = model.feed.marks();
        if marks.seen() == Some(snapshot.position) {
            return Ok(());
        }
        Arc::make_mut(&mut marks)
            .learn(&snapshot)
            .map_err(|cause| failed(model, &StoreError::Unavailable(cause.into())))
    }

    /// Keep the next mark. Answers false where somebody else has made it. The turn is the caller's.
    async fn keep(&self, model: &Model, mark: Mark) -> Result<bool, FeedError> {
        let operations = smallvec![model.feed.marks().keep(&mark)];
        let part = Part { model: marks_of(model), bounds: Bounds::default(), operations };
        let commit = Commit { parts: vec![part], transaction: None, now: self.now() };
        let outcome = self.store().commit(smallvec![commit]).await.map_err(|cause| failed(model, &cause))?;
        let is_kept = outcome.iter().all(Result::is_ok);
        if is_kept {
            self.learn(model).await?;
        }
        Ok(is_kept)
    }
}

impl Feed {
    async fn turn(&self) -> SemaphorePermit<'_> {
        self.turn.acquire().await.expect("it is never closed")
    }

    fn marks(&self) -> MutexGuard<'_, Arc<Marks>> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn update(&self, now: Millis, found: Snapshot, with_removed: bool) -> Update {
        let removed = if with_removed { found.deleted } else { Vec::new() };
        Update { now, records: found.records.into_iter(), removed: removed.into_iter(), marks: self.marks().clone() }
    }
}

impl Update {
    /// Append the next of the updates as JSON: a record with its `_lastChange`, or `{"id":…,"_removed":true}`. Answers false where
    /// there is none left.
    pub fn append_next(&mut self, out: &mut String) -> bool {
        if let Some(record) = self.records.next() {
            record.append_dated(self.marks.time_of(record.revision(), self.now), out);
        } else if let Some(id) = self.removed.next() {
            out.push_str("{\"id\":");
            json::append_string(id.as_str(), out);
            out.push_str(",\"_removed\":true}");
        } else {
            return false;
        }
        true
    }
}

fn marks_of(model: &Model) -> ModelName {
    model.name.beside("feed")
}

/// Go on to what was found later.
fn follow(found: &mut Snapshot, later: Snapshot) {
    let again: HashSet<&str> =
        later.records.iter().map(Record::id).chain(later.deleted.iter().map(RecordId::as_str)).collect();
    found.records.retain(|record| !again.contains(record.id()));
    found.deleted.retain(|id| !again.contains(id.as_str()));
    found.records.extend(later.records);
    found.deleted.extend(later.deleted);
    found.position = later.position;
}

fn failed(model: &Model, cause: &StoreError) -> FeedError {
    tracing::error!(model = %model.name, error = %cause, "the store did not answer a feed");
    FeedError::Failed(error::of_store(cause))
}

fn busy(model: &ModelName) -> FeedError {
    let message = format!("{model} is looked at by many nodes at once; ask again");
    FeedError::Failed(ErrorObject::new(ErrorCode::StoreUnavailable, message))
}
