//! A histogram of times with a fixed size: exact to a sixteenth, from nanoseconds to hours.

use std::time::Duration;

const STEPS: usize = 16;

/// How long things took, counted by size.
#[derive(Clone, Debug)]
pub(crate) struct Latencies {
    counts: Vec<u64>,
    total: u64,
}

impl Default for Latencies {
    fn default() -> Self {
        Self { counts: vec![0; STEPS * 44], total: 0 }
    }
}

impl Latencies {
    /// Counts one.
    pub(crate) fn record(&mut self, took: Duration) {
        let last = self.counts.len() - 1;
        self.counts[bucket(took).min(last)] += 1;
        self.total += 1;
    }

    /// Takes over what another one counted.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
        self.total += other.total;
    }

    /// The time that `share` (0 to 1) of all stayed within; zero when nothing was counted.
    pub(crate) fn quantile(&self, share: f64) -> Duration {
        let rank = (self.total as f64 * share).ceil() as u64;
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank.max(1) {
                return upper(bucket);
            }
        }
        Duration::ZERO
    }
}

/// Linear below `STEPS` ns, then `STEPS` buckets for each doubling.
fn bucket(took: Duration) -> usize {
    let ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
    match ns.checked_ilog2() {
        Some(power @ 4..) => (power as usize - 3) * STEPS + (ns >> (power - 4)) as usize % STEPS,
        _ => ns as usize,
    }
}

fn upper(bucket: usize) -> Duration {
    let ns = match bucket / STEPS {
        0 => bucket as u64,
        group => ((bucket % STEPS + STEPS + 1) as u64) << (group - 1),
    };
    Duration::from_nanos(ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_never_under_the_truth_and_at_most_a_sixteenth_over() {
        for ns in [0, 1, 15, 16, 17, 31, 32, 1_000, 123_456, 7_000_000_000] {
            let mut latencies = Latencies::default();
            latencies.record(Duration::from_nanos(ns));
            let found = latencies.quantile(0.5).as_nanos() as u64;
            assert!(found >= ns && found <= ns + ns / 16 + 1, "{ns} was found as {found}");
        }
    }

    #[test]
    fn the_tail_shows_only_in_the_tail() {
        let mut latencies = Latencies::default();
        (0..98).for_each(|_| latencies.record(Duration::from_micros(10)));
        (0..2).for_each(|_| latencies.record(Duration::from_millis(10)));
        assert!(latencies.quantile(0.5) < Duration::from_micros(11));
        assert!(latencies.quantile(0.99) >= Duration::from_millis(10));
    }
}
