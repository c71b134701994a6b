//! The way to the writer: calls in the order in which they were made.
//!
//! A call is queued before it returns, whether its answer is awaited or not. The queue has room for [`ROOM`] operations
//! (a call counts as one more); one that finds it full is refused at once, with nothing applied, because to let it wait
//! would let later calls pass it. Those who call are bounded themselves: a model has one call in flight, so the queue
//! fills only where thousands of models are written faster than the disk can follow.

use super::failure::gone;
use crate::store::{Answer, Commit, Few, Operation, Outcome, StoreError};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// Operations that may wait.
pub(super) const ROOM: u32 = 262_144;

/// One call.
pub(super) struct Job {
    pub(super) commits: Few<Commit>,
    answer: oneshot::Sender<Result<Few<Outcome>, StoreError>>,
    room: OwnedSemaphorePermit,
}

impl Job {
    /// Whether it needs no room of its own.
    pub(super) fn only_deletes(&self) -> bool {
        let mut operations = self.commits.iter().flat_map(|commit| &commit.parts).flat_map(|part| &part.operations);
        operations.all(|operation| {
            matches!(operation, Operation::Delete { .. } | Operation::Release { .. } | Operation::Adopt { .. })
        })
    }

    /// It is done, wanted or not.
    pub(super) fn answer(self, outcome: Result<Few<Outcome>, StoreError>) {
        // First, so that who hears of it finds the room.
        drop(self.room);
        let _ = self.answer.send(outcome);
    }
}

/// The sending end.
#[derive(Debug)]
pub(super) struct Queue {
    way: Mutex<Option<mpsc::Sender<Job>>>,
    room: Arc<Semaphore>,
}

impl Queue {
    pub(super) fn new() -> (Self, mpsc::Receiver<Job>) {
        let (way, jobs) = mpsc::channel();
        (Self { way: Mutex::new(Some(way)), room: Arc::new(Semaphore::new(ROOM as usize)) }, jobs)
    }

    /// What was called is done still, and nothing after it.
    pub(super) fn close(&self) {
        self.way.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Queue a call.
    pub(super) fn call(&self, commits: Few<Commit>) -> Answer<Few<Outcome>> {
        let (answer, answered) = oneshot::channel();
        let sent = self.send(commits, answer);
        Answer::later(async move {
            sent?;
            answered.await.unwrap_or_else(|_| Err(gone()))
        })
    }

    fn send(
        &self,
        commits: Few<Commit>,
        answer: oneshot::Sender<Result<Few<Outcome>, StoreError>>,
    ) -> Result<(), StoreError> {
        // Room is taken under the lock: what finds none is not passed by what was called later.
        let way = self.way.lock().unwrap_or_else(PoisonError::into_inner);
        let way = way.as_ref().ok_or(StoreError::Closed)?;
        let operations: usize = commits.iter().flat_map(|commit| &commit.parts).map(|part| part.operations.len()).sum();
        let weight = u32::try_from(operations + 1).unwrap_or(ROOM).min(ROOM);
        let room = self.room.clone().try_acquire_many_owned(weight);
        let room = room.map_err(|_| StoreError::Unavailable("too many commits wait for the disk".into()))?;
        way.send(Job { commits, answer, room }).map_err(|_| gone())
    }
}
