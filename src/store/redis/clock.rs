//! How far this node's clock is from that of Redis, by which all nodes go.

use crate::store::{Commit, Few, Millis};
use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

#[derive(Debug)]
pub(super) struct Clock {
    is_used: bool,
    /// Milliseconds that Redis is ahead.
    ahead: AtomicI64,
}

impl Clock {
    pub(super) fn new(is_used: bool) -> Self {
        Self { is_used, ahead: AtomicI64::new(0) }
    }

    /// The clock of this node, in milliseconds since 1970.
    pub(super) fn now(&self) -> Millis {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Millis::try_from(since.as_millis()).unwrap_or(Millis::MAX)
    }

    /// Redis was asked at `asked`, and has answered now that it is `theirs` there.
    pub(super) fn set(&self, asked: Millis, theirs: Millis) {
        let middle = asked + self.now().saturating_sub(asked) / 2;
        self.ahead.store(theirs.cast_signed().saturating_sub(middle.cast_signed()), Ordering::Relaxed);
    }

    /// Commits that were told the time by this node happen when Redis says.
    pub(super) fn correct(&self, commits: &mut Few<Commit>) {
        if self.is_used {
            let ahead = self.ahead.load(Ordering::Relaxed);
            commits.iter_mut().for_each(|commit| commit.now = commit.now.saturating_add_signed(ahead));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_happen_when_redis_says() {
        let at = |clock: &Clock| {
            let mut commits: Few<Commit> =
                Few::from_iter([Commit { parts: Vec::new(), transaction: None, now: 50_000 }]);
            clock.correct(&mut commits);
            commits[0].now
        };
        for (theirs, expected) in [(7_000_i64, 57_000..=57_100), (-7_000, 43_000..=43_100)] {
            let (clock, unused) = (Clock::new(true), Clock::new(false));
            for clock in [&clock, &unused] {
                let now = clock.now();
                // The answer took a little.
                clock.set(now, now.saturating_add_signed(theirs) + 50);
            }
            assert!(expected.contains(&at(&clock)), "{}", at(&clock));
            assert_eq!(at(&unused), 50_000);
        }
    }
}
