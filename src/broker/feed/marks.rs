//! Times for positions: what makes a feed exact for clients that know milliseconds only.
//!
//! A *mark* says that a model's changes up to a position have happened by a time. It is made when somebody looks, and never changes.
//! Each is later than the one before it, and not before it in position: so no later change gets a time that was answered once,
//! whatever the clock does and however much happens in a millisecond. A change has the time of the first look at or beyond it. The changes
//! of a batch have the time of the batch's own mark, which nothing else has, whoever looks meanwhile: such a mark stays at the position
//! of the one before it and names its changes.
//!
//! Marks are numbered. They are kept the sparser the older they are, so that their number stays small and they reach back for ever: a
//! time whose mark is gone is that of the mark before it, and what is told from there is told again.

use crate::store::{Millis, Operation, Snapshot, Terms};
use backsync_protocol::{ConflictPolicy, Epoch, Position, Record, RecordInput, Revision};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

/// So many marks of each level are kept; each level has half as many marks as the one below it. Twice as many as this are all there.
const KEPT: u64 = 1024;

/// One mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    number: u64,
    pub(super) time: Millis,
    /// Changes up to here have happened by then.
    pub(super) position: Position,
    /// Of a batch's mark: its first and its last change, which have happened at just that time.
    batch: Option<(Revision, Revision)>,
}

/// What changed in a batch that changed nothing.
const NOTHING: (Revision, Revision) = (Revision(0), Revision(0));

/// A mark as a record.
#[derive(Serialize, Deserialize)]
struct Stored {
    id: String,
    number: u64,
    time: Millis,
    position: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    batch: Option<(u64, u64)>,
}

/// A stored mark is none: it was damaged.
#[derive(Debug, thiserror::Error)]
#[error("the mark {0} of a feed is damaged")]
pub(super) struct Damaged(String);

impl Mark {
    fn stored(&self) -> Stored {
        Stored {
            id: slot(self.number),
            number: self.number,
            time: self.time,
            position: self.position.to_string(),
            batch: self.batch.map(|(first, last)| (first.0, last.0)),
        }
    }

    fn restore(record: &Record) -> Result<Self, Damaged> {
        let damaged = || Damaged(record.id().to_owned());
        let stored: Stored = serde_json::from_str(record.json()).map_err(|_| damaged())?;
        let position = stored.position.parse().map_err(|_| damaged())?;
        let batch = stored.batch.map(|(first, last)| (Revision(first), Revision(last)));
        Ok(Self { number: stored.number, time: stored.time, position, batch })
    }
}

/// The id of a mark's record. A mark takes the place of the one of its level that is `KEPT` before it.
fn slot(number: u64) -> String {
    let level = number.trailing_zeros();
    format!("{level}-{}", (number >> level >> 1) % KEPT)
}

/// Where to read on from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// There is nothing before it.
    Beginning,
    /// After this position. Where an epoch is named, the model has to be of it still: no mark bears this time, and it may be of a
    /// history that was taken back.
    After(Position, Option<Epoch>),
    /// Nobody knows.
    Gone,
}

/// The marks of a model, as far as a node knows them.
#[derive(Debug, Clone, Default)]
pub(super) struct Marks {
    by_time: BTreeMap<Millis, Mark>,
    /// The first look at each position.
    looks: BTreeMap<Revision, Millis>,
    /// Batches by their first change, with their last one.
    batches: BTreeMap<Revision, (Revision, Millis)>,
    /// What each record has: the time of the mark, and the revision of the record.
    slots: HashMap<String, (Millis, Revision)>,
    /// Where their own model stood.
    seen: Option<Position>,
    /// No later mark may have this time, also where the mark that had it was taken back.
    latest: Millis,
}

impl Marks {
    /// Where their own model stood when they were asked for.
    pub(super) fn seen(&self) -> Option<Position> {
        self.seen
    }

    /// The last one.
    pub(super) fn last(&self) -> Option<Mark> {
        self.by_time.last_key_value().map(|(_, mark)| *mark)
    }

