//! What was deleted, for those who come back when the log no longer reaches as far.

use crate::store::{Millis, Retention};
use backsync_protocol::{RecordId, Revision};
use std::collections::{HashMap, VecDeque};

#[derive(Debug, Default)]
pub(super) struct Graves {
    by_id: HashMap<RecordId, Grave>,
    order: VecDeque<(Revision, Millis, RecordId)>,
    /// Deletions after it are all here.
    floor: Revision,
}

#[derive(Debug)]
struct Grave {
    revision: Revision,
    last_change: Option<Millis>,
}

impl Graves {
    /// The revision after which every deletion is remembered.
    pub(super) fn floor(&self) -> Revision {
        self.floor
    }

    pub(super) fn bury(&mut self, id: &str, revision: Revision, last_change: Option<Millis>, now: Millis) {
        let id = RecordId::parse(id).expect("the id of a record is one");
        self.by_id.insert(id.clone(), Grave { revision, last_change });
        self.order.push_back((revision, now, id));
    }

    /// When a record was deleted, by the clock of who did, where that was said.
    pub(super) fn last_change(&self, id: &str) -> Option<Millis> {
        self.by_id.get(id)?.last_change
    }

    /// Ids of what was deleted after a revision; it may be there again.
    pub(super) fn since(&self, revision: Revision) -> impl Iterator<Item = &RecordId> {
        let from = self.order.partition_point(|(buried, ..)| *buried <= revision);
        let newest = |(buried, _, id): &&(Revision, Millis, RecordId)| self.by_id[id].revision == *buried;
        self.order.range(from..).filter(newest).map(|(.., id)| id)
    }

    /// Forget what is too old or too much.
    pub(super) fn purge(&mut self, retention: &Retention, now: Millis) {
        let is_over = |graves: &Self| match graves.order.front() {
            Some((_, buried, _)) => {
                graves.order.len() > retention.tombstones || now.saturating_sub(*buried) > retention.tombstone_age
            }
            None => false,
        };
        while is_over(self) {
            let Some((revision, _, id)) = self.order.pop_front() else { return };
            self.floor = revision;
            if self.by_id.get(&id).is_some_and(|grave| grave.revision == revision) {
                self.by_id.remove(&id);
            }
        }
    }
}
