//! What happens by itself: this node says that it is alive, records of sessions that ended go, those of sessions that came from
//! another node are adopted, and what is too old goes.

use super::{
    Broker,
    presence::{Grace, Presence},
};
use crate::store::{Few, Lease, Millis, Operation, StoreError};
use backsync_protocol::ModelName;
use std::{
    collections::HashMap,
    sync::{Arc, MutexGuard, PoisonError},
    time::Duration,
};

/// After a failure it is tried again, and what dead nodes hold is looked at no more often.
const AGAIN: Millis = 1_000;
/// How often models with a bounded age are looked at.
const AGES: Millis = 1_000;
/// So often within its time a lease is renewed: two renewals may fail.
const RENEWALS: Millis = 3;
/// So many records are adopted or let go of in one commit.
const BATCH: usize = 500;

/// What is to be done, and when.
#[derive(Debug)]
pub(super) struct Sweep {
    aging: Vec<ModelName>,
    ages_at: Millis,
    standing: Standing,
    /// When the lease is renewed.
    renew_at: Millis,
    looked_at: Option<Millis>,
    has_failed: bool,
}

/// How this node stands with the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Nobody has heard of it.
    New,
    /// Its lease was begun.
    Alive,
    /// Others may have taken it for dead: it needs another name.
    Lapsed,
}

impl Broker {
    /// Do what is due, for as long as the server runs: one task of the node runs this.
    pub async fn sweep(self) {
        let mut sweep = self.begin_sweep();
        loop {
            let changed = self.0.sessions_changed.notified();
            match self.next_turn(&sweep) {
                None => changed.await,
                Some(at) if at > self.now() => {
                    tokio::select! {
                        () = changed => {}
                        () = tokio::time::sleep(Duration::from_millis(at - self.now().min(at))) => {}
                    }
                }
                Some(_) => self.turn(&mut sweep).await,
            }
        }
    }

    pub(super) fn presence(&self) -> MutexGuard<'_, Presence> {
        self.0.presence.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A client named itself.
    pub(super) fn arrive(&self, session: &Arc<str>) {
        if self.0.has_ephemeral {
            self.presence().arrive(session);
            self.0.sessions_changed.notify_one();
        } else {
            self.presence().attach(session);
        }
    }

    /// A connection that had a session is gone.
    pub(super) fn detach(&self, session: &str, lingers: bool) {
        let linger = if lingers { self.0.parts.linger } else { 0 };
        // Where no record can belong to it, there is nothing to end.
        let deadline = self.0.has_ephemeral.then(|| self.now() + linger);
        if self.presence().detach(session, deadline) {
            self.0.sessions_changed.notify_one();
        }
    }

    pub(super) fn begin_sweep(&self) -> Sweep {
        let rules = self.0.parts.rules.iter();
        let aging = rules.filter(|(_, rules)| rules.bounds.max_age.is_some()).map(|(name, _)| name.clone()).collect();
        let now = self.now();
        Sweep { aging, ages_at: now, standing: Standing::New, renew_at: now, looked_at: None, has_failed: false }
    }

    /// When something is due; none while nobody comes or goes.
    pub(super) fn next_turn(&self, sweep: &Sweep) -> Option<Millis> {
        let ages = (!sweep.aging.is_empty()).then_some(sweep.ages_at);
        self.next_look(sweep).into_iter().chain(ages).min()
    }

    fn next_look(&self, sweep: &Sweep) -> Option<Millis> {
        let Some(looked_at) = sweep.looked_at else { return Some(0) };
        if sweep.has_failed {
            return Some(looked_at + AGAIN);
        }
        let presence = self.presence();
        let burial = presence.next_burial().map(|at| at.max(looked_at + AGAIN));
        let (arrival, reaping) = if self.store().is_shared() {
            // The dead are told from the living with a renewal only.
            let renews = self.0.has_ephemeral || burial.is_some();
            (Some(0), renews.then(|| self.renew_at(sweep)))
        } else {
            (burial.map(|_| 0), burial)
        };
        let arrival = arrival.filter(|_| presence.has_arrived());
        presence.next_deadline().into_iter().chain(arrival).chain(reaping).min()
    }

    /// When the lease is to be renewed: also where the clock was put back meanwhile, not later than it would be from now.
    fn renew_at(&self, sweep: &Sweep) -> Millis {
        let now = self.now();
        if sweep.renew_at > now + self.0.parts.lease / RENEWALS { now } else { sweep.renew_at }
    }

    /// Do what is due now.
    pub(super) async fn turn(&self, sweep: &mut Sweep) {
        if self.next_look(sweep).is_some_and(|at| at <= self.now()) {
            let done = self.look_around(sweep).await;
            if let Err(cause) = &done
                && !sweep.has_failed
            {
                tracing::error!(error = %cause, "the store does not say who is present; it is asked until it does");
            }
            sweep.has_failed = !matches!(done, Ok(true));
        }
        if !sweep.aging.is_empty() && sweep.ages_at <= self.now() {
            for model in &sweep.aging {
                // What fails is logged where it fails, and tried again at the next turn.
                let _ = self.write(model, Few::new()).await;
            }
            sweep.ages_at = self.now() + AGES;
        }
    }

