//! How long to wait before the next attempt: full jitter, so that many clients do not come back in one wave.

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

/// Doubles the longest wait with each attempt, and draws the wait evenly below it.
#[derive(Debug)]
pub(crate) struct Backoff {
    base: Duration,
    max: Duration,
    attempt: u32,
    random: RandomState,
}

impl Backoff {
    pub(crate) fn new(base: Duration, max: Duration) -> Self {
        Self { base, max, attempt: 0, random: RandomState::new() }
    }

    /// The next wait.
    pub(crate) fn next(&mut self) -> Duration {
        // Keys of a hash map are random enough here: clients have to differ, nobody has to be unable to guess.
        let draw = self.random.hash_one(self.attempt);
        let wait = wait(self.base, self.max, self.attempt, draw);
        self.attempt = self.attempt.saturating_add(1);
        wait
    }

    /// A connection is over that lasted so long. Waits are short again where it has held, which is as long as the longest
    /// wait: a server that takes connections and drops them at once is not to be hurried.
    pub(crate) fn lasted(&mut self, time: Duration) {
        if time >= self.max {
            *self = Self::new(self.base, self.max);
        }
    }
}

fn wait(base: Duration, max: Duration, attempt: u32, draw: u64) -> Duration {
    let ceiling = base.saturating_mul(2_u32.saturating_pow(attempt)).min(max);
    ceiling.mul_f64(draw as f64 / u64::MAX as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_maximum_and_never_past_it() {
        let (base, max) = (Duration::from_millis(100), Duration::from_secs(10));
        let longest = |attempt| wait(base, max, attempt, u64::MAX);
        assert_eq!(longest(0), base);
        assert_eq!(longest(3), Duration::from_millis(800));
        assert_eq!(longest(7), max);
        assert_eq!(longest(u32::MAX), max);
        assert_eq!(wait(base, max, 9, 0), Duration::ZERO);
    }

    #[test]
    fn waits_are_short_again_only_after_a_connection_has_held() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(10));
        let _five_failed = [(); 5].map(|()| backoff.next());
        backoff.lasted(Duration::from_secs(9));
        assert_eq!(backoff.attempt, 5);
        backoff.lasted(Duration::from_secs(10));
        assert_eq!(backoff.attempt, 0);
    }

    #[test]
    fn two_clients_wait_differently() {
        let waits = || {
            let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
            [backoff.next(), backoff.next(), backoff.next()]
        };
        assert_ne!(waits(), waits());
    }
}
