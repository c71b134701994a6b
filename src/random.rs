//! Random numbers that are the same in every run: a failure can be looked at twice.

use std::env;

/// xorshift64*, which is random enough to choose by.
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound
    }

    /// A place in something that is so long.
    pub(crate) fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).expect("it is below a length")
    }

    pub(crate) fn one_in(&mut self, bound: u64) -> bool {
        self.below(bound) == 0
    }

    pub(crate) fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.index(from.len())].clone()
    }
}

/// Run a test with seeds, so many unless the environment asks for others, and say which one it was that failed. `filter` is what
/// finds the test.
pub(crate) fn each_seed(filter: &str, count: u64, mut run: impl FnMut(u64)) {
    let number = |name| env::var(name).ok().map(|value| value.parse::<u64>().expect("a seed is a whole number"));
    let (first, asked) = (number("BACKSYNC_SEED"), number("BACKSYNC_SEEDS"));
    let count = asked.unwrap_or(if first.is_some() { 1 } else { count });
    let first = first.unwrap_or(0);
    for seed in first..first + count {
        let named = Named { filter, seed };
        run(seed);
        drop(named);
    }
}

/// Names the seed, whatever fails.
struct Named<'a> {
    filter: &'a str,
    seed: u64,
}

impl Drop for Named<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("to see it again: BACKSYNC_SEED={} cargo test --lib {}", self.seed, self.filter);
        }
    }
}
