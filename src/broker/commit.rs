//! From a write to its outcome: through the store in turns, then to everybody who listens and to the one who asked.

use super::{
    Broker,
    chunk::Stretch,
    door::{Offered, Settled},
    handler,
    inbox::{Failure, Item},
    model::Model,
    presence::Named,
    turns::{Completion, Turns, Write},
};
use crate::{
    bus::Publication,
    store::{Answer, ChangeKind, Commit, Committed, Done, Few, Operation, Outcome, Part, StoreError},
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
            let turns = first.models[0].turns.clone();
            let mut together = Few::with_capacity(1 + writes.size_hint().0);
            together.push(first);
            while let Some(write) = writes.next_if(|write| Arc::ptr_eq(&write.models[0].turns, &turns)) {
                together.push(write);
            }
            self.submit_together(turns, together, here);
        }
    }

    /// The same, for writes that take one turn.
    fn submit_together(&self, turns: Arc<Turns>, writes: Few<Write>, here: Option<usize>) {
        let mut may_wait = here.is_some();
        for write in &writes {
            if write.models.iter().any(|model| model.rules.ephemeral) {
                // What the server's own code writes begins with the call, and who is present is looked at as it is.
                may_wait = false;
                let mut presence = self.presence();
                for (part, model) in write.commit.parts.iter().zip(&write.models) {
                    presence.begins(&model.name, &named(part));
                }
            }
        }
        let Some(mut writes) = turns.begin(writes) else { return };
        if may_wait && self.0.store_waits.load(Ordering::Relaxed) {
            let broker = self.clone();
            tokio::spawn(async move {
                writes.extend(turns.more());
                broker.commit_rest(turns, Work::Place(writes)).await;
            });
            return;
        }
        while !writes.is_empty() {
            if !self.place_at_once(&writes) {
                tokio::spawn(self.clone().commit_rest(turns, Work::Place(writes)));
                return;
            }
            let (commits, followers) = split(writes);
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
                    let (commits, followers) = split(writes);
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
    fn place_at_once(&self, writes: &[Write]) -> bool {
        writes.iter().flat_map(|write| &write.models).all(|model| {
            if !model.is_ready()
                && let Answer::Ready(Some(Ok(position))) = self.stands(model)
            {
                self.place_at(model, position);
            }
            model.is_placed()
        })
    }

    /// The same, for a store that takes its time.
    async fn place_all(&self, writes: &[Write]) -> Result<(), StoreError> {
        for model in writes.iter().flat_map(|write| &write.models) {
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
        match outcomes {
            Ok(outcomes) => {
                for (outcome, follower) in outcomes.into_iter().zip(followers) {
                    match outcome {
                        Ok(committed) => self.deliver(committed, follower, here),
                        Err(rejected) => self.fail(Failure::Rejected(rejected), follower, here),
                    }
                }
            }
            Err(cause) => {
                let model = &followers[0].models[0].name;
                tracing::error!(%model, error = %cause, writes = followers.len(), "the store refused to commit");
                let cause = Arc::new(cause);
                // Perhaps it was done all the same: the log knows.
                for model in followers.iter().flat_map(|follower| &follower.models) {
                    if let Some(gap) = model.suspect() {
                        self.close(model, gap);
                    }
                }
                for follower in followers {
                    self.fail(Failure::Store(cause.clone()), follower, here);
                }
            }
        }
    }

    fn deliver(&self, mut committed: Committed, follower: Follower, here: Option<usize>) {
        let Follower { models, mut completion, named } = follower;
        self.note(&committed, &models, &named);
        let caller = match &mut completion {
            Completion::Reply(to) => {
                let changes = &committed.parts[0].changes;
                to.inserted = changes.first().is_some_and(|change| change.kind == ChangeKind::Insert);
                to.changed = changes.first().zip(changes.last()).map(|(first, last)| (first.revision, last.revision));
                to.caller.take()
            }
            Completion::Signal(_) => None,
        };
        let told = caller.map(|caller| (caller, handler::to_tell(&committed, &models)));
        // Only the server's own code wants to have the changes as well.
        let keeps = matches!(completion, Completion::Signal(_));
        let (last, others) = models.split_last().expect("a write is to a model");
        let mut behind = Few::new();
        for (done, model) in committed.parts.iter_mut().zip(others) {
            let run = self.publish(model, done, keeps);
            self.offer(model, here, run, None);
            behind.push((model.clone(), done.position));
        }
        let done = &mut committed.parts[others.len()];
        let (position, run) = (done.position, self.publish(last, done, keeps));
        match completion {
            Completion::Reply(to) => {
                let settled = Settled { to, outcome: Ok(committed), behind };
                self.offer(last, here, run, Some((Some(position), settled)));
            }
            Completion::Signal(sender) => {
                self.offer(last, here, run, None);
                // Whoever asked may have gone.
                let _ = sender.send(Ok(committed));
            }
        }
        if let Some((caller, told)) = told {
            handler::tell(&caller, &told);
        }
    }

    /// Take in changes, and an outcome that goes out behind a position, or behind whatever waits there.
    pub(super) fn offer(
        &self,
        model: &Arc<Model>,
        here: Option<usize>,
        run: Option<(Epoch, Stretch)>,
        settled: Option<(Option<Position>, Settled)>,
    ) {
        self.follow(model, here, model.deliver(&self.0.inboxes, here, run, settled));
    }

    /// Do what is left to do.
    pub(super) fn follow(&self, model: &Arc<Model>, here: Option<usize>, offered: Offered) {
        if let Some(gap) = offered.gap {
            self.close(model, gap);
        }
        for mut settled in offered.elsewhere {
            let (model, position) = settled.behind.pop().expect("it follows another model's changes");
            self.offer(&model, here, None, Some((Some(position), settled)));
        }
    }

    fn fail(&self, failure: Failure, follower: Follower, here: Option<usize>) {
        let Follower { models, completion, named } = follower;
        for (named, model) in named.iter().zip(&models) {
            self.presence().failed(&model.name, named);
        }
        match completion {
            Completion::Reply(to) if models[models.len() - 1].has_begun() => {
                // Behind whatever of this model waits before it, so that replies keep their order.
                let settled = Settled { to, outcome: Err(failure), behind: Few::new() };
                self.offer(&models[models.len() - 1], here, None, Some((None, settled)));
            }
            Completion::Reply(to) => {
                let worker = to.worker;
                self.0.inboxes[worker].push(Item::Outcome(to, Err(failure)), here != Some(worker));
            }
            // Whoever asked may have gone.
            Completion::Signal(sender) => drop(sender.send(Err(failure))),
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

/// Who is waiting for a commit, and for which models.
struct Follower {
    models: Few<Arc<Model>>,
    completion: Completion,
    /// For each part, what is written in somebody's name. Empty where no model is ephemeral.
    named: Vec<Vec<Named>>,
}

fn split(writes: Few<Write>) -> (Few<Commit>, Few<Follower>) {
    let (mut commits, mut followers) = (Few::with_capacity(writes.len()), Few::with_capacity(writes.len()));
    for Write { commit, models, completion } in writes {
        let is_ephemeral = models.iter().any(|model| model.rules.ephemeral);
        let named = if is_ephemeral { commit.parts.iter().map(named).collect() } else { Vec::new() };
        commits.push(commit);
        followers.push(Follower { models, completion, named });
    }
    (commits, followers)
}

fn named(part: &Part) -> Vec<Named> {
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
    Place(Few<Write>),
    /// Asked already.
    Answer(Answer<Few<Outcome>>, Few<Follower>),
}
