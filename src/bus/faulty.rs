//! A bus that does everything a bus may do: what it carries is lost, repeated, late and out of order, and for a time or for good
//! nothing arrives at all, as a test decides.

use super::{Bus, Followed, Local, Origin, Publication, Receiver};
use crate::random::Random;
use backsync_protocol::ModelName;
use std::{
    collections::{HashSet, VecDeque},
    sync::{Mutex, Weak},
};
use tokio::sync::oneshot;

/// Publications on their way, each to one node.
#[derive(Default)]
pub(crate) struct Faulty {
    /// Gives out the origins.
    local: Local,
    nodes: Mutex<Vec<(Origin, Weak<dyn Receiver>)>>,
    state: Mutex<State>,
    /// The store tells the others by itself, as one over Redis does.
    store_publishes: bool,
    /// It loses nothing of what is followed.
    is_faithful: bool,
}

#[derive(Default)]
struct State {
    on_the_way: Vec<(Weak<dyn Receiver>, Publication)>,
    /// What was asked for and is not done yet: to follow a model, and whom to tell of it, or to follow it no more.
    asked: VecDeque<(Origin, ModelName, Option<oneshot::Sender<()>>)>,
    followed: HashSet<(Origin, ModelName)>,
    is_cut: bool,
    mended: usize,
}

impl State {
    /// Do what was asked first; false where there is nothing.
    fn turn(&mut self) -> bool {
        let Some((origin, model, begun)) = self.asked.pop_front() else { return false };
        match begun {
            Some(begun) => {
                self.followed.insert((origin, model));
                // Who wanted to follow may be no more.
                let _ = begun.send(());
            }
            None => drop(self.followed.remove(&(origin, model))),
        }
        true
    }

    fn ask(&mut self, origin: Origin, model: &ModelName, begun: Option<oneshot::Sender<()>>) {
        self.asked.push_back((origin, model.clone(), begun));
        // It is done as soon as the bus is there; nobody waits for that.
        while self.is_cut && self.turn() {}
    }
}

impl Faulty {
    /// One over which the store tells the others by itself.
    pub(crate) fn of_the_store() -> Self {
        Self { store_publishes: true, ..Self::default() }
    }

    /// One that loses nothing of what is followed.
    pub(crate) fn faithful() -> Self {
        Self { is_faithful: true, ..Self::default() }
    }

    /// Take one of the steps there are: deliver a publication, lose it or deliver it and keep it, or have a node follow a model
    /// or follow it no more; false where there is none.
    pub(crate) fn step(&self, random: &mut Random) -> bool {
        let (node, publication) = {
            let mut state = self.state.lock().unwrap();
            let at = random.index((state.on_the_way.len() + state.asked.len()).max(1));
            if at >= state.on_the_way.len() {
                return state.turn();
            }
            let on_the_way = &mut state.on_the_way;
            match random.below(4) {
                0 if !self.is_faithful => {
                    on_the_way.swap_remove(at);
                    return true;
                }
                1 => on_the_way[at].clone(),
                _ => on_the_way.swap_remove(at),
            }
        };
        if let Some(node) = node.upgrade() {
            node.receive(publication);
        }
        true
    }

    /// Lose everything from now on, what is on its way too.
    pub(crate) fn cut(&self) {
        let mut state = self.state.lock().unwrap();
        state.is_cut = true;
        state.on_the_way.clear();
        while state.turn() {}
    }

    /// Work again; all nodes are told that it was away.
    pub(crate) fn come_back(&self) {
        if !std::mem::take(&mut self.state.lock().unwrap().is_cut) {
            return;
        }
        let nodes: Vec<_> = self.nodes.lock().unwrap().iter().filter_map(|(_, node)| node.upgrade()).collect();
        nodes.iter().for_each(|node| node.doubt());
    }

    /// Whether a node is told of a model.
    pub(crate) fn is_followed(&self, origin: Origin, model: &ModelName) -> bool {
        self.state.lock().unwrap().followed.contains(&(origin, model.clone()))
    }

    /// How often a node asked to have a model mended.
    pub(crate) fn mended(&self) -> usize {
        self.state.lock().unwrap().mended
    }
}

impl Bus for Faulty {
    fn attach(&self, receiver: Weak<dyn Receiver>) -> Origin {
        let origin = self.local.attach(receiver.clone());
        self.nodes.lock().unwrap().push((origin, receiver));
        origin
    }

    fn publish(&self, origin: Origin, publication: &Publication) {
        let nodes = self.nodes.lock().unwrap();
        let others = nodes.iter().filter(|(other, node)| *other != origin && node.strong_count() > 0);
        let mut state = self.state.lock().unwrap();
        let State { on_the_way, followed, is_cut, .. } = &mut *state;
        if !*is_cut {
            let hearing = others.filter(|(other, _)| followed.contains(&(*other, publication.model.clone())));
            on_the_way.extend(hearing.map(|(_, node)| (node.clone(), publication.clone())));
        }
    }

    fn has_others(&self, origin: Origin) -> bool {
        self.local.has_others(origin)
    }

    fn carries_commits(&self, origin: Origin) -> bool {
        !self.store_publishes && self.has_others(origin)
    }

    fn follow(&self, origin: Origin, model: &ModelName) -> Followed {
        let (begun, begins) = oneshot::channel();
        let mut state = self.state.lock().unwrap();
        state.ask(origin, model, Some(begun));
        if state.is_cut {
            return None;
        }
        Some(Box::pin(async {
            // Whoever asked may be no more.
            let _ = begins.await;
        }))
    }

    fn unfollow(&self, origin: Origin, model: &ModelName) {
        self.state.lock().unwrap().ask(origin, model, None);
    }

    fn mend(&self, _: Origin, _: &ModelName) {
        self.state.lock().unwrap().mended += 1;
    }
}
