//! A store that takes its time before it reads, and to answer.

use crate::{
    random::Random,
    store::{Answer, Commit, Few, Lease, Millis, Nodes, Outcome, Owned, Page, Read, Snapshot, Store},
};
use backsync_protocol::{ModelName, Position};
use std::sync::{Arc, Mutex};
use tokio::task::yield_now;

/// A node's way to a store.
pub(super) struct Slow {
    store: Arc<dyn Store>,
    random: Mutex<Random>,
}

impl Slow {
    pub(super) fn new(store: Arc<dyn Store>, random: Random) -> Self {
        Self { store, random: Mutex::new(random) }
    }

    fn pause(&self) -> impl Future<Output = ()> + Send + use<> {
        let turns = self.random.lock().unwrap().below(4);
        async move {
            for _ in 0..turns {
                yield_now().await;
            }
        }
    }
}

impl Store for Slow {
    fn commit(&self, commits: Few<Commit>) -> Answer<Few<Outcome>> {
        let (answer, pause) = (self.store.commit(commits), self.pause());
        Answer::later(async {
            let outcome = answer.await;
            pause.await;
            outcome
        })
    }

    fn read(&self, model: &ModelName, read: Read) -> Answer<Snapshot> {
        let (store, model, before, after) = (self.store.clone(), model.clone(), self.pause(), self.pause());
        Answer::later(async move {
            before.await;
            let snapshot = store.read(&model, read).await;
            after.await;
            snapshot
        })
    }

    fn changes(&self, model: &ModelName, after: Position, limit: usize) -> Answer<Option<Page>> {
        self.store.changes(model, after, limit)
    }

    fn positions(&self, models: &[ModelName]) -> Answer<Vec<Position>> {
        self.store.positions(models)
    }

    fn is_shared(&self) -> bool {
        self.store.is_shared()
    }

    fn owned(&self) -> Answer<Vec<Owned>> {
        self.store.owned()
    }

    fn renew(&self, lease: Lease, now: Millis) -> Answer<Nodes> {
        self.store.renew(lease, now)
    }

    fn close(&self) -> Answer<()> {
        self.store.close()
    }
}
