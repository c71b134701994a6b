//! A bus that does everything a bus may do: what it carries is lost, repeated, late and out of order, as a test decides.

use super::{Bus, Local, Origin, Publication, Receiver};
use crate::random::Random;
use std::sync::{Arc, Mutex, Weak};

/// Publications on their way, each to one node.
#[derive(Default)]
pub(crate) struct Faulty {
    /// Gives out the origins.
    local: Local,
    nodes: Mutex<Vec<(Origin, Weak<dyn Receiver>)>>,
    on_the_way: Mutex<Vec<(Arc<dyn Receiver>, Publication)>>,
}

impl Faulty {
    /// Deliver one of the publications that are on their way, lose it or deliver it and keep it; false where there is none.
    /// One that `is_reliable` loses nothing, and still has no order.
    pub(crate) fn step(&self, random: &mut Random, is_reliable: bool) -> bool {
        let (node, publication) = {
            let mut on_the_way = self.on_the_way.lock().unwrap();
            if on_the_way.is_empty() {
                return false;
            }
            let at = random.index(on_the_way.len());
            match random.below(4) {
                0 if !is_reliable => {
                    on_the_way.swap_remove(at);
                    return true;
                }
                1 => on_the_way[at].clone(),
                _ => on_the_way.swap_remove(at),
            }
        };
        node.receive(publication);
        true
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.on_the_way.lock().unwrap().is_empty()
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
        let others = nodes.iter().filter(|(other, _)| *other != origin).filter_map(|(_, node)| node.upgrade());
        self.on_the_way.lock().unwrap().extend(others.map(|node| (node, publication.clone())));
    }

    fn has_others(&self, origin: Origin) -> bool {
        self.local.has_others(origin)
    }
}
