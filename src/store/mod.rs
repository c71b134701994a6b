//! Where records and their history live: the trait every backend implements, and its values.
//!
//! A store keeps, for each model, its records and a log of changes numbered 1, 2, 3 … without gaps. That log is the
//! truth; whatever travels between connections and nodes is derived from it and can be read again from here.

#[cfg(test)]
mod conformance;
mod memory;
#[cfg(feature = "server")]
pub mod open;
mod sqlite;

pub use memory::Memory;
pub use sqlite::{Sqlite, SqliteOptions};

use backsync_protocol::{Attributes, ModelName, Position, Record, RecordId, Revision};
use std::{
    future::Future,
    num::NonZeroU32,
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

/// Changes kept for those who come back, at the least.
pub const LOG_ENTRIES: usize = 10_000;

/// Records and the log of their changes, by model.
///
/// # Guarantees
/// - A [`Commit`] is applied whole or not at all, and when its answer is `Ok` it survives whatever the store promises to
///   survive.
/// - Commits of one model take effect in the order of the calls; their changes are numbered in that order.
/// - A store that never waits gives answers that are [`Answer::Ready`].
/// - A read sees every commit that was answered before it was asked.
pub trait Store: Send + Sync + 'static {
    /// Apply commits in their order, each atomic, as one step where the store can. The answer has one entry for each.
    ///
    /// # Errors
    /// With an error none of them was applied, but for [`StoreError::Unavailable`], which does not know.
    fn commit(&self, model: &ModelName, commits: Vec<Commit>, bounds: Bounds) -> Answer<Vec<Committed>>;

    /// The selected records as they all are at one position.
    fn read(&self, model: &ModelName, selection: Selection) -> Answer<Snapshot>;

    /// The changes after `after`, at most `limit` of them, oldest first; `None` where the log does not reach back so far.
    fn changes(&self, model: &ModelName, after: Revision, limit: usize) -> Answer<Option<Vec<Change>>>;

    /// Where the model stands.
    fn position(&self, model: &ModelName) -> Answer<Position>;

    /// Finish what was asked, and let go of files and connections. Later calls answer [`StoreError::Closed`].
    fn close(&self) -> Answer<()>;
}

/// One atomic step on one model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// In the order in which they take effect.
    pub operations: Vec<Operation>,
}

/// A part of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Update or insert.
    Upsert {
        /// The record.
        id: RecordId,
        /// What is set.
        attributes: Attributes,
        /// Whether attributes that are not given go.
        replace: bool,
    },
    /// Remove; nothing happens where there is no such record.
    Delete {
        /// The record.
        id: RecordId,
    },
}

/// What a model may grow to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bounds {
    /// Beyond this many records the oldest (by insertion) go, in the commit that exceeds it.
    pub max_records: Option<NonZeroU32>,
}

/// What became of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// For each operation the record after it; none after a deletion.
    pub records: Vec<Option<Record>>,
    /// What changed, in order, evictions last. Empty where nothing did.
    pub changes: Vec<Change>,
    /// Where the model stands after it.
    pub position: Position,
}

/// An entry of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its number.
    pub revision: Revision,
    /// What happened.
    pub kind: ChangeKind,
    /// The record after an upsert, and as it last was at a deletion.
    pub record: Record,
}

/// What happened to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// It was inserted or updated.
    Upsert,
    /// Somebody deleted it.
    Delete,
    /// It went because the model was full.
    Evict,
}

/// Which records to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// All, in the order of their insertion.
    All,
    /// Those of these ids that exist, in the order of the ids.
    Ids(Vec<RecordId>),
}

/// Records at one position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The records.
    pub records: Vec<Record>,
    /// The position at which they are so.
    pub position: Position,
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
}

fn owner(pid: Option<u32>) -> String {
    pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
}

/// A new name for a history.
fn new_epoch() -> backsync_protocol::Epoch {
    loop {
        let random = u64::try_from(uuid::Uuid::new_v4().as_u128() >> 64).expect("the upper half of 128 bits");
        if let Some(epoch) = std::num::NonZeroU64::new(random) {
            return backsync_protocol::Epoch(epoch);
        }
    }
}
