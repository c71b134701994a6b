//! The records of one model: found by id, and in the order of their insertion.
//!
//! Records stand in a row of slots, in the order of insertion; a table leads from an id to its slot. The table's entries keep their
//! hashes, so that it grows, and mostly tells ids apart, without looking at the records.

use super::{
    row::Row,
    table::{Hash, Table, Vacant},
};
use crate::store::{Millis, Owner};
use backsync_protocol::{Record, Revision};
use foldhash::fast::RandomState;
use smallvec::SmallVec;
use std::{collections::HashMap, hash::BuildHasher};

/// Names a record for as long as it is not removed and [`Records::settle`] is not called.
pub(super) type Place = u64;

/// So many ids are looked ahead at.
pub(super) const AHEAD: usize = 16;

/// Bytes that the processor fetches at once.
const CACHE_LINE: usize = 64;

/// Fewer empty slots than this are let be.
const HOLES: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Records {
    hasher: RandomState,
    /// To the lower halves of places, of which there are fewer in use.
    table: Table,
    slots: Row<Option<Slot>>,
    /// The place of the first slot.
    first: Place,
    /// Who owns records: few models have any.
    owners: HashMap<Place, Owner>,
}

/// A record, and when it was inserted: the time, and the revision.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    pub(super) record: Record,
    pub(super) inserted: Millis,
    pub(super) born: Revision,
}

impl Records {
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    pub(super) fn find(&self, id: &str) -> Option<Place> {
        self.look_up(id).ok()
    }

    /// The place of a record; where there is none of this id, what [`Self::insert`] needs.
    pub(super) fn look_up(&self, id: &str) -> Result<Place, Vacant> {
        let hash = self.hash(id);
        let is_it = |lower| self.at(self.place(lower)).record.id() == id;
        self.table.find(hash, is_it).map(|lower| self.place(lower))
    }

    /// Have the processor fetch what is needed to look at the first [`AHEAD`] of these ids. What is not in its caches takes as long
    /// as a hundred steps, and so the waits for one overlap with those for the others. Nothing depends on it.
    pub(super) fn fetch<'a>(&self, ids: impl Iterator<Item = &'a str>) {
        let hashes: SmallVec<[Hash; AHEAD]> = ids.take(AHEAD).map(|id| self.hash(id)).collect();
        // One after the other without a question in between that needs an answer.
        std::hint::black_box(hashes.iter().fold(0, |sum, hash| sum ^ self.table.touch(*hash)));
        let mut found: SmallVec<[Place; AHEAD]> = SmallVec::new();
        found.extend(hashes.iter().filter_map(|hash| Some(self.place(self.table.glance(*hash)?))));
        let lines = found.iter().flat_map(|place| self.at(*place).record.json().as_bytes().iter().step_by(CACHE_LINE));
        std::hint::black_box(lines.fold(0, |sum, byte| sum ^ byte));
    }

    /// The record at a place that [`Self::find`] gave.
    pub(super) fn at(&self, place: Place) -> &Slot {
        self.slots.get(self.index(place)).and_then(Option::as_ref).expect("a place is used while it has a record")
    }

    pub(super) fn owner(&self, place: Place) -> Option<&Owner> {
        self.owners.get(&place)
    }

    pub(super) fn set_owner(&mut self, place: Place, owner: Option<Owner>) {
        match owner {
            Some(owner) => drop(self.owners.insert(place, owner)),
            None => drop(self.owners.remove(&place)),
        }
    }

    /// All places with an owner.
    pub(super) fn owned(&self) -> impl Iterator<Item = (&Slot, &Owner)> {
        self.owners.iter().map(|(place, owner)| (self.at(*place), owner))
    }

    /// Put a record whose id is vacant at the end.
    #[inline(always)]
    pub(super) fn insert(&mut self, vacant: Vacant, slot: Slot) -> Place {
        let place = self.first + self.slots.len() as Place;
        self.slots.push(Some(slot));
        self.enter(vacant, place);
        place
    }

    /// Put another state in the place of a record's. Answers the one before.
    pub(super) fn replace(&mut self, place: Place, record: Record) -> Record {
        let slot = self.slot(place).as_mut().expect("a place is used while it has a record");
        std::mem::replace(&mut slot.record, record)
    }

    pub(super) fn remove(&mut self, place: Place) -> Slot {
        let slot = self.slot(place).take().expect("a place is used while it has a record");
        let hash = self.hash(slot.record.id());
        assert!(self.table.remove(hash, place as u32), "every record is in the table");
        self.owners.remove(&place);
        slot
    }

    /// Undo a removal.
    pub(super) fn put_back(&mut self, place: Place, slot: Slot) {
        self.enter(self.table.vacant(self.hash(slot.record.id())), place);
        *self.slot(place) = Some(slot);
    }

    /// All in the order of insertion.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Place, &Slot)> {
        let places = (self.first..).zip(self.slots.iter());
        places.filter_map(|(place, slot)| Some((place, slot.as_ref()?)))
    }

    /// Let go of empty slots: those at the beginning at once, others when there are many. Answers where the records that there are
    /// stand then, where their places have changed.
    pub(super) fn settle(&mut self) -> Option<HashMap<Place, Place>> {
        while let Some(None) = self.slots.front() {
            self.slots.skip_front();
            self.first += 1;
        }
        if self.slots.len() - self.len() <= HOLES.max(self.len()) {
            return None;
        }
        let mut moved = HashMap::with_capacity(self.len());
        let mut slots = Row::default();
        for (place, slot) in (self.first..).zip(std::mem::take(&mut self.slots)) {
            if slot.is_some() {
                moved.insert(place, self.first + slots.len() as Place);
                slots.push(slot);
            }
        }
        self.slots = slots;
        self.table.renumber(|lower| moved[&place(lower, self.first)] as u32);
        self.owners =
            std::mem::take(&mut self.owners).into_iter().map(|(place, owner)| (moved[&place], owner)).collect();
        Some(moved)
    }

    fn hash(&self, id: &str) -> Hash {
        Hash::new(self.hasher.hash_one(id))
    }

    fn slot(&mut self, place: Place) -> &mut Option<Slot> {
        let index = self.index(place);
        self.slots.get_mut(index).expect("a place is one of the row")
    }

    fn index(&self, place: Place) -> usize {
        usize::try_from(place - self.first).expect("slots are in memory")
    }

    fn enter(&mut self, vacant: Vacant, place: Place) {
        assert!(self.slots.len() <= u32::MAX as usize, "places are told apart by 32 bits");
        self.table.insert(vacant, place as u32);
    }

    fn place(&self, lower: u32) -> Place {
        place(lower, self.first)
    }
}

