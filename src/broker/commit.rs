//! From a write to its outcome: through the store in turns, then to everybody who listens and to the one who asked.

use super::{
    Broker,
    chunk::Stretch,
    door::{Offer, Offered, Settled},
    handler,
    inbox::{Failure, Filling, Item},
    model::Model,
    presence::Named,
    turns::{Completion, Follower, Turns, Write, Writes},
};
use crate::{
    bus::Publication,
    store::{Answer, ChangeKind, Committed, Done, Few, Operation, Outcome, Part, StoreError},
};
use backsync_protocol::{Epoch, Position};
use std::sync::{Arc, atomic::Ordering};

impl Broker {
    /// Have writes done, in their order, with whatever else waits for their models. A store that answers at once is done when this
    /// returns; `here` is the worker that calls, if it is one. One that takes its time is asked when the worker has read what it
    /// reads just now, so that what came together is one step, and comes to everybody as one.
    pub(super) fn submit(&self, writes: impl IntoIterator<Item = Write>, here: Option<usize>) {
        let mut writes = writes.into_iter().peekable();
        while let Some(first) = writes.next() {
            let turns = first.completion.models()[0].turns.clone();
            let mut together = Writes::with_capacity(1 + writes.size_hint().0);
            together.push(first);
            while let Some(write) = writes.next_if(|write| Arc::ptr_eq(&write.completion.models()[0].turns, &turns)) {
                together.push(write);
            }
            self.submit_together(turns, together, here);
        }
    }

    /// The same, for writes that take one turn.
    fn submit_together(&self, turns: Arc<Turns>, mut writes: Writes, here: Option<usize>) {
        let mut may_wait = here.is_some();
        for (commit, Follower { completion, named }) in writes.commits.iter().zip(&mut writes.followers) {
            if completion.models().iter().any(|model| model.rules.ephemeral) {
                // What the server's own code writes begins with the call, and who is present is looked at as it is.
                may_wait = false;
                *named = commit.parts.iter().map(of_somebody).collect();
                let mut presence = self.presence();
                for (named, model) in named.iter().zip(completion.models()) {
                    presence.begins(&model.name, named);
                }
            }
        }
        let Some(mut writes) = turns.begin(writes) else { return };
        if may_wait && self.0.store_waits.load(Ordering::Relaxed) {
            let broker = self.clone();
            tokio::spawn(async move {
                writes.append(turns.more());
                broker.commit_rest(turns, Work::Place(writes)).await;
            });
            return;
        }
        while !writes.is_empty() {
            if !self.place_at_once(&writes) {
                tokio::spawn(self.clone().commit_rest(turns, Work::Place(writes)));
                return;
            }
            let Writes { commits, followers } = writes;
            match self.store().commit(commits) {
                Answer::Ready(outcome) => {
                    self.finish(outcome.expect("an answer is taken once"), followers, here);
                }
                answer @ Answer::Later(_) => {
                    self.0.store_waits.store(true, Ordering::Relaxed);
                    tokio::spawn(self.clone().commit_rest(turns, Work::Answer(answer, followers)));
                    return;
                }
            }
            writes = turns.next();
        }
    }

    /// The rest of it, where the store takes its time.
    async fn commit_rest(self, turns: Arc<Turns>, mut work: Work) {
        loop {
            let (outcome, followers) = match work {
                Work::Place(writes) => {
                    let placed = self.place_all(&writes).await;
                    let Writes { commits, followers } = writes;
                    let outcome = match placed {
                        Ok(()) => self.store().commit(commits).await,
                        Err(cause) => Err(cause),
                    };
                    (outcome, followers)
                }
                Work::Answer(answer, followers) => (answer.await, followers),
            };
            self.finish(outcome, followers, None);
            let writes = turns.next();
            if writes.is_empty() {
                return;
            }
            work = Work::Place(writes);
        }
    }

    /// Have the models of these writes placed, where the store says at once where they stand. Answers whether they all are.
    fn place_at_once(&self, writes: &Writes) -> bool {
        writes.models().all(|model| {
            if !model.is_ready()
                && let Answer::Ready(Some(Ok(position))) = self.stands(model)
            {
                self.place_at(model, position);
            }
            model.is_placed()
        })
    }

    /// The same, for a store that takes its time.
    async fn place_all(&self, writes: &Writes) -> Result<(), StoreError> {
        for model in writes.models() {
            self.place(model).await?;
        }
        Ok(())
    }

