//! How nodes tell each other what happened.
//!
//! A bus is a hint, never the truth: what it carries may be lost, repeated, late or out of order, and everything must
//! still come right from the store's log.

#[cfg(test)]
pub(crate) mod faulty;
mod local;
#[cfg(feature = "server")]
pub mod open;

pub use local::Local;

use crate::store::Change;
use backsync_protocol::{Epoch, ModelName};
use std::sync::Arc;

/// Changes of one model, in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// The model.
    pub model: ModelName,
    /// The history that numbers them.
    pub epoch: Epoch,
    /// At least one, contiguous, oldest first: one commit, never a part of one.
    pub changes: Arc<[Change]>,
}

/// What a node does with publications of the others.
pub trait Receiver: Send + Sync {
    /// Called for every publication that arrives; must not block.
    fn receive(&self, publication: Publication);
}

/// Names one node's attachment to a bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin(u64);

/// Carries publications between nodes.
///
/// # Guarantees
/// None but this: a node never receives its own.
pub trait Bus: Send + Sync + 'static {
    /// Attach a node. It stays attached while `receiver` lives.
    fn attach(&self, receiver: std::sync::Weak<dyn Receiver>) -> Origin;

    /// Tell the others; must not block.
    fn publish(&self, origin: Origin, publication: &Publication);

    /// Whether there may be others to tell: where not, nothing needs to be made for them.
    fn has_others(&self, origin: Origin) -> bool;
}
