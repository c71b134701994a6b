//! Puts a model's publications in order: drops what is old, holds what is early, sees gaps.
//!
//! Pure: no clock, no I/O. Commits of this node and publications of others come in by the same door, in any order and
//! any number of times; what goes out is every change once, in the order of its revision.

use backsync_protocol::{Epoch, Position, Revision};
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
    /// The history that is delivered, and the last revision that went out.
    position: Position,
    /// The last revision that is known to be, as far as the log was not asked for it.
    known: Revision,
    /// There may be more than is known, or another history.
    in_doubt: bool,
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
    /// Begin after a position.
    pub(crate) fn new(position: Position) -> Self {
        Self { position, known: position.revision, in_doubt: false, early: BTreeMap::new() }
    }

    /// What went out.
    pub(crate) fn position(&self) -> Position {
        self.position
    }

    /// There may be more than came in: the log is to be read.
    pub(crate) fn doubt(&mut self) {
        self.in_doubt = true;
    }

    /// The model stands here, as somebody says who asked the store.
    pub(crate) fn hear(&mut self, position: Position) {
        if position.epoch == self.position.epoch {
            self.known = self.known.max(position.revision);
        } else {
            self.in_doubt = true;
        }
    }

    /// Whether something is there, or may be, that did not go out.
    pub(crate) fn has_gap(&self) -> bool {
        self.in_doubt || self.known > self.position.revision
    }

    /// After which position the log has to be read; none where no gap is left. What was heard so far is asked for with that: if
    /// there is no answer, [`Self::doubt`] has to follow.
    pub(crate) fn ask(&mut self) -> Option<Position> {
        let gap = self.has_gap().then_some(self.position);
        (self.in_doubt, self.known) = (false, self.position.revision);
        gap
    }

    /// The history goes on under another name, from where it stands: what went out is a part of it.
    pub(crate) fn turn(&mut self, epoch: Epoch) {
        *self = Self::new(Position { epoch, ..self.position });
    }

    /// Nobody hears: what there is up to a position need not go out. Answers whether that is of another history, and the log is to say
    /// which of the two goes on.
    pub(crate) fn skip(&mut self, position: Position) -> bool {
        if position.epoch != self.position.epoch {
            *self = Self::new(position);
            self.in_doubt = true;
            return true;
        }
        self.position.revision = self.position.revision.max(position.revision);
        self.known = self.known.max(position.revision);
        false
    }

    /// Take a run in. One that straddles the point reached counts as a gap: the rest of it is read from the log.
    pub(crate) fn accept(&mut self, epoch: Epoch, run: R) -> Verdict<R> {
        if epoch != self.position.epoch {
            self.in_doubt = true;
            return Verdict::Gap;
        }
        if run.last() <= self.position.revision {
            return Verdict::Old;
        }
        self.known = self.known.max(run.last());
        if run.first() != self.position.revision.next() {
            if run.first() > self.position.revision && self.early.len() < MAX_EARLY {
                self.early.insert(run.first(), run);
            }
            return Verdict::Gap;
        }
        self.position.revision = run.last();
        Verdict::Deliver(run)
    }

    /// What waited for what was delivered just now.
    pub(crate) fn next(&mut self) -> Option<R> {
        while let Some(next) = self.early.first_entry() {
            if *next.key() > self.position.revision.next() {
                return None;
            }
            let run = next.remove();
            if run.first() == self.position.revision.next() {
                self.position.revision = run.last();
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
        Sequencer::new(Position { epoch: EPOCH, revision: Revision(0) })
    }

    fn at(epoch: Epoch, revision: u64) -> Position {
        Position { epoch, revision: Revision(revision) }
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
        assert_eq!(s.ask(), Some(at(EPOCH, 4)));
        assert!(!s.has_gap(), "it was asked");
    }

    #[test]
    fn what_is_heard_of_is_a_gap_until_it_is_asked_for() {
        let mut s = sequencer();
        s.hear(at(EPOCH, 0));
        assert_eq!(s.ask(), None);
        s.hear(at(EPOCH, 2));
        assert_eq!((accept(&mut s, R(1, 1)), s.has_gap()), (Some(vec![R(1, 1)]), true));
        assert_eq!((s.ask(), s.ask()), (Some(at(EPOCH, 1)), None));
        // What comes in while the log is read is asked for the next time.
        assert_eq!((accept(&mut s, R(4, 4)), s.ask()), (None, Some(at(EPOCH, 1))));
    }

    #[test]
    fn what_nobody_hears_is_skipped_but_never_backwards() {
        let other = Epoch(NonZeroU64::MAX);
        let mut s = sequencer();
        assert_eq!(accept(&mut s, R(8, 8)), None);
        assert_eq!((s.skip(at(EPOCH, 7)), s.position(), s.has_gap()), (false, at(EPOCH, 7), true));
        assert_eq!((s.skip(at(EPOCH, 3)), s.position(), s.has_gap()), (false, at(EPOCH, 7), true));
        assert_eq!((s.skip(at(EPOCH, 9)), s.position(), s.has_gap()), (false, at(EPOCH, 9), false));
        assert_eq!(accept(&mut s, R(10, 10)), Some(vec![R(10, 10)]), "what waited is over");
        // Whether that is before the fork or behind it the log knows.
        assert_eq!((s.skip(at(other, 4)), s.position(), s.has_gap()), (true, at(other, 4), true));
    }

    #[test]
    fn another_history_is_a_gap_until_the_log_leads_over_to_it() {
        let other = Epoch(NonZeroU64::MAX);
        let mut s = sequencer();
        assert_eq!(accept(&mut s, R(1, 2)), Some(vec![R(1, 2)]));
        assert_eq!((accept(&mut s, R(4, 4)), s.accept(other, R(3, 3))), (None, Verdict::Gap));
        assert_eq!(s.ask(), Some(at(EPOCH, 2)));
        s.turn(other);
        assert_eq!((s.position(), s.has_gap()), (at(other, 2), false));
        // What was early is of the history that was left.
        assert_eq!((s.accept(other, R(3, 3)), s.next()), (Verdict::Deliver(R(3, 3)), None));
        s.hear(at(EPOCH, 3));
        assert!(s.has_gap());
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
