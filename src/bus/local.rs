//! The bus of one process: brokers that share a store reach each other by plain calls.

use super::{Bus, Followed, Origin, Publication, Receiver};
use backsync_protocol::ModelName;
use std::sync::{
    Mutex, PoisonError, Weak,
    atomic::{AtomicUsize, Ordering},
};

/// The bus of `local:`.
#[derive(Default)]
pub struct Local {
    nodes: Mutex<Vec<(Origin, Weak<dyn Receiver>)>>,
    attached: AtomicUsize,
}

impl std::fmt::Debug for Local {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Local").field("attached", &self.attached).finish()
    }
}

impl Bus for Local {
    fn attach(&self, receiver: Weak<dyn Receiver>) -> Origin {
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        let origin = Origin::new(self.attached.fetch_add(1, Ordering::Relaxed) as u64);
        nodes.push((origin, receiver));
        origin
    }

    fn publish(&self, origin: Origin, publication: &Publication) {
        let nodes: Vec<_> = {
            let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
            nodes.retain(|(_, node)| node.strong_count() > 0);
            nodes.iter().filter(|(other, _)| *other != origin).map(|(_, node)| node.clone()).collect()
        };
        for node in nodes.iter().filter_map(Weak::upgrade) {
            node.receive(publication.clone());
        }
    }

    fn has_others(&self, _: Origin) -> bool {
        self.attached.load(Ordering::Relaxed) > 1
    }

    fn carries_commits(&self, origin: Origin) -> bool {
        self.has_others(origin)
    }

    fn follow(&self, _: Origin, _: &ModelName) -> Followed {
        None
    }

    fn unfollow(&self, _: Origin, _: &ModelName) {}

    fn mend(&self, _: Origin, _: &ModelName) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Change, ChangeKind};
    use backsync_protocol::{Epoch, Position, Record, Revision};
    use std::{num::NonZeroU64, sync::Arc};

    #[derive(Default)]
    struct Heard(Mutex<Vec<Publication>>);
    impl Receiver for Heard {
        fn receive(&self, publication: Publication) {
            self.0.lock().unwrap().push(publication);
        }
        fn stands(&self, _: &ModelName, _: Position) {}
        fn doubt(&self) {}
    }

    #[test]
    fn the_others_hear_and_the_sender_does_not() {
        let bus = Local::default();
        let nodes: Vec<Arc<Heard>> = (0..3).map(|_| Arc::default()).collect();
        let attach = |node: &Arc<Heard>| bus.attach(Arc::downgrade(node) as Weak<dyn Receiver>);
        let origins: Vec<Origin> = nodes.iter().map(attach).collect();
        let record = Record::restore("a", r#"{"id":"a","_rev":1}"#, Revision(1)).unwrap();
        let change = Change { revision: Revision(1), kind: ChangeKind::Insert, record, before: None };
        let epoch = Epoch(NonZeroU64::MIN);
        let publication = Publication { model: ModelName::parse("M").unwrap(), epoch, changes: [change].into() };
        bus.publish(origins[1], &publication);
        let heard: Vec<usize> = nodes.iter().map(|node| node.0.lock().unwrap().len()).collect();
        assert_eq!(heard, [1, 0, 1]);
        assert_eq!(nodes[2].0.lock().unwrap()[0], publication);
    }
}
