//! The records of a collection, and what each event of the subscription does to them: pure.
//!
//! Their order is that of insertion on the server. What cannot be read as a `T` keeps its place, unseen, so that the bound of a
//! model is counted rightly, and so that a later change that can be read appears where it belongs.

use super::changes::Change;
use crate::{error::ServerError, record::identity, subscription::Event};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

#[derive(Debug)]
pub(super) struct View<T> {
    order: BTreeMap<u64, Slot<T>>,
    places: HashMap<Arc<str>, u64>,
    next: u64,
    readable: usize,
    max_records: Option<usize>,
    /// The place of the record before, while what was missed comes.
    catching_up: Option<u64>,
    pub(super) live: bool,
    pub(super) failed: Option<ServerError>,
}

#[derive(Debug)]
struct Slot<T> {
    id: Arc<str>,
    revision: Option<u64>,
    record: Option<Arc<T>>,
}

impl<T> Default for View<T> {
    fn default() -> Self {
        Self {
            order: BTreeMap::new(),
            places: HashMap::new(),
            next: 0,
            readable: 0,
            max_records: None,
            catching_up: None,
            live: false,
            failed: None,
        }
    }
}

impl<T> View<T> {
    pub(super) fn find(&self, id: &str) -> Option<&Arc<T>> {
        self.slot(id)?.record.as_ref()
    }

    pub(super) fn revision(&self, id: &str) -> Option<u64> {
        self.slot(id)?.revision
    }

    fn slot(&self, id: &str) -> Option<&Slot<T>> {
        self.places.get(id).map(|place| &self.order[place])
    }

    pub(super) fn len(&self) -> usize {
        self.readable
    }

    /// Those that cannot be read.
    pub(super) fn unreadable(&self) -> usize {
        self.order.len() - self.readable
    }

    pub(super) fn records(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<T>)> {
        self.order.values().filter_map(|slot| Some((&slot.id, slot.record.as_ref()?)))
    }

    /// All of them, for somebody who begins anew.
    pub(super) fn reset(&self) -> Change<T> {
        Change::Reset { records: self.records().map(|(id, record)| (id.clone(), record.clone())).collect() }
    }

    fn remove(&mut self, id: &str) -> Option<Slot<T>> {
        let place = self.places.remove(id)?;
        let slot = self.order.remove(&place)?;
        self.readable -= usize::from(slot.record.is_some());
        Some(slot)
    }

    fn put(&mut self, place: u64, slot: Slot<T>) {
        self.readable += usize::from(slot.record.is_some());
        self.places.insert(slot.id.clone(), place);
        self.order.insert(place, slot);
    }

    fn next_place(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Let the oldest go that are beyond the bound.
    fn trim(&mut self, out: &mut Vec<Change<T>>) {
        while let Some(max) = self.max_records
            && self.order.len() > max
            && let Some(oldest) = self.order.values().next().map(|slot| slot.id.clone())
        {
            out.extend(self.remove(&oldest).and_then(|slot| slot.removed(false)));
        }
    }
}

impl<T: DeserializeOwned> View<T> {
    /// Take an event in; what it means is appended to `out`.
    pub(super) fn apply(&mut self, event: Event, out: &mut Vec<Change<T>>) {
        match event {
            Event::Reset { records, max_records, .. } => self.begin(&records, max_records, out),
            Event::Upsert { record, position } => {
                self.upsert(&record, out);
                self.settle(position.is_some());
            }
            Event::Delete { id, left, position, .. } => {
                out.extend(self.remove(&id).and_then(|slot| slot.removed(left)));
                self.settle(position.is_some());
            }
            Event::Disconnected => {
                self.live = false;
                out.push(Change::Disconnected);
            }
            Event::Reconnected { max_records } => {
                self.live = true;
                self.max_records = max_records;
                self.catching_up = Some(0);
                out.push(Change::Reconnected);
                self.trim(out);
            }
            Event::Failed(error) => {
                self.live = false;
                self.failed = Some(error.clone());
                out.push(Change::Failed(error));
            }
        }
    }

    /// What was missed is one step, and its last event has the position.
    fn settle(&mut self, has_position: bool) {
        if has_position {
            self.catching_up = None;
        }
    }

    fn begin(&mut self, records: &[Box<RawValue>], max_records: Option<usize>, out: &mut Vec<Change<T>>) {
        *self = Self { live: true, max_records, ..Self::default() };
        let mut invalid = Vec::new();
        for json in records {
            match read(json) {
                Ok((slot, problem)) => {
                    let place = self.next_place();
                    self.remove(&slot.id);
                    self.put(place, slot);
                    invalid.extend(problem);
                }
                Err(problem) => invalid.push(problem),
            }
        }
        out.push(self.reset());
        out.append(&mut invalid);
    }

    fn upsert(&mut self, json: &RawValue, out: &mut Vec<Change<T>>) {
        let (slot, problem) = match read::<T>(json) {
            Ok(read) => read,
            Err(problem) => return out.push(problem),
        };
        let known = self.places.get(&slot.id).copied();
        // What was missed comes in the order of insertion. A record that is behind one that used to be behind it was deleted
        // and inserted again.
        let stays = |place: &u64| self.catching_up.is_none_or(|before| *place > before);
        let place = known.filter(stays).unwrap_or_else(|| self.next + 1);
        self.next = self.next.max(place);
        if let Some(before) = &mut self.catching_up {
            *before = place;
        }
        let before = self.remove(&slot.id).and_then(|slot| slot.record);
        let (id, record) = (slot.id.clone(), slot.record.clone());
        self.put(place, slot);
        out.extend(match (before, record) {
            (Some(before), Some(record)) => Some(Change::Update { id, record, before }),
            (None, Some(record)) => Some(Change::Insert { id, record }),
            (_, None) => problem,
        });
        self.trim(out);
    }
}

impl<T> Slot<T> {
    fn removed(self, left: bool) -> Option<Change<T>> {
        Some(Change::Remove { id: self.id, record: self.record?, left })
    }
}

/// A record, and what is wrong with it where it cannot be read as a `T`.
type Taken<T> = (Slot<T>, Option<Change<T>>);

/// Read a record; the error is of what is not even one.
fn read<T: DeserializeOwned>(json: &RawValue) -> Result<Taken<T>, Change<T>> {
    let parsed = serde_json::from_str::<T>(json.get());
    let invalid = |id: Option<Arc<str>>, cause: serde_json::Error| Change::Invalid {
        id,
        json: json.to_owned().into(),
        error: Arc::new(cause),
    };
    match (identity(json), parsed) {
        (Some((id, revision)), Ok(record)) => {
            Ok((Slot { id: id.into(), revision, record: Some(Arc::new(record)) }, None))
        }
        (Some((id, revision)), Err(cause)) => {
            let id: Arc<str> = id.into();
            Ok((Slot { id: id.clone(), revision, record: None }, Some(invalid(Some(id), cause))))
        }
        (None, Err(cause)) => Err(invalid(None, cause)),
        (None, Ok(_)) => Err(invalid(None, serde::de::Error::custom("a record is an object with an id"))),
    }
}

#[cfg(test)]
mod tests;