    /// Changes up to here have a time.
    pub(super) fn reach(&self) -> Revision {
        let looked = self.last().map(|last| last.position.revision).unwrap_or_default();
        let batch = self.batches.last_key_value().map(|(_, (last, _))| *last).unwrap_or_default();
        looked.max(batch)
    }

    /// Take in what became of them since [`Self::seen`].
    pub(super) fn learn(&mut self, snapshot: &Snapshot) -> Result<(), Damaged> {
        if snapshot.reset {
            *self = Self { latest: self.latest, ..Self::default() };
        }
        let mut marks: Vec<(Mark, Revision)> = Vec::with_capacity(snapshot.records.len());
        for record in &snapshot.records {
            marks.push((Mark::restore(record)?, record.revision()));
        }
        marks.sort_unstable_by_key(|(mark, _)| mark.number);
        for (mark, revision) in marks {
            self.add(mark, revision);
        }
        self.seen = Some(snapshot.position);
        Ok(())
    }

    fn add(&mut self, mark: Mark, record: Revision) {
        // What was marked before, and beyond this one's position, was taken back.
        let is_void = |last: &Mark| last.time >= mark.time || last.position.revision > mark.position.revision;
        while let Some(last) = self.last().filter(is_void) {
            self.forget(last.time);
        }
        if let Some((replaced, _)) = self.slots.insert(slot(mark.number), (mark.time, record)) {
            self.forget(replaced);
        }
        match mark.batch {
            Some((first, last)) => drop(self.batches.insert(first, (last, mark.time))),
            None => drop(self.looks.entry(mark.position.revision).or_insert(mark.time)),
        }
        self.by_time.insert(mark.time, mark);
        self.latest = self.latest.max(mark.time);
    }

    fn forget(&mut self, time: Millis) {
        let Some(mark) = self.by_time.remove(&time) else { return };
        if let Some((first, _)) = mark.batch {
            self.batches.remove(&first);
        } else if self.looks.get(&mark.position.revision) == Some(&time) {
            self.looks.remove(&mark.position.revision);
        }
    }

    /// Where somebody reads on who was told everything up to this time.
    pub(super) fn start(&self, since: Millis) -> Start {
        if since == 0 {
            return Start::Beginning;
        }
        let Some((_, mark)) = self.by_time.range(..=since).next_back() else { return Start::Gone };
        if mark.time == since {
            return Start::After(mark.position, None);
        }
        match self.by_time.range(since..).next() {
            None => Start::After(mark.position, Some(mark.position.epoch)),
            Some((_, next)) if next.position.epoch == mark.position.epoch => Start::After(mark.position, None),
            Some(_) => Start::Gone,
        }
    }

    /// The time of the change with this number, as it was known at a time: that of a look which went as far.
    pub(super) fn time_of(&self, change: Revision, now: Millis) -> Millis {
        let batch = self.batches.range(..=change).next_back();
        match batch.filter(|(_, (last, time))| change <= *last && *time <= now) {
            Some((_, (_, time))) => *time,
            None => self.looks.range(change..).next().map_or(now, |(_, time)| now.min(*time)),
        }
    }

    /// The last mark, where no change has its time.
    pub(super) fn bare(&self) -> Option<Mark> {
        self.last().filter(|last| last.batch == Some(NOTHING))
    }

    /// The next mark, of somebody who looked at the model at this position.
    pub(super) fn next_look(&self, position: Position, clock: Millis) -> Mark {
        let number = self.last().map_or(1, |last| last.number + 1);
        Mark { number, time: clock.max(self.latest + 1), position, batch: None }
    }

    /// The next mark, of a batch: of its first and its last change, if it has any. `position` is where the model stands by now.
    pub(super) fn next_batch(&self, batch: Option<(Revision, Revision)>, position: Position, clock: Millis) -> Mark {
        let beginning = Position { revision: Revision(0), ..position };
        let position = self.last().map_or(beginning, |last| last.position);
        Mark { batch: Some(batch.unwrap_or(NOTHING)), ..self.next_look(position, clock) }
    }

