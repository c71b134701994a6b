//! A plan as arguments of the script that carries it out, and what came of it.

use super::{
    Damaged,
    guesses::{Guess, Guesses},
    keys::field,
    outcomes::{self, Piece},
    plan::{Act, Plan, State, Step, Told},
    stand::Process,
    value::{exactly, list, number, optional, parse, stored, text},
};
use crate::store::{Change, ChangeKind, Committed, Done, Few, Millis, Outcome, Owner, Retention};
use backsync_protocol::{Position, Record, Revision};
use redis::Value;

/// How a call is told apart from others, and how the other nodes hear of it.
pub(super) struct Calling<'a> {
    pub(super) node: &'a str,
    pub(super) sequence: u64,
    /// The command that publishes; none where nobody is told.
    pub(super) publish: &'a str,
    /// Beyond so many bytes the others are told only where a model stands.
    pub(super) largest: usize,
    pub(super) retention: &'a Retention,
    /// For each model of the plan.
    pub(super) channels: Vec<Vec<u8>>,
}

/// The arguments of a script, one after the other.
#[derive(Default)]
struct Arguments(Vec<Vec<u8>>);

impl Arguments {
    fn text(&mut self, text: impl AsRef<[u8]>) {
        self.0.push(text.as_ref().to_vec());
    }

    fn number(&mut self, number: impl std::fmt::Display) {
        self.0.push(number.to_string().into_bytes());
    }

    /// Whatever is none is empty: Lua makes no number of it.
    fn optional(&mut self, number: Option<impl std::fmt::Display>) {
        self.0.push(number.map(|number| number.to_string().into_bytes()).unwrap_or_default());
    }
}

/// Lua counts from 1.
fn place(index: usize) -> usize {
    index + 1
}

pub(super) fn arguments(plan: &Plan<'_>, calling: &Calling<'_>) -> Vec<Vec<u8>> {
    let mut out = Arguments::default();
    out.text(calling.node);
    out.number(calling.sequence);
    out.text(calling.publish);
    out.number(calling.largest);
    let Retention { log_entries, tombstones, tombstone_age, outcomes, outcome_age } = calling.retention;
    [*log_entries as u64, *tombstones as u64, *tombstone_age, *outcomes as u64, *outcome_age]
        .into_iter()
        .for_each(|number| out.number(number));
    out.number(plan.models.len());
    calling.channels.iter().for_each(|channel| out.text(channel));
    out.number(plan.looks.len());
    for (model, id) in &plan.looks {
        out.number(place(*model));
        out.text(id);
    }
    out.number(plan.steps.len());
    plan.steps.iter().for_each(|step| append_step(plan, step, &mut out));
    out.0
}

fn append_step(plan: &Plan<'_>, step: &Step<'_>, out: &mut Arguments) {
    out.number(step.commit.now);
    match &step.commit.transaction {
        None => ["", "", ""].into_iter().for_each(|nothing| out.text(nothing)),
        Some(transaction) => {
            out.text(field(transaction));
            out.text(digest(&transaction.digest));
            out.number(outcomes::weight(step));
        }
    }
    out.number(step.stands.len());
    for (model, revision) in &step.stands {
        out.number(place(*model));
        out.number(revision);
    }
    out.number(step.premises.len());
    for premise in &step.premises {
        out.number(place(premise.look));
        match premise.state {
            State::Absent => out.text(""),
            State::At(revision) => out.number(revision),
            State::Made(made) => out.text(format!("#{}", place(made))),
        }
        match &premise.owner {
            None => out.text("*"),
            Some(owner) => out.text(owner.as_ref().map(Owner::to_string).unwrap_or_default()),
        }
        match premise.buried {
            None => out.text("*"),
            Some(buried) => out.optional(buried),
        }
    }
    let parts = step.outcome.as_ref().map_or(&[][..], Vec::as_slice);
    out.number(parts.len());
    for part in parts {
        out.number(place(part.model));
        out.optional(part.bounds.max_records);
        out.optional(part.bounds.max_age);
        out.number(part.acts.len());
        for act in &part.acts {
            match act {
                Act::Set(made) => {
                    let made = &plan.made[*made];
                    let input = made.input.as_ref().expect("what is set has a text");
                    out.text("s");
                    out.number(place(made.look));
                    out.text(Record::before_revision(input, made.last_change));
                }
                Act::Remove(made) => {
                    let made = &plan.made[*made];
                    out.text("r");
                    out.number(place(made.look));
                    out.optional(made.last_change);
                }
                Act::Own(look, owner) => {
                    out.text("o");
                    out.number(place(*look));
                    out.text(owner.to_string());
                }
            }
        }
    }
    if step.commit.transaction.is_some() {
        let pieces = outcomes::pieces(plan, step);
        out.number(pieces.len());
        for piece in pieces {
            out.text(match piece {
                Piece::Text(text) => format!("={text}"),
                Piece::Made(made) => format!("#{}", place(made)),
                Piece::Stands(part) => format!("@{}", place(part)),
                Piece::Process => "%".to_owned(),
            });
        }
    }
}

/// As text, which sorts and prints like any.
pub(super) fn digest(digest: &[u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(*digest))
}

/// What came of a call.
pub(super) struct Called {
    /// Who carried it out.
    pub(super) process: Process,
    /// Of the first commits of the plan.
    pub(super) outcomes: Vec<Outcome>,
    /// What is kept of the commit behind these: it is a repetition.
    pub(super) known: Option<String>,
}

