//! What is written: commits, and what becomes of them.

use super::{Change, Millis, Owner};
use backsync_protocol::{ConflictPolicy, ModelName, Position, Record, RecordId, RecordInput, Revision, Side};
use smallvec::SmallVec;
use std::{
    num::{NonZeroU32, NonZeroU64},
    sync::Arc,
};

/// Mostly one: kept in place, without an allocation, where it is. For small things: what is in place is moved with its holder.
pub type Few<T> = SmallVec<[T; 1]>;

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
