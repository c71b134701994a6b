//! A model's part in a transaction: its operations applied, numbered and logged.

use super::{
    failure::damaged,
    log::{self, Retention},
    models::Model,
};
use crate::store::{Bounds, Change, ChangeKind, Commit, Committed, Operation};
use backsync_protocol::{Attributes, Epoch, ModelName, Position, Record, RecordId, Revision};
use rusqlite::{Connection, OptionalExtension, Row, params};

/// What all steps of a transaction share.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    /// The epoch of this opening.
    pub(super) epoch: Epoch,
    /// The number of this opening.
    pub(super) opening: i64,
    /// What is kept of the log.
    pub(super) retention: Retention,
    /// When it happens.
    pub(super) at: i64,
}

/// One model within a transaction.
pub(super) struct Step<'a> {
    pub(super) connection: &'a Connection,
    pub(super) terms: Terms,
    pub(super) name: &'a ModelName,
    pub(super) model: Model,
    /// Bytes of records written so far.
    pub(super) written: usize,
}

struct Stored {
    place: i64,
    record: Record,
}

impl Step<'_> {
    /// Apply one commit.
    pub(super) fn apply(&mut self, commit: &Commit, bounds: Bounds) -> rusqlite::Result<Committed> {
        let mut records = Vec::with_capacity(commit.operations.len());
        let mut changes = Vec::with_capacity(commit.operations.len());
        for operation in &commit.operations {
            match operation {
                Operation::Upsert { id, attributes, replace } => {
                    let (record, changed) = self.upsert(id, attributes, *replace)?;
                    if changed {
                        changes.push(Change {
                            revision: record.revision,
                            kind: ChangeKind::Upsert,
                            record: record.clone(),
                        });
                    }
                    records.push(Some(record));
                }
                Operation::Delete { id } => {
                    changes.extend(self.delete(id)?);
                    records.push(None);
                }
            }
        }
        if let Some(max) = bounds.max_records {
            while self.model.records > i64::from(max.get()) {
                changes.push(self.evict()?);
            }
        }
        let position = Position { epoch: self.terms.epoch, revision: self.model.revision() };
        Ok(Committed { records, changes, position })
    }

    fn upsert(&mut self, id: &RecordId, given: &Attributes, replace: bool) -> rusqlite::Result<(Record, bool)> {
        let row = self.model.created(self.connection, self.name, self.terms.opening)?;
        let revision = self.model.revision().next();
        let number = self.model.head + 1;
        let record = match self.find(row, id)? {
            None => {
                let record = Record::new(id.clone(), given, revision);
                self.connection
                    .prepare_cached(
                        "INSERT INTO records (model, inserted, revision, id, json) VALUES (?1, ?2, ?2, ?3, ?4)",
                    )?
                    .execute(params![row, number, id.as_str(), &*record.json])?;
                self.model.records += 1;
                record
            }
            Some(Stored { place, record }) => match over(given, &record, replace)? {
                None => return Ok((record, false)),
                Some(attributes) => {
                    let record = Record::new(id.clone(), &attributes, revision);
                    self.connection
                        .prepare_cached("UPDATE records SET revision = ?2, json = ?3 WHERE rowid = ?1")?
                        .execute(params![place, number, &*record.json])?;
                    record
                }
            },
        };
        self.log(row, ChangeKind::Upsert, &record)?;
        Ok((record, true))
    }

    fn find(&self, row: i64, id: &RecordId) -> rusqlite::Result<Option<Stored>> {
        self.connection
            .prepare_cached("SELECT revision, json, rowid FROM records WHERE model = ?1 AND id = ?2")?
            .query_row(params![row, id.as_str()], |row| {
                Ok(Stored { place: row.get(2)?, record: record(row, id.clone())? })
            })
            .optional()
    }

    fn delete(&mut self, id: &RecordId) -> rusqlite::Result<Option<Change>> {
        let Some(row) = self.model.row else { return Ok(None) };
        let deleted = self
            .connection
            .prepare_cached("DELETE FROM records WHERE model = ?1 AND id = ?2 RETURNING revision, json")?
            .query_row(params![row, id.as_str()], |row| record(row, id.clone()))
            .optional()?;
        deleted.map(|record| self.removed(row, ChangeKind::Delete, record)).transpose()
    }

    fn evict(&mut self) -> rusqlite::Result<Change> {
        let row = self.model.row.ok_or_else(|| damaged(0, "a model without a row has records"))?;
        let evicted = self
            .connection
            .prepare_cached(
                "DELETE FROM records WHERE rowid = (SELECT rowid FROM records WHERE model = ?1 ORDER BY inserted LIMIT 1) \
                 RETURNING revision, json, id",
            )?
            .query_row([row], |row| record(row, stored_id(row, 2)?))
            .optional()?
            .ok_or_else(|| damaged(0, "a model has fewer records than were counted"))?;
        self.removed(row, ChangeKind::Evict, evicted)
    }

    fn removed(&mut self, row: i64, kind: ChangeKind, record: Record) -> rusqlite::Result<Change> {
        self.model.records -= 1;
        let revision = self.log(row, kind, &record)?;
        Ok(Change { revision, kind, record })
    }

    /// Number a change.
    fn log(&mut self, row: i64, kind: ChangeKind, record: &Record) -> rusqlite::Result<Revision> {
        self.terms.retention.pay(self.connection, &mut self.model)?;
        self.model.head += 1;
        let revision = self.model.revision();
        log::append(self.connection, row, revision, kind, self.terms.at, record)?;
        self.written += 2 * record.json.len();
        self.terms.retention.trim(self.connection, &mut self.model)?;
        Ok(revision)
    }
}

/// A row that begins with revision and JSON.
fn record(row: &Row<'_>, id: RecordId) -> rusqlite::Result<Record> {
    let revision = Revision(row.get::<_, i64>(0)?.cast_unsigned());
    Ok(Record { id, revision, json: row.get_ref(1)?.as_str()?.into() })
}

/// An id as it was stored.
pub(super) fn stored_id(row: &Row<'_>, column: usize) -> rusqlite::Result<RecordId> {
    RecordId::parse(row.get_ref(column)?.as_str()?).map_err(|error| damaged(column, error))
}

/// What a stored record's attributes become; `None` where nothing changes. A damaged record is an error here, no panic:
/// it comes from a disk.
fn over(given: &Attributes, stored: &Record, replace: bool) -> rusqlite::Result<Option<Attributes>> {
    given.over(stored, replace).map_err(|cause| damaged(1, cause))
}
