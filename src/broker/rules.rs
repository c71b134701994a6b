//! What holds for single models.

use crate::store::{Bounds, Terms};
use backsync_protocol::{ConflictPolicy, ModelName};
use std::collections::BTreeMap;

/// What holds for a model. The default is what holds for one that nobody said anything about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModelRules {
    /// What it may grow to.
    pub bounds: Bounds,
    /// Whether records that go by these bounds are pushed as deletions.
    pub push_evictions: bool,
    /// What decides where a record is not as a writer knew it, and the write does not say.
    pub policy: ConflictPolicy,
    /// Whether a record belongs to the session that wrote it, and goes with it.
    pub ephemeral: bool,
    /// Models of one group may be written in one batch; without a name, a model is a group of its own.
    pub group: Option<String>,
    /// Attributes that name records of other models (or of this one).
    pub references: BTreeMap<String, Reference>,
}

/// What an attribute leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// It is the id of a record of this model, or an array of such.
    One(ModelName),
    /// It is an array of them.
    Many(ModelName),
    /// It is not stored: the records of the other model whose attribute, which is a reference itself, names the record.
    Through(ModelName, String),
}

impl Reference {
    /// The model whose records it leads to.
    pub fn model(&self) -> &ModelName {
        match self {
            Self::One(model) | Self::Many(model) | Self::Through(model, _) => model,
        }
    }
}

impl ModelRules {
    /// The terms of a write that says nothing about them.
    pub(super) fn terms(&self) -> Terms {
        Terms { policy: self.policy, ..Terms::default() }
    }
}
