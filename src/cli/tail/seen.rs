//! What of a model was seen: the id and a fingerprint of each record that it has, and nothing of those that it has no more.
//!
//! A fingerprint is of the record's whole text, its revision included: so it tells changes apart in one history, and across
//! histories too (a server that was restarted may begin a new one, mostly with the same records).

use serde_json::value::RawValue;
use std::{
    collections::{BTreeMap, HashMap},
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
    sync::Arc,
};

#[derive(Debug, Default)]
pub(super) struct Seen {
    /// By id: the place in the order of insertion, and the fingerprint.
    records: HashMap<Arc<str>, (u64, u64)>,
    order: BTreeMap<u64, Arc<str>>,
    next: u64,
    bound: Option<usize>,
}

impl Seen {
    /// Whether it is new, or another than it was.
    pub(super) fn insert(&mut self, id: &str, record: &RawValue) -> bool {
        let print = BuildHasherDefault::<DefaultHasher>::default().hash_one(record.get());
        if let Some((_, before)) = self.records.get_mut(id) {
            return std::mem::replace(before, print) != print;
        }
        let id: Arc<str> = id.into();
        self.next += 1;
        self.records.insert(id.clone(), (self.next, print));
        self.order.insert(self.next, id);
        self.trim();
        true
    }

    pub(super) fn fingerprint(&self, id: &str) -> Option<u64> {
        self.records.get(id).map(|(_, print)| *print)
    }

    /// Forget a record; the fingerprint it had.
    pub(super) fn remove(&mut self, id: &str) -> Option<u64> {
        let (place, print) = self.records.remove(id)?;
        self.order.remove(&place);
        Some(print)
    }

    /// The model has no more records than this: with one more the oldest goes.
    pub(super) fn bound(&mut self, bound: Option<usize>) {
        self.bound = bound;
        self.trim();
    }

    fn trim(&mut self) {
        while let Some(bound) = self.bound
            && self.order.len() > bound
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.records.remove(&oldest);
        }
    }

    /// The ids, in the order in which they came.
    pub(super) fn into_ids(self) -> impl Iterator<Item = Arc<str>> {
        self.order.into_values()
    }
}
