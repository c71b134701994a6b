//! Where records and their history live: the trait every backend implements, and its values.
//!
//! A store keeps, for each model, its records and a log of changes numbered 1, 2, 3 … without gaps. That log is the
//! truth; whatever travels between connections and nodes is derived from it and can be read again from here.

#[cfg(test)]
mod conformance;
mod decide;
mod epoch;
mod lease;
mod memory;
#[cfg(feature = "server")]
pub mod open;
mod owner;
mod redis;
mod shape;
mod sqlite;

pub use lease::{Lease, Nodes};
pub use memory::Memory;
pub use owner::Owner;
pub(crate) use redis::Process;
#[cfg(test)]
pub(crate) use redis::two_over_redis;
pub use redis::{Groups, Redis, RedisOptions};
pub use sqlite::{Sqlite, SqliteOptions};

use backsync_protocol::{
    ConflictPolicy, Cursor, Filter, ModelName, Position, Record, RecordId, RecordInput, Revision, Side, Sort,
};
use smallvec::SmallVec;
use std::{
    future::Future,
    num::{NonZeroU32, NonZeroU64},
    path::PathBuf,
    pin::Pin,
    sync::Arc,
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

/// Mostly one: kept in place, without an allocation, where it is. For small things: what is in place is moved with its holder.
pub type Few<T> = SmallVec<[T; 1]>;

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

/// One atomic step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// What is done to each model; no model is named twice.
    pub parts: Vec<Part>,
    /// What makes it take effect once.
    pub transaction: Option<Box<Transaction>>,
    /// When it happens.
    pub now: Millis,
}

/// What a commit does to one model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The model.
    pub model: ModelName,
    /// What the model may grow to.
    pub bounds: Bounds,
    /// In the order in which they take effect. Without any, only what is beyond the bounds goes.
    pub operations: Few<Operation>,
}

/// Names a write over all its repetitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// Whose it is.
    pub client: Arc<str>,
    /// Which of theirs.
    pub id: Box<str>,
    /// A digest of what is asked for: a repetition has the same.
    pub digest: [u8; 16],
}

/// A part of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Update or insert.
    Upsert {
        /// What is set.
        record: RecordInput,
        /// Whether attributes that are not given go.
        replace: bool,
        /// What else was said about it.
        terms: Terms,
    },
    /// Remove; nothing happens where there is no such record.
    Delete {
        /// The record.
        id: RecordId,
        /// What else was said about it.
        terms: Terms,
    },
    /// Have this node hold a record of this session that another one holds. It is not numbered, and nothing happens where there is
    /// no such record, it is not the session's, or yet another node holds it by now.
    Adopt {
        /// The record.
        id: RecordId,
        /// The session that it belongs to, and the node that holds it from now on.
        owner: Owner,
        /// The node that held it.
        from: Arc<str>,
    },
    /// The same, where there is no such record: insert it.
    Restore {
        /// As it was.
        record: RecordInput,
        /// The session that it belongs to, and the node that holds it from now on.
        owner: Owner,
        /// The node that held it.
        from: Arc<str>,
    },
    /// Remove a record of this session, if this node holds it; else nothing happens.
    Release {
        /// The record.
        id: RecordId,
        /// Exactly who it has to belong to.
        owner: Owner,
    },
}

impl Operation {
    /// The record that it is about.
    pub fn id(&self) -> &str {
        match self {
            Self::Upsert { record, .. } | Self::Restore { record, .. } => record.id(),
            Self::Delete { id, .. } | Self::Adopt { id, .. } | Self::Release { id, .. } => id.as_str(),
        }
    }

    /// In whose name it is done.
    pub fn owner(&self) -> Option<&Owner> {
        match self {
            Self::Upsert { terms, .. } | Self::Delete { terms, .. } => terms.owner.as_ref(),
            Self::Adopt { owner, .. } | Self::Restore { owner, .. } | Self::Release { owner, .. } => Some(owner),
        }
    }
}

