//! Outcomes of transactions, so that a repetition is answered and not done again.
//!
//! They are as durable as the commits: written in the same transaction, and those of refused commits too. They are small: a
//! record is kept as its id and revision, and its text looked up when it is wanted. Where neither the records nor the log have
//! that state any more, the repetition is answered with the record as it is then, and with none where it is gone.

use super::{
    failure::damaged,
    log,
    models::Model,
    records::{self, time},
    retention::{AT_ONCE, Bound},
};
use crate::store::{Committed, Done, Few, Millis, Outcome, Rejected, Rejection, Transaction};
use backsync_protocol::{Epoch, Position, Record, Revision};
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, num::NonZeroU64};

/// What is known of a transaction.
pub(super) enum Seen {
    Never,
    /// It was done, with this outcome.
    Before(Outcome),
    /// Its name was used for something else.
    Otherwise,
}

/// All outcomes that are kept.
#[derive(Debug)]
pub(super) struct Outcomes {
    bound: Bound,
    standing: Option<Standing>,
}

/// Where the numbers of the transactions stand. Each is greater than the one before by the records of its transaction.
#[derive(Debug, Clone, Copy)]
struct Standing {
    last: i64,
    /// Before the first.
    floor: i64,
    /// When the first was.
    oldest: i64,
}

impl Standing {
    fn read(connection: &Connection) -> rusqlite::Result<Self> {
        let last = connection.query_row("SELECT coalesce(max(number), 0) FROM transactions", [], |row| row.get(0))?;
        let first = "SELECT number - records, at FROM transactions ORDER BY number LIMIT 1";
        let first = connection.query_row(first, [], |row| Ok((row.get(0)?, row.get(1)?)));
        let (floor, oldest) = first.optional()?.unwrap_or((last, i64::MAX));
        Ok(Self { last, floor, oldest })
    }
}

impl Outcomes {
    pub(super) fn new(bound: Bound) -> Self {
        Self { bound, standing: None }
    }

    /// What was remembered within the transaction was not committed.
    pub(super) fn undo(&mut self) {
        self.standing = None;
    }

    pub(super) fn look_up(&self, connection: &Connection, transaction: &Transaction) -> rusqlite::Result<Seen> {
        let found = connection
            .prepare_cached("SELECT digest, outcome FROM transactions WHERE client = ?1 AND id = ?2")?
            .query_row([&*transaction.client, &*transaction.id], |row| {
                let is_same = row.get_ref(0)?.as_blob()? == transaction.digest;
                let read = |json| serde_json::from_str::<Kept<'_>>(json).map_err(|error| damaged(1, error));
                if is_same { read(row.get_ref(1)?.as_str()?).map(Some) } else { Ok(None) }
            })
            .optional()?;
        Ok(match found {
            None => Seen::Never,
            Some(None) => Seen::Otherwise,
            Some(Some(kept)) => Seen::Before(kept.outcome(connection)?),
        })
    }

    /// Remember an outcome; `models` is where the commit's models stand with it. Answers how many bytes were written.
    pub(super) fn remember(
        &mut self,
        connection: &Connection,
        transaction: &Transaction,
        outcome: &Outcome,
        models: &[Model],
        now: Millis,
    ) -> rusqlite::Result<usize> {
        let mut standing = match self.standing {
            Some(standing) => standing,
            None => Standing::read(connection)?,
        };
        let records = match outcome {
            Ok(committed) => committed.parts.iter().map(|part| part.records.len().max(1)).sum(),
            Err(_) => 1,
        };
        let records = i64::try_from(records).expect("as many as were counted");
        let json = serde_json::to_string(&Kept::of(outcome, models)).expect("numbers and text are JSON");
        if standing.last == standing.floor {
            standing.oldest = time(now);
        }
        standing.last += records;
        connection
            .prepare_cached(
                "INSERT INTO transactions (number, records, client, id, digest, at, outcome) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                standing.last,
                records,
                &*transaction.client,
                &*transaction.id,
                transaction.digest,
                time(now),
                json
            ])?;
        self.purge(connection, &mut standing, time(now))?;
        self.standing = Some(standing);
        Ok(json.len())
    }

    fn purge(&self, connection: &Connection, standing: &mut Standing, now: i64) -> rusqlite::Result<()> {
        if !self.bound.is_exceeded(standing.last - standing.floor, standing.oldest, now) {
            return Ok(());
        }
        let mut statement =
            connection.prepare_cached("SELECT number, at FROM transactions ORDER BY number LIMIT ?1")?;
        let mut rows = statement.query([AT_ONCE])?;
        standing.oldest = i64::MAX;
        while let Some(row) = rows.next()? {
            standing.oldest = row.get(1)?;
            if !self.bound.below().is_exceeded(standing.last - standing.floor, standing.oldest, now) {
                break;
            }
            standing.floor = row.get(0)?;
        }
        drop(rows);
        connection.prepare_cached("DELETE FROM transactions WHERE number <= ?1")?.execute([standing.floor])?;
        Ok(())
    }
}

