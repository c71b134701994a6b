//! What the sessions of this node own, as it last was: to be written again where others took the node for dead.
//!
//! It is bounded by the records themselves: what is no record of this node's any more goes with the next look at the store.

use super::{Look, Named};
use crate::store::{Change, ChangeKind, Done, Owned, Owner};
use backsync_protocol::{ModelName, Record, RecordId};
use std::collections::HashMap;

#[derive(Debug, Default)]
pub(super) struct Kept(HashMap<(ModelName, RecordId), Entry>);

#[derive(Debug)]
struct Entry {
    record: Record,
    /// For whom it was written: by an incarnation of this node, perhaps an earlier one.
    owner: Owner,
    /// The look that had begun when it was written.
    look: Look,
    /// Its deletion is on its way.
    is_going: bool,
}

impl Kept {
    /// What these operations delete is going, or is not, after all.
    pub(super) fn deletes(&mut self, model: &ModelName, named: &[Named], is_going: bool) {
        for id in named.iter().filter_map(|named| named.deletes.as_ref()) {
            if let Some(entry) = self.0.get_mut(&(model.clone(), id.clone())) {
                entry.is_going = is_going;
            }
        }
    }

    /// Whether this was written by this node for just this owner.
    pub(super) fn has(&self, model: &ModelName, id: &RecordId, owner: &Owner) -> bool {
        self.0.get(&(model.clone(), id.clone())).is_some_and(|entry| entry.owner == *owner)
    }

    /// A part of a commit was done, with these of its operations in somebody's name.
    pub(super) fn committed(&mut self, model: &ModelName, done: &Done, named: &[Named], look: Look) {
        let first = done.changes.first().map(|change| change.revision);
        for Named { operation, owner, deletes } in named {
            let record = done.records.get(*operation).and_then(Option::as_ref);
            if let Some(id) = deletes {
                // Others may have let go of it already: it is wanted no more.
                if record.is_none() {
                    self.0.remove(&(model.clone(), id.clone()));
                }
                continue;
            }
            let Some(record) = record else { continue };
            let key = key(model, record);
            // A repeated write is answered with what was; what is known may be newer.
            let is_news = first.is_some_and(|first| record.revision() >= first);
            let known = self.0.remove(&key).filter(|_| !is_news);
            let record = known.map_or_else(|| record.clone(), |known| known.record);
            self.0.insert(key, Entry { record, owner: owner.clone(), look, is_going: false });
        }
        for Change { revision, kind, record, .. } in &done.changes {
            let key = key(model, record);
            let Some(entry) = self.0.get_mut(&key) else { continue };
            match kind {
                ChangeKind::Insert | ChangeKind::Update => entry.record = record.clone(),
                // The same batch may have inserted it anew.
                ChangeKind::Delete | ChangeKind::Evict if entry.record.revision() > *revision => {}
                ChangeKind::Delete | ChangeKind::Evict => drop(self.0.remove(&key)),
            }
        }
    }

    /// Let go of what is not this node's any more, by what the store had when a look began. Answers what is gone though it
    /// should not be: it was last written by an incarnation of this node that others take for dead.
    pub(super) fn compare(
        &mut self,
        owned: &[Owned],
        look: Look,
        node: &str,
        is_known: impl Fn(&str) -> bool,
    ) -> Vec<(ModelName, Record, Owner)> {
        let stored: HashMap<_, _> = owned.iter().map(|owned| ((&owned.model, &owned.id), &owned.owner)).collect();
        let mut lost = Vec::new();
        self.0.retain(|(model, id), Entry { record, owner, look: noted, is_going }| {
            if !is_known(&owner.session) {
                return false;
            }
            if *noted >= look || *is_going {
                return true;
            }
            match stored.get(&(model, id)) {
                Some(holder) => holder.session == owner.session && (holder.node == owner.node || *holder.node == *node),
                // Who deletes what a living node holds means it.
                None if *owner.node == *node => false,
                None => {
                    lost.push((model.clone(), record.clone(), owner.clone()));
                    true
                }
            }
        });
        lost
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

fn key(model: &ModelName, record: &Record) -> (ModelName, RecordId) {
    (model.clone(), RecordId::parse(record.id()).expect("the id of a record is one"))
}
