//! A store in memory: the reference that the others are compared with.
//!
//! Each model has a lock of its own, and every answer is ready at once. A history ends with the process.

mod graves;
mod model;
mod records;
mod row;
mod table;
mod transactions;

use super::{
    Answer, Commit, Committed, Few, Lease, Millis, Nodes, Operation, Outcome, Owned, Page, Part, Read, Rejected,
    Rejection, Retention, Snapshot, Store, StoreError, epoch, lease::Leases,
};
use backsync_protocol::{Epoch, ModelName, Position, RecordId};
use foldhash::HashMap;
use model::{Model, Trail};
use records::AHEAD;
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError, RwLock,
    atomic::{AtomicBool, Ordering},
};
use transactions::{Seen, Transactions};

/// The store of `memory:`.
#[derive(Debug)]
pub struct Memory {
    retention: Retention,
    epoch: Epoch,
    models: RwLock<HashMap<ModelName, Arc<Mutex<Model>>>>,
    /// Locked before any model is.
    transactions: Mutex<Transactions>,
    leases: Mutex<Leases>,
    is_closed: AtomicBool,
}

impl Default for Memory {
    fn default() -> Self {
        Self::new(Retention::default())
    }
}

impl Memory {
    /// An empty store.
    pub fn new(retention: Retention) -> Self {
        let (models, transactions, leases, is_closed) = Default::default();
        Self { retention, epoch: epoch::new(), models, transactions, leases, is_closed }
    }

    /// A model to be written.
    fn model(&self, name: &ModelName) -> Arc<Mutex<Model>> {
        self.known(name).unwrap_or_else(|| {
            let mut models = self.models.write().unwrap_or_else(PoisonError::into_inner);
            models.entry(name.clone()).or_insert_with(|| Arc::new(Mutex::new(self.empty(name)))).clone()
        })
    }