/// An outcome as it is stored.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Kept<'a> {
    Done(Vec<KeptPart<'a>>),
    Rejected {
        part: usize,
        operation: usize,
        #[serde(flatten)]
        why: KeptWhy<'a>,
    },
}

/// The model's row, the epoch and the revision of the position, and for each operation the record.
#[derive(Serialize, Deserialize)]
struct KeptPart<'a>(Option<i64>, NonZeroU64, u64, Vec<Option<KeptRecord<'a>>>);

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum KeptWhy<'a> {
    Conflict { model: Option<i64>, record: Option<KeptRecord<'a>>, properties: Cow<'a, [String]> },
    NotOwner,
}

/// The id and the revision. The text only where it is found nowhere: what a refused commit made and took back.
#[derive(Serialize, Deserialize)]
struct KeptRecord<'a>(
    Cow<'a, str>,
    u64,
    #[serde(default, skip_serializing_if = "Option::is_none")] Option<Cow<'a, str>>,
);

impl<'a> Kept<'a> {
    fn of(outcome: &'a Outcome, models: &[Model]) -> Self {
        match outcome {
            Ok(committed) => {
                let parts = committed.parts.iter().zip(models).map(|(done, model)| {
                    let records = done.records.iter();
                    let records = records.map(|record| record.as_ref().map(|record| KeptRecord::of(record, model)));
                    let Position { epoch, revision } = done.position;
                    KeptPart(model.row, epoch.0, revision.0, records.collect())
                });
                Self::Done(parts.collect())
            }
            Err(rejected) => {
                let Rejected { part, operation, why } = &**rejected;
                let why = match why {
                    Rejection::Conflict { record, properties } => KeptWhy::Conflict {
                        model: models[*part].row,
                        record: record.as_ref().map(|record| KeptRecord::of(record, &models[*part])),
                        properties: properties.into(),
                    },
                    Rejection::NotOwner => KeptWhy::NotOwner,
                    Rejection::TransactionReused => unreachable!("that one is not remembered"),
                };
                Self::Rejected { part: *part, operation: *operation, why }
            }
        }
    }

    fn outcome(self, connection: &Connection) -> rusqlite::Result<Outcome> {
        match self {
            Self::Done(kept) => {
                let mut parts = Vec::with_capacity(kept.len());
                for KeptPart(model, epoch, revision, kept) in kept {
                    let mut records = Few::with_capacity(kept.len());
                    for kept in kept {
                        records.push(kept.map_or(Ok(None), |kept| kept.record(connection, model))?);
                    }
                    let position = Position { epoch: Epoch(epoch), revision: Revision(revision) };
                    parts.push(Done { records, changes: Few::new(), position });
                }
                Ok(Ok(Committed { parts }))
            }
            Self::Rejected { part, operation, why } => {
                let why = match why {
                    KeptWhy::Conflict { model, record, properties } => Rejection::Conflict {
                        record: record.map_or(Ok(None), |kept| kept.record(connection, model))?,
                        properties: properties.into_owned(),
                    },
                    KeptWhy::NotOwner => Rejection::NotOwner,
                };
                Ok(Err(Box::new(Rejected { part, operation, why })))
            }
        }
    }
}

impl<'a> KeptRecord<'a> {
    fn of(record: &'a Record, model: &Model) -> Self {
        let is_stored = record.revision() <= model.revision();
        Self(record.id().into(), record.revision().0, (!is_stored).then(|| record.json().into()))
    }

    fn record(self, connection: &Connection, model: Option<i64>) -> rusqlite::Result<Option<Record>> {
        let (Self(id, revision, json), model) = (self, model.unwrap_or_default());
        let revision = Revision(revision);
        if let Some(json) = json {
            return Ok(Record::restore(&id, &json, revision));
        }
        let stored = records::find(connection, model, &id)?.map(|stored| stored.record);
        if stored.as_ref().is_some_and(|record| record.revision() == revision) {
            return Ok(stored);
        }
        Ok(log::written(connection, model, revision, &id)?.or(stored))
    }
}
