//! A store that takes its time: its work and its answers are let through one by one, and it can be cut off.

use super::truth::Truth;
use crate::{
    random::Random,
    store::{Answer, Change, Commit, Few, Outcome, Owned, Read, Snapshot, Store},
};
use backsync_protocol::{ModelName, Position, Revision};
use std::{
    collections::VecDeque,
    future::pending,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::oneshot;

/// A step that the store has still to take: do the work, or hand out the answer.
type Step = Box<dyn FnOnce() -> Hand + Send>;
type Hand = Box<dyn FnOnce() + Send>;

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
            state.work.push_back(Box::new(move || {
                let Answer::Ready(Some(done)) = ask(&mut truth.lock().unwrap()) else { unreachable!("it never waits") };
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

    pub(super) fn is_idle(&self) -> bool {
        let state = self.state.lock().unwrap();
        state.work.is_empty() && state.answers.is_empty()
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
            state.answers.push(step());
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
        state.work.drain(..done).for_each(|step| drop(step()));
        *state = State { is_cut: true, ..State::default() };
    }
}

impl Store for Lagging {
    fn commit(&self, commits: Few<Commit>) -> Answer<Few<Outcome>> {
        self.later(move |truth| Answer::ready(truth.commit(commits)))
    }

    fn read(&self, model: &ModelName, read: Read) -> Answer<Snapshot> {
        let model = model.clone();
        self.later(move |truth| truth.store().read(&model, read))
    }

    fn changes(&self, model: &ModelName, after: Revision, limit: usize) -> Answer<Option<Vec<Change>>> {
        let model = model.clone();
        self.later(move |truth| truth.store().changes(&model, after, limit))
    }

    fn position(&self, model: &ModelName) -> Answer<Position> {
        let model = model.clone();
        self.later(move |truth| truth.store().position(&model))
    }

    fn owned(&self) -> Answer<Vec<Owned>> {
        self.later(|truth| truth.store().owned())
    }

    fn close(&self) -> Answer<()> {
        Answer::ready(())
    }
}
