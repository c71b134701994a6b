//! What a node knows of one model: its order of delivery, and who on this node listens.

use super::{
    chunk::{Framings, Source, Stretch},
    framing::Framing,
    handler::Handler,
    inbox::{Failure, Inbox, Item, ReplyTo},
    rules::ModelRules,
    sequencer::{Sequencer, Verdict},
    turns::Turns,
};
use crate::store::{Committed, Few, Operation, Part};
use backsync_protocol::{Epoch, Method, ModelName, Position, Revision};
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicU16, Ordering},
};

/// One model on this node.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) name: ModelName,
    /// `Model:method` for each method.
    events: [Box<str>; Method::ALL.len()],
    /// Its place in the tables of the workers.
    pub(crate) index: usize,
    pub(crate) rules: ModelRules,
    /// What the server's own code has to say to it.
    pub(crate) handler: Option<Arc<dyn Handler>>,
    /// The size from which messages are compressed.
    compress_from: usize,
    /// Whose turn it is to write, together with all models of its group.
    pub(crate) turns: Arc<Turns>,
    /// A summary of `Delivery::interest`, to be read without the lock.
    framings: AtomicU16,
    /// Whether `Delivery::sequencer` is there, to be read without the lock.
    placed: AtomicBool,
    delivery: Mutex<Delivery>,
}

#[derive(Debug, Default)]
struct Delivery {
    /// None until the store said where the model stands.
    sequencer: Option<Sequencer<Stretch>>,
    /// Whether others told of changes before that.
    heard: bool,
    /// For each worker, how many listeners of each framing.
    interest: Vec<[u32; Framing::ALL.len()]>,
    /// Outcomes that came before the changes they follow.
    waiting: Vec<(Revision, Settled)>,
    catching_up: bool,
}

/// An outcome on its way to the one who asked.
#[derive(Debug)]
pub(crate) struct Settled {
    pub(crate) to: Box<ReplyTo>,
    pub(crate) outcome: Result<Committed, Failure>,
    /// Models whose changes go before it, up to these revisions.
    pub(crate) behind: Few<(Arc<Model>, Revision)>,
}

/// What came of offering a run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Offered {
    /// It went out, or had gone out before.
    Done,
    /// Something is missing; the caller shall read the log.
    CatchUp,
}

impl Model {
    pub(crate) fn new(
        name: ModelName,
        index: usize,
        rules: ModelRules,
        handler: Option<Arc<dyn Handler>>,
        compress_from: usize,
        turns: Arc<Turns>,
    ) -> Self {
        let events = Method::ALL.map(|method| format!("{name}:{}", method.name()).into());
        Self {
            name,
            events,
            index,
            rules,
            handler,
            compress_from,
            turns,
            framings: AtomicU16::new(0),
            placed: AtomicBool::new(false),
            delivery: Mutex::default(),
        }
    }

    /// `Model:method`.
    pub(crate) fn event(&self, method: Method) -> &str {
        &self.events[method as usize]
    }

    /// What a commit does to it.
    pub(crate) fn part(&self, operations: Few<Operation>) -> Part {
        Part { model: self.name.clone(), bounds: self.rules.bounds, operations }
    }

    /// Where a run of its changes comes from.
    pub(crate) fn source(&self, epoch: Epoch) -> Source {
        // Readers are told how many records there may be, not how old they are.
        let evictions = self.rules.push_evictions || self.rules.bounds.max_age.is_some();
        Source { model: self.name.clone(), epoch, evictions, compress_from: self.compress_from }
    }

    fn delivery(&self) -> MutexGuard<'_, Delivery> {
        self.delivery.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is known where delivery begins.
    pub(crate) fn is_placed(&self) -> bool {
        self.placed.load(Ordering::Acquire)
    }

    /// Delivery begins after `position`, unless it has begun. What others told of while the store was asked is to be read.
    pub(super) fn place(&self, position: Position) -> Offered {
        let mut delivery = self.delivery();
        if delivery.sequencer.is_some() {
            return Offered::Done;
        }
        let mut sequencer = Sequencer::new(position.epoch, position.revision);
        if delivery.heard {
            sequencer.doubt();
        }
        delivery.catching_up = sequencer.has_gap();
        delivery.sequencer = Some(sequencer);
        self.placed.store(true, Ordering::Release);
        if delivery.catching_up { Offered::CatchUp } else { Offered::Done }
    }

    /// Keep in mind that others told of changes, where it is not known yet where delivery begins. Answers whether that is so.
    pub(crate) fn hear_early(&self) -> bool {
        let mut delivery = self.delivery();
        delivery.heard |= delivery.sequencer.is_none();
        delivery.sequencer.is_none()
    }

