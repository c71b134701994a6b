//! What really happened: the store that all nodes share, and the model as it was at every revision.

use crate::store::{Answer, ChangeKind, Commit, Few, Memory, Outcome, Retention, Store};
use backsync_protocol::{Epoch, Filter, FilterLimits, ModelName, Position, Revision};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Records by id.
pub(super) type Records = BTreeMap<String, Value>;

pub(super) struct Truth {
    retention: Retention,
    /// How many records the model may have.
    most: usize,
    is_shared: bool,
    /// Whether what can be lost is: see [`Self::may_forget`].
    is_rough: bool,
    memory: Memory,
    /// Every commit of this history.
    journal: Vec<Commit>,
    states: HashMap<Position, Records>,
    head: Position,
    /// Transactions that changed something.
    done: HashSet<(String, String)>,
    /// The epochs that lead to the present one, each with the revision and the number of commits at which it began.
    chain: Vec<(Epoch, Revision, usize)>,
    /// How often it was put back.
    forks: usize,
}

pub(super) fn model() -> ModelName {
    ModelName::parse("M").unwrap()
}

fn stand(memory: &Memory) -> Position {
    let Answer::Ready(Some(Ok(position))) = memory.position(&model()) else { unreachable!("memory never waits") };
    position
}

/// What matches.
fn matching(records: &Records, filter: Option<&Value>) -> Records {
    let Some(filter) = filter else { return records.clone() };
    let text = filter.to_string();
    let filter = Filter::parse(serde_json::from_str(&text).unwrap(), &FilterLimits::default()).unwrap();
    let matching = records.iter().filter(|(_, record)| filter.matches(&record.to_string()));
    matching.map(|(id, record)| (id.clone(), record.clone())).collect()
}

impl Truth {
    pub(super) fn new(is_shared: bool, retention: Retention, most: usize, is_rough: bool) -> Self {
        let memory = Memory::new(retention);
        let head = stand(&memory);
        let states = HashMap::from([(head, Records::new())]);
        let chain = vec![(head.epoch, head.revision, 0)];
        let (journal, done) = Default::default();
        Self { retention, most, is_shared, is_rough, memory, journal, states, head, done, chain, forks: 0 }
    }

    pub(super) fn store(&self) -> &Memory {
        &self.memory
    }

    /// Whether others write to it, or it is put back while somebody works with it.
    pub(super) fn is_shared(&self) -> bool {
        self.is_shared
    }

    /// Whether listeners may miss changes, and are then told in short: the log is short, they read slowly, the store fails, or it
    /// was put back.
    pub(super) fn may_forget(&self) -> bool {
        self.is_rough || self.forks > 0
    }

    /// How often it was put back.
    pub(super) fn forks(&self) -> usize {
        self.forks
    }

    /// The same place under the name of the present epoch, where it is in the history that leads to it.
    pub(super) fn in_present(&self, position: Position) -> Position {
        let at = self.chain.iter().position(|(epoch, ..)| *epoch == position.epoch);
        match at.and_then(|at| self.chain.get(at + 1)) {
            Some((_, fork, _)) if position.revision <= *fork => Position { epoch: self.head.epoch, ..position },
            _ => position,
        }
    }

    pub(super) fn head(&self) -> Position {
        self.head
    }

    /// What of the model matched at a position, which has to be one that there was.
    pub(super) fn at(&self, position: Position, filter: Option<&Value>, context: &str) -> Records {
        let state = self.states.get(&position).unwrap_or_else(|| panic!("{context}: there was no {position}"));
        matching(state, filter)
    }

    /// Have commits done, and hold the store to its rules.
    pub(super) fn commit(&mut self, commits: Few<Commit>) -> Few<Outcome> {
        let outcome = self.memory.commit(commits.clone());
        let Answer::Ready(Some(Ok(outcomes))) = outcome else { unreachable!("memory never waits") };
        for (commit, outcome) in commits.iter().zip(&outcomes) {
            let changes = outcome.iter().flat_map(|committed| &committed.parts).flat_map(|done| &done.changes);
            let before = self.head;
            for change in changes {
                let mut state = self.states[&self.head].clone();
                self.head.revision = self.head.revision.next();
                assert_eq!(change.revision, self.head.revision, "revisions are contiguous");
                let id = change.record.id().to_owned();
                match change.kind {
                    ChangeKind::Insert | ChangeKind::Update => {
                        state.insert(id, serde_json::from_str(change.record.json()).unwrap());
                    }
                    ChangeKind::Delete | ChangeKind::Evict => drop(state.remove(&id)),
                }
                self.states.insert(self.head, state);
            }
            assert!(self.states[&self.head].len() <= self.most, "caps hold after every commit");
            if let Some(transaction) = commit.transaction.as_ref().filter(|_| self.head != before) {
                let name = (transaction.client.to_string(), transaction.id.to_string());
                assert!(self.done.insert(name), "a transaction takes effect once: {transaction:?}");
            }
        }
        assert_eq!(stand(&self.memory), self.head, "the head is the last revision");
        self.journal.extend(commits);
        outcomes
    }

    /// Put the store back to where it was after some of its commits: another history begins there.
    pub(super) fn roll_back(&mut self, commits: usize) {
        let mut journal = std::mem::take(&mut self.journal);
        journal.truncate(commits);
        let (states, mut chain) = (std::mem::take(&mut self.states), std::mem::take(&mut self.chain));
        let forks = self.forks + 1;
        *self = Self::new(self.is_shared, self.retention, self.most, self.is_rough);
        // Who comes back may still ask about what was.
        self.states.extend(states);
        self.commit(journal.into_iter().collect());
        // What is remembered of epochs is put back as well.
        chain.retain(|(.., begun)| *begun <= commits);
        chain.push((self.head.epoch, self.head.revision, commits));
        (self.chain, self.forks) = (chain, forks);
    }

    pub(super) fn commits(&self) -> usize {
        self.journal.len()
    }

    /// Whether this is a state that a record had at the revision it bears, in this history or in one that was taken back.
    pub(super) fn has_logged(&self, record: &Value) -> bool {
        let (id, revision) = (record["id"].as_str().unwrap(), Revision(record["_rev"].as_u64().unwrap()));
        let is_it = |(at, state): (&Position, &Records)| at.revision == revision && state.get(id) == Some(record);
        match self.states.get(&Position { revision, ..self.head }) {
            Some(state) if state.get(id) == Some(record) => true,
            _ => self.forks > 0 && self.states.iter().any(is_it),
        }
    }
}
