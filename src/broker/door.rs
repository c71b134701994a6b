//! The one door by which a model's changes reach this node's listeners: in order, and every outcome behind its own changes.
//!
//! What goes out is counted in *eras*. An era ends where the store's history took another course: it then goes on under another
//! epoch from where it stood, which nobody notices, or it begins anew elsewhere, and every listener has to be told.

use super::{
    chunk::{Framings, Stretch},
    framing::Framing,
    inbox::{Failure, Filling, Inbox, Item, ReplyTo},
    model::Model,
    sequencer::{Sequencer, Verdict},
};
use crate::store::{Committed, Few};
use backsync_protocol::{Epoch, Position};
use std::{
    collections::VecDeque,
    sync::{Arc, atomic::Ordering},
};

/// How a model's changes go out.
#[derive(Debug, Default)]
pub(super) struct Delivery {
    /// None until the store said where the model stands for the first time. It stays when the model is let go of: what is under way
    /// then goes out as ever.
    sequencer: Option<Sequencer<Stretch>>,
    era: u64,
    /// Whether the bus was told to bring the changes of others.
    is_followed: bool,
    /// Whether others told of changes while the model was not placed.
    heard: bool,
    /// For each worker, how many listeners of each framing.
    interest: Vec<[u32; Framing::ALL.len()]>,
    /// Outcomes that came before the changes they follow.
    waiting: VecDeque<Waiting>,
    is_catching_up: bool,
    /// Where the store stood at the last look, where that was ahead.
    missed: Option<Position>,
}

/// Where delivery stands. Within an era revisions are in one row, whatever epoch names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stand {
    pub(crate) era: u64,
    pub(crate) position: Position,
}

/// A new era.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Begun {
    pub(crate) at: Stand,
    /// What went out before is no part of what follows: listeners have to be told what became of it.
    pub(crate) is_anew: bool,
}

/// An outcome on its way to the one who asked.
#[derive(Debug)]
pub(crate) struct Settled {
    pub(crate) to: Box<ReplyTo>,
    pub(crate) outcome: Result<Committed, Failure>,
    /// Models whose changes go before it, up to these positions.
    pub(crate) behind: Few<(Arc<Model>, Position)>,
}

#[derive(Debug)]
struct Waiting {
    /// None where it follows nothing but the outcomes before it.
    behind: Option<Position>,
    /// It was there when the log was asked last.
    was_there: bool,
    settled: Settled,
}

/// What comes to a model: a run of changes of an epoch, an outcome with the position that it is behind, or both.
#[derive(Debug)]
pub(crate) struct Offer {
    pub(crate) run: Option<(Epoch, Stretch)>,
    /// Without a position it is behind whatever waits.
    pub(crate) settled: Option<(Option<Position>, Settled)>,
}

/// What came of offering something, for the caller to go on with.
#[derive(Debug, Default)]
#[must_use]
pub(crate) struct Offered {
    pub(crate) gap: Option<Gap>,
    /// Outcomes that follow changes of other models, too.
    pub(crate) elsewhere: Few<Settled>,
}

/// Something is missing: the caller shall read the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gap {
    /// It is probably on its way: there are later changes of the same history.
    Early,
    /// Nobody says that it comes by itself.
    Missing,
}

impl Model {
    /// Have the bus told by `follow` that the changes of others are wanted.
    pub(super) fn follow<T>(&self, follow: impl FnOnce() -> T) -> T {
        let mut delivery = self.delivery();
        delivery.is_followed = true;
        // Under the lock, as the opposite is: the bus is told in the order of what holds here.
        follow()
    }

    /// The store, asked after [`Self::follow`], has the model here: delivery begins after that, or hears of it where it has begun. What
    /// others told of while the store was asked is to be read. Where the model was let go of meanwhile, the store has to be
    /// asked again.
    pub(super) fn place(&self, position: Position) -> Option<Gap> {
        let mut delivery = self.delivery();
        if !delivery.is_followed {
            return None;
        }
        let (is_idle, heard) = (self.is_idle(&delivery), std::mem::take(&mut delivery.heard));
        let sequencer = delivery.sequencer.get_or_insert_with(|| Sequencer::new(position));
        let is_other = is_idle && sequencer.skip(position);
        sequencer.hear(position);
        if heard {
            sequencer.doubt();
        }
        delivery.era += u64::from(is_other);
        self.placed.store(true, Ordering::Release);
        delivery.gap(Gap::Missing)
    }

    /// Have the bus told by `unfollow` that the changes of others are not wanted, where nobody had use for them since this was
    /// called before.
    pub(super) fn let_go(&self, unfollow: impl FnOnce()) {
        let mut delivery = self.delivery();
        let was_used = self.used.swap(false, Ordering::Relaxed);
        if was_used || !delivery.is_followed || !self.is_idle(&delivery) {
            return;
        }
        delivery.is_followed = false;
        self.placed.store(false, Ordering::Release);
        unfollow();
    }

