//! Filters and sorting through their public seam: what they mean, and chance against plain evaluators.

mod behaviour;
mod chance;
mod plain;
mod spelling;

use super::{Filter, FilterLimits, Sort};
use crate::error::ErrorObject;

/// The same numbers for the same seed, everywhere.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(0x2545_f491_4f6c_dd1d ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from((self.0 >> 11) % bound as u64).unwrap()
    }

    fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at + 1));
        }
    }
}

fn filter(text: &str) -> Filter {
    parse(text, &FilterLimits::default()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn parse(text: &str, limits: &FilterLimits) -> Result<Filter, ErrorObject> {
    Filter::parse(serde_json::from_str(text).unwrap(), limits)
}

fn sort(text: &str) -> Result<Sort, ErrorObject> {
    Sort::parse(serde_json::from_str(text).unwrap())
}
