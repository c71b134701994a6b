//! The directories there are: nodes that share a store in Redis share one there as well.

use super::{Directory, Redis};
use crate::link::Link;
use std::sync::Arc;

/// Open the directory that goes with the store; `link` is its way to Redis, if it has one. None where nobody else has sessions.
pub fn open(link: Option<&Arc<Link>>) -> Option<Arc<dyn Directory>> {
    link.map(|link| Arc::new(Redis::new(link.clone())) as Arc<dyn Directory>)
}