    /// Ask the store where a model stands, so that delivery knows where it begins.
    pub(super) async fn place(&self, model: &Arc<Model>) -> Result<(), StoreError> {
        while !model.is_ready() {
            self.place_at(model, self.stands(model).await?);
        }
        Ok(())
    }

    /// Ask the store where a model stands, once nothing that others tell of it can be missed any more.
    pub(super) fn stands(&self, model: &Model) -> Answer<Position> {
        match model.follow(|| self.0.parts.bus.follow(self.origin(), &model.name)) {
            None => self.store().position(&model.name),
            Some(followed) => {
                let (store, name) = (self.store().clone(), model.name.clone());
                Answer::later(async move {
                    followed.await;
                    store.position(&name).await
                })
            }
        }
    }

    /// The store said where a model stands. It may have been let go of since it was asked.
    pub(super) fn place_at(&self, model: &Arc<Model>, position: Position) {
        if let Some(gap) = model.place(position) {
            self.close(model, gap);
        }
    }

    /// Deliver what was committed, and every outcome behind it.
    fn finish(&self, outcomes: Result<Few<Outcome>, StoreError>, followers: Few<Follower>, here: Option<usize>) {
        let mut offers = Offers { broker: self, here, model: None, row: Vec::with_capacity(followers.len()) };
        match outcomes {
            Ok(outcomes) => {
                for (outcome, follower) in outcomes.into_iter().zip(followers) {
                    match outcome {
                        Ok(committed) => self.deliver(committed, follower, &mut offers),
                        Err(rejected) => self.fail(Failure::Rejected(rejected), follower, &mut offers),
                    }
                }
            }
            Err(cause) => {
                let model = &followers[0].completion.models()[0].name;
                tracing::error!(%model, error = %cause, writes = followers.len(), "the store refused to commit");
                let cause = Arc::new(cause);
                // Perhaps it was done all the same: the log knows.
                for model in followers.iter().flat_map(|follower| follower.completion.models()) {
                    if let Some(gap) = model.suspect() {
                        self.close(model, gap);
                    }
                }
                for follower in followers {
                    self.fail(Failure::Store(cause.clone()), follower, &mut offers);
                }
            }
        }
        offers.end();
    }

    fn deliver(&self, mut committed: Committed, follower: Follower, offers: &mut Offers<'_>) {
        let Follower { mut completion, named } = follower;
        self.note(&committed, completion.models(), &named);
        let caller = match &mut completion {
            Completion::Reply(to) => {
                let changes = &committed.parts[0].changes;
                to.inserted = changes.first().is_some_and(|change| change.kind == ChangeKind::Insert);
                to.changed = changes.first().zip(changes.last()).map(|(first, last)| (first.revision, last.revision));
                to.caller.take()
            }
            Completion::Signal(..) => None,
        };
        let told = caller.map(|caller| (caller, handler::to_tell(&committed, completion.models())));
        // Only the server's own code wants to have the changes as well.
        let keeps = matches!(completion, Completion::Signal(..));
        let (last, others) = completion.models().split_last().expect("a write is to a model");
        let mut behind = Few::new();
        for (done, model) in committed.parts.iter_mut().zip(others) {
            let run = self.publish(model, done, keeps);
            offers.to(model).push(Offer { run, settled: None });
            behind.push((model.clone(), done.position));
        }
        let done = &mut committed.parts[others.len()];
        let (position, run) = (done.position, self.publish(last, done, keeps));
        let row = offers.to(last);
        match completion {
            Completion::Reply(to) => {
                let settled = Settled { to, outcome: Ok(committed), behind };
                row.push(Offer { run, settled: Some((Some(position), settled)) });
            }
            Completion::Signal(_, sender) => {
                row.push(Offer { run, settled: None });
                offers.end();
                // Whoever asked may have gone.
                let _ = sender.send(Ok(committed));
            }
        }
        if let Some((caller, told)) = told {
            offers.end();
            handler::tell(&caller, &told);
        }
    }

    /// Have a model take in what is offered.
    pub(super) fn offer(&self, model: &Arc<Model>, here: Option<usize>, offers: impl IntoIterator<Item = Offer>) {
        self.follow(model, here, model.deliver(&self.0.inboxes, here, offers));
    }

