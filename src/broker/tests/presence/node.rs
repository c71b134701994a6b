//! A node of the simulation, and its way to the store.

use super::*;
use crate::{
    broker::sweep::Sweep,
    store::{Commit, Few, Lease, Nodes, Outcome, Page, Read, Snapshot, Store},
};
use backsync_protocol::Position;
use std::{collections::VecDeque, future::pending};
use tokio::sync::oneshot;

type Step = Box<dyn FnOnce() -> Hand + Send>;
type Hand = Box<dyn FnOnce() + Send>;

/// A node's way to the store, which all share: work is done in the order of the calls, answers come in any order, and both are
/// let through one by one.
pub(super) struct Way {
    pub(super) memory: Arc<Memory>,
    pub(super) state: Mutex<(VecDeque<Step>, Vec<Hand>)>,
}

impl Way {
    fn later<T: Send + 'static>(&self, ask: impl FnOnce(&Memory) -> Answer<T> + Send + 'static) -> Answer<T> {
        let (sender, answer) = oneshot::channel();
        let memory = self.memory.clone();
        self.state.lock().unwrap().0.push_back(Box::new(move || {
            let Answer::Ready(Some(done)) = ask(&memory) else { unreachable!("memory never waits") };
            Box::new(move || drop(sender.send(done)))
        }));
        Answer::later(async move {
            match answer.await {
                Ok(answer) => answer,
                // Who asked is no more.
                Err(_) => pending().await,
            }
        })
    }

    pub(super) fn is_idle(&self) -> bool {
        let state = self.state.lock().unwrap();
        state.0.is_empty() && state.1.is_empty()
    }

    /// Take one of the steps there are; false where there is none.
    pub(super) fn step(&self, random: &mut Random) -> bool {
        let mut state = self.state.lock().unwrap();
        let (work, answers) = (state.0.len().min(1), state.1.len());
        if work + answers == 0 {
            return false;
        }
        if random.index(work + answers) < work {
            let step = state.0.pop_front().expect("there is work");
            let answer = step();
            state.1.push(answer);
        } else {
            let answer = state.1.swap_remove(random.index(answers));
            drop(state);
            answer();
        }
        true
    }

    /// The node dies: some of what it asked for is still done, and nobody is told.
    pub(super) fn cut(&self, random: &mut Random) {
        let (work, _) = std::mem::take(&mut *self.state.lock().unwrap());
        let done = random.index(work.len() + 1);
        work.into_iter().take(done).for_each(|step| drop(step()));
    }
}

impl Store for Way {
    fn commit(&self, commits: Few<Commit>) -> Answer<Few<Outcome>> {
        self.later(move |memory| memory.commit(commits))
    }
    fn read(&self, model: &ModelName, read: Read) -> Answer<Snapshot> {
        let model = model.clone();
        self.later(move |memory| memory.read(&model, read))
    }
    fn changes(&self, model: &ModelName, after: Position, limit: usize) -> Answer<Option<Page>> {
        let model = model.clone();
        self.later(move |memory| memory.changes(&model, after, limit))
    }
    fn positions(&self, models: &[ModelName]) -> Answer<Vec<Position>> {
        let models = models.to_vec();
        self.later(move |memory| memory.positions(&models))
    }
    fn owned(&self) -> Answer<Vec<Owned>> {
        self.later(Memory::owned)
    }
    fn renew(&self, lease: Lease, _: Millis) -> Answer<Nodes> {
        // The store's clock decides.
        self.later(move |memory| memory.renew(lease, NOW.get()))
    }
    fn is_shared(&self) -> bool {
        true
    }
    fn close(&self) -> Answer<()> {
        Answer::ready(())
    }
}

pub(super) struct Node {
    pub(super) way: Arc<Way>,
    pub(super) broker: Broker,
    pub(super) hub: Rc<RefCell<Hub>>,
    /// Empty while a turn is taken.
    pub(super) sweep: Rc<RefCell<Option<Sweep>>>,
    pub(super) started: Millis,
    /// Since when nothing of it moves, and until when.
    pub(super) stopped: Option<(Millis, Millis)>,
    /// When it last went on.
    pub(super) woken: Option<Millis>,
}

impl Node {
    /// Something of it happens, if there is anything to do.
    pub(super) fn step(&self, random: &mut Random) -> bool {
        let mut sweep = self.sweep.borrow_mut();
        let is_due = sweep.as_ref().and_then(|sweep| self.broker.next_turn(sweep)).is_some_and(|at| at <= NOW.get());
        if is_due && (random.one_in(2) || self.way.is_idle()) {
            let (broker, mut taken, back) = (self.broker.clone(), sweep.take().unwrap(), self.sweep.clone());
            tokio::task::spawn_local(async move {
                broker.turn(&mut taken).await;
                *back.borrow_mut() = Some(taken);
            });
            return true;
        }
        let is_turning = sweep.is_none();
        drop(sweep);
        self.hub.borrow_mut().flush();
        self.way.step(random) || is_turning
    }

    pub(super) fn incarnation(&self) -> Arc<str> {
        self.broker.presence().node().clone()
    }
}
