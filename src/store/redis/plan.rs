//! What is to become of commits, decided on what is thought to be there, and the premises on which that rests.
//!
//! Pure. Redis agrees to a plan commit by commit, in their order, up to the first whose premises do not hold.

use super::{
    Damaged,
    guesses::{Guess, Guesses},
};
use crate::store::{
    Bounds, Change, ChangeKind, Commit, Few, Millis, Operation, Owner, Part, Rejected, Rejection,
    decide::{self, Found, Verdict},
};
use backsync_protocol::{ConflictPolicy, ModelName, Record, RecordInput, Revision};
use std::collections::HashMap;

/// Records as they were at a revision, as far as they were looked up; none where the log does not have it.
pub(super) type Bases = HashMap<(ModelName, Revision), Option<Change>>;

/// Why there is no plan.
#[derive(Debug)]
pub(super) enum Unplanned {
    /// What the model's log has at this revision has to be known first.
    NeedsBase(ModelName, Revision),
    Damaged(Damaged),
}

impl From<decide::Damaged> for Unplanned {
    fn from(damaged: decide::Damaged) -> Self {
        Self::Damaged(Damaged(damaged.to_string()))
    }
}

/// What is to become of some commits.
#[derive(Debug)]
pub(super) struct Plan<'c> {
    pub(super) models: Vec<&'c ModelName>,
    /// The records that it is about: the model, and the id.
    pub(super) looks: Vec<(usize, &'c str)>,
    /// All changes, as far as the commits make them themselves.
    pub(super) made: Vec<Made>,
    pub(super) steps: Vec<Step<'c>>,
}

/// What is to become of a commit.
#[derive(Debug)]
pub(super) struct Step<'c> {
    pub(super) commit: &'c Commit,
    pub(super) premises: Vec<Premise>,
    /// Models that have to stand exactly at a revision, where a decision looked at what the revision of a change will be.
    pub(super) stands: Vec<(usize, Revision)>,
    pub(super) outcome: Result<Vec<PartPlan>, Box<Rejected>>,
    /// A refusal that rests on a state which is nowhere but in this plan.
    pub(super) is_unseen: bool,
}

/// What a record has to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Premise {
    pub(super) look: usize,
    pub(super) state: State,
    /// Who it belongs to, where that was looked at.
    pub(super) owner: Option<Option<Owner>>,
    /// When it was deleted, where that was looked at.
    pub(super) buried: Option<Option<Millis>>,
}

/// Which state a record is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Absent,
    At(Revision),
    /// As this change of the plan leaves it.
    Made(usize),
}

#[derive(Debug)]
pub(super) struct PartPlan {
    pub(super) model: usize,
    pub(super) bounds: Bounds,
    pub(super) acts: Vec<Act>,
    /// For each operation the record as it left it.
    pub(super) records: Few<Told>,
    /// Which of the plan's changes are its own.
    pub(super) made: std::ops::Range<usize>,
}

#[derive(Debug)]
pub(super) enum Act {
    /// Make a change, by its place among those of the plan.
    Set(usize),
    Remove(usize),
    /// Give a record to somebody.
    Own(usize, Owner),
}

/// A change.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) look: usize,
    pub(super) kind: ChangeKind,
    /// What is stored; none where it is a deletion.
    pub(super) input: Option<RecordInput>,
    pub(super) last_change: Option<Millis>,
    /// The record after it, or as it last was, with the revision that it has if the guess about the model's head is right.
    pub(super) record: Record,
    /// The record before it.
    pub(super) before: Told,
}

/// A record that is to be told of.
#[derive(Debug, Clone)]
pub(super) enum Told {
    /// There is none.
    Nothing,
    Known(Record),
    /// As this change of the plan leaves it.
    Made(usize),
}

/// A record while commits are planned.
#[derive(Debug, Clone)]
struct Standing {
    state: State,
    guess: Guess,
}

