//! Where records and their history live: the trait every backend implements, and its values.
//!
//! A store keeps, for each model, its records and a log of changes numbered 1, 2, 3 … without gaps. That log is the
//! truth; whatever travels between connections and nodes is derived from it and can be read again from here.

mod commit;
#[cfg(test)]
mod conformance;
mod decide;
mod epoch;
mod lease;
mod look;
mod memory;
#[cfg(feature = "server")]
pub mod open;
mod owner;
mod redis;
mod shape;
mod sqlite;

pub use commit::{
    Bounds, Commit, Committed, Done, Few, Operation, Outcome, Part, Rejected, Rejection, Terms, Transaction,
};
pub use lease::{Lease, Nodes};
pub use look::{Change, ChangeKind, Page, Read, Selection, Snapshot};
pub use memory::Memory;
pub use owner::Owner;
pub(crate) use redis::Process;
#[cfg(test)]
pub(crate) use redis::two_over_redis;
pub use redis::{Groups, Redis, RedisOptions};
pub use sqlite::{Sqlite, SqliteOptions};

use backsync_protocol::{ModelName, Position, RecordId};
use std::{
    future::Future,
    path::PathBuf,
    pin::Pin,
    task::{Context, Poll},
};

/// An answer that may take a while. The work is not cancelled by dropping it: what was asked of a store is done.
pub enum Answer<T> {
    /// It is there. None once it was taken.
    Ready(Option<Result<T, StoreError>>),
    /// It comes.
    Later(Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send>>),
}

impl<T> Answer<T> {
    /// An answer that is there.
    pub fn ready(answer: T) -> Self {
        Self::Ready(Some(Ok(answer)))
    }

    /// An answer that comes.
    pub fn later(answer: impl Future<Output = Result<T, StoreError>> + Send + 'static) -> Self {
        Self::Later(Box::pin(answer))
    }
}

impl<T> Unpin for Answer<T> {}

impl<T> Future for Answer<T> {
    type Output = Result<T, StoreError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut *self {
            Self::Ready(answer) => Poll::Ready(answer.take().expect("an answer is taken once")),
            Self::Later(answer) => answer.as_mut().poll(context),
        }
    }
}

/// Milliseconds since 1970, by the clock of whoever asks: a store that works in this process has none of its own.
pub type Millis = u64;

/// What a store keeps beside the records, for those who come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Changes of each model, at the least.
    pub log_entries: usize,
    /// Deletions of each model beyond the log, at the most so many,
    pub tombstones: usize,
    /// and not older than this.
    pub tombstone_age: Millis,
    /// Outcomes of transactions, counted by the records they changed: at the most so many,
    pub outcomes: usize,
    /// and not older than this.
    pub outcome_age: Millis,
}

impl Default for Retention {
    fn default() -> Self {
        const DAY: Millis = 24 * 60 * 60 * 1000;
        Self { log_entries: 10_000, tombstones: 100_000, tombstone_age: 7 * DAY, outcomes: 100_000, outcome_age: DAY }
    }
}

/// Records and the log of their changes, by model.
///
/// # Guarantees
/// - A [`Commit`] is applied whole or not at all, and when its answer is `Ok` it survives whatever the store promises to
///   survive.
/// - Commits that share a model take effect in the order of the calls; each model's changes are numbered in that order.
/// - A transaction takes effect once: repeated, it is answered with its first outcome, a rejection too.
/// - A store that never waits gives answers that are [`Answer::Ready`].
/// - A read sees every commit that was answered before it was asked.
pub trait Store: Send + Sync + 'static {
    /// Apply commits in their order, each atomic, as one step where the store can. The answer has one entry for each.
    ///
    /// # Errors
    /// With an error none of them was applied, but for [`StoreError::Unavailable`], which does not know.
    fn commit(&self, commits: Few<Commit>) -> Answer<Few<Outcome>>;

    /// The records asked for as they all are at one position, or what became of them since another.
    fn read(&self, model: &ModelName, read: Read) -> Answer<Snapshot>;

    /// The changes after a position, at most `limit` of them, oldest first, and where the model stands: one look at both.
    ///
    /// A position of an earlier history is good as far as that one is part of the present one: its epoch is in the model's chain,
    /// and its revision not beyond the one at which the next epoch began. What follows it is numbered by the present epoch.
    /// `None` where the position is not of this history, or the log does not reach back so far.
    fn changes(&self, model: &ModelName, after: Position, limit: usize) -> Answer<Option<Page>>;

    /// Where each of these models stands, in their order.
    fn positions(&self, models: &[ModelName]) -> Answer<Vec<Position>>;

    /// Where the model stands.
    fn position(&self, model: &ModelName) -> Answer<Position> {
        let only = |mut positions: Vec<Position>| positions.pop().expect("one position for one model");
        match self.positions(std::slice::from_ref(model)) {
            Answer::Ready(answer) => Answer::Ready(answer.map(|answer| answer.map(only))),
            Answer::Later(answer) => Answer::later(async move { answer.await.map(only) }),
        }
    }

    /// Whether others than this process may write to it: then it has to be asked now and then where its models stand.
    fn is_shared(&self) -> bool;

    /// All records that belong to a session.
    fn owned(&self) -> Answer<Vec<Owned>>;

    /// Begin a node's lease or renew it, and tell which nodes are alive. A store that others share goes by a clock of its own,
    /// which is the same for all nodes; one of this process goes by `now`. Which leases there are ends with such a store.
    fn renew(&self, lease: Lease, now: Millis) -> Answer<Nodes>;

    /// Finish what was asked, and let go of files and connections. Later calls answer [`StoreError::Closed`].
    fn close(&self) -> Answer<()>;
}

/// A record that goes with its session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owned {
    /// The model.
    pub model: ModelName,
    /// The record.
    pub id: RecordId,
    /// Whose it is.
    pub owner: Owner,
}

/// Why a store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No room; nothing was applied. Reads and deletions may still work.
    #[error("the store is full")]
    Full,
    /// It cannot answer; whether a commit was applied is not known.
    #[error("the store is unavailable: {0}")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It was closed.
    #[error("the store is closed")]
    Closed,
}

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process works with it.
    #[error("{} is in use by another process{}; stop that one, or use another directory", path.display(), owner(*pid))]
    InUse {
        /// The data directory.
        path: PathBuf,
        /// The process, where it left its number.
        pid: Option<u32>,
    },
    /// It was made by another version.
    #[error("{} has data of format {found}, this backsync works with format {expected}", path.display())]
    OtherVersion {
        /// The file.
        path: PathBuf,
        /// The format it has.
        found: i64,
        /// The format this program reads.
        expected: i64,
    },
    /// There is something else.
    #[error("{} is not a backsync database", path.display())]
    NotOurs {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be reached or read.
    #[error("cannot open {}: {source}", path.display())]
    Unreachable {
        /// What was to be opened.
        path: PathBuf,
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Redis cannot be reached, or is not fit.
    #[error(transparent)]
    Link(#[from] crate::link::LinkError),
}

fn owner(pid: Option<u32>) -> String {
    pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
}
