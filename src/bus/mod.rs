//! How nodes tell each other what happened.
//!
//! A bus is a hint, never the truth: what it carries may be lost, repeated, late or out of order, and everything must
//! still come right from the store's log.

#[cfg(test)]
pub(crate) mod faulty;
mod local;
#[cfg(feature = "server")]
pub mod open;
mod redis;

pub use local::Local;
pub use redis::Redis;
#[cfg(test)]
pub(crate) use redis::over_redis;

use crate::store::Change;
use backsync_protocol::{Epoch, ModelName, Position};
use std::{future::Future, pin::Pin, sync::Arc};

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

    /// The model stands here, as the bus heard: who has less reads the log. For what is too large for the bus; must not block.
    fn stands(&self, model: &ModelName, position: Position);

    /// The bus was away, and anything may have been lost, of all models. Called after it is confirmed to be back; must not block.
    fn doubt(&self);
}

/// What [`Bus::follow`] gives: none where publications reach the node already, else what is done when they do, or when the bus
/// cannot say because it is down. A bus is a hint: nothing may wait for it for long.
pub type Followed = Option<Pin<Box<dyn Future<Output = ()> + Send>>>;

/// Names one node's attachment to a bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Origin(u64);

impl Origin {
    /// A bus numbers its nodes as it likes.
    pub(crate) const fn new(number: u64) -> Self {
        Self(number)
    }
}

/// Carries publications between nodes.
///
/// # Guarantees
/// None but this: a node never receives its own.
pub trait Bus: Send + Sync + 'static {
    /// Attach a node. It stays attached while `receiver` lives.
    fn attach(&self, receiver: std::sync::Weak<dyn Receiver>) -> Origin;

    /// Tell the others; must not block.
    fn publish(&self, origin: Origin, publication: &Publication);

    /// Whether there may be others whose publications reach this node: where so, what is missing may be on its way.
    fn has_others(&self, origin: Origin) -> bool;

    /// Whether the others hear of this node's commits by [`Self::publish`]: where not, nothing needs to be made for them.
    fn carries_commits(&self, origin: Origin) -> bool;

    /// From when the answer is done on, publications of the others about this model reach the node, as far as any do.
    fn follow(&self, origin: Origin, model: &ModelName) -> Followed;

    /// The opposite, for as long as [`Self::follow`] is not called again: what was called last holds, also where a connection is made
    /// anew; must not block.
    fn unfollow(&self, origin: Origin, model: &ModelName);

    /// Publications about this model do not arrive though others make some: mend that; must not block.
    fn mend(&self, origin: Origin, model: &ModelName);
}
