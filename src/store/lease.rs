//! Leases: which nodes are alive, for stores that keep them in this process.

use super::Millis;
use std::{collections::BTreeMap, sync::Arc};

/// A node's word that it is alive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The incarnation of the node.
    pub node: Arc<str>,
    /// Whether it begins: where not, one that has run out, or was never begun, stays so.
    pub is_new: bool,
    /// So long it holds, from now on and by the store's clock.
    pub duration: Millis,
}

/// Who is alive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nodes {
    /// The lease that was to be renewed has run out: others take this node's incarnation for dead, and it needs a new one.
    pub lapsed: bool,
    /// Incarnations whose leases hold, in no order; with the one that asked, unless its lapsed.
    pub alive: Vec<Arc<str>>,
}

/// The leases of a store that has no others to tell: they end with the process.
#[derive(Debug, Default)]
pub(super) struct Leases(BTreeMap<Arc<str>, Millis>);

impl Leases {
    pub(super) fn renew(&mut self, lease: Lease, now: Millis) -> Nodes {
        self.0.retain(|_, until| *until > now);
        let lapsed = !lease.is_new && !self.0.contains_key(&lease.node);
        if !lapsed {
            self.0.insert(lease.node, now.saturating_add(lease.duration));
        }
        Nodes { lapsed, alive: self.0.keys().cloned().collect() }
    }
}
