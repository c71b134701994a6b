//! Random histories, compared with a twin of the store that is plain enough to be believed.

mod commits;
mod twin;

use super::*;
use crate::{
    random::Random,
    store::{ChangeKind, Selection},
};
use backsync_protocol::{Filter, FilterLimits, Position, Side};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    num::{NonZeroU32, NonZeroU64},
};
use twin::{Twin, forgive, told, value};

const MODELS: [&str; 2] = ["M", "N"];
const RECORDS: [&str; 7] = ["a", "b", "c", "d", "\"", "\\u", "é\n"];
const SESSIONS: [&str; 2] = ["s1", "s2"];
const NODES: [&str; 3] = ["n1", "n2", "n3"];
const MINUTE: Millis = 60_000;

/// What a random history is made of, and what the store keeps of it.
struct Kind {
    retention: Retention,
    policies: &'static [ConflictPolicy],
    /// So many revisions may a base be behind the head.
    reach: u64,
    commits_in_a_call: u64,
    /// So many transactions may there be between one and its repetition.
    repeats: usize,
}

const ALL: usize = 100_000;

const KINDS: [Kind; 3] = [
    // Nothing is forgotten.
    Kind {
        retention: Retention {
            log_entries: ALL,
            tombstones: ALL,
            tombstone_age: Millis::MAX,
            outcomes: ALL,
            outcome_age: Millis::MAX,
        },
        policies: &ConflictPolicy::ALL,
        reach: 1000,
        commits_in_a_call: 3,
        repeats: 1000,
    },
    // The log is: who comes back is told from records and tombstones.
    Kind {
        retention: Retention {
            log_entries: 20,
            tombstones: ALL,
            tombstone_age: Millis::MAX,
            outcomes: ALL,
            outcome_age: Millis::MAX,
        },
        policies: &ConflictPolicy::ALL,
        reach: 8,
        commits_in_a_call: 1,
        repeats: 1000,
    },
    // Everything is. Who wins by time would depend on what is forgotten first.
    Kind {
        retention: Retention {
            log_entries: 20,
            tombstones: 6,
            tombstone_age: 10 * MINUTE,
            outcomes: 60,
            outcome_age: 10 * MINUTE,
        },
        policies: &[ConflictPolicy::ClientWins, ConflictPolicy::ServerWins, ConflictPolicy::Merge],
        reach: 8,
        commits_in_a_call: 1,
        repeats: 2,
    },
];

/// Try every seed on a store of its own.
pub(crate) fn run<F: Fixture>(fixture: impl Fn() -> F) {
    for seed in 0..F::SEEDS {
        let (fixture, kind) = (fixture(), &KINDS[usize::try_from(seed).unwrap() % KINDS.len()]);
        let (store, twin) = (fixture.open(kind.retention), Twin::default());
        let dice = Random::seeded(seed);
        block_on(
            History { seed, kind, store, twin, dice, now: NOW, named: Vec::new(), leases: BTreeMap::new() }.happen(),
        );
    }
}

struct History {
    seed: u64,
    kind: &'static Kind,
    store: Arc<dyn Store>,
    twin: Twin,
    dice: Random,
    now: Millis,
    /// The transactions so far.
    named: Vec<Commit>,
    /// The nodes whose leases were begun, and until when they hold.
    leases: BTreeMap<&'static str, Millis>,
}

impl History {
    async fn happen(mut self) {
        for _ in 0..60 {
            self.call().await;
            for name in MODELS {
                self.look_at(name).await;
                let head = self.head(name);
                for _ in 0..3 {
                    let since = self.dice.below(head + 1);
                    self.resume(name, since).await;
                }
            }
            self.look_at_owners().await;
            self.renew().await;
        }
        for name in MODELS {
            for since in 0..=self.head(name) {
                self.resume(name, since).await;
            }
        }
    }

