//! What has to hold.

use super::*;

impl World {
    /// What holds whenever nothing is on its way.
    pub(super) fn check(&self) {
        let (now, owned) = (NOW.get(), self.owned());
        let trouble = *self.troubles.last().unwrap();
        for (at, client) in self.clients.iter().enumerate() {
            let context = format!("{}, {} ms: client {at}", self.context, now - BEGIN);
            let mine: Vec<_> = owned.iter().filter(|owned| *owned.owner.session == session(at)).collect();
            if let Some((node, _)) = client.connections.last() {
                let is_quiet = now >= trouble.max(client.came) + LEASE + 2 * LOOKS;
                // A node that was stopped needs no more than its turn; others may need a lease to know it for dead.
                if client.is_here && is_quiet && self.nodes[*node].stopped.is_none() {
                    let ids: BTreeSet<String> = mine.iter().map(|owned| owned.id.to_string()).collect();
                    assert!(ids.is_superset(&client.records), "{context}: {ids:?}, {:?}", client.records);
                    let is_alone = client.connections.len() == 1;
                    assert!(!is_alone || ids.is_disjoint(&client.deleted), "{context}: {ids:?}, {:?}", client.deleted);
                }
                continue;
            }
            for Owned { id, owner, .. } in mine {
                let holder = self.nodes.iter().find(|node| node.incarnation() == owner.node);
                let limit = match (holder, self.killed.get(&owner.node)) {
                    (Some(Node { stopped: None, .. }), _) => client.left.max(trouble) + self.linger + LOOKS,
                    // The others knew it, and nothing else happened since.
                    (None, Some((killed, lived))) if *lived > LOOKS && self.was_quiet_before(*killed) => {
                        killed + LEASE + LOOKS + self.linger.saturating_sub(LEASE)
                    }
                    _ => client.left.max(trouble) + LEASE + 2 * LOOKS + self.linger.max(LOOKS),
                };
                assert!(now <= limit, "{context}: {id} of {owner} is {} ms late", now - limit);
            }
        }
    }

    /// Whether this was the last trouble, and the others had been at work for long enough.
    fn was_quiet_before(&self, trouble: Millis) -> bool {
        match self.troubles.as_slice() {
            [.., before, last] => {
                *last == trouble && before + LOOKS < trouble && self.running().len() == self.nodes.len()
            }
            _ => false,
        }
    }
}
