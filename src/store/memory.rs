//! A store in memory: the reference that the others are compared with.
//!
//! Each model has a lock of its own, and every answer is ready at once. A history ends with the process.

use super::{
    Answer, Bounds, Change, ChangeKind, Commit, Committed, LOG_ENTRIES, Operation, Selection, Snapshot, Store,
    new_epoch,
};
use backsync_protocol::{Attributes, Epoch, ModelName, Position, Record, RecordId, Revision};
use foldhash::HashMap;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, PoisonError, RwLock},
};

/// The store of `memory:`.
#[derive(Debug)]
pub struct Memory {
    epoch: Epoch,
    log_entries: usize,
    models: RwLock<HashMap<ModelName, Arc<Mutex<Model>>>>,
}

impl Default for Memory {
    fn default() -> Self {
        Self::with_log(LOG_ENTRIES)
    }
}

impl Memory {
    /// An empty store that keeps the last `log_entries` changes of each model.
    pub fn with_log(log_entries: usize) -> Self {
        Self { epoch: new_epoch(), log_entries, models: RwLock::default() }
    }

    fn model(&self, name: &ModelName) -> Arc<Mutex<Model>> {
        if let Some(model) = self.models.read().unwrap_or_else(PoisonError::into_inner).get(name) {
            return model.clone();
        }
        self.models.write().unwrap_or_else(PoisonError::into_inner).entry(name.clone()).or_default().clone()
    }

    fn with<T: Send + 'static>(&self, name: &ModelName, work: impl FnOnce(&mut Model) -> T) -> Answer<T> {
        let model = self.model(name);
        let answer = work(&mut model.lock().unwrap_or_else(PoisonError::into_inner));
        Answer::ready(answer)
    }

    fn at(&self, revision: Revision) -> Position {
        Position { epoch: self.epoch, revision }
    }
}

impl Store for Memory {
    fn commit(&self, model: &ModelName, commits: Vec<Commit>, bounds: Bounds) -> Answer<Vec<Committed>> {
        self.with(model, |model| {
            let apply = |commit| {
                let (records, changes) = model.apply(commit, bounds, self.log_entries);
                Committed { records, changes, position: self.at(model.head) }
            };
            commits.into_iter().map(apply).collect()
        })
    }

    fn read(&self, model: &ModelName, selection: Selection) -> Answer<Snapshot> {
        self.with(model, |model| Snapshot { records: model.select(&selection), position: self.at(model.head) })
    }

    fn changes(&self, model: &ModelName, after: Revision, limit: usize) -> Answer<Option<Vec<Change>>> {
        self.with(model, |model| {
            let first = model.log.front().map_or(model.head.next(), |change| change.revision);
            let skip = after.next().0.checked_sub(first.0)?;
            let skip = usize::try_from(skip).unwrap_or(usize::MAX);
            Some(model.log.iter().skip(skip).take(limit).cloned().collect())
        })
    }

    fn position(&self, model: &ModelName) -> Answer<Position> {
        self.with(model, |model| self.at(model.head))
    }

    fn close(&self) -> Answer<()> {
        Answer::ready(())
    }
}

#[derive(Debug, Default)]
struct Model {
    head: Revision,
    records: HashMap<RecordId, Stored>,
    /// By the revision of the insertion.
    order: BTreeMap<Revision, RecordId>,
    log: VecDeque<Change>,
}

#[derive(Debug)]
struct Stored {
    record: Record,
    inserted: Revision,
}

impl Model {
    fn apply(&mut self, commit: Commit, bounds: Bounds, log_entries: usize) -> (Vec<Option<Record>>, Vec<Change>) {
        let mut changes = Vec::with_capacity(commit.operations.len());
        let mut records = Vec::with_capacity(commit.operations.len());
        for operation in commit.operations {
            let (record, change) = match operation {
                Operation::Upsert { id, attributes, replace } => self.upsert(id, &attributes, replace),
                Operation::Delete { id } => (None, self.remove(&id, ChangeKind::Delete)),
            };
            records.push(record);
            changes.extend(change);
        }
        if let Some(max) = bounds.max_records {
            while self.order.len() > max.get() as usize {
                let oldest = self.order.values().next().cloned().expect("more than the bound is more than none");
                changes.extend(self.remove(&oldest, ChangeKind::Evict));
            }
        }
        self.log.extend(changes.iter().cloned());
        self.log.drain(..self.log.len().saturating_sub(log_entries));
        (records, changes)
    }

    fn upsert(&mut self, id: RecordId, given: &Attributes, replace: bool) -> (Option<Record>, Option<Change>) {
        let revision = self.head.next();
        let record = match self.records.get_mut(&id) {
            None => {
                let record = Record::new(id.clone(), given, revision);
                self.order.insert(revision, id.clone());
                self.records.insert(id, Stored { record: record.clone(), inserted: revision });
                record
            }
            Some(stored) => match given.over(&stored.record, replace).expect("a record in memory is a JSON object") {
                None => return (Some(stored.record.clone()), None),
                Some(attributes) => {
                    stored.record = Record::new(id, &attributes, revision);
                    stored.record.clone()
                }
            },
        };
        self.head = revision;
        (Some(record.clone()), Some(Change { revision, kind: ChangeKind::Upsert, record }))
    }

    fn remove(&mut self, id: &RecordId, kind: ChangeKind) -> Option<Change> {
        let stored = self.records.remove(id)?;
        self.order.remove(&stored.inserted);
        self.head = self.head.next();
        Some(Change { revision: self.head, kind, record: stored.record })
    }

    fn select(&self, selection: &Selection) -> Vec<Record> {
        let of = |id: &RecordId| self.records.get(id).map(|stored| stored.record.clone());
        match selection {
            Selection::All => self.order.values().filter_map(of).collect(),
            Selection::Ids(ids) => ids.iter().filter_map(of).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance::{Fixture, conformance};

    struct InMemory;
    impl Fixture for InMemory {
        fn open(&self, log_entries: usize) -> Arc<dyn Store> {
            Arc::new(Memory::with_log(log_entries))
        }
    }
    conformance!(InMemory);
}
