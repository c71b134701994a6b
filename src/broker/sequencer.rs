//! Puts a model's publications in order: drops what is old, holds what is early, sees gaps.
//!
//! Pure: no clock, no I/O. Commits of this node and publications of others come in by the same door, in any order and
//! any number of times; what goes out is every change once, in the order of its revision.

use backsync_protocol::{Epoch, Revision};
use std::collections::BTreeMap;

/// How much may wait for a gap to close. Beyond it the rest is left to the catch-up, which reads the log.
const MAX_EARLY: usize = 1024;

/// A run of changes on its way to the listeners.
pub(crate) trait Run {
    /// The revision of its first change.
    fn first(&self) -> Revision;
    /// The revision of its last change.
    fn last(&self) -> Revision;
}

/// Where a model's delivery on this node stands.
#[derive(Debug)]
pub(crate) struct Sequencer<R> {
    epoch: Epoch,
    released: Revision,
    /// The last revision that is known or thought to be.
    known: Revision,
    early: BTreeMap<Revision, R>,
}

/// What to do with what came in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict<R> {
    /// Deliver it, and then what [`Sequencer::next`] gives.
    Deliver(R),
    /// It was delivered before.
    Old,
    /// Something before it is missing: read the log.
    Gap,
}

impl<R: Run> Sequencer<R> {
    /// Begin after `released`.
    pub(crate) fn new(epoch: Epoch, released: Revision) -> Self {
        Self { epoch, released, known: released, early: BTreeMap::new() }
    }

    /// The history it is of.
    pub(crate) fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The last revision that went out.
    pub(crate) fn released(&self) -> Revision {
        self.released
    }

    /// There may be more than came in: the log is to be read.
    pub(crate) fn doubt(&mut self) {
        self.known = self.known.max(self.released.next());
    }

    /// Whether something is there, or may be, that did not go out.
    pub(crate) fn has_gap(&self) -> bool {
        self.known > self.released
    }

    /// Forget what is early: the log does not have what is before it.
    pub(crate) fn forget_early(&mut self) {
        self.early.clear();
        self.known = self.released;
    }

    /// Take a run in. One that straddles the point reached counts as a gap: the rest of it is read from the log.
    pub(crate) fn accept(&mut self, epoch: Epoch, run: R) -> Verdict<R> {
        if epoch != self.epoch {
            return Verdict::Gap;
        }
        if run.last() <= self.released {
            return Verdict::Old;
        }
        self.known = self.known.max(run.last());
        if run.first() != self.released.next() {
            if run.first() > self.released && self.early.len() < MAX_EARLY {
                self.early.insert(run.first(), run);
            }
            return Verdict::Gap;
        }
        self.released = run.last();
        Verdict::Deliver(run)
    }

    /// What waited for what was delivered just now.
    pub(crate) fn next(&mut self) -> Option<R> {
        while let Some(next) = self.early.first_entry() {
            if *next.key() > self.released.next() {
                return None;
            }
            let run = next.remove();
            if run.first() == self.released.next() {
                self.released = run.last();
                return Some(run);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;
    use std::num::NonZeroU64;

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    struct R(u64, u64);
    impl Run for R {
        fn first(&self) -> Revision {
            Revision(self.0)
        }
        fn last(&self) -> Revision {
            Revision(self.1)
        }
    }

    const EPOCH: Epoch = Epoch(NonZeroU64::MIN);

    fn sequencer() -> Sequencer<R> {
        Sequencer::new(EPOCH, Revision(0))
    }

    /// What comes out when a run goes in; none where that is a gap.
    fn accept(s: &mut Sequencer<R>, run: R) -> Option<Vec<R>> {
        match s.accept(EPOCH, run) {
            Verdict::Deliver(first) => Some(std::iter::once(first).chain(std::iter::from_fn(|| s.next())).collect()),
            Verdict::Old => Some(Vec::new()),
            Verdict::Gap => None,
        }
    }

    #[test]
    fn in_line_goes_through_and_repeats_do_not() {
        let mut s = sequencer();
        assert_eq!(accept(&mut s, R(1, 3)), Some(vec![R(1, 3)]));
        assert_eq!(accept(&mut s, R(1, 3)), Some(vec![]));
        assert_eq!(accept(&mut s, R(2, 2)), Some(vec![]));
        assert_eq!(accept(&mut s, R(4, 4)), Some(vec![R(4, 4)]));
    }

    #[test]
    fn what_is_early_waits_for_the_gap_to_close() {
        let mut s = sequencer();
        for early in [R(5, 5), R(2, 3), R(6, 6), R(2, 3)] {
            assert_eq!(accept(&mut s, early), None);
        }
        assert_eq!(accept(&mut s, R(1, 1)), Some(vec![R(1, 1), R(2, 3)]));
        assert_eq!(accept(&mut s, R(4, 4)), Some(vec![R(4, 4), R(5, 5), R(6, 6)]));
    }

    #[test]
    fn what_straddles_the_point_reached_leaves_a_gap_until_the_rest_is_there() {
        let mut s = sequencer();
        assert_eq!(accept(&mut s, R(1, 2)), Some(vec![R(1, 2)]));
        assert_eq!((accept(&mut s, R(2, 4)), s.has_gap()), (None, true));
        assert_eq!((accept(&mut s, R(3, 4)), s.has_gap()), (Some(vec![R(3, 4)]), false));
        s.doubt();
        assert!(s.has_gap());
        s.forget_early();
        assert!(!s.has_gap(), "the log had no more");
    }

    #[test]
    fn another_history_is_a_gap() {
        let other = Epoch(NonZeroU64::MAX);
        assert_eq!(sequencer().accept(other, R(1, 1)), Verdict::Gap);
    }

    #[test]
    fn any_order_with_losses_and_repeats_comes_out_once_and_in_order() {
        for seed in 0..2000_u64 {
            let mut random = Random::seeded(seed);
            let mut log = Vec::new();
            while log.len() < 20 {
                let first = log.last().map_or(1, |R(_, last)| last + 1);
                log.push(R(first, first + random.below(3)));
            }
            let (mut s, mut out) = (sequencer(), Vec::new());
            for _ in 0..60 {
                out.extend(accept(&mut s, log[random.index(20)]).into_iter().flatten());
            }
            // What was lost comes from the log.
            for run in &log {
                out.extend(accept(&mut s, *run).into_iter().flatten());
            }
            assert_eq!(out, log, "seed {seed}");
        }
    }
}