    /// One call with some commits.
    async fn call(&mut self) {
        let count = 1 + self.dice.below(self.kind.commits_in_a_call);
        let commits: Few<Commit> = (0..count).map(|_| self.commit()).collect();
        let outcomes = self.store.commit(commits.clone()).await.unwrap();
        assert_eq!(outcomes.len(), commits.len());
        for (outcome, commit) in outcomes.iter().zip(&commits) {
            let is_repeated = commit.transaction.as_ref().is_some_and(|transaction| self.twin.knows(transaction));
            let (mut told, expected) = (told(outcome), self.twin.commit(commit));
            if is_repeated {
                // A store may remember of an outcome which records it had, and find them in its log while it reaches so far.
                let floor =
                    |part: &Part| self.head(part.model.as_str()).saturating_sub(self.kind.retention.log_entries as u64);
                forgive(&mut told, &expected, &commit.parts.iter().map(floor).collect::<Vec<_>>());
            }
            assert_eq!(told, expected, "seed {}: {commit:#?}", self.seed);
        }
    }

    fn head(&self, name: &str) -> u64 {
        self.twin.models.get(name).map_or(0, twin::Model::head)
    }

    /// Read everything, some of it, and the log.
    async fn look_at(&mut self, name: &str) {
        let (seed, model) = (self.seed, model(name));
        let head = self.head(name);
        let position = self.store.position(&model).await.unwrap();
        assert_eq!(position.revision, Revision(head), "seed {seed}");
        let records: Vec<(String, Value)> = self.twin.models.get(name).map_or_else(Vec::new, |model| {
            model.records.iter().map(|record| (record.id.clone(), record.json())).collect()
        });

        let all = self.store.read(&model, Read::default()).await.unwrap();
        assert_eq!((all.position, all.reset, all.deleted.len()), (position, false, 0), "seed {seed}");
        let expected: Vec<&Value> = records.iter().map(|(_, json)| json).collect();
        assert_eq!(
            all.records.iter().map(value).collect::<Vec<_>>(),
            expected.into_iter().cloned().collect::<Vec<_>>()
        );

        let mut chosen = RECORDS.to_vec();
        chosen.rotate_left(usize::try_from(self.dice.below(7)).unwrap());
        chosen.truncate(4);
        let selection = Selection::Ids(chosen.iter().map(|text| id(text)).collect());
        let (filter, x) = self.filter();
        let some = self.store.read(&model, Read { selection, filter: Some(filter), ..Read::default() }).await.unwrap();
        let by_id: BTreeMap<_, _> = records.iter().map(|(id, json)| (id.as_str(), json)).collect();
        let expected: Vec<_> = chosen.iter().filter(|id| by_id.get(*id).is_some_and(|json| json["x"] == x)).collect();
        assert_eq!(ids(&some).iter().collect::<Vec<_>>(), expected, "seed {seed}");

        let (after, limit) = (self.dice.below(head + 1), self.dice.below(30));
        let asked = Position { revision: Revision(after), ..position };
        let page = self.store.changes(&model, asked, usize::try_from(limit).unwrap()).await.unwrap();
        let Some(Page { changes, position: stands }) = page else {
            assert!(after + (self.kind.retention.log_entries as u64) < head, "seed {seed}: after {after} of {head}");
            return;
        };
        let last = head.min(after + limit);
        assert_eq!((numbers(&changes), stands), ((after + 1..=last).collect::<Vec<_>>(), position), "seed {seed}");
        for change in changes {
            let past = &self.twin.models[name].history[usize::try_from(change.revision.0).unwrap() - 1];
            assert_eq!((change.kind, value(&change.record), change.before), (past.kind, past.record.clone(), None));
        }
    }

    async fn look_at_owners(&self) {
        let owned = self.store.owned().await.unwrap().into_iter();
        let owned: BTreeSet<_> = owned.map(|o| (o.model.to_string(), o.id.to_string(), o.owner.to_string())).collect();
        let mut expected = BTreeSet::new();
        for (name, model) in &self.twin.models {
            for record in &model.records {
                expected
                    .extend(record.owner.as_ref().map(|owner| (name.clone(), record.id.clone(), owner.to_string())));
            }
        }
        assert_eq!(owned, expected, "seed {}", self.seed);
    }