/// Read what the script answered, and learn from it how things are; none where the call was carried out before.
pub(super) fn read(plan: &Plan<'_>, answer: Value, guesses: &mut Guesses) -> Result<Option<Called>, Damaged> {
    let answer = list(answer)?;
    if answer.len() == 1 {
        return Ok(None);
    }
    let [process, results, heads, truth] = exactly(Value::Array(answer))?;
    let process = Process::parse(&text(process)?)?;
    let mut records: Vec<Record> = Vec::with_capacity(plan.made.len());
    let mut called = Called { process, outcomes: Vec::new(), known: None };
    let mut evicted = Vec::new();
    for (step, result) in plan.steps.iter().zip(list(results)?) {
        let [kind, rest] = exactly(result)?;
        if text(kind)? == "known" {
            called.known = Some(text(rest)?);
            break;
        }
        called.outcomes.push(done(plan, step, process, rest, &mut records, &mut evicted)?);
    }
    learn(plan, &records, &called, guesses);
    for (model, id) in evicted {
        guesses.learn(plan.models[model], &id, Guess::default());
    }
    for (model, head) in plan.models.iter().zip(list(heads)?) {
        guesses.learn_head(model, Revision(number(head)?));
    }
    for ((model, id), truth) in plan.looks.iter().zip(list(truth)?) {
        let [value, owner, buried] = exactly(truth)?;
        let record = optional(value)?.map(|value| stored(id, &value).map(|stored| stored.record)).transpose()?;
        let (owner, buried) = (text(owner)?, text(buried)?);
        let owner = (!owner.is_empty()).then(|| Owner::restore(&owner));
        let buried: Option<Millis> = (!buried.is_empty()).then(|| parse(&buried)).transpose()?;
        guesses.learn(plan.models[*model], id, Guess { record, owner, buried });
    }
    Ok(Some(called))
}

/// What is known of records now that some commits are done.
fn learn(plan: &Plan<'_>, records: &[Record], called: &Called, guesses: &mut Guesses) {
    for (made, record) in plan.made.iter().zip(records) {
        let (model, id) = plan.looks[made.look];
        let mut guess = guesses.look_up(plan.models[model], id);
        guess = match made.kind {
            ChangeKind::Delete | ChangeKind::Evict => Guess { buried: made.last_change, ..Guess::default() },
            ChangeKind::Insert | ChangeKind::Update => {
                guess.record = Some(record.clone());
                guess
            }
        };
        guesses.learn(plan.models[model], id, guess);
    }
    let steps = plan.steps.iter().take(called.outcomes.len());
    for part in steps.flat_map(|step| step.outcome.iter().flatten()) {
        for act in &part.acts {
            if let Act::Own(look, owner) = act {
                let (model, id) = plan.looks[*look];
                let mut guess = guesses.look_up(plan.models[model], id);
                if guess.record.is_some() {
                    guess.owner = Some(owner.clone());
                    guesses.learn(plan.models[model], id, guess);
                }
            }
        }
    }
}

/// The outcome of a commit that was carried out. What it made is put behind `records`.
fn done(
    plan: &Plan<'_>,
    step: &Step<'_>,
    process: Process,
    answer: Value,
    records: &mut Vec<Record>,
    evicted: &mut Vec<(usize, String)>,
) -> Result<Outcome, Damaged> {
    let parts = match &step.outcome {
        Ok(parts) => parts,
        Err(rejected) => return Ok(Err(rejected.clone())),
    };
    let mut done = Vec::with_capacity(parts.len());
    for (part, answer) in parts.iter().zip(list(answer)?) {
        let [began, stands, gone] = exactly(answer)?;
        let mut revision = Revision(number(began)?);
        let mut changes: Few<Change> = Few::new();
        for made in &plan.made[part.made.clone()] {
            revision = revision.next();
            let before = tell(&made.before, records);
            let (record, before) = match &made.input {
                None => (before.expect("what is deleted was there"), None),
                Some(_) if made.record.revision() == revision => (made.record.clone(), before),
                Some(input) => (Record::new(input, revision, made.last_change), before),
            };
            records.push(record.clone());
            changes.push(Change { revision, kind: made.kind, record, before });
        }
        let mut gone = list(gone)?.into_iter();
        while let (Some(id), Some(value)) = (gone.next(), gone.next()) {
            let id = text(id)?;
            revision = revision.next();
            let record = stored(&id, &text(value)?)?.record;
            changes.push(Change { revision, kind: ChangeKind::Evict, record, before: None });
            evicted.push((part.model, id));
        }
        let told = part.records.iter().map(|told| tell(told, records)).collect();
        let position = Position { epoch: process.epoch(plan.models[part.model]), revision: Revision(number(stands)?) };
        if position.revision != revision {
            return Err(Damaged(format!(
                "{} stands at {} and not at {revision}",
                plan.models[part.model], position.revision
            )));
        }
        done.push(Done { records: told, changes, position });
    }
    Ok(Ok(Committed { parts: done }))
}

fn tell(told: &Told, records: &[Record]) -> Option<Record> {
    match told {
        Told::Nothing => None,
        Told::Known(record) => Some(record.clone()),
        Told::Made(made) => Some(records[*made].clone()),
    }
}
