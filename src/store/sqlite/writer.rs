//! Writing: one thread, and one transaction for all that waits.
//!
//! What waits together is made durable together, with one flush of the disk, and answered after it; each call keeps an
//! outcome of its own. Where a group fails for what may be one call's fault, its calls are tried one by one: one that is too
//! large does not stand in the way of those that fit or delete.

use super::{
    apply::Applying,
    checkpoint::Checkpoints,
    directory::Directory,
    epoch::Opening,
    failure::{is_full, may_be_of_one, outside},
    models::Models,
    outcomes::Outcomes,
    queue::Job,
    retention::Retention,
    space::Space,
};
use crate::store::{Few, Outcome};
use rusqlite::{Connection, Error, Transaction, TransactionBehavior};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError},
    },
    thread::JoinHandle,
    time::Duration,
};
use tracing::{error, warn};

/// A group takes no more calls than this,
const GROUP_JOBS: usize = 1024;
/// and none after it has written this many bytes.
const GROUP_BYTES: usize = 8 << 20;
/// After this long without a commit the WAL is brought home.
const IDLE: Duration = Duration::from_secs(1);

/// The writer's thread owns all this, and ends it.
pub(super) struct Writer {
    pub(super) connection: Connection,
    pub(super) models: Models,
    pub(super) outcomes: Outcomes,
    pub(super) space: Space,
    pub(super) checkpoints: Checkpoints,
    pub(super) retention: Retention,
    pub(super) opening: Opening,
    /// Transactions committed.
    pub(super) transactions: Arc<AtomicU64>,
    pub(super) readers: Vec<JoinHandle<()>>,
    // The last: it lets others in.
    pub(super) directory: Directory,
}

impl Writer {
    /// Work until nobody can ask any more and all is done, then close the database and let others in.
    pub(super) fn run(mut self, queue: &Receiver<Job>) {
        loop {
            let next = if self.checkpoints.are_pending() {
                queue.recv_timeout(IDLE)
            } else {
                queue.recv().map_err(RecvTimeoutError::from)
            };
            match next {
                Ok(job) => self.group(job, queue),
                Err(RecvTimeoutError::Timeout) => self.checkpoints.when_idle(&self.connection),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        for reader in self.readers {
            // One that panicked has said so.
            let _ = reader.join();
        }
        self.checkpoints.at_the_end(&self.connection);
        if let Err((_, error)) = self.connection.close() {
            warn!(%error, "the database could not be closed cleanly; the next start recovers it");
        }
        drop(self.directory);
    }

    fn group(&mut self, first: Job, queue: &Receiver<Job>) {
        let mut jobs = vec![first];
        match self.transaction(&mut jobs, Some(queue)) {
            Ok(outcomes) => answer(jobs, outcomes),
            Err(error) if may_be_of_one(&error) => {
                if is_full(&error) {
                    self.find_room(&error);
                }
                for job in jobs {
                    self.alone(job);
                }
            }
            Err(error) => refuse(jobs, error),
        }
        self.checkpoints.after_commit(&self.connection);
    }

    fn alone(&mut self, job: Job) {
        let mut jobs = vec![job];
        let reserve = jobs[0].only_deletes();
        let mut outcome = Ok(());
        if reserve {
            outcome = self.space.open_reserve(&self.connection);
        }
        let outcome = outcome.and_then(|()| self.transaction(&mut jobs, None));
        if reserve && let Err(error) = self.space.restrict(&self.connection) {
            warn!(%error, "deletions keep the use of the reserve until the next of them");
        }
        match outcome {
            Ok(outcomes) => answer(jobs, outcomes),
            Err(error) => refuse(jobs, error),
        }
    }

    /// Apply what is there and, up to the bounds of a group, what comes from the queue, and make it durable.
    fn transaction(&mut self, jobs: &mut Vec<Job>, queue: Option<&Receiver<Job>>) -> Result<Vec<Few<Outcome>>, Error> {
        let outcomes = self.try_transaction(jobs, queue);
        match &outcomes {
            Ok(outcomes) => {
                self.models.keep();
                if jobs.iter().zip(outcomes).any(|(job, outcomes)| !job.only_deletes() && has_changes(outcomes)) {
                    self.space.found_room();
                }
                self.transactions.fetch_add(1, Ordering::Relaxed);
            }
            Err(_) => {
                self.models.undo();
                self.outcomes.undo();
            }
        }
        outcomes
    }

    fn try_transaction(
        &mut self,
        jobs: &mut Vec<Job>,
        queue: Option<&Receiver<Job>>,
    ) -> Result<Vec<Few<Outcome>>, Error> {
        self.space.measure(&self.connection)?;
        let more = |jobs: &mut Vec<Job>| {
            let job = queue.filter(|_| jobs.len() < GROUP_JOBS).and_then(|queue| queue.try_recv().ok());
            job.map(|job| jobs.push(job)).is_some()
        };
        let transaction = Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate)
            // Those who wait would wait as long again, one after the other.
            .inspect_err(|_| while more(jobs) {})?;
        let mut applying = Applying {
            connection: &transaction,
            models: &mut self.models,
            outcomes: &mut self.outcomes,
            opening: self.opening,
            written: 0,
        };
        let mut outcomes = Vec::new();
        while outcomes.len() < jobs.len() || (applying.written < GROUP_BYTES && more(jobs)) {
            let job = &jobs[outcomes.len()];
            let retention = match (self.space.is_tight(), job.only_deletes()) {
                (false, _) => self.retention,
                (true, false) => self.retention.tight(),
                (true, true) => self.retention.tight().freeing(),
            };
            outcomes
                .push(job.commits.iter().map(|commit| applying.apply(commit, retention)).collect::<Result<_, _>>()?);
        }
        self.models.save(&transaction)?;
        transaction.commit()?;
        Ok(outcomes)
    }

    /// Before anything is refused, the logs give what they have beyond what was asked for.
    fn find_room(&mut self, error: &Error) {
        if !self.space.found_full() {
            return;
        }
        warn!(%error, "there is no room for the database to grow; what needs room is refused, and deletions shorten the log");
        self.models.forget();
        let given = self
            .space
            .open_reserve(&self.connection)
            .and_then(|()| self.retention.give_up_slack(&self.connection))
            .and_then(|()| self.space.restrict(&self.connection));
        if let Err(error) = given {
            warn!(%error, "the logs could not be shortened");
        }
    }
}

fn answer(jobs: Vec<Job>, outcomes: Vec<Few<Outcome>>) {
    for (job, outcome) in jobs.into_iter().zip(outcomes) {
        job.answer(Ok(outcome));
    }
}

fn has_changes(outcomes: &[Outcome]) -> bool {
    let parts = outcomes.iter().flatten().flat_map(|committed| &committed.parts);
    parts.into_iter().any(|part| !part.changes.is_empty())
}

fn refuse(jobs: Vec<Job>, error: Error) {
    if !is_full(&error) {
        error!(%error, calls = jobs.len(), "the database cannot be written");
    }
    let error = Arc::new(error);
    for job in jobs {
        job.answer(Err(outside(&error)));
    }
}
