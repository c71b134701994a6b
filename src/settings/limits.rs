//! `[limits]`: what one message, one connection and one process may take.

use super::error::{Problem, in_range};
use serde::{Deserialize, Serialize};

/// What one message, one connection and one process may take. Every limit is at least 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsSettings {
    /// Bytes of one message from a client, at least 1024.
    pub message_bytes: usize,
    /// Levels of nested arrays and objects in one message, 1 to 120.
    pub depth: usize,
    /// Records in one batch.
    pub batch_records: usize,
    /// Models in the store.
    pub models: usize,
    /// Connections of this process at one time.
    pub connections: usize,
    /// Listeners of one connection at one time.
    pub listeners_per_connection: usize,
    /// Bytes of pushes that wait for one connection.
    pub queue_bytes: usize,
    /// Writes of one connection that have no answer yet.
    pub in_flight: usize,
}

impl Default for LimitsSettings {
    fn default() -> Self {
        Self {
            message_bytes: 1024 * 1024,
            depth: 64,
            batch_records: 10_000,
            models: 10_000,
            connections: 20_000,
            listeners_per_connection: 1_000,
            queue_bytes: 16 * 1024 * 1024,
            in_flight: 256,
        }
    }
}

impl LimitsSettings {
    pub(super) fn check(&self) -> Result<(), Problem> {
        for (key, value, least, most) in [
            ("limits.message_bytes", self.message_bytes, 1024, u64::MAX),
            ("limits.depth", self.depth, 1, 120),
            ("limits.batch_records", self.batch_records, 1, u64::MAX),
            ("limits.models", self.models, 1, u64::MAX),
            ("limits.connections", self.connections, 1, u64::MAX),
            ("limits.listeners_per_connection", self.listeners_per_connection, 1, u64::MAX),
            ("limits.queue_bytes", self.queue_bytes, 1, u64::MAX),
            ("limits.in_flight", self.in_flight, 1, u64::MAX),
        ] {
            in_range(key, value as u64, least, most)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_outside_their_range_are_refused_with_the_range() {
        let what = |limits: LimitsSettings| limits.check().unwrap_err().what;
        let limits = LimitsSettings { depth: 200, ..Default::default() };
        assert_eq!(what(limits), "200 is out of range, 1 to 120 are right");
        let limits = LimitsSettings { message_bytes: 1023, ..Default::default() };
        assert_eq!(what(limits), "1023 is out of range, 1024 or more is right");
        let limits = LimitsSettings { in_flight: 0, ..Default::default() };
        assert_eq!(what(limits), "0 is out of range, 1 or more is right");
    }
}