    /// Whether nobody listens, and no outcome waits.
    fn is_idle(&self, delivery: &Delivery) -> bool {
        self.framings() == Framings::default() && delivery.waiting.is_empty()
    }

    /// Whether delivery has ever begun: an outcome may wait.
    pub(super) fn has_begun(&self) -> bool {
        self.delivery().sequencer.is_some()
    }

    /// Keep in mind that others told of changes, where the model is not placed. Answers whether that is so.
    pub(crate) fn hear_early(&self) -> bool {
        let mut delivery = self.delivery();
        let is_early = !self.is_placed();
        delivery.heard |= is_early;
        is_early
    }

    /// The model stands here, as somebody says who asked the store.
    pub(crate) fn hear(&self, position: Position) -> Option<Gap> {
        let mut delivery = self.delivery();
        delivery.sequencer.as_mut()?.hear(position);
        delivery.gap(Gap::Missing)
    }

    /// There may be more than came in, where it is known where delivery begins.
    pub(super) fn suspect(&self) -> Option<Gap> {
        let mut delivery = self.delivery();
        delivery.sequencer.as_mut()?.doubt();
        delivery.gap(Gap::Missing)
    }

    /// The store was looked at, and has the model here. Answers whether what it had at the look before has not come since.
    pub(crate) fn is_late(&self, position: Position) -> bool {
        let mut delivery = self.delivery();
        let Some(at) = delivery.sequencer.as_ref().map(Sequencer::position) else { return false };
        let lacks = |position: Position| position.epoch != at.epoch || position.revision > at.revision;
        let was_missed = delivery.missed.is_some_and(lacks);
        delivery.missed = lacks(position).then_some(position);
        was_missed && delivery.missed.is_some()
    }

    /// One listener more (or less, `listening` false) of this framing on this worker. Answers where delivery stands: all after
    /// it comes to the worker, from now on.
    pub(crate) fn interest(&self, worker: usize, framing: Framing, listening: bool) -> Stand {
        let mut delivery = self.delivery();
        if delivery.interest.len() <= worker {
            delivery.interest.resize_with(worker + 1, Default::default);
        }
        let count = &mut delivery.interest[worker][framing.index()];
        *count = if listening { *count + 1 } else { count.checked_sub(1).expect("a listener leaves once") };
        let any = |framing: Framing| delivery.interest.iter().any(|worker| worker[framing.index()] > 0);
        let framings = Framing::ALL.into_iter().filter(|f| any(*f)).fold(Framings::default(), Framings::with);
        self.framings.store(framings.0, Ordering::Release);
        self.used.store(true, Ordering::Relaxed);
        delivery.stand()
    }

    /// Take in what is offered, in its order: it goes out when what it follows has gone out. `here` is the worker that calls, if it
    /// is one; it need not be woken.
    pub(crate) fn deliver(
        self: &Arc<Self>,
        inboxes: &[Inbox],
        here: Option<usize>,
        offers: impl IntoIterator<Item = Offer>,
    ) -> Offered {
        let mut delivery = self.delivery();
        let mut inboxes = Filling::new(inboxes, here);
        let Offered { mut gap, mut elsewhere } = Offered::default();
        for Offer { run, settled } in offers {
            let is_early = run.is_some_and(|(epoch, run)| delivery.accept(self, &mut inboxes, epoch, run));
            delivery.release(&mut inboxes, &mut elsewhere, false);
            if let Some((behind, settled)) = settled {
                if let Some(position) = behind {
                    delivery.sequencer().hear(position);
                }
                let waiting = Waiting { behind, was_there: false, settled };
                match delivery.waiting.is_empty() && delivery.is_due(&waiting, false) {
                    true => hand_out(&mut inboxes, &mut elsewhere, waiting.settled),
                    false => delivery.waiting.push_back(waiting),
                }
            }
            gap = gap.or(delivery.gap(if is_early { Gap::Early } else { Gap::Missing }));
        }
        Offered { gap, elsewhere }
    }

    /// After which position the log has to be read; none where no gap is left, which ends the catch-up.
    pub(super) fn next_gap(&self) -> Option<Position> {
        let mut delivery = self.delivery();
        let gap = delivery.sequencer().ask();
        delivery.is_catching_up = gap.is_some();
        delivery.waiting.iter_mut().for_each(|waiting| waiting.was_there = true);
        gap
    }

    /// The log could not be read.
    pub(super) fn doubt(&self) {
        self.delivery().sequencer().doubt();
    }

    /// The store is closed, and nothing more will come of it.
    pub(super) fn give_up(&self) {
        self.delivery().is_catching_up = false;
    }