/// The place with this lower half, where the first one in use is `first`.
fn place(lower: u32, first: Place) -> Place {
    first + Place::from(lower.wrapping_sub(first as u32))
}

#[cfg(test)]
mod tests {
    use super::*;
    use backsync_protocol::{RecordId, RecordInput};

    fn insert(records: &mut Records, id: u32) -> Place {
        let slot = slot(id);
        let vacant = records.look_up(slot.record.id()).unwrap_err();
        records.insert(vacant, slot)
    }

    fn slot(id: u32) -> Slot {
        let id = RecordId::parse(&id.to_string()).unwrap();
        let input = RecordInput::parse(serde_json::from_str("{}").unwrap(), || id).unwrap();
        Slot { record: Record::new(&input, Revision(1), None), inserted: 0, born: Revision(1) }
    }

    #[test]
    fn order_is_kept_and_empty_slots_do_not_stay() {
        let mut records = Records::default();
        for id in 0..1000 {
            let place = insert(&mut records, id);
            records.set_owner(place, (id % 100 == 7).then(|| Owner::restore("me")));
        }
        for id in (0..1000_u32).filter(|id| id % 10 != 7) {
            let place = records.find(&id.to_string()).unwrap();
            assert_eq!(records.remove(place).record.id(), id.to_string());
        }
        records.settle();
        let ids: Vec<_> = records.iter().map(|(_, slot)| slot.record.id().parse::<u32>().unwrap()).collect();
        assert_eq!(ids, (0..100).map(|n| n * 10 + 7).collect::<Vec<_>>());
        assert_eq!((records.len(), records.slots.len()), (100, 100));
        for id in ids {
            let place = records.find(&id.to_string()).unwrap();
            assert_eq!(records.owner(place).is_some(), id % 100 == 7, "{id}");
        }
        assert_eq!(records.find("8"), None);
    }

    #[test]
    fn the_oldest_go_without_anything_being_moved() {
        let mut records = Records::default();
        for id in 0..10_000 {
            insert(&mut records, id);
            if records.len() > 10 {
                let (place, _) = records.iter().next().unwrap();
                records.remove(place);
                records.settle();
                assert_eq!(records.slots.len(), 10);
            }
        }
        assert_eq!(records.iter().next().unwrap().1.record.id(), "9990");
    }
}