    /// What keeps a mark, unless somebody else has made the next one meanwhile.
    pub(super) fn keep(&self, mark: &Mark) -> Operation {
        let stored = mark.stored();
        let base = self.slots.get(&stored.id).map_or(Revision(0), |(_, revision)| *revision);
        let json = serde_json::value::to_raw_value(&stored).expect("numbers and plain text");
        let record =
            RecordInput::parse((&*json).into(), || unreachable!("it has an id")).expect("an object with an id");
        let terms = Terms { policy: ConflictPolicy::ServerWins, base: Some(base), ..Terms::default() };
        Operation::Upsert { record, replace: true, terms }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU64;

    fn at(epoch: u64, revision: u64) -> Position {
        Position { epoch: Epoch(NonZeroU64::new(epoch).unwrap()), revision: Revision(revision) }
    }

    /// What keeps marks, as a store does: records with the revision at which they last changed.
    #[derive(Default)]
    struct Kept {
        records: HashMap<String, Record>,
        revision: u64,
    }

    impl Kept {
        /// Answers whether it was the next.
        fn keep(&mut self, marks: &mut Marks, mark: Mark) -> bool {
            let Operation::Upsert { record, terms, .. } = marks.keep(&mark) else { panic!("a mark is upserted") };
            let stored = self.records.get(record.id()).map_or(Revision(0), Record::revision);
            if terms.base != Some(stored) {
                return false;
            }
            self.revision += 1;
            let record = Record::new(&record, Revision(self.revision), None);
            self.records.insert(record.id().to_owned(), record.clone());
            marks.learn(&self.told(vec![record])).unwrap();
            true
        }

        fn told(&self, records: Vec<Record>) -> Snapshot {
            Snapshot { records, deleted: Vec::new(), reset: false, next: None, position: at(1, self.revision) }
        }

        /// As somebody finds them who comes later.
        fn read(&self) -> Marks {
            let mut marks = Marks::default();
            marks.learn(&self.told(self.records.values().cloned().collect())).unwrap();
            marks
        }
    }

    /// Marks of looks at these revisions, the first at the time 101.
    fn looked(revisions: impl IntoIterator<Item = u64>) -> (Kept, Marks) {
        let (mut kept, mut marks) = (Kept::default(), Marks { latest: 100, ..Marks::default() });
        for revision in revisions {
            let next = marks.next_look(at(1, revision), 0);
            assert!(kept.keep(&mut marks, next));
        }
        (kept, marks)
    }

    #[test]
    fn no_time_is_given_twice_whatever_the_clock_does() {
        let (mut kept, mut marks) = looked([]);
        let mut times = Vec::new();
        for clock in [50, 200, 200, 199, 0, 300] {
            let next = marks.next_look(at(1, 1), clock);
            assert!(kept.keep(&mut marks, next));
            times.push(next.time);
        }
        assert_eq!(times, [101, 200, 201, 202, 203, 300]);
        let taken_back = Snapshot { reset: true, ..Kept::default().told(Vec::new()) };
        marks.learn(&taken_back).unwrap();
        assert_eq!((marks.last(), marks.next_look(at(1, 1), 0).time), (None, 301));
    }

    #[test]
    fn a_change_has_the_time_of_the_first_look_at_or_beyond_it() {
        let (_, marks) = looked([2, 2, 5]);
        let times = [1, 2, 3, 5].map(|change| marks.time_of(Revision(change), 200));
        assert_eq!(times, [101, 101, 103, 103]);
    }

    #[test]
    fn a_batch_has_a_time_of_its_own_whoever_looks_before_it_is_told() {
        let (mut kept, mut marks) = looked([2, 9]);
        for batch in [Some((Revision(4), Revision(6))), None, Some((Revision(11), Revision(11)))] {
            let next = marks.next_batch(batch, at(1, 12), 0);
            assert!(kept.keep(&mut marks, next));
            assert_eq!(marks.bare(), batch.is_none().then_some(next));
        }
        for marks in [&marks, &kept.read()] {
            let times = [3, 4, 6, 7].map(|change| marks.time_of(Revision(change), 200));
            assert_eq!(times, [102, 103, 103, 102]);
            assert_eq!(marks.time_of(Revision(4), 102), 102, "as it was known then");
            assert_eq!(marks.start(103), Start::After(at(1, 9), None));
            assert_eq!(marks.reach(), Revision(11));
        }
        let next = marks.next_look(at(1, 12), 0);
        assert!(kept.keep(&mut marks, next));
        assert_eq!([10, 11, 12].map(|change| marks.time_of(Revision(change), 200)), [106, 105, 106]);
    }

    #[test]
    fn a_batch_before_all_looks_leaves_everything_to_be_told() {
        let (mut kept, mut marks) = looked([]);
        let next = marks.next_batch(Some((Revision(3), Revision(4))), at(1, 4), 0);
        assert!(kept.keep(&mut marks, next));
        assert_eq!(marks.start(next.time), Start::After(at(1, 0), None));
    }

    #[test]
    fn only_one_of_two_nodes_makes_the_next_mark() {
        let (mut kept, mut here) = looked(1..=3000);
        let mut there = kept.read();
        let (mine, theirs) = (here.next_look(at(1, 3001), 0), there.next_look(at(1, 3002), 0));
        assert!(kept.keep(&mut there, theirs));
        assert!(!kept.keep(&mut here, mine));
        here = kept.read();
        let next = here.next_look(at(1, 3002), 0);
        assert!(kept.keep(&mut here, next));
    }

    #[test]
    fn times_that_were_not_given_are_between_those_that_were() {
        let (mut kept, mut marks) = looked([2]);
        let next = marks.next_look(at(1, 4), 200);
        assert!(kept.keep(&mut marks, next));
        let next = marks.next_look(at(2, 5), 300);
        assert!(kept.keep(&mut marks, next));
        let starts = [0, 100, 101, 150, 200, 250, 300, 400].map(|since| marks.start(since));
        let after = |position| Start::After(position, None);
        let open = Start::After(at(2, 5), Some(at(2, 5).epoch));
        let (first, second, third) = (after(at(1, 2)), after(at(1, 4)), after(at(2, 5)));
        assert_eq!(starts, [Start::Beginning, Start::Gone, first, first, second, Start::Gone, third, open]);
    }

    #[test]
    fn marks_are_the_sparser_the_older_they_are() {
        const ALL: u64 = 100_000;
        let (kept, marks) = looked(1..=ALL);
        assert!(kept.records.len() < 10_000, "{}", kept.records.len());
        for marks in [&marks, &kept.read()] {
            assert_eq!(marks.by_time.len(), kept.records.len());
            for age in 0..ALL {
                let number = ALL - age;
                let Start::After(found, None) = marks.start(100 + number) else {
                    assert!(number < KEPT, "a mark before {number}");
                    continue;
                };
                let before = number - found.revision.0;
                assert!(before <= age / KEPT, "{before} before {number}");
                let time = marks.time_of(Revision(number), u64::MAX);
                assert!(time >= 100 + number, "no change is older than it was told");
            }
        }
    }

    #[test]
    fn what_was_taken_back_has_no_time_any_more() {
        let (mut kept, mut marks) = looked([2, 4, 6]);
        let next = marks.next_look(at(2, 3), 0);
        assert!(kept.keep(&mut marks, next));
        for marks in [&marks, &kept.read()] {
            assert_eq!(marks.last(), Some(next));
            assert_eq!((marks.time_of(Revision(3), 200), marks.reach()), (104, Revision(3)));
            assert_eq!(marks.start(102), Start::Gone, "this time is of what was taken back");
            assert_eq!(marks.start(101), Start::After(at(1, 2), None));
        }
        // Its record is still there, and its turn comes again.
        for revision in 4..4 * KEPT {
            let next = marks.next_look(at(2, revision), 0);
            assert!(kept.keep(&mut marks, next));
        }
    }

    #[test]
    fn a_damaged_mark_is_an_error() {
        let record = serde_json::from_str(r#"{"id":"0-1","number":1,"time":5,"position":"x"}"#).unwrap();
        let record = RecordInput::parse(record, || unreachable!()).unwrap();
        let damaged = Kept::default().told(vec![Record::new(&record, Revision(1), None)]);
        assert!(Marks::default().learn(&damaged).is_err());
    }
}
