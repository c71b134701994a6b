//! What is read: records at one position, and the log.

use backsync_protocol::{Cursor, Filter, Position, Record, RecordId, Revision, Sort};

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