    /// The log has this after the position `asked`, and the model stands at `position`.
    pub(super) fn resume(
        self: &Arc<Self>,
        inboxes: &[Inbox],
        asked: Position,
        run: Option<Stretch>,
        position: Position,
    ) -> Offered {
        let mut delivery = self.delivery();
        let mut inboxes = Filling::new(inboxes, None);
        let reached = delivery.sequencer().position();
        if position.epoch != reached.epoch {
            if reached != asked {
                // What went out meanwhile may be beyond the fork.
                delivery.sequencer().doubt();
                return Offered::default();
            }
            delivery.leave(reached);
            delivery.sequencer().turn(position.epoch);
            delivery.begin(self, &mut inboxes, false);
        }
        if let Some(run) = run {
            delivery.accept(self, &mut inboxes, position.epoch, run);
        }
        delivery.sequencer().hear(position);
        let is_complete = delivery.sequencer().position().revision >= position.revision;
        let mut offered = Offered::default();
        delivery.release(&mut inboxes, &mut offered.elsewhere, is_complete);
        offered
    }

    /// The log does not lead on from what went out: begin anew where the model stands now.
    pub(super) fn begin_anew(self: &Arc<Self>, inboxes: &[Inbox], position: Position) -> Offered {
        let mut delivery = self.delivery();
        let mut inboxes = Filling::new(inboxes, None);
        let reached = delivery.sequencer().position();
        delivery.leave(reached);
        delivery.sequencer = Some(Sequencer::new(position));
        delivery.begin(self, &mut inboxes, true);
        let mut offered = Offered::default();
        delivery.release(&mut inboxes, &mut offered.elsewhere, true);
        offered
    }
}

impl Delivery {
    fn sequencer(&mut self) -> &mut Sequencer<Stretch> {
        self.sequencer.as_mut().expect("a model is placed before anything is delivered")
    }

    fn stand(&self) -> Stand {
        let sequencer = self.sequencer.as_ref().expect("a model that is listened to is placed");
        Stand { era: self.era, position: sequencer.position() }
    }

    /// What is to be done about what is missing, where nobody is doing it.
    fn gap(&mut self, gap: Gap) -> Option<Gap> {
        let is_new = self.sequencer().has_gap() && !self.is_catching_up;
        self.is_catching_up |= is_new;
        is_new.then_some(gap)
    }

    /// Give something to every worker that has listeners.
    fn push(&self, inboxes: &mut Filling<'_>, item: impl Fn() -> Item) {
        for (worker, listeners) in self.interest.iter().enumerate() {
            if listeners.iter().any(|count| *count > 0) {
                inboxes.push(worker, item());
            }
        }
    }

    /// Let through what is in line. Answers whether the run is early.
    fn accept(&mut self, model: &Arc<Model>, inboxes: &mut Filling<'_>, epoch: Epoch, run: Stretch) -> bool {
        let era = self.era;
        let mut next = match self.sequencer().accept(epoch, run) {
            Verdict::Deliver(run) => Some(run),
            Verdict::Old => None,
            Verdict::Gap => return self.sequencer().position().epoch == epoch,
        };
        while let Some(run) = next {
            self.push(inboxes, || Item::Changes(model.clone(), era, run.clone()));
            next = self.sequencer().next();
        }
        false
    }

    /// Another history follows after this position: what went out until then did.
    fn leave(&mut self, at: Position) {
        for waiting in &mut self.waiting {
            waiting.behind = waiting.behind.filter(|of| of.epoch != at.epoch || of.revision > at.revision);
        }
    }

    fn begin(&mut self, model: &Arc<Model>, inboxes: &mut Filling<'_>, is_anew: bool) {
        self.era += 1;
        // What came in since the store was asked, and what waits, is to be asked for in this history.
        self.sequencer().doubt();
        let begun = Begun { at: self.stand(), is_anew };
        self.push(inboxes, || Item::Begun(model.clone(), begun));
    }

    /// Let outcomes out, in their order, behind what they follow. After a look at the whole log (`is_complete`) those that were
    /// there before it and are of another history are of one that is over: they follow nothing any more. Those that follow
    /// changes of other models, too, go `elsewhere`.
    fn release(&mut self, inboxes: &mut Filling<'_>, elsewhere: &mut Few<Settled>, is_complete: bool) {
        while self.waiting.front().is_some_and(|waiting| self.is_due(waiting, is_complete))
            && let Some(Waiting { settled, .. }) = self.waiting.pop_front()
        {
            hand_out(inboxes, elsewhere, settled);
        }
    }

    /// Whether an outcome may go out, if it were the first of those that wait; `is_complete` as for [`Self::release`].
    fn is_due(&self, waiting: &Waiting, is_complete: bool) -> bool {
        let at = self.stand().position;
        waiting.behind.is_none_or(|of| match of.epoch == at.epoch {
            true => of.revision <= at.revision,
            false => is_complete && waiting.was_there,
        })
    }
}

fn hand_out(inboxes: &mut Filling<'_>, elsewhere: &mut Few<Settled>, settled: Settled) {
    if !settled.behind.is_empty() {
        return elsewhere.push(settled);
    }
    inboxes.push(settled.to.worker, Item::Outcome(settled.to, settled.outcome));
}
