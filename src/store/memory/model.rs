//! One model in memory: its records, and the log of what happened to them.

use super::{
    graves::Graves,
    records::{AHEAD, Place, Records, Slot},
};
use crate::store::{
    Bounds, Change, ChangeKind, Done, Few, Millis, Operation, Owner, Page, Part, Read, Rejection, Retention, Selection,
    Snapshot,
    decide::{self, Damaged, Found, Verdict},
    shape,
};
use backsync_protocol::{Cursor, Epoch, Position, Record, RecordId, Revision};
use std::collections::{BTreeMap, HashSet, VecDeque};

#[derive(Debug)]
pub(super) struct Model {
    epoch: Epoch,
    head: Revision,
    records: Records,
    /// The last changes up to the head.
    log: VecDeque<Entry>,
    graves: Graves,
}

/// A change as the log keeps it. Most are of records that have not changed since: these are not held once more, so that nothing is
/// to be let go of when the log forgets them.
#[derive(Debug)]
struct Entry {
    kind: ChangeKind,
    place: Place,
    /// None while it is what stands at the place.
    record: Option<Record>,
}

/// What has to be known of an applied part until the whole commit holds.
#[derive(Debug, Default)]
pub(super) struct Trail {
    /// What is to be undone if it does not hold; nothing is noted where it cannot but hold.
    undo: Vec<Undo>,
    is_alone: bool,
    /// Deletions, each with its time where that was said.
    buried: Vec<(Revision, Option<Millis>)>,
    /// The same by id, as a later operation has to know it.
    deleted: BTreeMap<Box<str>, Option<Millis>>,
}

impl Trail {
    /// For one part; `is_alone` where the commit has this part only.
    pub(super) fn new(part: &Part, is_alone: bool) -> Self {
        Self { is_alone: is_alone && part.operations.len() <= 1, ..Self::default() }
    }

    fn note(&mut self, undo: impl FnOnce() -> Undo) {
        if !self.is_alone {
            self.undo.push(undo());
        }
    }
}

#[derive(Debug)]
enum Undo {
    Insert(Place),
    Update(Place, Record, Option<Owner>),
    Remove(Place, Slot, Option<Owner>),
}

impl Model {
    pub(super) fn new(epoch: Epoch) -> Self {
        let (records, log, graves) = Default::default();
        Self { epoch, head: Revision(0), records, log, graves }
    }

    pub(super) fn position(&self) -> Position {
        Position { epoch: self.epoch, revision: self.head }
    }