    /// Do what is left to do.
    pub(super) fn follow(&self, model: &Arc<Model>, here: Option<usize>, offered: Offered) {
        if let Some(gap) = offered.gap {
            self.close(model, gap);
        }
        for mut settled in offered.elsewhere {
            let (model, position) = settled.behind.pop().expect("it follows another model's changes");
            self.offer(&model, here, [Offer { run: None, settled: Some((Some(position), settled)) }]);
        }
    }

    fn fail(&self, failure: Failure, follower: Follower, offers: &mut Offers<'_>) {
        let Follower { completion, named } = follower;
        for (named, model) in named.iter().zip(completion.models()) {
            self.presence().failed(&model.name, named);
        }
        match completion {
            Completion::Reply(to) => {
                let last = &to.models[to.models.len() - 1];
                if last.has_begun() {
                    // Behind whatever of this model waits before it, so that replies keep their order.
                    let row = offers.to(last);
                    let settled = Settled { to, outcome: Err(failure), behind: Few::new() };
                    row.push(Offer { run: None, settled: Some((None, settled)) });
                } else {
                    offers.end();
                    Filling::new(&self.0.inboxes, offers.here).push(to.worker, Item::Outcome(to, Err(failure)));
                }
            }
            // Whoever asked may have gone.
            Completion::Signal(_, sender) => drop(sender.send(Err(failure))),
        }
    }

    /// Presence has to know what becomes of records that belong to sessions.
    fn note(&self, committed: &Committed, models: &[Arc<Model>], named: &[Vec<Named>]) {
        if !models.iter().any(|model| model.rules.ephemeral) {
            return;
        }
        let (now, keeps) = (self.now(), self.store().is_shared());
        let mut presence = self.presence();
        for ((done, model), named) in committed.parts.iter().zip(models).zip(named) {
            if presence.committed(&model.name, done, named, keeps, now) {
                self.0.sessions_changed.notify_one();
            }
        }
    }

    /// Tell other nodes of what changed, and encode it for those who listen here. It stays where it is as well if the caller
    /// `keeps` it.
    fn publish(&self, model: &Model, done: &mut Done, keeps: bool) -> Option<(Epoch, Stretch)> {
        if done.changes.is_empty() {
            return None;
        }
        let epoch = done.position.epoch;
        if self.0.parts.bus.carries_commits(self.origin()) {
            let publication = Publication { model: model.name.clone(), epoch, changes: done.changes.as_slice().into() };
            self.0.parts.bus.publish(self.origin(), &publication);
        }
        let framings = model.framings();
        let unheard = Stretch::unheard(&done.changes, framings);
        let stretch = unheard.unwrap_or_else(|| {
            let changes = if keeps { done.changes.clone() } else { std::mem::take(&mut done.changes) };
            Stretch::encode(|| model.source(epoch), changes, framings)
        });
        Some((epoch, stretch))
    }
}

/// What came of commits, on its way to their models: what follows one another to the same model is taken in together.
struct Offers<'a> {
    broker: &'a Broker,
    here: Option<usize>,
    model: Option<Arc<Model>>,
    row: Vec<Offer>,
}

impl Offers<'_> {
    /// Where what is offered to a model is to be added.
    fn to(&mut self, model: &Arc<Model>) -> &mut Vec<Offer> {
        if self.model.as_ref().is_none_or(|of| !Arc::ptr_eq(of, model)) {
            self.end();
            self.model = Some(model.clone());
        }
        &mut self.row
    }

    /// Have it taken in.
    fn end(&mut self) {
        if let Some(model) = self.model.take() {
            self.broker.offer(&model, self.here, self.row.drain(..));
        }
    }
}

/// What is written in somebody's name.
fn of_somebody(part: &Part) -> Vec<Named> {
    let named = |(at, operation): (usize, &Operation)| {
        let deletes = match operation {
            // What is gone by it is told by the change.
            Operation::Release { .. } => return None,
            Operation::Delete { id, .. } => Some(id.clone()),
            _ => None,
        };
        Some(Named { operation: at, owner: operation.owner()?.clone(), deletes })
    };
    part.operations.iter().enumerate().filter_map(named).collect()
}

/// A step of committing.
enum Work {
    /// To be asked of the store, where the models may not be placed yet.
    Place(Writes),
    /// Asked already.
    Answer(Answer<Few<Outcome>>, Few<Follower>),
}
