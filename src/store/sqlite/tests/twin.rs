//! Whatever is done, the outcome is that of the store in memory, however often this one is opened anew.

use super::Data;
use crate::{
    random::Random,
    store::{
        Bounds, Commit, Few, Memory, Operation, Outcome, Owned, Owner, Page, Read, Retention, Selection, Store, Terms,
        conformance::{
            Fixture, Step, adopt, block_on, delete, id, model, on, owner, release, replace, restore, upsert,
        },
    },
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

/// What is done, by chance.
struct Chance(Random);

impl Chance {
    fn commit(&mut self, now: u64) -> Commit {
        let first = self.0.below(2) as usize;
        let mut step = self.part(Step::to(MODELS[first], []));
        if self.0.below(3) == 0 {
            step = self.part(step.and(MODELS[1 - first], []));
        }
        if self.0.below(3) == 0 {
            let (client, id) = (self.0.pick(&["c", "d"]), self.0.below(20).to_string());
            step = step.once(client, &id);
        }
        step.at(now).0
    }

    fn part(&mut self, step: Step) -> Step {
        let max_records = NonZeroU32::new(self.0.pick(&[0, 0, 4, 8]));
        let mut step = step.bounded(Bounds { max_records, max_age: NonZeroU64::new(self.0.pick(&[0, 0, 20])) });
        let operations = (0..self.0.below(5)).map(|_| self.operation()).collect();
        step.0.parts.last_mut().unwrap().operations = operations;
        step
    }

    fn operation(&mut self) -> Operation {
        let (id, name, value) = (self.0.below(12), self.0.below(3), self.0.below(3));
        let json = format!(r#"{{"id":"{id}","{name}":{value}}}"#);
        let mine = Some(self.owner());
        let terms = Terms {
            policy: self.0.pick(&ConflictPolicy::ALL),
            prefer: self.0.pick(&[None, None, Some(Side::Client), Some(Side::Server)]),
            base: self.0.pick(&[None, Some(())]).map(|()| Revision(self.0.below(60))),
            last_change: self.0.pick(&[None, Some(())]).map(|()| self.0.below(100)),
            owner: self.0.pick(&[None, None, None, mine]),
        };
        let operation = match self.0.below(7) {
            4 => adopt(&id.to_string(), self.owner(), self.0.pick(&["n1", "n2"])),
            5 => release(&id.to_string(), self.owner()),
            6 => restore(&json, self.owner(), self.0.pick(&["n1", "n2"])),
            0 => delete(&id.to_string()),
            1 => replace(&json),
            _ => upsert(&json),
        };
        if self.0.below(3) == 0 { on(&terms, operation) } else { operation }
    }

    fn owner(&mut self) -> Owner {
        owner(self.0.pick(&["me", "you"]), self.0.pick(&["n1", "n2"]))
    }

    fn read(&mut self) -> Read {
        let filter = |text| Filter::parse(serde_json::from_str(text).unwrap(), &FilterLimits::default()).unwrap();
        let selection = match self.0.below(3) {
            0 => Selection::Ids((0..self.0.below(8)).map(|_| id(&self.0.below(14).to_string())).collect()),
            _ => Selection::All,
        };
        let filter = self.0.pick(&[None, Some(r#"{"0":1}"#), Some(r#"{"1":{"$ne":2}}"#)]).map(filter);
        Read { selection, filter, ..Read::default() }
    }

    fn page(&mut self) -> Read {
        let sort = |text| Sort::parse(serde_json::from_str(text).unwrap()).unwrap();
        let sort = self.0.pick(&[None, Some(r#"["-0","id"]"#)]).map(sort);
        let (skip, limit) = (self.0.pick(&[0, 0, 1, 3]), self.0.pick(&[None, Some(0), Some(2), Some(5)]));
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
        let (data, memory, mut chance) = (Data::new(), Memory::new(retention), Chance(Random::seeded(seed)));
        let mut store: Arc<dyn Store> = Fixture::open(&data, retention);
        let mut positions: [Vec<(Position, Position)>; 2] = Default::default();
        block_on(async {
            for step in 0..80 {
                let at = format!("seed {seed}, step {step}");
                let mut commits: Few<Commit> = (0..=chance.0.below(2)).map(|_| chance.commit(step)).collect();
                if chance.0.below(4) == 0 {
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
                if chance.0.below(20) == 0 {
                    store.close().await.unwrap();
                    store = Fixture::open(&data, retention);
                }
                let side = chance.0.below(2) as usize;
                let model = model(MODELS[side]);

                let page = chance.page();
                let expected = memory.read(&model, page.clone()).await.unwrap().records;
                assert_eq!(store.read(&model, page.clone()).await.unwrap().records, expected, "{at}: {page:?}");

                let (ours, theirs) = chance.0.pick(&positions[side]);
                let read = chance.read();
                let expected = memory.read(&model, Read { since: Some(theirs), ..read.clone() }).await.unwrap();
                let found = store.read(&model, Read { since: Some(ours), ..read.clone() }).await.unwrap();
                assert_eq!(
                    (found.records, found.reset),
                    (expected.records, expected.reset),
                    "{at}: {read:?} since {ours}"
                );
                assert_eq!(sorted(found.deleted), sorted(expected.deleted), "{at}: {read:?} since {ours}");

                let limit = chance.0.below(50) as usize;
                let piece = |page: Option<Page>| page.map(|page| (page.changes, page.position.revision));
                let expected = piece(memory.changes(&model, theirs, limit).await.unwrap());
                assert_eq!(piece(store.changes(&model, ours, limit).await.unwrap()), expected, "{at}");
                assert_eq!(owners(store.owned().await.unwrap()), owners(memory.owned().await.unwrap()), "{at}");
            }
        });
    }
}