/// Plans commits one by one.
pub(super) struct Planner<'c, 'g> {
    guesses: &'g mut Guesses,
    bases: &'g Bases,
    plan: Plan<'c>,
    indexes: HashMap<(usize, &'c str), usize>,
    standings: Vec<Standing>,
    heads: Vec<Revision>,
}

impl Standing {
    fn told(&self) -> Told {
        match (&self.guess.record, self.state) {
            (None, _) => Told::Nothing,
            (Some(_), State::Made(made)) => Told::Made(made),
            (Some(record), _) => Told::Known(record.clone()),
        }
    }
}

/// What a commit has looked at so far.
#[derive(Default)]
struct Looked {
    premises: Vec<(Premise, Standing)>,
    stands: Vec<(usize, Revision)>,
}

impl Looked {
    /// What is presumed of a record: as it is before the commit.
    fn at(&mut self, look: usize, standing: &Standing) -> &mut (Premise, Standing) {
        let at = self.premises.iter().position(|(premise, _)| premise.look == look).unwrap_or_else(|| {
            let premise = Premise { look, state: standing.state, owner: None, buried: None };
            self.premises.push((premise, standing.clone()));
            self.premises.len() - 1
        });
        &mut self.premises[at]
    }
}

impl<'c, 'g> Planner<'c, 'g> {
    pub(super) fn new(guesses: &'g mut Guesses, bases: &'g Bases) -> Self {
        let plan = Plan { models: Vec::new(), looks: Vec::new(), made: Vec::new(), steps: Vec::new() };
        Self { guesses, bases, plan, indexes: HashMap::new(), standings: Vec::new(), heads: Vec::new() }
    }

    pub(super) fn finish(self) -> Plan<'c> {
        self.plan
    }

    /// Plan one more commit.
    pub(super) fn add(&mut self, commit: &'c Commit) -> Result<(), Unplanned> {
        let (made, heads) = (self.plan.made.len(), self.heads.clone());
        let mut looked = Looked::default();
        let mut parts = Vec::with_capacity(commit.parts.len());
        let mut outcome = Ok(());
        for (at, part) in commit.parts.iter().enumerate() {
            match self.part(part, commit.now, &mut looked)? {
                Ok(part) => parts.push(part),
                Err((operation, why)) => {
                    outcome = Err(Box::new(Rejected { part: at, operation, why }));
                    break;
                }
            }
        }
        let is_unseen = matches!(&outcome, Err(rejected)
            if matches!(&rejected.why, Rejection::Conflict { record: Some(record), .. }
                if self.plan.made[made..].iter().any(|made| made.record == *record)));
        if outcome.is_err() {
            // Nothing of it happens.
            for (premise, before) in &looked.premises {
                self.standings[premise.look] = before.clone();
            }
            self.plan.made.truncate(made);
            // A model that it was the first to name stands where it stood.
            let stood = self.heads.iter().zip(&self.plan.models).enumerate();
            self.heads = stood
                .map(|(at, (_, model))| heads.get(at).copied().unwrap_or_else(|| self.guesses.head(model)))
                .collect();
        }
        let premises = looked.premises.into_iter().map(|(premise, _)| premise).collect();
        let outcome = outcome.map(|()| parts);
        self.plan.steps.push(Step { commit, premises, stands: looked.stands, outcome, is_unseen });
        Ok(())
    }

    fn part(
        &mut self,
        part: &'c Part,
        now: Millis,
        looked: &mut Looked,
    ) -> Result<Result<PartPlan, (usize, Rejection)>, Unplanned> {
        let model = self.model(&part.model);
        let began = self.heads[model];
        let first = self.plan.made.len();
        let (mut acts, mut records) = (Vec::new(), Few::new());
        for (at, operation) in part.operations.iter().enumerate() {
            let (base, policy) = match operation {
                Operation::Upsert { terms, .. } | Operation::Delete { terms, .. } => (terms.base, terms.policy),
                _ => (None, ConflictPolicy::default()),
            };
            let look = self.look(model, operation.id());
            let standing = self.standings[look].clone();
            let (premise, before) = looked.at(look, &standing);
            if operation.owner().is_some() {
                premise.owner = Some(before.guess.owner.clone());
            }
            if policy == ConflictPolicy::LatestWins && before.guess.record.is_none() {
                premise.buried = Some(before.guess.buried);
            }
            // The revision of what this plan makes is not known for sure.
            let is_made = matches!(standing.state, State::Made(_));
            if is_made && base.is_some() {
                Self::stand_still(looked, model, began);
            }
            let verdict = self.decide(operation, now, &standing, &part.model, model, looked, began)?;
            let told = standing.told();
            match verdict {
                Verdict::Reject(why) => {
                    if is_made {
                        Self::stand_still(looked, model, began);
                    }
                    return Ok(Err((at, why)));
                }
                Verdict::Keep => records.push(told),
                Verdict::Claim => {
                    self.own(look, operation, &mut acts);
                    records.push(told);
                }
                Verdict::Set(input, last_change) => {
                    let input = input.into_owned();
                    self.heads[model] = self.heads[model].next();
                    let record = Record::new(&input, self.heads[model], last_change);
                    let is_new = standing.guess.record.is_none();
                    let kind = if is_new { ChangeKind::Insert } else { ChangeKind::Update };
                    let made = self.plan.made.len();
                    let (input, before) = (Some(input), told);
                    self.plan.made.push(Made { look, kind, input, last_change, record: record.clone(), before });
                    acts.push(Act::Set(made));
                    self.standings[look].state = State::Made(made);
                    self.standings[look].guess.record = Some(record);
                    self.own(look, operation, &mut acts);
                    records.push(Told::Made(made));
                }
                Verdict::Remove(last_change) => {
                    let record = standing.guess.record.expect("what is not there is not removed");
                    self.heads[model] = self.heads[model].next();
                    let made = self.plan.made.len();
                    let (kind, before) = (ChangeKind::Delete, told);
                    self.plan.made.push(Made { look, kind, input: None, last_change, record, before });
                    acts.push(Act::Remove(made));
                    let guess = Guess { record: None, owner: None, buried: last_change };
                    self.standings[look] = Standing { state: State::Absent, guess };
                    records.push(Told::Nothing);
                }
            }
        }
        let made = first..self.plan.made.len();
        Ok(Ok(PartPlan { model, bounds: part.bounds, acts, records, made }))
    }

