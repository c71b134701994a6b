//! A bus that does everything a bus may do: what it carries is lost, repeated, late and out of order, and for a time or for good
//! nothing arrives at all, as a test decides.

use super::{Bus, Followed, Local, Origin, Publication, Receiver};
use crate::random::Random;
use backsync_protocol::ModelName;
use std::sync::{Mutex, Weak};
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
}

#[derive(Default)]
struct State {
    on_the_way: Vec<(Weak<dyn Receiver>, Publication)>,
    /// Nodes that begin to follow a model.
    following: Vec<oneshot::Sender<()>>,
    is_cut: bool,
    mended: usize,
}

impl Faulty {
    /// One over which the store tells the others by itself.
    pub(crate) fn of_the_store() -> Self {
        Self { store_publishes: true, ..Self::default() }
    }

    /// Take one of the steps there are: deliver a publication, lose it or deliver it and keep it, or have a node follow a model;
    /// false where there is none.
    pub(crate) fn step(&self, random: &mut Random) -> bool {
        let (node, publication) = {
            let mut state = self.state.lock().unwrap();
            let State { on_the_way, following, .. } = &mut *state;
            let at = random.index((on_the_way.len() + following.len()).max(1));
            if at >= on_the_way.len() {
                let Some(begun) = following.pop() else { return false };
                // Who wanted to follow may be no more.
                let _ = begun.send(());
                return true;
            }
            match random.below(4) {
                0 => {
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
        // Nobody waits for a bus that is down.
        state.following.clear();
    }

    /// Work again; all nodes are told that it was away.
    pub(crate) fn come_back(&self) {
        if !std::mem::take(&mut self.state.lock().unwrap().is_cut) {
            return;
        }
        let nodes: Vec<_> = self.nodes.lock().unwrap().iter().filter_map(|(_, node)| node.upgrade()).collect();
        nodes.iter().for_each(|node| node.doubt());
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
        if !state.is_cut {
            state.on_the_way.extend(others.map(|(_, node)| (node.clone(), publication.clone())));
        }
    }

    fn has_others(&self, origin: Origin) -> bool {
        self.local.has_others(origin)
    }

    fn carries_commits(&self, origin: Origin) -> bool {
        !self.store_publishes && self.has_others(origin)
    }

    fn follow(&self, _: Origin, _: &ModelName) -> Followed {
        let mut state = self.state.lock().unwrap();
        if state.is_cut {
            return None;
        }
        let (begun, begins) = oneshot::channel();
        state.following.push(begun);
        Some(Box::pin(async {
            // It is cut, and cannot say.
            let _ = begins.await;
        }))
    }

    fn mend(&self, _: Origin, _: &ModelName) {
        self.state.lock().unwrap().mended += 1;
    }
}
