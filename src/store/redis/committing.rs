//! Commits: planned on what is thought to be there, carried out where Redis agrees, and planned anew where it does not.

use super::{
    Damaged, Inner,
    call::{self, Calling},
    keys::{Keys, field, tag},
    outcomes::{self, Kept},
    plan::{Bases, Plan, Planner, Unplanned},
    stand::Process,
    unavailable,
    value::{exactly, list, optional},
};
use crate::{
    link::{Ask, Lane},
    store::{Commit, Few, Operation, Outcome, Rejected, Rejection, StoreError},
};
use backsync_protocol::Record;
use std::{
    collections::HashMap,
    sync::{PoisonError, atomic::Ordering},
    time::Duration,
};

/// So much of what waits goes into one call: bounded, as Redis does nothing else meanwhile.
const OPERATIONS: usize = 512;
const BYTES: usize = 1 << 20;

/// So often a commit is planned anew because others were faster. Each time one of them got on.
const ATTEMPTS: u32 = 500;
/// After so many, it waits a little in between.
const HURRIED: u32 = 4;

impl Inner {
    /// Carry out commits in their order. Those of one group of models take turns.
    pub(super) async fn commit(&self, commits: Few<Commit>) -> Result<Few<Outcome>, StoreError> {
        let mut outcomes = Few::new();
        let mut rest = commits.as_slice();
        while let Some(first) = rest.first() {
            let group = self.group(first);
            let together = rest.iter().position(|commit| self.group(commit) != group).unwrap_or(rest.len());
            let turn = self.turn(group);
            let _turn = turn.lock().await;
            let done = outcomes.len();
            self.commit_group(group, &rest[..together], &mut outcomes).await.map_err(|error| match error {
                // Some of it may be done.
                StoreError::Full if !outcomes.is_empty() => unavailable("memory was full in the middle"),
                error => error,
            })?;
            debug_assert_eq!(outcomes.len(), done + together, "each has its outcome");
            rest = &rest[together..];
        }
        Ok(outcomes)
    }

    fn group<'c>(&'c self, commit: &'c Commit) -> &'c str {
        commit.parts.first().map_or("", |part| tag(&self.options.groups, &part.model))
    }

    async fn commit_group(
        &self,
        group: &str,
        commits: &[Commit],
        outcomes: &mut Few<Outcome>,
    ) -> Result<(), StoreError> {
        let (mut rest, mut attempts) = (commits, 0);
        let mut bases = Bases::new();
        // Names of this call, each with its digest and its outcome.
        let mut named: HashMap<Vec<u8>, ([u8; 16], Outcome)> = HashMap::new();
        while let Some(first) = rest.first() {
            if let Some(outcome) = repetition(first, &named) {
                outcomes.push(outcome);
                rest = &rest[1..];
                continue;
            }
            let plan = match self.plan(rest, &bases) {
                Ok(plan) => plan,
                Err(Unplanned::NeedsBase(model, revision)) => {
                    let change = self.change_at(&model, revision).await?;
                    bases.insert((model, revision), change);
                    continue;
                }
                Err(Unplanned::Damaged(damaged)) => return Err(unavailable(damaged)),
            };
            let answer = self.carry_out(group, &plan).await?;
            let called = call::read(&plan, answer, &mut self.guesses()).map_err(unavailable)?;
            let called = called.ok_or_else(|| unavailable("an answer was lost, and what it said"))?;
            self.meet(called.process);
            let done = called.outcomes.len();
            for (commit, outcome) in rest.iter().zip(called.outcomes) {
                if let Some(transaction) = &commit.transaction {
                    named.insert(field(transaction), (transaction.digest, outcome.clone()));
                }
                outcomes.push(outcome);
            }
            rest = &rest[done..];
            attempts = if done > 0 { 0 } else { attempts + 1 };
            if let (Some(known), Some(commit)) = (called.known, rest.first()) {
                outcomes.push(self.repeat(commit, &known).await?);
                (rest, attempts) = (&rest[1..], 0);
            }
            if attempts > ATTEMPTS {
                return Err(unavailable("others change the same records all the time"));
            }
            if attempts > HURRIED {
                let pause = Duration::from_millis(rand_below(u64::from(attempts)));
                tokio::time::sleep(pause).await;
            }
        }
        Ok(())
    }

