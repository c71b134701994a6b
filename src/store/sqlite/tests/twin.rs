//! Whatever is done, the outcome is that of the store in memory, however often this one is opened anew.

use super::Data;
use crate::store::{
    Bounds, Commit, Few, Memory, Operation, Outcome, Owned, Read, Retention, Selection, Store, Terms,
    conformance::{Fixture, Step, block_on, delete, id, model, on, replace, upsert},
};
use backsync_protocol::{ConflictPolicy, Filter, FilterLimits, Position, RecordId, Revision, Side, Sort};
use std::{
    num::{NonZeroU32, NonZeroU64},
    sync::Arc,
};

const MODELS: [&str; 2] = ["A", "B"];

/// So little that nothing is kept beyond it to spare work, and it shows at once when something goes.
const LITTLE: Retention = Retention { log_entries: 7, tombstones: 5, tombstone_age: 9, outcomes: 0, outcome_age: 0 };

/// Repetitions are told what the log still has, so it has all here.
const LITTLE_ONCE: Retention = Retention { log_entries: 10_000, outcomes: 9, outcome_age: 9, ..LITTLE };

/// Numbers without pattern, the same each time for one seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn of<T: Clone>(&mut self, sides: &[T]) -> T {
        sides[self.roll(sides.len() as u64) as usize].clone()
    }

    fn commit(&mut self, now: u64) -> Commit {
        let first = self.roll(2) as usize;
        let mut step = self.part(Step::to(MODELS[first], []));
        if self.roll(3) == 0 {
            step = self.part(step.and(MODELS[1 - first], []));
        }
        if self.roll(3) == 0 {
            let (client, id) = (self.of(&["c", "d"]), self.roll(20).to_string());
            step = step.once(client, &id);
        }
        step.at(now).0
    }

    fn part(&mut self, step: Step) -> Step {
        let max_records = NonZeroU32::new(self.of(&[0, 0, 4, 8]));
        let mut step = step.bounded(Bounds { max_records, max_age: NonZeroU64::new(self.of(&[0, 0, 20])) });
        let operations = (0..self.roll(5)).map(|_| self.operation()).collect();
        step.0.parts.last_mut().unwrap().operations = operations;
        step
    }

    fn operation(&mut self) -> Operation {
        let (id, name, value) = (self.roll(12), self.roll(3), self.roll(3));
        let json = format!(r#"{{"id":"{id}","{name}":{value}}}"#);
        let terms = Terms {
            policy: self.of(&ConflictPolicy::ALL),
            prefer: self.of(&[None, None, Some(Side::Client), Some(Side::Server)]),
            base: self.of(&[None, Some(())]).map(|()| Revision(self.roll(60))),
            last_change: self.of(&[None, Some(())]).map(|()| self.roll(100)),
            owner: self.of(&[None, None, None, Some("me".into()), Some("you".into())]),
        };
        let operation = match self.roll(4) {
            0 => delete(&id.to_string()),
            1 => replace(&json),
            _ => upsert(&json),
        };
        if self.roll(3) == 0 { on(&terms, operation) } else { operation }
    }

    fn read(&mut self) -> Read {
        let filter = |text| Filter::parse(serde_json::from_str(text).unwrap(), &FilterLimits::default()).unwrap();
        let selection = match self.roll(3) {
            0 => Selection::Ids((0..self.roll(8)).map(|_| id(&self.roll(14).to_string())).collect()),
            _ => Selection::All,
        };
        let filter = self.of(&[None, Some(r#"{"0":1}"#), Some(r#"{"1":{"$ne":2}}"#)]).map(filter);
        Read { selection, filter, ..Read::default() }
    }

    fn page(&mut self) -> Read {
        let sort = |text| Sort::parse(serde_json::from_str(text).unwrap()).unwrap();
        let sort = self.of(&[None, Some(r#"["-0","id"]"#)]).map(sort);
        let (skip, limit) = (self.of(&[0, 0, 1, 3]), self.of(&[None, Some(0), Some(2), Some(5)]));
        Read { sort, skip, limit, ..self.read() }
    }
}

/// All but the epochs, which differ.
fn comparable(outcomes: &Few<Outcome>) -> Vec<String> {
    let mut outcomes = outcomes.clone();
    let epoch = backsync_protocol::Epoch(NonZeroU64::MIN);
    for committed in outcomes.iter_mut().flatten() {
        committed.parts.iter_mut().for_each(|part| part.position.epoch = epoch);
    }
    outcomes.iter().map(|outcome| format!("{outcome:#?}")).collect()
}

fn sorted(mut ids: Vec<RecordId>) -> Vec<RecordId> {
    ids.sort();
    ids
}

fn owners(mut owned: Vec<Owned>) -> Vec<Owned> {
    owned.sort_by(|a, b| (&a.model, &a.id).cmp(&(&b.model, &b.id)));
    owned
}

#[test]
fn whatever_is_done_the_outcome_is_that_of_the_store_in_memory() {
    for seed in 0..20 {
        let retention = if seed % 2 == 0 { LITTLE } else { LITTLE_ONCE };
        let (data, memory, mut dice) = (Data::new(), Memory::new(retention), Dice(seed));
        let mut store: Arc<dyn Store> = Fixture::open(&data, retention);
        let mut positions: [Vec<(Position, Position)>; 2] = Default::default();
        block_on(async {
            for step in 0..80 {
                let at = format!("seed {seed}, step {step}");
                let mut commits: Few<Commit> = (0..=dice.roll(2)).map(|_| dice.commit(step)).collect();
                if dice.roll(4) == 0 {
                    commits.extend(commits.first().cloned());
                }
                let expected = memory.commit(commits.clone()).await.unwrap();
                let committed = store.commit(commits.clone()).await.unwrap();
                assert_eq!(comparable(&committed), comparable(&expected), "{at}: {commits:#?}");
                for (side, name) in MODELS.iter().enumerate() {
                    let model = model(name);
                    positions[side]
                        .push((store.position(&model).await.unwrap(), memory.position(&model).await.unwrap()));
                }
                if dice.roll(20) == 0 {
                    store.close().await.unwrap();
                    store = Fixture::open(&data, retention);
                }
                let side = dice.roll(2) as usize;
                let model = model(MODELS[side]);

                let page = dice.page();
                let expected = memory.read(&model, page.clone()).await.unwrap().records;
                assert_eq!(store.read(&model, page.clone()).await.unwrap().records, expected, "{at}: {page:?}");

                let (ours, theirs) = dice.of(&positions[side]);
                let read = dice.read();
                let expected = memory.read(&model, Read { since: Some(theirs), ..read.clone() }).await.unwrap();
                let found = store.read(&model, Read { since: Some(ours), ..read.clone() }).await.unwrap();
                assert_eq!(
                    (found.records, found.reset),
                    (expected.records, expected.reset),
                    "{at}: {read:?} since {ours}"
                );
                assert_eq!(sorted(found.deleted), sorted(expected.deleted), "{at}: {read:?} since {ours}");

                let (after, limit) = (Revision(dice.roll(100)), dice.roll(50) as usize);
                let expected = memory.changes(&model, after, limit).await.unwrap();
                assert_eq!(store.changes(&model, after, limit).await.unwrap(), expected, "{at}");
                assert_eq!(owners(store.owned().await.unwrap()), owners(memory.owned().await.unwrap()), "{at}");
            }
        });
    }
}