    /// Records of these ids are looked up soon: see [`Records::fetch`].
    pub(super) fn fetch<'a>(&self, ids: impl Iterator<Item = &'a str>) {
        self.records.fetch(ids);
    }

    /// What was done where nothing was.
    pub(super) fn nothing(&self) -> Done {
        Done { records: Few::new(), changes: Few::new(), position: self.position() }
    }

    /// Apply a part of a commit, of which nothing is `done`; [`Self::keep`] or [`Self::undo`] has to follow. A refusal names its
    /// operation, and leaves nothing of the part.
    pub(super) fn apply(
        &mut self,
        part: &Part,
        now: Millis,
        done: &mut Done,
        trail: &mut Trail,
    ) -> Result<(), (usize, Rejection)> {
        for (at, operation) in part.operations.iter().enumerate() {
            if at % AHEAD == 0 && part.operations.len() > 1 {
                self.fetch(part.operations[at..].iter().map(Operation::id));
            }
            if let Err(rejection) = self.operate(operation, now, done, trail) {
                self.undo(done, std::mem::take(trail));
                return Err((at, rejection));
            }
        }
        self.evict(part.bounds, now, done, trail);
        done.position = self.position();
        Ok(())
    }

    /// What was done holds.
    pub(super) fn keep(&mut self, done: &Done, trail: &Trail, retention: &Retention, now: Millis) {
        while self.log.len() > retention.log_entries {
            self.log.pop_front();
        }
        for (revision, last_change) in &trail.buried {
            let at = usize::try_from(revision.0 - done.changes[0].revision.0).expect("changes are in memory");
            self.graves.bury(done.changes[at].record.id(), *revision, *last_change, now);
        }
        if !done.changes.is_empty() {
            self.graves.purge(retention, now);
        }
        if !trail.buried.is_empty() {
            self.settle();
        }
    }

    /// What was done does not hold.
    pub(super) fn undo(&mut self, done: &Done, trail: Trail) {
        for undo in trail.undo.into_iter().rev() {
            match undo {
                Undo::Insert(place) => drop(self.records.remove(place)),
                Undo::Update(place, record, owner) => {
                    self.records.replace(place, record);
                    self.records.set_owner(place, owner);
                }
                Undo::Remove(place, slot, owner) => {
                    self.records.put_back(place, slot);
                    self.records.set_owner(place, owner);
                }
            }
        }
        self.log.truncate(self.log.len() - done.changes.len());
        self.head = Revision(self.head.0 - done.changes.len() as u64);
        self.settle();
    }

    /// Let go of places that nothing stands at.
    fn settle(&mut self) {
        if let Some(moved) = self.records.settle() {
            let at_places = self.log.iter_mut().filter(|entry| entry.record.is_none());
            at_places.for_each(|entry| entry.place = moved[&entry.place]);
        }
    }

    /// The next change: what stands at the place now, or this record, which does no longer.
    fn push(&mut self, kind: ChangeKind, place: Place, record: Option<Record>) -> Revision {
        self.head = self.head.next();
        self.log.push_back(Entry { kind, place, record });
        self.head
    }

    /// Something else is to stand at the place of this record, or nothing: the log has it from now on, where it still knows of it.
    fn outdate(&mut self, record: &Record) {
        let at = self.in_log(record.revision());
        if let Some(entry) = at.and_then(|at| self.log.get_mut(at)) {
            entry.record = Some(record.clone());
        }
    }

    /// Which entry of the log has this revision.
    fn in_log(&self, revision: Revision) -> Option<usize> {
        usize::try_from(revision.0.checked_sub(self.log_floor().0 + 1)?).ok()
    }

    fn record<'a>(&'a self, entry: &'a Entry) -> &'a Record {
        entry.record.as_ref().unwrap_or_else(|| &self.records.at(entry.place).record)
    }

    fn operate(
        &mut self,
        operation: &Operation,
        now: Millis,
        done: &mut Done,
        trail: &mut Trail,
    ) -> Result<(), Rejection> {
        let (id, owner) = (operation.id(), operation.owner());
        let looked_up = self.records.look_up(id);
        let place = looked_up.ok();
        let stored = place.map(|place| &self.records.at(place).record);
        let found = Found {
            record: stored,
            owner: place.and_then(|place| self.records.owner(place)),
            buried: match (place, trail.deleted.get(id)) {
                (Some(_), _) => None,
                (None, Some(buried)) => *buried,
                (None, None) => self.graves.last_change(id),
            },
        };
        let base = |revision| Ok::<_, Damaged>(self.written(revision, id));
        let verdict = decide::operation(operation, found, now, base);
        let verdict = verdict.expect("a record in memory is a JSON object");
        match (verdict, looked_up) {
            (Verdict::Reject(rejection), _) => return Err(rejection),
            (Verdict::Keep, _) => done.records.push(stored.cloned()),
            (Verdict::Claim, place) => {
                let place = place.expect("what is claimed is there");
                let record = self.records.at(place).record.clone();
                let before = self.claim(place, owner);
                trail.note(|| Undo::Update(place, record.clone(), before));
                done.records.push(Some(record));
            }
            (Verdict::Set(input, last_change), looked_up) => {
                let revision = self.head.next();
                let record = Record::new(&input, revision, last_change);
                done.records.push(Some(record.clone()));
                let (kind, place, before) = match looked_up {
                    Err(vacant) => {
                        let slot = Slot { record: record.clone(), inserted: now, born: revision };
                        let place = self.records.insert(vacant, slot);
                        self.claim(place, owner);
                        trail.note(|| Undo::Insert(place));
                        (ChangeKind::Insert, place, None)
                    }
                    Ok(place) => {
                        let before = self.records.replace(place, record.clone());
                        self.outdate(&before);
                        let owner_before = self.claim(place, owner);
                        trail.note(|| Undo::Update(place, before.clone(), owner_before));
                        (ChangeKind::Update, place, Some(before))
                    }
                };
                self.push(kind, place, None);
                done.changes.push(Change { revision, kind, record, before });
            }
            (Verdict::Remove(last_change), Ok(place)) => {
                self.remove(place, ChangeKind::Delete, last_change, done, trail);
                trail.deleted.insert(id.into(), last_change);
                done.records.push(None);
            }
            (Verdict::Remove(_), Err(_)) => unreachable!("what is not there is not removed"),
        }
        Ok(())
    }

    /// A record belongs to whom it is written for, if that was said. Answers whose it was.
    fn claim(&mut self, place: Place, owner: Option<&Owner>) -> Option<Owner> {
        let before = self.records.owner(place).cloned();
        if owner.is_some() && owner != before.as_ref() {
            self.records.set_owner(place, owner.cloned());
        }
        before
    }

    fn remove(
        &mut self,
        place: Place,
        kind: ChangeKind,
        last_change: Option<Millis>,
        done: &mut Done,
        trail: &mut Trail,
    ) {
        let owner = self.records.owner(place).cloned();
        let slot = self.records.remove(place);
        self.outdate(&slot.record);
        let revision = self.push(kind, place, Some(slot.record.clone()));
        done.changes.push(Change { revision, kind, record: slot.record.clone(), before: None });
        trail.buried.push((revision, last_change));
        trail.note(|| Undo::Remove(place, slot, owner));
    }

    fn evict(&mut self, bounds: Bounds, now: Millis, done: &mut Done, trail: &mut Trail) {
        let Bounds { max_records, max_age } = bounds;
        let too_many = max_records.map_or(0, |most| self.records.len().saturating_sub(most.get() as usize));
        let too_old = |slot: &Slot| max_age.is_some_and(|most| now.saturating_sub(slot.inserted) > most.get());
        if too_many == 0 && max_age.is_none() {
            return;
        }
        let oldest = self.records.iter().enumerate();
        let goes = oldest.take_while(|(at, (_, slot))| *at < too_many || too_old(slot));
        let places: Few<Place> = goes.map(|(_, (place, _))| place).collect();
        for place in places {
            self.remove(place, ChangeKind::Evict, None, done, trail);
        }
    }

    /// A record as it was written at a revision, where the log still knows it.
    fn written(&self, revision: Revision, id: &str) -> Option<Record> {
        let entry = self.log.get(self.in_log(revision)?)?;
        let (record, is_write) = (self.record(entry), matches!(entry.kind, ChangeKind::Insert | ChangeKind::Update));
        (is_write && record.id() == id).then(|| record.clone())
    }

    /// What is before the first entry of the log.
    fn log_floor(&self) -> Revision {
        Revision(self.head.0 - self.log.len() as u64)
    }

    pub(super) fn changes(&self, after: Position, limit: usize) -> Option<Page> {
        let position = self.position();
        if after.epoch != position.epoch || after.revision > position.revision {
            return None;
        }
        let skip = self.in_log(after.revision.next())?;
        let change = |(revision, entry): (u64, &Entry)| Change {
            revision: Revision(revision),
            kind: entry.kind,
            record: self.record(entry).clone(),
            before: None,
        };
        let entries = (after.revision.next().0..).zip(self.log.iter().skip(skip));
        Some(Page { changes: entries.take(limit).map(change).collect(), position })
    }

    pub(super) fn owned(&self) -> impl Iterator<Item = (&Slot, &Owner)> {
        self.records.owned()
    }

    pub(super) fn read(&self, read: &Read) -> Snapshot {
        let position = self.position();
        if let Some(since) = read.since
            && let Some((records, deleted)) = self.since(since, read)
        {
            return Snapshot { records, deleted, reset: false, next: None, position };
        }
        let (records, next) = self.select(read);
        Snapshot { records, deleted: Vec::new(), reset: read.since.is_some(), next, position }
    }

    fn select(&self, read: &Read) -> (Vec<Record>, Option<Cursor>) {
        let placed = |slot: &Slot| (slot.born, slot.record.clone());
        let matches = |slot: &&Slot| read.filter.as_ref().is_none_or(|filter| filter.matches(slot.record.json()));
        let records = match &read.selection {
            Selection::All => {
                let all = self.records.iter().map(|(_, slot)| slot).filter(matches);
                // In the order of insertion, what is before the place is at the beginning.
                let after = read.after.as_ref().filter(|_| read.sort.is_none()).map(|after| after.inserted);
                let all = all.skip_while(|slot| after.is_some_and(|after| slot.born <= after));
                all.take(shape::enough(read)).map(placed).collect()
            }
            Selection::Ids(ids) => {
                let found = ids.iter().filter_map(|id| self.records.find(id.as_str()));
                let found = found.map(|place| self.records.at(place)).filter(matches);
                found.take(shape::enough(read)).map(placed).collect()
            }
        };
        shape::shape(records, read)
    }

    /// What became of the records since a position; `None` where that is not known.
    fn since(&self, since: Position, read: &Read) -> Option<(Vec<Record>, Vec<RecordId>)> {
        let Position { epoch, revision } = since;
        let known_from = self.log_floor().min(self.graves.floor());
        if epoch != self.epoch || revision > self.head || revision < known_from {
            return None;
        }
        let chosen: Option<HashSet<&str>> = match &read.selection {
            Selection::All => None,
            Selection::Ids(ids) => Some(ids.iter().map(RecordId::as_str).collect()),
        };
        let is_chosen = |id: &str| chosen.as_ref().is_none_or(|chosen| chosen.contains(id));
        let mut deleted: Vec<RecordId> = Vec::new();
        let mut places: Vec<Place> = Vec::new();
        let mut is_gone = |id: &str| deleted.push(RecordId::parse(id).expect("the id of a record is one"));
        if let Some(skip) = self.in_log(revision.next()) {
            let mut seen = HashSet::new();
            for id in self.log.iter().skip(skip).map(|entry| self.record(entry).id()) {
                if is_chosen(id) && seen.insert(id) {
                    match self.records.find(id) {
                        Some(place) => places.push(place),
                        None => is_gone(id),
                    }
                }
            }
        } else {
            let changed = self.records.iter().filter(|(_, slot)| slot.record.revision() > revision);
            places.extend(changed.filter(|(_, slot)| is_chosen(slot.record.id())).map(|(place, _)| place));
            let gone = self.graves.since(revision).map(RecordId::as_str);
            gone.filter(|id| is_chosen(id) && self.records.find(id).is_none()).for_each(is_gone);
        }
        places.sort_unstable();
        let mut records = Vec::with_capacity(places.len());
        for record in places.into_iter().map(|place| &self.records.at(place).record) {
            if read.filter.as_ref().is_none_or(|filter| filter.matches(record.json())) {
                records.push(record.clone());
            } else {
                deleted.push(RecordId::parse(record.id()).expect("the id of a record is one"));
            }
        }
        Some((records, deleted))
    }
}