    /// A node says that it is alive. A store with a clock of its own sees no time go by: its leases are all long.
    async fn renew(&mut self) {
        let (node, is_new) = (self.dice.pick(&NODES), self.dice.one_in(3));
        let duration = if self.store.is_shared() { 1000 * MINUTE } else { 2000 };
        let lapsed = !is_new && self.leases.get(node).is_none_or(|until| *until <= self.now);
        if !lapsed {
            self.leases.insert(node, self.now + duration);
        }
        let told = self.store.renew(Lease { node: node.into(), is_new, duration }, self.now).await.unwrap();
        let alive: BTreeSet<&str> = told.alive.iter().map(|node| &**node).collect();
        let expected = self.leases.iter().filter(|(_, until)| **until > self.now).map(|(node, _)| *node);
        assert_eq!((told.lapsed, alive), (lapsed, expected.collect()), "seed {}", self.seed);
    }

    /// Come back with what there was at a revision: with what the store answers it has to become what there is.
    async fn resume(&mut self, name: &str, since: u64) {
        let Some(known) = self.twin.models.get(name) else { return };
        let (head, now) = (known.view(known.head()), known.head());
        let mut old = known.view(since);
        let context = format!("seed {}: {name} since {since} of {now}", self.seed);
        let chosen: Option<Vec<&str>> = self.dice.one_in(3).then(|| (0..3).map(|_| self.dice.pick(&RECORDS)).collect());
        let (filter, x) = self.filter();
        let filter = self.dice.one_in(3).then_some(filter);
        let is_meant = |id: &String, json: &mut Value| {
            chosen.as_ref().is_none_or(|chosen| chosen.contains(&id.as_str())) && (filter.is_none() || json["x"] == x)
        };
        let mut new = head.clone();
        old.retain(is_meant);
        new.retain(is_meant);

        let selection = match &chosen {
            None => Selection::All,
            Some(chosen) => Selection::Ids(chosen.iter().map(|text| id(text)).collect()),
        };
        let position = self.store.position(&model(name)).await.unwrap();
        let from = Some(Position { revision: Revision(since), ..position });
        let query = Read { selection, filter: filter.clone(), since: from, ..Read::default() };
        let answer = self.store.read(&model(name), query.clone()).await.unwrap();
        assert_eq!(answer.position, position, "{context}");
        if answer.reset {
            assert!(self.may_forget(name, since), "{context}");
            assert_eq!(answer.deleted, [], "{context}");
            let everything = self.store.read(&model(name), Read { since: None, ..query }).await.unwrap();
            assert_eq!(answer.records, everything.records, "{context}");
            return;
        }
        let known = &self.twin.models[name];
        let mut told = BTreeSet::new();
        for gone in &answer.deleted {
            assert!(told.insert(gone.to_string()), "{context}: {gone} twice");
            let is_asked = chosen.as_ref().is_none_or(|chosen| chosen.contains(&gone.as_str()));
            assert!(is_asked, "{context}: {gone} was not asked for");
            let is_touched =
                known.history[usize::try_from(since).unwrap()..].iter().any(|past| past.id == gone.as_str());
            assert!(is_touched, "{context}: {gone} is as it was");
            old.remove(gone.as_str());
        }
        let mut order = Vec::new();
        for record in &answer.records {
            assert!(told.insert(record.id().to_owned()), "{context}: {} twice", record.id());
            assert!(record.revision() > Revision(since), "{context}: {} is as it was", record.id());
            order.push(known.records.iter().position(|entry| entry.id == record.id()));
            old.insert(record.id().to_owned(), value(record));
        }
        assert_eq!(old, new, "{context}");
        assert!(order.is_sorted(), "{context}: in the order of insertion");
    }

    /// Whether what happened after a revision may be forgotten: neither the log nor the tombstones have to reach so far. Those
    /// who forget in larger pieces keep at least half.
    fn may_forget(&self, name: &str, since: u64) -> bool {
        let Retention { log_entries, tombstones, tombstone_age, .. } = self.kind.retention;
        let known = &self.twin.models[name];
        let gone = known.history[usize::try_from(since).unwrap()..].iter();
        let gone: Vec<_> = gone.filter(|past| matches!(past.kind, ChangeKind::Delete | ChangeKind::Evict)).collect();
        since + (log_entries as u64) < known.head()
            && (gone.len() > tombstones / 2 || gone.iter().any(|past| self.now - past.at > tombstone_age / 2))
    }
}
