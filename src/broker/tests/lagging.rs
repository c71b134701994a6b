//! A store that takes its time: its work and its answers are let through one by one, it fails now and then, and it can be cut off.

use super::truth::Truth;
use crate::{
    random::Random,
    store::{Answer, Commit, Few, Lease, Millis, Nodes, Outcome, Owned, Page, Read, Snapshot, Store, StoreError},
};
use backsync_protocol::{ModelName, Position};
use std::{
    collections::VecDeque,
    future::pending,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::oneshot;

/// A step that the store has still to take: do the work, or hand out the answer.
type Step = Box<dyn FnOnce(Fails) -> Hand + Send>;
type Hand = Box<dyn FnOnce() + Send>;

/// Whether a step fails, and if so whether what was asked is done all the same.
#[derive(Clone, Copy, PartialEq)]
enum Fails {
    Not,
    Before,
    After,
}

/// One node's way to the store. Work is done in the order of the calls, as a writer does it; answers come in any order.
pub(super) struct Lagging {
    truth: Arc<Mutex<Truth>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    work: VecDeque<Step>,
    answers: Vec<Hand>,
    /// Whether the node that asked is no more.
    is_cut: bool,
    /// Whether it fails now and then.
    is_failing: bool,
}

impl Lagging {
    pub(super) fn new(truth: Arc<Mutex<Truth>>) -> Arc<Self> {
        Arc::new(Self { truth, state: Mutex::default() })
    }

    fn later<T: Send + 'static>(&self, ask: impl FnOnce(&mut Truth) -> Answer<T> + Send + 'static) -> Answer<T> {
        let (sender, answer) = oneshot::channel();
        let truth = self.truth.clone();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.is_cut {
            state.work.push_back(Box::new(move |fails| {
                let failure = || Err(StoreError::Unavailable("it fails now and then".into()));
                if fails == Fails::Before {
                    return Box::new(move || drop(sender.send(failure())));
                }
                let Answer::Ready(Some(done)) = ask(&mut truth.lock().unwrap()) else { unreachable!("it never waits") };
                let done = if fails == Fails::After { failure() } else { done };
                Box::new(move || drop(sender.send(done)))
            }));
        }
        Answer::later(async move {
            match answer.await {
                Ok(answer) => answer,
                // Who asked is no more.
                Err(_) => pending().await,
            }
        })
    }

    pub(super) fn fail(&self, is_failing: bool) {
        self.state.lock().unwrap().is_failing = is_failing;
    }

    /// Take one of the steps there are; false where there is none.
    pub(super) fn step(&self, random: &mut Random) -> bool {
        let mut state = self.state.lock().unwrap();
        let (work, answers) = (state.work.len().min(1), state.answers.len());
        if work + answers == 0 {
            return false;
        }
        if random.index(work + answers) < work {
            let step = state.work.pop_front().expect("there is work");
            let failures = [Fails::Not, Fails::Not, Fails::Not, Fails::Not, Fails::Before, Fails::After];
            let fails = if state.is_failing { random.pick(&failures) } else { Fails::Not };
            state.answers.push(step(fails));
        } else {
            let answer = state.answers.swap_remove(random.index(answers));
            drop(state);
            answer();
        }
        true
    }

    /// The node that asked dies: some of its work is still done, the rest is not, and nobody is told.
    pub(super) fn cut(&self, random: &mut Random) {
        let mut state = self.state.lock().unwrap();
        let done = random.index(state.work.len() + 1);
        state.work.drain(..done).for_each(|step| drop(step(Fails::Not)));
        *state = State { is_cut: true, ..State::default() };
    }
}

impl Store for Lagging {
    fn commit(&self, commits: Few<Commit>) -> Answer<Few<Outcome>> {
        self.later(move |truth| Answer::ready(truth.commit(commits)))
    }

    fn read(&self, model: &ModelName, read: Read) -> Answer<Snapshot> {
        let model = model.clone();
        self.later(move |truth| {
            let since = read.since.map(|since| truth.in_present(since));
            truth.store().read(&model, Read { since, ..read })
        })
    }

    fn changes(&self, model: &ModelName, after: Position, limit: usize) -> Answer<Option<Page>> {
        // Pages are small, so that several are needed.
        let (model, limit) = (model.clone(), limit.min(4));
        self.later(move |truth| {
            let after = truth.in_present(after);
            truth.store().changes(&model, after, limit)
        })
    }

    fn positions(&self, models: &[ModelName]) -> Answer<Vec<Position>> {
        let models = models.to_vec();
        self.later(move |truth| truth.store().positions(&models))
    }

    fn is_shared(&self) -> bool {
        self.truth.lock().unwrap_or_else(PoisonError::into_inner).is_shared()
    }

    fn owned(&self) -> Answer<Vec<Owned>> {
        self.later(|truth| truth.store().owned())
    }

    fn renew(&self, lease: Lease, now: Millis) -> Answer<Nodes> {
        self.later(move |truth| truth.store().renew(lease, now))
    }

    fn close(&self) -> Answer<()> {
        Answer::ready(())
    }
}
