//! A store in one SQLite database: the embedded default.
//!
//! The data directory holds `backsync.db`, its write-ahead log beside it, and `lock`. One thread writes, two read.
//! What was answered is on the disk: it survives the process, the kernel and the power going away.

mod apply;
mod checkpoint;
mod directory;
mod epoch;
mod failure;
mod graves;
mod log;
mod models;
mod outcomes;
mod queue;
mod reader;
mod records;
mod retention;
mod schema;
mod select;
mod since;
mod space;
mod step;
#[cfg(test)]
mod tests;
mod writer;

use self::{
    checkpoint::Checkpoints,
    directory::{Directory, unreachable},
    epoch::Opening,
    models::Models,
    outcomes::Outcomes,
    queue::Queue,
    reader::Readers,
    retention::Retention,
    space::Space,
    writer::Writer,
};
use super::{
    Answer, Commit, Few, Lease, Millis, Nodes, OpenError, Outcome, Owned, Page, Read, Snapshot, Store, StoreError,
    lease::Leases,
};
use backsync_protocol::{Epoch, ModelName, Position, Revision};
use std::{
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::AtomicU64,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::Duration,
};
use tokio::sync::watch;
use tracing::warn;

/// Threads that read.
const READERS: usize = 2;
/// How long dropping an open store waits for what it has been asked.
const DROP: Duration = Duration::from_secs(10);

/// What can be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SqliteOptions {
    /// What is kept beside the records. In a full store deletions may shorten the log further, and are remembered only as far
    /// as the log reaches.
    pub retention: super::Retention,
    /// What the database may grow to in bytes, at the least 1 MiB; 0 is no bound. Deletions may exceed it by a thirty-second
    /// part, and the write-ahead log comes on top (commonly 32 MiB).
    pub max_bytes: u64,
}

/// The store of a data directory.
///
/// Close it before it goes: dropping it open blocks the thread until what was asked is done, for 10 seconds at the most.
#[derive(Debug)]
pub struct Sqlite {
    opening: Opening,
    queue: Queue,
    readers: Readers,
    /// None once it was closed.
    leases: Mutex<Option<Leases>>,
    /// Both end with the writer: for those who await, and for those who block.
    ended: watch::Receiver<()>,
    ended_blocking: Mutex<mpsc::Receiver<()>>,
    #[cfg(test)]
    transactions: Arc<AtomicU64>,
}

impl Sqlite {
    /// Open the store of a directory, which is made where it is missing. Blocks while the database recovers.
    ///
    /// # Errors
    /// Every kind of [`OpenError`]. What is not ours stays as it is.
    pub fn open(directory: &Path, options: SqliteOptions) -> Result<Self, OpenError> {
        let directory = Directory::claim(directory)?;
        let failed = |error: rusqlite::Error| unreachable(directory.database(), error);
        let connection = schema::connect_writer(directory.database())?;
        let space = Space::new(&connection, options.max_bytes).map_err(failed)?;
        let opening = space
            .open_reserve(&connection)
            .and_then(|()| schema::begin_epoch(&connection, super::epoch::new()))
            .and_then(|opening| space.restrict(&connection).map(|()| opening))
            .map_err(failed)?;

        let (readers, questions) = Readers::new();
        let questions = Arc::new(Mutex::new(questions));
        let mut threads = Vec::with_capacity(READERS);
        for number in 1..=READERS {
            let (connection, questions) =
                (schema::connect_reader(directory.database()).map_err(failed)?, questions.clone());
            let thread = thread::Builder::new().name(format!("sqlite-read-{number}"));
            let thread = thread.spawn(move || reader::serve(&connection, &questions));
            threads.push(thread.map_err(|error| unreachable(directory.database(), error))?);
        }

        let (queue, jobs) = Queue::new();
        let transactions = Arc::new(AtomicU64::new(0));
        let path = directory.database().to_owned();
        let writer = Writer {
            connection,
            models: Models::default(),
            outcomes: Outcomes::new(Retention::of_outcomes(&options.retention)),
            space,
            checkpoints: Checkpoints::default(),
            retention: Retention::new(&options.retention),
            opening,
            transactions: transactions.clone(),
            readers: threads,
            directory,
        };
        let (ends, ended) = watch::channel(());
        let (ends_blocking, ended_blocking) = mpsc::channel();
        let run = move || {
            // Dropped last, however the writer ends.
            let _ends = (ends, ends_blocking);
            writer.run(&jobs);
        };
        thread::Builder::new().name("sqlite-write".into()).spawn(run).map_err(|error| unreachable(&path, error))?;
        Ok(Self {
            opening,
            queue,
            readers,
            leases: Mutex::new(Some(Leases::default())),
            ended,
            ended_blocking: Mutex::new(ended_blocking),
            #[cfg(test)]
            transactions,
        })
    }

    /// The epochs of a model that are remembered, oldest first and the present one last, each with the head at which it
    /// began. A position `(e, r)` is in this history if `e` is among them and `r` is no more than where the next began.
    pub fn epochs(&self, model: &ModelName) -> Answer<Vec<(Epoch, Revision)>> {
        let model = model.clone();
        self.readers.ask(move |connection| select::epochs(connection, &model))
    }

    fn begin_to_close(&self) {
        self.queue.close();
        self.readers.close();
        self.leases.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl Store for Sqlite {
    fn commit(&self, commits: Few<Commit>) -> Answer<Few<Outcome>> {
        self.queue.call(commits)
    }

    fn read(&self, model: &ModelName, read: Read) -> Answer<Snapshot> {
        let (opening, model) = (self.opening, model.clone());
        self.readers.ask(move |connection| select::snapshot(connection, opening, &model, &read))
    }

    fn changes(&self, model: &ModelName, after: Position, limit: usize) -> Answer<Option<Page>> {
        let (opening, model) = (self.opening, model.clone());
        self.readers.ask(move |connection| select::changes(connection, opening, &model, after, limit))
    }

    fn positions(&self, models: &[ModelName]) -> Answer<Vec<Position>> {
        let (opening, models) = (self.opening, models.to_vec());
        self.readers
            .ask(move |connection| models.iter().map(|model| select::position(connection, opening, model)).collect())
    }

    fn is_shared(&self) -> bool {
        false
    }

    fn owned(&self) -> Answer<Vec<Owned>> {
        self.readers.ask(select::owned)
    }

    fn renew(&self, lease: Lease, now: Millis) -> Answer<Nodes> {
        let mut leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        Answer::Ready(Some(leases.as_mut().map(|leases| leases.renew(lease, now)).ok_or(StoreError::Closed)))
    }

    fn close(&self) -> Answer<()> {
        self.begin_to_close();
        let mut ended = self.ended.clone();
        Answer::later(async move {
            while ended.changed().await.is_ok() {}
            Ok(())
        })
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        self.begin_to_close();
        let ended = self.ended_blocking.get_mut().unwrap_or_else(PoisonError::into_inner);
        if ended.recv_timeout(DROP) == Err(RecvTimeoutError::Timeout) {
            warn!("the database is still busy and was left to itself");
        }
    }
}
