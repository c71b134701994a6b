//! Records that are put together from pages and from what changed while these were read.

use super::value::Stored;
use crate::store::{ChangeKind, Read, Selection, shape};
use backsync_protocol::{Cursor, Record, RecordId, Revision};
use std::collections::{BTreeSet, HashMap, HashSet};

/// Records by id, and what is gone.
#[derive(Default)]
pub(super) struct View {
    records: HashMap<String, (Revision, Record)>,
    gone: BTreeSet<(Revision, String)>,
    /// Only these, where not all.
    chosen: Option<HashSet<String>>,
}

impl View {
    pub(super) fn of(selection: &Selection) -> Self {
        let chosen = match selection {
            Selection::All => None,
            Selection::Ids(ids) => Some(ids.iter().map(|id| id.as_str().to_owned()).collect()),
        };
        Self { chosen, ..Self::default() }
    }

    fn is_chosen(&self, id: &str) -> bool {
        self.chosen.as_ref().is_none_or(|chosen| chosen.contains(id))
    }

    /// How many records there are.
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    pub(super) fn put(&mut self, Stored { record, born }: Stored) {
        if self.is_chosen(record.id()) {
            self.records.insert(record.id().to_owned(), (born, record));
        }
    }

    /// A deletion that is known from its grave.
    pub(super) fn bury(&mut self, id: &str, revision: Revision) {
        if self.is_chosen(id) {
            self.gone.insert((revision, id.to_owned()));
        }
    }

    /// What happened to a record at a revision.
    pub(super) fn apply(&mut self, revision: Revision, kind: ChangeKind, stored: Stored) {
        match kind {
            ChangeKind::Insert | ChangeKind::Update => self.put(stored),
            ChangeKind::Delete | ChangeKind::Evict => {
                self.records.remove(stored.record.id());
                self.bury(stored.record.id(), revision);
            }
        }
    }

    /// What a read asked for, of records as they are.
    pub(super) fn select(mut self, read: &Read) -> (Vec<Record>, Option<Cursor>) {
        let mut records: Vec<_> = match &read.selection {
            Selection::All => {
                let mut all: Vec<_> = self.records.into_values().collect();
                all.sort_unstable_by_key(|(born, _)| *born);
                all
            }
            // As often as they were asked for.
            Selection::Ids(ids) => {
                let mut find = |id: &RecordId| self.records.get_mut(id.as_str()).cloned();
                ids.iter().filter_map(&mut find).collect()
            }
        };
        if let Some(filter) = &read.filter {
            records.retain(|(_, record)| filter.matches(record.json()));
        }
        shape::shape(records, read)
    }

    /// What became of records: those that are there and match, in the order of their insertion, and what is gone or does not match.
    pub(super) fn became(self, read: &Read) -> (Vec<Record>, Vec<RecordId>) {
        let id = |id: &str| RecordId::parse(id).expect("the id of a record is one");
        let mut seen = HashSet::new();
        let is_gone = |(_, gone): &&(Revision, String)| !self.records.contains_key(gone) && seen.insert(gone.clone());
        let mut deleted: Vec<RecordId> = self.gone.iter().filter(is_gone).map(|(_, gone)| id(gone)).collect();
        let mut present: Vec<_> = self.records.into_values().collect();
        present.sort_unstable_by_key(|(born, _)| *born);
        let mut records = Vec::with_capacity(present.len());
        for (_, record) in present {
            if read.filter.as_ref().is_none_or(|filter| filter.matches(record.json())) {
                records.push(record);
            } else {
                deleted.push(id(record.id()));
            }
        }
        (records, deleted)
    }
}
