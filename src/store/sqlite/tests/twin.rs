use super::Data;
use crate::store::{
    Bounds, Commit, Committed, Memory, Operation, Selection, Store,
    conformance::{block_on, model, upsert},
};
use backsync_protocol::Revision;
use std::num::NonZeroU32;

/// Numbers without pattern, the same each time for one seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn commits(&mut self) -> Vec<Commit> {
        let count = 1 + self.roll(3);
        (0..count).map(|_| Commit { operations: self.operations() }).collect()
    }

    fn operations(&mut self) -> Vec<Operation> {
        let count = self.roll(6);
        (0..count).map(|_| self.operation()).collect()
    }

    fn operation(&mut self) -> Operation {
        let (id, name, value) = (self.roll(12), self.roll(3), self.roll(3));
        match (upsert(&format!(r#"{{"id":"{id}","{name}":{value}}}"#)), self.roll(4)) {
            (Operation::Upsert { id, .. }, 0) => Operation::Delete { id },
            (Operation::Upsert { id, attributes, .. }, 1) => Operation::Upsert { id, attributes, replace: true },
            (operation, _) => operation,
        }
    }
}

fn without_epoch(committed: Vec<Committed>) -> Vec<impl PartialEq + std::fmt::Debug> {
    committed.into_iter().map(|c| (c.records, c.changes, c.position.revision)).collect()
}

#[test]
fn whatever_is_done_the_outcome_is_that_of_the_store_in_memory() {
    for seed in 0..20 {
        let (data, memory, mut dice) = (Data::new(), Memory::default(), Dice(seed));
        let mut store = data.open();
        block_on(async {
            for _ in 0..60 {
                let model = model(["A", "B"][dice.roll(2) as usize]);
                let bounds = Bounds { max_records: NonZeroU32::new([0, 0, 4, 8][dice.roll(4) as usize]) };
                let commits = dice.commits();
                let expected = memory.commit(&model, commits.clone(), bounds).await.unwrap();
                let committed = store.commit(&model, commits, bounds).await.unwrap();
                assert_eq!(without_epoch(committed), without_epoch(expected), "seed {seed}");
                if dice.roll(20) == 0 {
                    store.close().await.unwrap();
                    store = data.open();
                }
                let records = store.read(&model, Selection::All).await.unwrap().records;
                assert_eq!(records, memory.read(&model, Selection::All).await.unwrap().records, "seed {seed}");
                let (after, limit) = (Revision(dice.roll(100)), dice.roll(50) as usize);
                let expected = memory.changes(&model, after, limit).await.unwrap();
                assert_eq!(store.changes(&model, after, limit).await.unwrap(), expected, "seed {seed}");
            }
        });
    }
}
