//! Outcomes of transactions as they are kept: small, a record as its id and revision. Its text is looked up in the log when it is
//! wanted; where that does not reach back so far, the repetition is answered with the record as it is then, and with none
//! where it is gone.

use super::{
    Damaged,
    plan::{Plan, Step, Told},
    stand::Process,
    value,
};
use crate::store::{Change, ChangeKind, Committed, Done, Few, Outcome, Rejected, Rejection};
use backsync_protocol::{ModelName, Position, Record, Revision};
use serde::{Deserialize, Serialize};

/// A piece of an outcome's text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    /// The revision of a change, by its place in the plan.
    Made(usize),
    /// The revision of a part's model behind the commit.
    Stands(usize),
    Process,
}

/// An outcome as it is kept.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kept {
    Done(Vec<KeptPart>),
    Refused { part: usize, operation: usize, why: Why },
}

/// The model, the process and the revision of the position, and for each operation the record.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct KeptPart(String, String, u64, Vec<Option<KeptRecord>>);

/// The id and the revision, and the text where it is found nowhere else.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct KeptRecord(String, u64, #[serde(default, skip_serializing_if = "Option::is_none")] Option<String>);

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Why {
    NotOwner,
    Conflict { model: String, record: Option<KeptRecord>, properties: Vec<String> },
}

/// So much an outcome counts.
pub(super) fn weight(step: &Step<'_>) -> usize {
    step.outcome.as_ref().map_or(1, |parts| parts.iter().map(|part| part.records.len().max(1)).sum())
}

/// The text of a step's outcome, as far as it is known before it is done.
pub(super) fn pieces(plan: &Plan<'_>, step: &Step<'_>) -> Vec<Piece> {
    let quoted = |text: &str| serde_json::to_string(text).expect("text is JSON");
    let parts = match &step.outcome {
        Ok(parts) => parts,
        Err(rejected) => {
            let json = serde_json::to_string(&refused(step, rejected)).expect("numbers and text are JSON");
            return vec![Piece::Text(json)];
        }
    };
    let mut pieces = Vec::new();
    let mut text = "{\"done\":[".to_owned();
    for (at, part) in parts.iter().enumerate() {
        text.push_str(if at > 0 { ",[" } else { "[" });
        text.push_str(&quoted(plan.models[part.model].as_str()));
        text.push_str(",\"");
        pieces.extend([Piece::Text(std::mem::take(&mut text)), Piece::Process]);
        pieces.extend([Piece::Text("\",".into()), Piece::Stands(at)]);
        text.push_str(",[");
        for (n, told) in part.records.iter().enumerate() {
            text.push_str(if n > 0 { "," } else { "" });
            match told {
                Told::Nothing => text.push_str("null"),
                Told::Known(record) => {
                    text.push_str(&format!("[{},{}]", quoted(record.id()), record.revision()));
                }
                Told::Made(made) => {
                    text.push_str(&format!("[{},", quoted(plan.looks[plan.made[*made].look].1)));
                    pieces.extend([Piece::Text(std::mem::take(&mut text)), Piece::Made(*made)]);
                    text.push(']');
                }
            }
        }
        text.push_str("]]");
    }
    text.push_str("]}");
    pieces.push(Piece::Text(text));
    pieces
}

fn refused(step: &Step<'_>, rejected: &Rejected) -> Kept {
    let why = match &rejected.why {
        Rejection::NotOwner => Why::NotOwner,
        Rejection::TransactionReused => unreachable!("what was used for something else is not remembered as that"),
        Rejection::Conflict { record, properties } => {
            let keep = |record: &Record| {
                let text = step.is_unseen.then(|| record.json().to_owned());
                KeptRecord(record.id().to_owned(), record.revision().0, text)
            };
            let model = step.commit.parts[rejected.part].model.to_string();
            Why::Conflict { model, record: record.as_ref().map(keep), properties: properties.clone() }
        }
    };
    Kept::Refused { part: rejected.part, operation: rejected.operation, why }
}

impl Kept {
    pub(super) fn parse(text: &str) -> Result<Self, Damaged> {
        serde_json::from_str(text).map_err(|error| Damaged(format!("an outcome: {error}")))
    }

    /// The states whose texts have to be looked up: the model, the revision and the id of each, in order.
    pub(super) fn wanted(&self) -> Result<Vec<(ModelName, u64, String)>, Damaged> {
        let mut wanted = Vec::new();
        let mut want = |model: &str, record: &KeptRecord| {
            let KeptRecord(id, revision, text) = record;
            if text.is_none() {
                wanted.push((name(model)?, *revision, id.clone()));
            }
            Ok(())
        };
        match self {
            Self::Done(parts) => {
                for KeptPart(model, _, _, records) in parts {
                    records.iter().flatten().try_for_each(|record| want(model, record))?;
                }
            }
            Self::Refused { why: Why::Conflict { model, record: Some(record), .. }, .. } => want(model, record)?,
            Self::Refused { .. } => {}
        }
        Ok(wanted)
    }

    /// The outcome, with what was looked up for [`Self::wanted`].
    pub(super) fn outcome(self, found: Vec<Option<Record>>) -> Result<Outcome, Damaged> {
        let mut found = found.into_iter();
        let mut restore = |record: KeptRecord| match record {
            KeptRecord(id, revision, Some(text)) => value::record(&id, &text, revision).map(Some),
            _ => Ok(found.next().flatten()),
        };
        Ok(match self {
            Self::Done(parts) => {
                let mut done = Vec::with_capacity(parts.len());
                for KeptPart(model, process, revision, records) in parts {
                    let epoch = Process::parse(&process)?.epoch(&name(&model)?);
                    let records: Result<Few<Option<Record>>, Damaged> =
                        records.into_iter().map(|record| record.map_or(Ok(None), &mut restore)).collect();
                    let position = Position { epoch, revision: Revision(revision) };
                    done.push(Done { records: records?, changes: Few::new(), position });
                }
                Ok(Committed { parts: done })
            }
            Self::Refused { part, operation, why } => {
                let why = match why {
                    Why::NotOwner => Rejection::NotOwner,
                    Why::Conflict { record, properties, .. } => {
                        Rejection::Conflict { record: record.map_or(Ok(None), restore)?, properties }
                    }
                };
                Err(Box::new(Rejected { part, operation, why }))
            }
        })
    }
}

/// The record in a state, out of the log's entry and the record as it is now.
pub(super) fn state(id: &str, entry: Option<(String, String)>, now: Option<String>) -> Result<Option<Record>, Damaged> {
    if let Some((kind, entry)) = entry {
        let (kind, stored) = value::entry(&kind, &entry)?;
        if matches!(kind, ChangeKind::Insert | ChangeKind::Update) && stored.record.id() == id {
            return Ok(Some(stored.record));
        }
    }
    now.map(|now| value::stored(id, &now).map(|stored| stored.record)).transpose()
}

fn name(model: &str) -> Result<ModelName, Damaged> {
    ModelName::parse(model).map_err(|error| Damaged(error.to_string()))
}

/// A repetition changes nothing.
pub(super) fn again(outcome: &Outcome) -> Outcome {
    let mut outcome = outcome.clone();
    if let Ok(done) = &mut outcome {
        done.parts.iter_mut().for_each(|part| part.changes = Few::<Change>::new());
    }
    outcome
}