    /// The history that is delivered.
    pub(crate) fn epoch(&self) -> Epoch {
        self.delivery().sequencer.as_ref().expect("a model that is listened to is placed").epoch()
    }

    /// One listener more (or less, `listening` false) of this framing on this worker. Answers the last revision that the
    /// worker will not be given: all after it come, from now on.
    pub(crate) fn interest(&self, worker: usize, framing: Framing, listening: bool) -> Revision {
        let mut delivery = self.delivery();
        if delivery.interest.len() <= worker {
            delivery.interest.resize_with(worker + 1, Default::default);
        }
        let count = &mut delivery.interest[worker][framing.index()];
        *count = if listening { *count + 1 } else { count.checked_sub(1).expect("a listener leaves once") };
        let any = |framing: Framing| delivery.interest.iter().any(|worker| worker[framing.index()] > 0);
        let framings = Framing::ALL.into_iter().filter(|f| any(*f)).fold(Framings::default(), Framings::with);
        self.framings.store(framings.0, Ordering::Release);
        delivery.sequencer.as_ref().map(Sequencer::released).unwrap_or_default()
    }

    /// Framings that somebody listens with. Who begins to listen after this was asked reads the store afterwards, and so
    /// finds there whatever was committed before.
    pub(crate) fn framings(&self) -> Framings {
        Framings(self.framings.load(Ordering::Acquire))
    }

    /// The one door by which changes reach listeners: in order, to every worker that has some. What was settled goes out
    /// right behind its own changes. `here` is the worker that calls, if it is one; it need not be woken.
    pub(crate) fn deliver(
        self: &Arc<Self>,
        inboxes: &[Inbox],
        here: Option<usize>,
        epoch: Epoch,
        run: Option<Stretch>,
        settled: Option<(Revision, Settled)>,
    ) -> Offered {
        let mut delivery = self.delivery();
        let Delivery { sequencer, interest, waiting, catching_up, .. } = &mut *delivery;
        let sequencer = sequencer.as_mut().expect("a model is placed before anything is delivered");
        let mut offered = Offered::Done;
        if let Some(run) = run {
            let push = |run: &Stretch| {
                for (worker, listeners) in interest.iter().enumerate() {
                    if listeners.iter().any(|count| *count > 0) {
                        inboxes[worker].push(Item::Changes(self.clone(), run.clone()), here != Some(worker));
                    }
                }
            };
            match sequencer.accept(epoch, run) {
                Verdict::Deliver(run) => {
                    push(&run);
                    while let Some(run) = sequencer.next() {
                        push(&run);
                    }
                }
                Verdict::Old => {}
                Verdict::Gap if *catching_up => {}
                Verdict::Gap => {
                    *catching_up = true;
                    offered = Offered::CatchUp;
                }
            }
        }
        let released = sequencer.released();
        let mut ready = Few::new();
        if !waiting.is_empty() {
            let (released, later) =
                std::mem::take(waiting).into_iter().partition(|(revision, _)| *revision <= released);
            *waiting = later;
            let released: Vec<(Revision, Settled)> = released;
            ready.extend(released.into_iter().map(|(_, settled)| settled));
        }
        if let Some((revision, settled)) = settled {
            // Outcomes keep their order, whatever each of them waits for.
            let revision = waiting.last().map_or(revision, |(last, _)| revision.max(*last));
            if revision <= released {
                ready.push(settled);
            } else {
                waiting.push((revision, settled));
            }
        }
        let mut elsewhere: Few<Settled> = Few::new();
        for settled in ready {
            match settled.behind.is_empty() {
                true => hand_out(inboxes, here, settled),
                false => elsewhere.push(settled),
            }
        }
        drop(delivery);
        for mut settled in elsewhere {
            let (model, revision) = settled.behind.pop().expect("it was not empty");
            model.deliver(inboxes, here, epoch, None, Some((revision, settled)));
        }
        offered
    }

    /// After which revision the log has to be read; none where no gap is left, which ends the catch-up.
    pub(crate) fn next_gap(&self) -> Option<Revision> {
        let mut delivery = self.delivery();
        let gap = delivery.sequencer.as_ref().filter(|s| s.has_gap()).map(Sequencer::released);
        delivery.catching_up = gap.is_some();
        gap
    }

    /// The log does not help; the next publication tries again.
    pub(crate) fn give_up(&self) {
        let mut delivery = self.delivery();
        delivery.catching_up = false;
        if let Some(sequencer) = &mut delivery.sequencer {
            sequencer.forget_early();
        }
    }
}

fn hand_out(inboxes: &[Inbox], here: Option<usize>, settled: Settled) {
    let worker = settled.to.worker;
    inboxes[worker].push(Item::Outcome(settled.to, settled.outcome), here != Some(worker));
}
