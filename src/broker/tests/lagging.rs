//! A store that takes its time: its work and its answers are let through one by one.

use crate::{
    random::Random,
    store::{Answer, Change, Commit, Few, Memory, Outcome, Owned, Read, Snapshot, Store},
};
use backsync_protocol::{ModelName, Position, Revision};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};
use tokio::sync::oneshot;

/// A step that the store has still to take: do the work, or hand out the answer.
type Step = Box<dyn FnOnce() -> Option<Hand> + Send>;
type Hand = Box<dyn FnOnce() + Send>;

/// Work is done in the order of the calls, as a writer does it; answers come in any order.
#[derive(Default)]
pub(super) struct Lagging {
    pub(super) memory: Arc<Memory>,
    work: Mutex<VecDeque<Step>>,
    answers: Mutex<Vec<Hand>>,
}

impl Lagging {
    pub(super) fn over(memory: Memory) -> Arc<Self> {
        Arc::new(Self { memory: Arc::new(memory), ..Self::default() })
    }

    fn later<T: Send + 'static>(&self, ask: impl FnOnce(&Memory) -> Answer<T> + Send + 'static) -> Answer<T> {
        let (sender, answer) = oneshot::channel();
        let memory = self.memory.clone();
        self.work.lock().unwrap().push_back(Box::new(move || {
            let Answer::Ready(Some(done)) = ask(&memory) else { unreachable!("memory never waits") };
            Some(Box::new(move || drop(sender.send(done))))
        }));
        Answer::later(async move { answer.await.expect("every call is answered") })
    }

    pub(super) fn is_idle(&self) -> bool {
        self.work.lock().unwrap().is_empty() && self.answers.lock().unwrap().is_empty()
    }

    /// Take one of the steps there are; false where there is none.
    pub(super) fn step(&self, random: &mut Random) -> bool {
        let (work, answers) = (self.work.lock().unwrap().len(), self.answers.lock().unwrap().len());
        if work + answers == 0 {
            return false;
        }
        if random.index(work.min(1) + answers) < work.min(1) {
            let step = self.work.lock().unwrap().pop_front().unwrap();
            self.answers.lock().unwrap().extend(step());
        } else {
            let answer = self.answers.lock().unwrap().swap_remove(random.index(answers));
            answer();
        }
        true
    }
}

impl Store for Lagging {
    fn commit(&self, commits: Few<Commit>) -> Answer<Few<Outcome>> {
        self.later(move |memory| memory.commit(commits))
    }

    fn read(&self, model: &ModelName, read: Read) -> Answer<Snapshot> {
        let model = model.clone();
        self.later(move |memory| memory.read(&model, read))
    }

    fn changes(&self, model: &ModelName, after: Revision, limit: usize) -> Answer<Option<Vec<Change>>> {
        let model = model.clone();
        self.later(move |memory| memory.changes(&model, after, limit))
    }

    fn position(&self, model: &ModelName) -> Answer<Position> {
        let model = model.clone();
        self.later(move |memory| memory.position(&model))
    }

    fn owned(&self) -> Answer<Vec<Owned>> {
        self.later(Memory::owned)
    }

    fn close(&self) -> Answer<()> {
        Answer::ready(())
    }
}