    /// A plan of the first of these commits, as many as may go into one call.
    fn plan<'c>(&self, commits: &'c [Commit], bases: &Bases) -> Result<Plan<'c>, Unplanned> {
        let mut guesses = self.guesses();
        let mut planner = Planner::new(&mut guesses, bases);
        let mut fields = std::collections::HashSet::new();
        let (mut operations, mut bytes) = (0, 0);
        for (at, commit) in commits.iter().enumerate() {
            let of_parts = commit.parts.iter().map(|part| part.operations.len());
            operations += of_parts.sum::<usize>();
            bytes += size(commit);
            let name = commit.transaction.as_ref().map(|transaction| field(transaction));
            // What repeats a name of this call is answered by what comes of the first.
            let is_repeated = name.as_ref().is_some_and(|name| fields.contains(name));
            if at > 0 && (operations > OPERATIONS || bytes > BYTES || is_repeated) {
                break;
            }
            fields.extend(name);
            planner.add(commit)?;
        }
        Ok(planner.finish())
    }

    async fn carry_out(&self, group: &str, plan: &Plan<'_>) -> Result<redis::Value, StoreError> {
        let link = &self.link;
        // A name is one over all models, where they can be asked together.
        let named = if link.is_cluster() { group } else { "all" };
        let mut keys = vec![
            link.key(group, &format!("call:{}", self.options.node)).into_bytes(),
            link.key(named, "outcomes").into_bytes(),
            link.key(named, "outcome-order").into_bytes(),
        ];
        keys.extend(plan.models.iter().flat_map(|model| Keys::of(link, &self.options.groups, model).all()));
        let calling = Calling {
            node: &self.options.node,
            sequence: self.calls.fetch_add(1, Ordering::Relaxed),
            publish: match (self.options.publishes, link.is_cluster()) {
                (false, _) => "",
                (true, false) => "PUBLISH",
                (true, true) => "SPUBLISH",
            },
            largest: crate::link::LARGEST_PUBLICATION,
            retention: &self.options.retention,
            channels: plan.models.iter().map(|model| link.channel(tag(&self.options.groups, model), model)).collect(),
        };
        let ask = Ask::script(&self.scripts.commit, &keys, &call::arguments(plan, &calling));
        self.ask(Lane::Write, &ask).await
    }

    /// A run of Redis that is new to this node may have begun with a torn file, and writes behind it from now on.
    fn meet(&self, process: Process) {
        if self.met.lock().unwrap_or_else(PoisonError::into_inner).insert(process) {
            let link = self.link.clone();
            drop(self.link.spawn(async move { link.mend_file().await }));
        }
    }

    /// The outcome that is kept of a transaction, or that its name was used for something else.
    async fn repeat(&self, commit: &Commit, known: &str) -> Result<Outcome, StoreError> {
        let transaction = commit.transaction.as_ref().expect("only transactions are known");
        let mut pieces = known.splitn(4, ' ');
        let (digest, text) = (pieces.next().unwrap_or_default(), pieces.nth(2).unwrap_or_default());
        if digest != call::digest(&transaction.digest) {
            return Ok(reused());
        }
        let kept = Kept::parse(text).map_err(unavailable)?;
        let wanted = kept.wanted().map_err(unavailable)?;
        let found = if wanted.is_empty() { Vec::new() } else { self.states(&wanted).await? };
        kept.outcome(found).map_err(unavailable)
    }

    /// Records in states that they had, as far as that is known.
    async fn states(
        &self,
        wanted: &[(backsync_protocol::ModelName, u64, String)],
    ) -> Result<Vec<Option<Record>>, StoreError> {
        let (mut keys, mut arguments) = (Vec::new(), Vec::new());
        for (model, revision, id) in wanted {
            let of = Keys::of(&self.link, &self.options.groups, model);
            keys.extend([of.records, of.log]);
            arguments.extend([revision.to_string(), id.clone()]);
        }
        let answer = self.script(&self.scripts.states, &keys, &arguments).await?;
        let read = |answer| -> Result<Vec<Option<Record>>, Damaged> {
            let states = list(answer)?.into_iter().zip(wanted);
            states
                .map(|(state, (_, _, id))| {
                    let [kind, entry, now] = exactly(state)?;
                    outcomes::state(id, optional(kind)?.zip(optional(entry)?), optional(now)?)
                })
                .collect()
        };
        read(answer).map_err(unavailable)
    }
}

/// What to answer where a name was used in this call already.
fn repetition(commit: &Commit, named: &HashMap<Vec<u8>, ([u8; 16], Outcome)>) -> Option<Outcome> {
    let transaction = commit.transaction.as_ref()?;
    let (digest, outcome) = named.get(&field(transaction))?;
    Some(if *digest == transaction.digest { outcomes::again(outcome) } else { reused() })
}

fn reused() -> Outcome {
    Err(Box::new(Rejected { part: 0, operation: 0, why: Rejection::TransactionReused }))
}

fn size(commit: &Commit) -> usize {
    let of = |operation: &Operation| match operation {
        Operation::Upsert { record, .. } | Operation::Restore { record, .. } => record.size(),
        _ => operation.id().len(),
    };
    commit.parts.iter().flat_map(|part| &part.operations).map(of).sum()
}

fn rand_below(bound: u64) -> u64 {
    let random = uuid::Uuid::new_v4().as_u128() as u64;
    random % bound.max(1)
}
