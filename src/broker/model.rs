//! What a node knows of one model: its order of delivery, its writes in flight, and who on this node listens.

use super::{
    chunk::{Chunk, Framings},
    framing::Framing,
    inbox::{Inbox, Item, ReplyTo},
    sequencer::{Run, Sequencer, Verdict},
};
use crate::store::{Bounds, Commit, Committed, StoreError};
use backsync_protocol::{Epoch, Method, ModelName, Position, Revision};
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU8, Ordering},
};
use tokio::sync::oneshot;

/// One model on this node.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) name: ModelName,
    /// `Model:method` for each method.
    events: [Box<str>; Method::ALL.len()],
    /// Its place in the tables of the workers.
    pub(crate) index: usize,
    pub(crate) bounds: Bounds,
    /// A summary of `Delivery::interest`, to be read without the lock.
    framings: AtomicU8,
    delivery: Mutex<Delivery>,
    writes: Mutex<Writes>,
}

#[derive(Debug, Default)]
struct Delivery {
    /// None until the store said where the model stands.
    sequencer: Option<Sequencer<Arc<Chunk>>>,
    /// For each worker, how many listeners of each framing.
    interest: Vec<[usize; Framing::ALL.len()]>,
    /// Outcomes that came before the changes they follow.
    waiting: Vec<(Revision, ReplyTo, Committed)>,
    catching_up: bool,
}

/// Writes that wait for their turn: one step of the store at a time, which takes all that waits.
#[derive(Debug, Default)]
struct Writes {
    waiting: Vec<Write>,
    busy: bool,
}

/// A commit on its way.
#[derive(Debug)]
pub(crate) struct Write {
    pub(crate) commit: Commit,
    pub(crate) completion: Completion,
}

/// Who wants to know.
#[derive(Debug)]
pub(crate) enum Completion {
    /// A connection.
    Reply(ReplyTo),
    /// The server's own code.
    Signal(oneshot::Sender<Result<Committed, Arc<StoreError>>>),
}

/// What came of offering a run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Offered {
    /// It went out, or had gone out before.
    Done,
    /// Something is missing; the caller shall read the log.
    CatchUp,
}

impl Run for Arc<Chunk> {
    fn first(&self) -> Revision {
        self.as_ref().first()
    }

    fn last(&self) -> Revision {
        self.as_ref().last()
    }
}

impl Model {
    pub(crate) fn new(name: ModelName, index: usize, bounds: Bounds) -> Self {
        let events = Method::ALL.map(|method| format!("{name}:{}", method.name()).into());
        Self {
            name,
            events,
            index,
            bounds,
            framings: AtomicU8::new(0),
            delivery: Mutex::default(),
            writes: Mutex::default(),
        }
    }

    /// `Model:method`.
    pub(crate) fn event(&self, method: Method) -> &str {
        &self.events[method as usize]
    }

    fn delivery(&self) -> MutexGuard<'_, Delivery> {
        self.delivery.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn writes(&self) -> MutexGuard<'_, Writes> {
        self.writes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is known where delivery begins.
    pub(crate) fn is_placed(&self) -> bool {
        self.delivery().sequencer.is_some()
    }

    /// Delivery begins after `position`, unless it has begun.
    pub(crate) fn place(&self, position: Position) {
        let begin = || Sequencer::new(position.epoch, position.revision);
        self.delivery().sequencer.get_or_insert_with(begin);
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

    /// The one door by which changes reach listeners: in order, to every worker that has some. An outcome goes out right
    /// behind its own changes. `here` is the worker that calls, if it is one; it need not be woken.
    pub(crate) fn deliver(
        self: &Arc<Self>,
        inboxes: &[Inbox],
        here: Option<usize>,
        epoch: Epoch,
        chunk: Option<Arc<Chunk>>,
        outcome: Option<(ReplyTo, Committed)>,
    ) -> Offered {
        let mut delivery = self.delivery();
        let Delivery { sequencer, interest, waiting, catching_up } = &mut *delivery;
        let sequencer = sequencer.as_mut().expect("a model is placed before anything is delivered");
        let mut offered = Offered::Done;
        if let Some(chunk) = chunk {
            match sequencer.accept(epoch, chunk) {
                Verdict::Deliver(runs) => {
                    for (worker, listeners) in interest.iter().enumerate() {
                        if listeners.iter().any(|count| *count > 0) {
                            for run in &runs {
                                inboxes[worker].push(Item::Chunk(self.clone(), run.clone()), here != Some(worker));
                            }
                        }
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
        let reply = |reply_to: ReplyTo, committed| {
            let worker = reply_to.worker;
            inboxes[worker].push(Item::Outcome(reply_to, Ok(committed)), here != Some(worker));
        };
        let released = sequencer.released();
        if !waiting.is_empty() {
            let (ready, later) = std::mem::take(waiting).into_iter().partition(|(revision, ..)| *revision <= released);
            *waiting = later;
            let ready: Vec<(Revision, ReplyTo, Committed)> = ready;
            ready.into_iter().for_each(|(_, reply_to, committed)| reply(reply_to, committed));
        }
        if let Some((reply_to, committed)) = outcome {
            if committed.position.revision <= released {
                reply(reply_to, committed);
            } else {
                waiting.push((committed.position.revision, reply_to, committed));
            }
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

    /// Take a write in. `Some` makes the caller the one who commits, these and whatever [`Self::next_writes`] gives.
    pub(crate) fn begin_write(&self, write: Write) -> Option<Write> {
        let mut writes = self.writes();
        if writes.busy {
            writes.waiting.push(write);
            return None;
        }
        writes.busy = true;
        Some(write)
    }

    /// All writes that wait now, for the one who commits; with none, the turn has ended.
    pub(crate) fn next_writes(&self) -> (Vec<Commit>, Vec<Completion>) {
        let mut writes = self.writes();
        writes.busy = !writes.waiting.is_empty();
        std::mem::take(&mut writes.waiting).into_iter().map(|write| (write.commit, write.completion)).unzip()
    }
}