    /// Look at what the store has, once for all who came and went, and for dead nodes. Answers whether all was done that this
    /// asks for.
    async fn look_around(&self, sweep: &mut Sweep) -> Result<bool, StoreError> {
        let now = self.now();
        sweep.looked_at = Some(now);
        let looking = self.presence().look(now);
        let asked = async {
            let node = self.presence().node().clone();
            let mut owned = self.store().owned().await?;
            // Only then: whose lease holds now has not been taken for dead before.
            let alive = match self.store().is_shared() {
                true if self.renew_at(sweep) > now => None,
                true => Some(self.renew(sweep).await?),
                false => Some(Vec::new()),
            };
            if *self.presence().node() != node {
                // It was away, and what it had asked before is out of date.
                owned = self.store().owned().await?;
            }
            Ok((owned, alive))
        };
        let (owned, alive) = match asked.await {
            Ok(answer) => answer,
            Err(cause) => {
                self.presence().fail(looking);
                return Err(cause);
            }
        };
        let now = self.now();
        let writes: Vec<_> = {
            let mut presence = self.presence();
            let mut operations = presence.answer(&looking, &owned, now);
            if let Some(alive) = alive {
                operations.extend(presence.reap(&looking, &owned, alive, self.grace(), now));
            }
            drop(presence);
            // All begin before anybody comes or goes.
            batches(operations).into_iter().map(|(model, operations)| self.write(&model, operations)).collect()
        };
        let mut is_done = true;
        for write in writes {
            // What fails is logged where it fails.
            is_done &= !matches!(write.await, Err(failure) if failure.retry);
        }
        if is_done {
            self.presence().settle(&looking, now);
        } else {
            self.presence().fail(looking);
        }
        Ok(is_done)
    }

    /// Renew this node's lease, and hear which nodes are alive. A lease that has run out never revives: the node then goes on
    /// under another name, and takes that only when a lease was begun for it.
    async fn renew(&self, sweep: &mut Sweep) -> Result<Vec<Arc<str>>, StoreError> {
        let renew_at = self.now() + self.0.parts.lease / RENEWALS;
        let mut node = self.presence().node().clone();
        let lease = |node: &Arc<str>, is_new| Lease { node: node.clone(), is_new, duration: self.0.parts.lease };
        if sweep.standing == Standing::Alive {
            let nodes = self.store().renew(lease(&node, false), self.now()).await?;
            if !nodes.lapsed {
                sweep.renew_at = renew_at;
                return Ok(nodes.alive);
            }
            tracing::warn!("this node was away for longer than its lease; what its clients own is written again");
        }
        // Should the answer be lost, nobody knows for how long the name is good.
        if std::mem::replace(&mut sweep.standing, Standing::Lapsed) != Standing::New {
            node = super::incarnation();
        }
        let nodes = self.store().renew(lease(&node, true), self.now()).await?;
        sweep.standing = Standing::Alive;
        sweep.renew_at = renew_at;
        self.presence().rename(node);
        Ok(nodes.alive)
    }

    fn grace(&self) -> Grace {
        let (linger, lease) = (self.0.parts.linger, self.0.parts.lease);
        // A node may have written before its lease was begun.
        let unknown = if self.store().is_shared() { linger.max(lease / RENEWALS) } else { linger };
        Grace { unknown, lapsed: linger.saturating_sub(lease) }
    }
}

/// The same operations, those to a model together.
fn batches(operations: Vec<(ModelName, Operation)>) -> Vec<(ModelName, Few<Operation>)> {
    let mut by_model: HashMap<ModelName, Vec<Operation>> = HashMap::new();
    for (model, operation) in operations {
        by_model.entry(model).or_default().push(operation);
    }
    let mut batches = Vec::new();
    for (model, operations) in by_model {
        batches.extend(operations.chunks(BATCH).map(|batch| (model.clone(), batch.iter().cloned().collect())));
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Owner;
    use backsync_protocol::RecordId;

    #[test]
    fn many_records_are_let_go_of_in_few_commits() {
        let model = |name| ModelName::parse(name).unwrap();
        let release = |n: usize| {
            let owner = Owner { session: "me".into(), node: "here".into() };
            Operation::Release { id: RecordId::parse(&n.to_string()).unwrap(), owner }
        };
        let operations: Vec<_> = (0..1501).map(|n| (model(if n % 3 == 0 { "A" } else { "B" }), release(n))).collect();
        let mut sizes: Vec<_> =
            batches(operations.clone()).iter().map(|(model, batch)| (model.to_string(), batch.len())).collect();
        sizes.sort();
        let [a, b] = ["A".to_owned(), "B".to_owned()];
        assert_eq!(sizes, [(a.clone(), 1), (a, 500), (b.clone(), 500), (b, 500)]);
        let mut batched: Vec<_> = batches(operations)
            .into_iter()
            .flat_map(|(model, batch)| {
                batch.into_iter().map(move |o| (model.clone(), o.id().parse::<usize>().unwrap()))
            })
            .collect();
        batched.sort_by_key(|(_, id)| *id);
        let expected = (0..1501).map(|n| (model(if n % 3 == 0 { "A" } else { "B" }), n));
        assert_eq!(batched, expected.collect::<Vec<_>>());
    }
}
