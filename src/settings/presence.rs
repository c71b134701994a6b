//! `[presence]`: records that go with the session that wrote them.

use super::error::{Problem, in_range};
use serde::{Deserialize, Serialize};

/// Records that go with the session that wrote them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PresenceSettings {
    /// Seconds that the records of a named client stay after its last connection, at most 3600.
    pub linger_s: u64,
    /// Seconds after which the others take a node that they do not hear of for dead, where several share a store: 3 to 3600.
    pub lease_s: u64,
}

impl Default for PresenceSettings {
    fn default() -> Self {
        Self { linger_s: 10, lease_s: 15 }
    }
}

impl PresenceSettings {
    pub(super) fn check(&self) -> Result<(), Problem> {
        in_range("presence.linger_s", self.linger_s, 0, 3600)?;
        in_range("presence.lease_s", self.lease_s, 3, 3600)
    }
}