    fn known(&self, name: &ModelName) -> Option<Arc<Mutex<Model>>> {
        self.models.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    fn empty(&self, name: &ModelName) -> Model {
        Model::new(epoch::of_model(self.epoch, name))
    }

    /// Look at a model; one that nobody has written is as an empty one, and is not kept.
    fn with<T>(&self, name: &ModelName, work: impl FnOnce(&Model) -> T) -> Answer<T> {
        self.unless_closed(|| self.look_at(name, work))
    }

    fn look_at<T>(&self, name: &ModelName, work: impl FnOnce(&Model) -> T) -> T {
        match self.known(name) {
            Some(model) => work(&lock(&model)),
            None => work(&self.empty(name)),
        }
    }

    fn unless_closed<T>(&self, work: impl FnOnce() -> T) -> Answer<T> {
        if self.is_closed.load(Ordering::Acquire) {
            return Answer::Ready(Some(Err(StoreError::Closed)));
        }
        Answer::ready(work())
    }

    /// Commits in their order: those that follow one another to the same model without looking for it, or locking it, again.
    fn commit_all(&self, commits: &[Commit]) -> Few<Outcome> {
        let mut outcomes = Few::with_capacity(commits.len());
        let mut rest = commits;
        while let [first, behind @ ..] = rest {
            let Some(part) = plain(first) else {
                outcomes.push(self.commit_one(first));
                rest = behind;
                continue;
            };
            let (name, model) = (&part.model, self.model(&part.model));
            let mut model = lock(&model);
            let is_to_it = |commit: &&Commit| plain(commit).is_some_and(|part| part.model == *name);
            let (together, behind) = rest.split_at(rest.iter().take_while(is_to_it).count());
            rest = behind;
            for commits in together.chunks(AHEAD) {
                if commits.len() > 1 {
                    model.fetch(commits.iter().flat_map(|commit| &commit.parts[0].operations).map(Operation::id));
                }
                for commit in commits {
                    outcomes.push(self.apply_alone(&mut model, &commit.parts[0], commit.now));
                }
            }
        }
        outcomes
    }

    fn commit_one(&self, commit: &Commit) -> Outcome {
        let Some(transaction) = &commit.transaction else { return self.apply(commit) };
        let mut transactions = self.transactions.lock().unwrap_or_else(PoisonError::into_inner);
        match transactions.look_up(transaction) {
            Seen::Before(outcome) => return outcome,
            Seen::Otherwise => {
                return Err(Box::new(Rejected { part: 0, operation: 0, why: Rejection::TransactionReused }));
            }
            Seen::Never => {}
        }
        let outcome = self.apply(commit);
        transactions.remember(transaction, &outcome, commit.now, &self.retention);
        outcome
    }

    fn apply(&self, commit: &Commit) -> Outcome {
        if let [part] = commit.parts.as_slice() {
            return self.apply_alone(&mut lock(&self.model(&part.model)), part, commit.now);
        }
        // Always locked in the order of the names, so that no two wait for each other.
        let mut parts: Vec<(usize, &Part, Arc<Mutex<Model>>)> =
            commit.parts.iter().enumerate().map(|(at, part)| (at, part, self.model(&part.model))).collect();
        parts.sort_by(|(_, a, _), (_, b, _)| a.model.cmp(&b.model));
        let mut locked: Vec<_> = parts.iter().map(|(at, part, model)| (*at, *part, lock(model))).collect();
        locked.sort_by_key(|(at, ..)| *at);
        let (mut parts, mut trails) = (Vec::with_capacity(locked.len()), Vec::with_capacity(locked.len()));
        for at in 0..locked.len() {
            let (_, part, model) = &mut locked[at];
            let (mut done, mut trail) = (model.nothing(), Trail::new(part, false));
            if let Err((operation, why)) = model.apply(part, commit.now, &mut done, &mut trail) {
                for ((done, trail), (.., model)) in parts.iter().zip(trails).zip(&mut locked).rev() {
                    model.undo(done, trail);
                }
                return Err(Box::new(Rejected { part: at, operation, why }));
            }
            parts.push(done);
            trails.push(trail);
        }
        for ((done, trail), (.., model)) in parts.iter().zip(&trails).zip(&mut locked) {
            model.keep(done, trail, &self.retention, commit.now);
        }
        Ok(Committed { parts })
    }

    fn apply_alone(&self, model: &mut Model, part: &Part, now: Millis) -> Outcome {
        // Put together where it is to stand.
        let (mut parts, mut trail) = (vec![model.nothing()], Trail::new(part, true));
        match model.apply(part, now, &mut parts[0], &mut trail) {
            Ok(()) => {
                model.keep(&parts[0], &trail, &self.retention, now);
                Ok(Committed { parts })
            }
            Err((operation, why)) => Err(Box::new(Rejected { part: 0, operation, why })),
        }
    }
}

/// The part of a commit that has one only, and is no transaction.
fn plain(commit: &Commit) -> Option<&Part> {
    match (commit.parts.as_slice(), &commit.transaction) {
        ([part], None) => Some(part),
        _ => None,
    }
}

fn lock(model: &Arc<Mutex<Model>>) -> MutexGuard<'_, Model> {
    model.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Store for Memory {
    fn commit(&self, commits: Few<Commit>) -> Answer<Few<Outcome>> {
        self.unless_closed(|| self.commit_all(&commits))
    }

    fn read(&self, model: &ModelName, read: Read) -> Answer<Snapshot> {
        self.with(model, |model| model.read(&read))
    }

    fn changes(&self, model: &ModelName, after: Position, limit: usize) -> Answer<Option<Page>> {
        self.with(model, |model| model.changes(after, limit))
    }

    fn positions(&self, models: &[ModelName]) -> Answer<Vec<Position>> {
        self.unless_closed(|| models.iter().map(|name| self.look_at(name, Model::position)).collect())
    }

    fn is_shared(&self) -> bool {
        false
    }

    fn owned(&self) -> Answer<Vec<Owned>> {
        self.unless_closed(|| {
            let models: Vec<_> = {
                let models = self.models.read().unwrap_or_else(PoisonError::into_inner);
                models.iter().map(|(name, model)| (name.clone(), model.clone())).collect()
            };
            let mut all = Vec::new();
            for (name, model) in models {
                all.extend(lock(&model).owned().map(|(slot, owner)| Owned {
                    model: name.clone(),
                    id: RecordId::parse(slot.record.id()).expect("the id of a record is one"),
                    owner: owner.clone(),
                }));
            }
            all
        })
    }

    fn renew(&self, lease: Lease, now: Millis) -> Answer<Nodes> {
        self.unless_closed(|| self.leases.lock().unwrap_or_else(PoisonError::into_inner).renew(lease, now))
    }

    fn close(&self) -> Answer<()> {
        self.is_closed.store(true, Ordering::Release);
        Answer::ready(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance::{Fixture, Step, conformance, model, upsert};

    struct InMemory;
    impl Fixture for InMemory {
        const SEEDS: u64 = 200;

        fn open(&self, retention: Retention) -> Arc<dyn Store> {
            Arc::new(Memory::new(retention))
        }
    }
    conformance!(InMemory);

    #[test]
    fn reading_makes_no_model() {
        let (store, model) = (Memory::default(), model("M"));
        let Answer::Ready(Some(Ok(before))) = store.position(&model) else { panic!("it answers at once") };
        drop((store.read(&model, Read::default()), store.changes(&model, before, 1)));
        assert!(store.models.read().unwrap().is_empty());
        drop(store.commit([Step::of([upsert(r#"{"id":"a"}"#)]).0].into_iter().collect()));
        let Answer::Ready(Some(Ok(after))) = store.position(&model) else { panic!("it answers at once") };
        assert_eq!((after.epoch, before.revision.next()), (before.epoch, after.revision), "it is the same history");
    }

    #[test]
    fn nobody_waits_for_an_answer() {
        let (store, model) = (Memory::default(), model("M"));
        let step = Step::of([upsert(r#"{"id":"a"}"#)]).once("me", "1");
        assert!(matches!(store.commit([step.0].into_iter().collect()), Answer::Ready(Some(Ok(_)))));
        assert!(matches!(store.read(&model, Read::default()), Answer::Ready(Some(Ok(_)))));
        let Answer::Ready(Some(Ok(position))) = store.position(&model) else { panic!("it answers at once") };
        assert!(matches!(store.changes(&model, position, 1), Answer::Ready(Some(Ok(_)))));
        assert!(matches!(store.owned(), Answer::Ready(Some(Ok(_)))));
        let lease = Lease { node: "me".into(), is_new: true, duration: 1 };
        assert!(matches!(store.renew(lease, 0), Answer::Ready(Some(Ok(_)))));
        assert!(matches!(store.close(), Answer::Ready(Some(Ok(())))));
    }
}
