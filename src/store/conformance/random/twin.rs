//! What a store has to do, written down as plainly as can be: maps of values, copied whole for every commit.

use crate::store::{
    Bounds, Change, ChangeKind, Commit, Millis, Operation, Outcome, Owner, Part, Rejection, Terms, Transaction,
};
use backsync_protocol::{
    ConflictPolicy::{LatestWins, Merge, ServerWins},
    Record, Revision, Side,
};
use serde_json::{Map, Value};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// All models, and what became of transactions.
#[derive(Debug, Default, Clone)]
pub(super) struct Twin {
    pub(super) models: BTreeMap<String, Model>,
    outcomes: BTreeMap<(String, String), ([u8; 16], Told)>,
}

#[derive(Debug, Default, Clone)]
pub(super) struct Model {
    /// In the order of insertion.
    pub(super) records: Vec<Entry>,
    pub(super) history: Vec<Past>,
    buried: BTreeMap<String, Option<Millis>>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) id: String,
    attributes: Map<String, Value>,
    pub(super) revision: u64,
    last_change: Option<Millis>,
    inserted: Millis,
    pub(super) owner: Option<Owner>,
}

/// A change, and all records after it.
#[derive(Debug, Clone)]
pub(super) struct Past {
    pub(super) kind: ChangeKind,
    pub(super) id: String,
    pub(super) record: Value,
    before: Option<Value>,
    attributes: Map<String, Value>,
    view: Arc<BTreeMap<String, Value>>,
    pub(super) at: Millis,
}