/// On which terms a record is written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Terms {
    /// What decides where the record is not as the writer knew it.
    pub policy: ConflictPolicy,
    /// Whose value a merge takes where both sides changed one; without it, that is a conflict.
    pub prefer: Option<Side>,
    /// The record's revision as the writer knew it.
    pub base: Option<Revision>,
    /// When it was edited, by the writer's clock.
    pub last_change: Option<Millis>,
    /// Who the record is to belong to: it moves to the writer's node with each write of its session. Who writes without an
    /// owner makes no claim, and asks for no leave.
    pub owner: Option<Owner>,
}

/// What a model may grow to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bounds {
    /// Beyond this many records the oldest (by insertion) go, in the commit that exceeds it.
    pub max_records: Option<NonZeroU32>,
    /// Milliseconds after its insertion a record goes, in the next commit.
    pub max_age: Option<NonZeroU64>,
}

/// What became of a commit: done, or refused as a whole with nothing changed.
pub type Outcome = Result<Committed, Box<Rejected>>;

/// What became of each part of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// In the order of the parts.
    pub parts: Vec<Done>,
}

/// What became of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// For each operation the record as it left it; none where there is no record then.
    pub records: Few<Option<Record>>,
    /// What changed, in order, evictions last. Empty where nothing did, and for a repeated transaction.
    pub changes: Few<Change>,
    /// Where the model stands after it.
    pub position: Position,
}

/// Why a commit was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Which part of the commit,
    pub part: usize,
    /// and which operation of it.
    pub operation: usize,
    /// Why.
    pub why: Rejection,
}

/// Why an operation was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejection {
    /// The record is not as the writer knew it.
    Conflict {
        /// As it is; none where it was deleted.
        record: Option<Record>,
        /// The attributes that both sides changed, where the policy looks at them.
        properties: Vec<String>,
    },
    /// The record belongs to another session.
    NotOwner,
    /// The transaction's name was used for something else.
    TransactionReused,
}

/// An entry of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its number.
    pub revision: Revision,
    /// What happened.
    pub kind: ChangeKind,
    /// The record after an insertion or update, and as it last was at a deletion.
    pub record: Record,
    /// The record before an update. Only the outcome of a commit has it, not what is read from the log.
    pub before: Option<Record>,
}

/// A piece of a model's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Changes in a row, oldest first.
    pub changes: Vec<Change>,
    /// Where the model stands: it may be further than the last of them.
    pub position: Position,
}

/// What happened to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// It is new.
    Insert,
    /// It is another.
    Update,
    /// Somebody deleted it.
    Delete,
    /// It went because the model was full, or it was too old.
    Evict,
}

/// What to read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Read {
    /// Which records,
    pub selection: Selection,
    /// and of these only the ones that match.
    pub filter: Option<Filter>,
    /// In which order; without it, that of the selection.
    pub sort: Option<Sort>,
    /// So many are left out at the beginning.
    pub skip: usize,
    /// No more than so many.
    pub limit: Option<usize>,
    /// Only those behind this place in the order; it goes with [`Selection::All`].
    pub after: Option<Cursor>,
    /// Only what became of them after this position; it goes with a selection and a filter, not with order and limits.
    pub since: Option<Position>,
}

/// Which records to read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Selection {
    /// All, in the order of their insertion.
    #[default]
    All,
    /// Those of these ids that exist, in the order of the ids (after a position: of their insertion).
    Ids(Vec<RecordId>),
}

/// Records at one position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The records; after a position, those that were inserted or changed since and match, in the order of their insertion.
    pub records: Vec<Record>,
    /// After a position: what was deleted since, or changed and does not match.
    pub deleted: Vec<RecordId>,
    /// The position asked about is not of this history, or too long ago: this is everything.
    pub reset: bool,
    /// Where the limit cut off more records of [`Selection::All`]: behind which place they are.
    pub next: Option<Cursor>,
    /// The position at which the records are so.
    pub position: Position,
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
