//! What of a model somebody hears: all of it, single records, or what matches filters.

use crate::broker::{chunk::Chunk, framing::Framing};
use backsync_protocol::{Filter, Query, RecordId, Revision, Which};
use bytes::Bytes;
use std::collections::BTreeSet;

/// What of a model a connection hears.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Scope {
    /// Everything.
    pub(crate) whole: bool,
    /// These records.
    pub(crate) ids: BTreeSet<RecordId>,
    /// What matches one of these, each for itself.
    pub(crate) filters: Vec<Filter>,
}

impl Scope {
    /// What a query asks to hear.
    pub(crate) fn of(query: &Query) -> Self {
        let mut scope = Self::default();
        match (&query.filter, &query.which) {
            (Some(filter), _) => scope.filters.push(filter.clone()),
            (None, Which::All) => scope.whole = true,
            (None, Which::One(id)) => drop(scope.ids.insert(id.clone())),
            (None, Which::Ids(ids)) => scope.ids.extend(ids.iter().cloned()),
        }
        scope
    }

    /// What either hears.
    pub(crate) fn union(mut self, other: Self) -> Self {
        self.whole |= other.whole;
        self.ids.extend(other.ids);
        for filter in other.filters {
            if !self.filters.contains(&filter) {
                self.filters.push(filter);
            }
        }
        self
    }

    /// What is left without `other`.
    pub(crate) fn without(mut self, other: &Self) -> Self {
        self.whole &= !other.whole;
        self.ids.retain(|id| !other.ids.contains(id));
        self.filters.retain(|filter| !other.filters.contains(filter));
        self
    }

    /// Whether there is nothing to hear.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The same in parts that a store can be asked for: single records or all, and each filter.
    pub(super) fn parts(&self) -> Vec<Self> {
        let of = |filter: &Filter| Self { filters: vec![filter.clone()], ..Self::default() };
        let mut parts: Vec<Self> = self.filters.iter().map(of).collect();
        if self.whole {
            // Who hears the whole model hears its single records.
            parts.push(Self { whole: true, ..Self::default() });
        } else if !self.ids.is_empty() {
            parts.push(Self { filters: Vec::new(), ..self.clone() });
        }
        parts
    }

    /// How many listeners that is.
    pub(crate) fn len(&self) -> usize {
        usize::from(self.whole) + self.ids.len() + self.filters.len()
    }

    /// The frames of a chunk that are in scope, those of a part of it only where `part` says so.
    pub(super) fn frames(&self, chunk: &Chunk, framing: Framing, part: Part) -> Vec<Bytes> {
        let mut frames = Vec::new();
        if self.whole {
            frames.push(match part {
                Part::All => chunk.whole(framing).clone(),
                Part::UpTo(revision) => chunk.up_to(revision, framing),
                Part::After(revision) => chunk.after(revision, framing),
            });
        }
        if self.filters.is_empty() && (self.whole || self.ids.is_empty()) {
            return frames;
        }
        let mut json = String::new();
        for (at, change) in chunk.changes().iter().enumerate().filter(|(_, change)| part.contains(change.revision)) {
            // Who hears the whole model has it already.
            if !self.whole && self.ids.contains(change.record.id()) {
                frames.push(chunk.single(at, framing));
            }
            for filter in &self.filters {
                if let Some(effect) = chunk.effect(change, filter) {
                    let mut frame = Vec::new();
                    json.clear();
                    chunk.append_filtered(change, effect, filter, &mut json);
                    chunk.append(framing, &json, &mut frame);
                    frames.push(frame.into());
                }
            }
        }
        frames
    }
}

/// A part of a run of changes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part {
    All,
    UpTo(Revision),
    After(Revision),
}

impl Part {
    fn contains(self, revision: Revision) -> bool {
        match self {
            Self::All => true,
            Self::UpTo(last) => revision <= last,
            Self::After(last) => revision > last,
        }
    }
}