/// An outcome in values.
pub(super) type Told = Result<Vec<ToldPart>, (usize, usize, Why)>;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct ToldPart {
    pub(super) records: Vec<Option<Value>>,
    pub(super) changes: Vec<(u64, ChangeKind, Value, Option<Value>)>,
    pub(super) head: u64,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Why {
    Conflict(Option<Value>, BTreeSet<String>),
    NotOwner,
    Reused,
}

/// What a store answered.
pub(super) fn told(outcome: &Outcome) -> Told {
    let record = |record: &Option<Record>| record.as_ref().map(value);
    let change =
        |change: &Change| (change.revision.0, change.kind, value(&change.record), change.before.as_ref().map(value));
    match outcome {
        Ok(committed) => Ok(committed
            .parts
            .iter()
            .map(|part| ToldPart {
                records: part.records.iter().map(record).collect(),
                changes: part.changes.iter().map(change).collect(),
                head: part.position.revision.0,
            })
            .collect()),
        Err(rejected) => {
            let why = match &rejected.why {
                Rejection::Conflict { record: stored, properties } => {
                    let names: BTreeSet<_> = properties.iter().cloned().collect();
                    assert_eq!(names.len(), properties.len(), "each is told once");
                    Why::Conflict(record(stored), names)
                }
                Rejection::NotOwner => Why::NotOwner,
                Rejection::TransactionReused => Why::Reused,
            };
            Err((rejected.part, rejected.operation, why))
        }
    }
}

/// A record as a value, in which everything that it says of itself is found.
pub(super) fn value(record: &Record) -> Value {
    let value: Value = serde_json::from_str(record.json()).unwrap();
    assert_eq!((&value["id"], &value["_rev"]), (&record.id().into(), &record.revision().0.into()));
    assert_eq!(value.get("_lastChange").and_then(Value::as_u64), record.last_change());
    value
}

/// What a store says of records that were written before these revisions of a commit's models is as good as what it should.
pub(super) fn forgive(told: &mut Told, expected: &Told, floors: &[u64]) {
    let is_older = |json: &Option<Value>, part: usize| {
        json.as_ref().is_some_and(|json| json["_rev"].as_u64() <= Some(floors[part]))
    };
    match (told, expected) {
        (Ok(told), Ok(expected)) => {
            for (at, (told, expected)) in told.iter_mut().zip(expected).enumerate() {
                let records = told.records.iter_mut().zip(&expected.records);
                records
                    .filter(|(_, expected)| is_older(expected, at))
                    .for_each(|(told, expected)| *told = expected.clone());
            }
        }
        (Err((_, _, Why::Conflict(told, _))), Err((part, _, Why::Conflict(expected, _))))
            if is_older(expected, *part) =>
        {
            told.clone_from(expected);
        }
        _ => {}
    }
}

impl Twin {
    pub(super) fn knows(&self, transaction: &Transaction) -> bool {
        self.outcomes.contains_key(&(transaction.client.to_string(), transaction.id.to_string()))
    }

    pub(super) fn commit(&mut self, commit: &Commit) -> Told {
        let key = |named: &Transaction| (named.client.to_string(), named.id.to_string());
        if let Some(transaction) = &commit.transaction
            && let Some((digest, told)) = self.outcomes.get(&key(transaction))
        {
            if *digest != transaction.digest {
                return Err((0, 0, Why::Reused));
            }
            let without_changes = |part: ToldPart| ToldPart { changes: Vec::new(), ..part };
            return told.clone().map(|parts| parts.into_iter().map(without_changes).collect());
        }
        let mut models = self.models.clone();
        let mut outcome = Ok(Vec::new());
        for (at, part) in commit.parts.iter().enumerate() {
            let model = models.entry(part.model.to_string()).or_default();
            match (model.apply(part, commit.now), &mut outcome) {
                (Ok(told), Ok(parts)) => parts.push(told),
                (Err((operation, why)), Ok(_)) => outcome = Err((at, operation, why)),
                (_, Err(_)) => {}
            }
        }
        if outcome.is_ok() {
            self.models = models;
        }
        if let Some(transaction) = &commit.transaction {
            self.outcomes.insert(key(transaction), (transaction.digest, outcome.clone()));
        }
        outcome
    }
}

/// What is to be done.
enum Decision {
    Write(Map<String, Value>, Option<Millis>),
    Remove(Option<Millis>),
    /// The record is as it is wanted, and is for whoever wanted it.
    Claim,
    Keep,
}

impl Model {
    pub(super) fn head(&self) -> u64 {
        self.history.len() as u64
    }

    /// All records as they were at a revision.
    pub(super) fn view(&self, revision: u64) -> BTreeMap<String, Value> {
        let last = usize::try_from(revision).unwrap().checked_sub(1);
        last.map(|last| (*self.history[last].view).clone()).unwrap_or_default()
    }

    fn find(&self, id: &str) -> Option<&Entry> {
        self.records.iter().find(|entry| entry.id == id)
    }

    fn apply(&mut self, part: &Part, now: Millis) -> Result<ToldPart, (usize, Why)> {
        let (first, mut records) = (self.history.len(), Vec::new());
        for (at, operation) in part.operations.iter().enumerate() {
            let (id, owner) = (operation.id(), operation.owner());
            let decision = match operation {
                Operation::Upsert { terms, .. } | Operation::Delete { terms, .. } => {
                    self.decide(operation, id, terms, now).map_err(|why| (at, why))?
                }
                Operation::Adopt { .. } | Operation::Restore { .. } | Operation::Release { .. } => {
                    self.hold(operation, now)
                }
            };
            match decision {
                Decision::Write(attributes, time) => self.write(id, attributes, time, owner, now),
                Decision::Remove(time) => {
                    self.remove(id, ChangeKind::Delete, now);
                    self.buried.insert(id.to_owned(), time);
                }
                Decision::Claim => {
                    let entry = self.records.iter_mut().find(|entry| entry.id == id).unwrap();
                    entry.owner = owner.cloned().or(entry.owner.take());
                }
                Decision::Keep => {}
            }
            records.push(self.find(id).map(Entry::json));
        }
        self.evict(part.bounds, now);
        let changes = (first as u64 + 1..).zip(&self.history[first..]);
        let changes = changes.map(|(number, past)| (number, past.kind, past.record.clone(), past.before.clone()));
        Ok(ToldPart { records, changes: changes.collect(), head: self.head() })
    }

    /// What has to do with the owner alone.
    fn hold(&self, operation: &Operation, now: Millis) -> Decision {
        match (self.find(operation.id()), operation) {
            (None, Operation::Restore { record, .. }) => Decision::Write(attributes(record.json()), None),
            (Some(Entry { owner: Some(known), last_change, .. }), Operation::Release { owner, .. })
                if known == owner =>
            {
                Decision::Remove(last_change.map(|_| now))
            }
            (
                Some(Entry { owner: Some(known), .. }),
                Operation::Adopt { owner, from, .. } | Operation::Restore { owner, from, .. },
            ) if known.session == owner.session && known.node == *from => Decision::Claim,
            _ => Decision::Keep,
        }
    }

    fn decide(&self, operation: &Operation, id: &str, terms: &Terms, now: Millis) -> Result<Decision, Why> {
        let stored = self.find(id);
        if let (Some(me), Some(Entry { owner: Some(owner), .. })) = (&terms.owner, stored)
            && me.session != owner.session
        {
            return Err(Why::NotOwner);
        }
        let edited = terms.last_change.unwrap_or(now).min(now + 5000);
        let is_other = terms.base.is_some_and(|base| Revision(stored.map_or(0, |stored| stored.revision)) != base);
        let conflict = |properties| Err(Why::Conflict(stored.map(Entry::json), properties));
        let time = match stored {
            Some(Entry { last_change: Some(_), .. }) => Some(edited),
            _ => (terms.policy == LatestWins).then_some(edited),
        };
        let written = match stored {
            Some(stored) => stored.last_change,
            None => self.buried.get(id).copied().flatten(),
        };
        match operation {
            Operation::Delete { .. } if stored.is_none() => Ok(Decision::Keep),
            _ if terms.policy == LatestWins && written.is_some_and(|written| edited <= written) => Ok(Decision::Keep),
            _ if terms.policy == ServerWins && is_other => conflict(BTreeSet::new()),
            Operation::Delete { .. } => match (terms.policy == Merge && is_other, terms.prefer) {
                (true, None) => conflict(BTreeSet::new()),
                (true, Some(Side::Server)) => Ok(Decision::Keep),
                _ => Ok(Decision::Remove(time)),
            },
            Operation::Upsert { record, replace, .. } => {
                let given = attributes(record.json());
                let Some(stored) = stored else {
                    return match (terms.policy == Merge && is_other, terms.prefer) {
                        (true, None) => conflict(BTreeSet::new()),
                        (true, Some(Side::Server)) => Ok(Decision::Keep),
                        _ => Ok(Decision::Write(given, time)),
                    };
                };
                let mut result = if *replace { Map::new() } else { stored.attributes.clone() };
                result.extend(given.clone());
                if terms.policy == Merge && is_other {
                    let base = terms.base.and_then(|base| self.at(base, id));
                    let (merged, conflicts) = merge(base, &stored.attributes, &result, terms.prefer);
                    if !conflicts.is_empty() {
                        return conflict(conflicts);
                    }
                    result = merged;
                }
                let is_change = result != stored.attributes || terms.policy == LatestWins;
                Ok(if is_change { Decision::Write(result, time) } else { Decision::Claim })
            }
            _ => unreachable!("it has no terms"),
        }
    }

    /// The attributes that a record was given with a revision.
    fn at(&self, revision: Revision, id: &str) -> Option<&Map<String, Value>> {
        let past = self.history.get(usize::try_from(revision.0).ok()?.checked_sub(1)?)?;
        (past.id == id && matches!(past.kind, ChangeKind::Insert | ChangeKind::Update)).then_some(&past.attributes)
    }

    fn write(
        &mut self,
        id: &str,
        attributes: Map<String, Value>,
        time: Option<Millis>,
        owner: Option<&Owner>,
        now: Millis,
    ) {
        let (revision, owner) = (self.head() + 1, owner.cloned());
        let (kind, before, entry) = match self.records.iter_mut().find(|entry| entry.id == id) {
            Some(entry) => {
                let before = entry.json();
                let owner = owner.or(entry.owner.take());
                *entry = Entry { attributes, revision, last_change: time, owner, ..entry.clone() };
                (ChangeKind::Update, Some(before), entry.clone())
            }
            None => {
                let entry = Entry { id: id.into(), attributes, revision, last_change: time, inserted: now, owner };
                self.records.push(entry.clone());
                (ChangeKind::Insert, None, entry)
            }
        };
        self.happened(kind, entry, before, now);
    }

    fn remove(&mut self, id: &str, kind: ChangeKind, now: Millis) {
        let at = self.records.iter().position(|entry| entry.id == id).unwrap();
        let entry = self.records.remove(at);
        self.buried.insert(id.to_owned(), None);
        self.happened(kind, entry, None, now);
    }

    fn happened(&mut self, kind: ChangeKind, entry: Entry, before: Option<Value>, at: Millis) {
        let view = Arc::new(self.records.iter().map(|entry| (entry.id.clone(), entry.json())).collect());
        let record = entry.json();
        self.history.push(Past { kind, id: entry.id, record, before, attributes: entry.attributes, view, at });
    }

    fn evict(&mut self, bounds: Bounds, now: Millis) {
        while let Some(oldest) = self.records.first() {
            let is_over = bounds.max_records.is_some_and(|most| self.records.len() > most.get() as usize)
                || bounds.max_age.is_some_and(|age| now > oldest.inserted + age.get());
            if !is_over {
                break;
            }
            let id = oldest.id.clone();
            self.remove(&id, ChangeKind::Evict, now);
        }
    }
}

impl Entry {
    pub(super) fn json(&self) -> Value {
        let mut json = self.attributes.clone();
        json.insert("id".into(), self.id.clone().into());
        json.insert("_rev".into(), self.revision.into());
        json.extend(self.last_change.map(|time| ("_lastChange".to_owned(), time.into())));
        json.into()
    }
}

fn attributes(json: &str) -> Map<String, Value> {
    let mut attributes: Map<String, Value> = serde_json::from_str(json).unwrap();
    attributes.remove("id");
    attributes
}

/// What the write makes of the record, attribute by attribute; and what both sides changed.
fn merge(
    base: Option<&Map<String, Value>>,
    stored: &Map<String, Value>,
    wanted: &Map<String, Value>,
    prefer: Option<Side>,
) -> (Map<String, Value>, BTreeSet<String>) {
    let (mut merged, mut conflicts) = (Map::new(), BTreeSet::new());
    for name in stored.keys().chain(wanted.keys()) {
        let (theirs, mine) = (stored.get(name), wanted.get(name));
        let chosen = match base.map(|base| base.get(name)) {
            _ if theirs == mine => mine,
            Some(base) if base == theirs => mine,
            Some(base) if base == mine => theirs,
            _ => match prefer {
                Some(Side::Client) => mine,
                Some(Side::Server) => theirs,
                None => {
                    conflicts.insert(name.clone());
                    theirs
                }
            },
        };
        merged.extend(chosen.map(|value| (name.clone(), value.clone())));
    }
    (merged, conflicts)
}
