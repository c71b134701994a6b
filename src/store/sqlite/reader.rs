//! Reading: each answer from one short read transaction, on threads of its own.
//!
//! A transaction begins after the question was asked, and sees what was committed until then. It ends with its answer in
//! memory, so that nobody's slowness keeps the write-ahead log from being emptied.
//!
//! The queue has room for [`ROOM`] questions. Who finds it full waits, without holding up the executor, for those before.

use super::{
    failure::{gone, outside},
    log,
    step::stored_id,
};
use crate::store::{Answer, Change, Selection, Snapshot, StoreError};
use backsync_protocol::{Epoch, ModelName, Position, Record, Revision};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::{
    num::NonZeroU64,
    sync::{Arc, Mutex, PoisonError, mpsc},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tracing::error;

/// Questions that may wait.
const ROOM: usize = 1024;

type Question = Box<dyn FnOnce(&Connection) + Send>;

/// The way to the threads that read.
#[derive(Debug)]
pub(super) struct Readers {
    way: Arc<Mutex<Option<mpsc::Sender<Question>>>>,
    room: Arc<Semaphore>,
}

impl Readers {
    /// A way, and its other end for [`serve`].
    pub(super) fn new() -> (Self, mpsc::Receiver<Question>) {
        let (way, questions) = mpsc::channel();
        (Self { way: Arc::new(Mutex::new(Some(way))), room: Arc::new(Semaphore::new(ROOM)) }, questions)
    }

    /// What was asked is answered still, and nothing after it.
    pub(super) fn close(&self) {
        self.way.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Have something read within one transaction.
    pub(super) fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Answer<T> {
        let (answer, answered) = oneshot::channel();
        let question = |room: OwnedSemaphorePermit| -> Question {
            Box::new(move |connection| {
                let _room = room;
                if !answer.is_closed() {
                    // Who has gone meanwhile does not need it.
                    let _ = answer.send(within_transaction(connection, work));
                }
            })
        };
        let way = self.way.clone();
        let send = move |question| match &*way.lock().unwrap_or_else(PoisonError::into_inner) {
            None => Err(StoreError::Closed),
            Some(way) => way.send(question).map_err(|_| gone()),
        };
        match self.room.clone().try_acquire_owned() {
            Ok(room) => {
                let sent = send(question(room));
                Answer::later(async move {
                    sent?;
                    answered.await.unwrap_or_else(|_| Err(gone()))
                })
            }
            Err(_) => {
                let room = self.room.clone();
                Answer::later(async move {
                    let room = room.acquire_owned().await.expect("nobody closes the semaphore");
                    send(question(room))?;
                    answered.await.unwrap_or_else(|_| Err(gone()))
                })
            }
        }
    }
}

/// Answer until there are no more questions.
pub(super) fn serve(connection: &Connection, questions: &Mutex<mpsc::Receiver<Question>>) {
    loop {
        let next = questions.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(question) = next else { return };
        question(connection);
    }
}

fn within_transaction<T>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> Result<T, StoreError> {
    let read = || {
        let transaction = connection.unchecked_transaction()?;
        let answer = work(&transaction)?;
        transaction.commit()?;
        Ok(answer)
    };
    read().map_err(|error| {
        error!(%error, "the database cannot be read");
        outside(&Arc::new(error))
    })
}

struct Found {
    row: i64,
    head: i64,
    floor: i64,
    records: i64,
}

fn find(connection: &Connection, model: &ModelName) -> rusqlite::Result<Option<Found>> {
    connection
        .prepare_cached("SELECT id, head, floor, records FROM models WHERE name = ?1")?
        .query_row([model.as_str()], |row| {
            Ok(Found { row: row.get(0)?, head: row.get(1)?, floor: row.get(2)?, records: row.get(3)? })
        })
        .optional()
}

/// The head of a model.
pub(super) fn position(connection: &Connection, epoch: Epoch, model: &ModelName) -> rusqlite::Result<Position> {
    Ok(at(epoch, find(connection, model)?.as_ref()))
}

fn at(epoch: Epoch, model: Option<&Found>) -> Position {
    Position { epoch, revision: Revision(model.map_or(0, |model| model.head).cast_unsigned()) }
}

/// Records of a model.
pub(super) fn records(
    connection: &Connection,
    epoch: Epoch,
    model: &ModelName,
    selection: &Selection,
) -> rusqlite::Result<Snapshot> {
    let found = find(connection, model)?;
    let position = at(epoch, found.as_ref());
    let Some(found) = found else { return Ok(Snapshot { records: Vec::new(), position }) };
    let records = match selection {
        Selection::All => all(connection, &found)?,
        Selection::Ids(ids) => {
            let mut statement =
                connection.prepare_cached("SELECT revision, json, id FROM records WHERE model = ?1 AND id = ?2")?;
            let mut records = Vec::with_capacity(ids.len());
            for id in ids {
                records.extend(statement.query_row(params![found.row, id.as_str()], record).optional()?);
            }
            records
        }
    };
    Ok(Snapshot { records, position })
}

fn all(connection: &Connection, model: &Found) -> rusqlite::Result<Vec<Record>> {
    let mut statement = connection.prepare_cached(
        "SELECT revision, json, id FROM records INDEXED BY records_by_age WHERE model = ?1 ORDER BY inserted",
    )?;
    // What the disk says is a hint only: it may be damaged.
    let expected = usize::try_from(model.records).unwrap_or_default().min(1 << 20);
    let mut records = Vec::with_capacity(expected);
    for record in statement.query_map([model.row], record)? {
        records.push(record?);
    }
    Ok(records)
}

fn record(row: &Row<'_>) -> rusqlite::Result<Record> {
    let revision = Revision(row.get::<_, i64>(0)?.cast_unsigned());
    Ok(Record { id: stored_id(row, 2)?, revision, json: row.get_ref(1)?.as_str()?.into() })
}

/// Entries of a model's log, where it reaches back so far.
pub(super) fn changes(
    connection: &Connection,
    model: &ModelName,
    after: Revision,
    limit: usize,
) -> rusqlite::Result<Option<Vec<Change>>> {
    let Some(model) = find(connection, model)? else { return Ok(Some(Vec::new())) };
    let after = i64::try_from(after.0).unwrap_or(i64::MAX);
    if after < model.floor {
        return Ok(None);
    }
    log::after(connection, model.row, after, i64::try_from(limit).unwrap_or(i64::MAX)).map(Some)
}

/// The epochs of a model, oldest first, each with the head at which it began.
pub(super) fn epochs(
    connection: &Connection,
    current: Epoch,
    model: &ModelName,
) -> rusqlite::Result<Vec<(Epoch, Revision)>> {
    let mut statement = connection.prepare_cached(
        "SELECT o.epoch, e.first FROM openings o JOIN epochs e ON e.opening = o.number \
         JOIN models m ON m.id = e.model WHERE m.name = ?1 ORDER BY o.number",
    )?;
    let epochs = statement.query_map([model.as_str()], |row| {
        let epoch = NonZeroU64::new(row.get::<_, i64>(0)?.cast_unsigned());
        let epoch = epoch.ok_or_else(|| super::failure::damaged(0, "no epoch is 0"))?;
        Ok((Epoch(epoch), Revision(row.get::<_, i64>(1)?.cast_unsigned())))
    })?;
    let epochs = epochs.collect::<rusqlite::Result<Vec<_>>>()?;
    // A model that has never had a record stands at 0 in the present.
    Ok(if epochs.is_empty() { vec![(current, Revision(0))] } else { epochs })
}
