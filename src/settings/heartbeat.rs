//! `[heartbeat]`: how a silent peer is noticed.

use super::error::{Problem, in_range};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How a silent peer is noticed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HeartbeatSettings {
    /// Seconds between two heartbeats to a connection, 1 to 3600.
    pub interval_s: u64,
    /// Seconds of silence after which a peer is closed, longer than the interval and at most one day.
    pub timeout_s: u64,
}

impl Default for HeartbeatSettings {
    fn default() -> Self {
        Self { interval_s: 25, timeout_s: 60 }
    }
}

impl HeartbeatSettings {
    /// [`Self::interval_s`] as a duration.
    pub fn interval(&self) -> Duration {
        Duration::from_secs(self.interval_s)
    }

    /// [`Self::timeout_s`] as a duration.
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_s)
    }

    pub(super) fn check(&self) -> Result<(), Problem> {
        let Self { interval_s, timeout_s } = *self;
        in_range("heartbeat.interval_s", interval_s, 1, 3600)?;
        in_range("heartbeat.timeout_s", timeout_s, 1, 86_400)?;
        if timeout_s > interval_s {
            return Ok(());
        }
        Err(Problem::new(
            "heartbeat.timeout_s",
            format!(
                "{timeout_s} would close every peer between two heartbeats, \
                 more than `heartbeat.interval_s`, which is {interval_s}, is right"
            ),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_not_longer_than_the_interval_is_refused() {
        let problem = HeartbeatSettings { interval_s: 60, timeout_s: 60 }.check().unwrap_err();
        assert_eq!(problem.key, "heartbeat.timeout_s");
        assert!(HeartbeatSettings { interval_s: 60, timeout_s: 61 }.check().is_ok());
        assert!(HeartbeatSettings { interval_s: 0, timeout_s: 61 }.check().is_err());
    }
}