    #[expect(clippy::too_many_arguments, reason = "what a decision looks at")]
    fn decide(
        &self,
        operation: &'c Operation,
        now: Millis,
        standing: &Standing,
        name: &ModelName,
        model: usize,
        looked: &mut Looked,
        began: Revision,
    ) -> Result<Verdict<'c>, Unplanned> {
        let Guess { record, owner, buried } = &standing.guess;
        let found = Found { record: record.as_ref(), owner: owner.as_ref(), buried: *buried };
        decide::operation(operation, found, now, |revision| {
            self.base(name, model, revision, operation.id(), looked, began)
        })
    }

    /// The record as it was written at a revision, by this plan or before.
    fn base(
        &self,
        name: &ModelName,
        model: usize,
        revision: Revision,
        id: &str,
        looked: &mut Looked,
        began: Revision,
    ) -> Result<Option<Record>, Unplanned> {
        let of = |made: &&Made| self.plan.looks[made.look].0 == model && made.input.is_some();
        let made = self.plan.made.iter().filter(of).find(|made| made.record.revision() == revision);
        if revision > self.guesses.head(name) {
            // It is a revision of this plan, or none that anybody can have seen.
            Self::stand_still(looked, model, began);
            return Ok(made.filter(|made| made.record.id() == id).map(|made| made.record.clone()));
        }
        match self.bases.get(&(name.clone(), revision)) {
            None => Err(Unplanned::NeedsBase(name.clone(), revision)),
            Some(change) => {
                let written = |change: &&Change| matches!(change.kind, ChangeKind::Insert | ChangeKind::Update);
                let change = change.as_ref().filter(written).filter(|change| change.record.id() == id);
                Ok(change.map(|change| change.record.clone()))
            }
        }
    }

    /// A decision rests on which revisions the changes of this plan will have.
    fn stand_still(looked: &mut Looked, model: usize, began: Revision) {
        if !looked.stands.iter().any(|(known, _)| *known == model) {
            looked.stands.push((model, began));
        }
    }

    /// Who writes a record in somebody's name makes it theirs.
    fn own(&mut self, look: usize, operation: &Operation, acts: &mut Vec<Act>) {
        let owner = operation.owner();
        if owner.is_some() && self.standings[look].guess.owner.as_ref() != owner {
            self.standings[look].guess.owner = owner.cloned();
            acts.extend(owner.map(|owner| Act::Own(look, owner.clone())));
        }
    }

    fn model(&mut self, name: &'c ModelName) -> usize {
        self.plan.models.iter().position(|known| *known == name).unwrap_or_else(|| {
            self.plan.models.push(name);
            self.heads.push(self.guesses.head(name));
            self.heads.len() - 1
        })
    }

    fn look(&mut self, model: usize, id: &'c str) -> usize {
        if let Some(look) = self.indexes.get(&(model, id)) {
            return *look;
        }
        let guess = self.guesses.look_up(self.plan.models[model], id);
        let state = guess.record.as_ref().map_or(State::Absent, |record| State::At(record.revision()));
        self.plan.looks.push((model, id));
        self.standings.push(Standing { state, guess });
        self.indexes.insert((model, id), self.standings.len() - 1);
        self.standings.len() - 1
    }
}
