//! What is asked, each question within one read transaction.

use super::{
    epoch::{self, Opening},
    failure::damaged,
    log,
    models::Model,
    records::{self, record},
    since,
};
use crate::store::{Owned, Owner, Page, Read, Selection, Snapshot};
use backsync_protocol::{Epoch, Filter, ModelName, Position, Record, RecordId, Revision};
use rusqlite::{Connection, Row, params};

/// Where a model stands.
pub(super) fn position(connection: &Connection, opening: Opening, name: &ModelName) -> rusqlite::Result<Position> {
    let model = Model::find(connection, name)?;
    Ok(opening.position(name, model.map_or(Revision(0), |(_, model)| model.revision())))
}

/// The epochs of a model.
pub(super) fn epochs(connection: &Connection, name: &ModelName) -> rusqlite::Result<Vec<(Epoch, Revision)>> {
    let model = Model::find(connection, name)?;
    epoch::chain(connection, name, model.map(|(row, _)| row))
}

/// Entries of a model's log, where a position is of its history and the log reaches back so far.
pub(super) fn changes(
    connection: &Connection,
    opening: Opening,
    name: &ModelName,
    after: Position,
    limit: usize,
) -> rusqlite::Result<Option<Page>> {
    let found = Model::find(connection, name)?;
    let position = opening.position(name, found.map_or(Revision(0), |(_, model)| model.revision()));
    if !epoch::leads_to(connection, name, found.map(|(row, _)| row), position, after)? {
        return Ok(None);
    }
    let Some((row, model)) = found else { return Ok(Some(Page { changes: Vec::new(), position })) };
    let after = after.revision.0.cast_signed();
    if after < model.floor {
        return Ok(None);
    }
    Ok(Some(Page { changes: log::after(connection, row, after, number(limit))?, position }))
}

/// All records that belong to a session.
pub(super) fn owned(connection: &Connection) -> rusqlite::Result<Vec<Owned>> {
    let mut statement = connection.prepare_cached(
        "SELECT m.name, r.id, r.owner FROM records r INDEXED BY records_by_owner JOIN models m ON m.id = r.model \
         WHERE r.owner IS NOT NULL",
    )?;
    let owned = statement.query_map([], |row| {
        let model = ModelName::parse(row.get_ref(0)?.as_str()?).map_err(|error| damaged(0, error))?;
        Ok(Owned { model, id: stored_id(row, 1)?, owner: Owner::restore(row.get_ref(2)?.as_str()?) })
    })?;
    owned.collect()
}

/// An id as it was stored.
pub(super) fn stored_id(row: &Row<'_>, column: usize) -> rusqlite::Result<RecordId> {
    RecordId::parse(row.get_ref(column)?.as_str()?).map_err(|error| damaged(column, error))
}

/// Records of a model, or what became of them.
pub(super) fn snapshot(
    connection: &Connection,
    opening: Opening,
    name: &ModelName,
    read: &Read,
) -> rusqlite::Result<Snapshot> {
    let found = Model::find(connection, name)?;
    let position = opening.position(name, found.map_or(Revision(0), |(_, model)| model.revision()));
    let mut reset = false;
    if let Some(since) = read.since {
        if epoch::leads_to(connection, name, found.map(|(row, _)| row), position, since)? {
            let Some((row, model)) = found else {
                return Ok(Snapshot { records: Vec::new(), deleted: Vec::new(), reset, position });
            };
            let since = since.revision.0.cast_signed();
            if since >= model.floor.min(model.graves_floor) {
                let (records, deleted) = since::changed(connection, row, &model, since, read)?;
                return Ok(Snapshot { records, deleted, reset, position });
            }
        }
        reset = true;
    }
    let records = found.map_or(Ok(Vec::new()), |(row, model)| select(connection, row, &model, read))?;
    Ok(Snapshot { records, deleted: Vec::new(), reset, position })
}

/// What is answered of the records that are met one after the other.
struct Picked<'a> {
    filter: Option<&'a Filter>,
    skip: usize,
    limit: usize,
    records: Vec<Record>,
}

impl Picked<'_> {
    fn is_full(&self) -> bool {
        self.records.len() >= self.limit
    }

    fn offer(&mut self, record: Record) {
        if self.filter.is_none_or(|filter| filter.matches(record.json())) {
            match self.skip.checked_sub(1) {
                Some(skip) => self.skip = skip,
                None => self.records.push(record),
            }
        }
    }
}

fn select(connection: &Connection, row: i64, model: &Model, read: &Read) -> rusqlite::Result<Vec<Record>> {
    let Read { selection, filter, sort, skip, limit, .. } = read;
    let limit = limit.unwrap_or(usize::MAX);
    // Sorting needs all that match, whatever is left out afterwards.
    let bounds = if sort.is_some() { (0, usize::MAX) } else { (*skip, limit) };
    let mut picked = Picked { filter: filter.as_ref(), skip: bounds.0, limit: bounds.1, records: Vec::new() };
    match selection {
        Selection::All => all(connection, row, model, &mut picked)?,
        Selection::Ids(ids) => {
            for id in ids {
                if picked.is_full() {
                    break;
                }
                if let Some(stored) = records::find(connection, row, id.as_str())? {
                    picked.offer(stored.record);
                }
            }
        }
    }
    let mut records = picked.records;
    if let Some(sort) = sort {
        sort.apply(&mut records, Record::json);
        records = records.into_iter().skip(*skip).take(limit).collect();
    }
    Ok(records)
}

fn all(connection: &Connection, row: i64, model: &Model, picked: &mut Picked<'_>) -> rusqlite::Result<()> {
    let mut offset = 0;
    if picked.filter.is_none() {
        // SQLite passes over what is skipped by the index alone.
        offset = std::mem::take(&mut picked.skip);
        // What the disk says is a hint only: it may be damaged.
        let expected = usize::try_from(model.records).unwrap_or_default().saturating_sub(offset);
        picked.records.reserve(expected.min(picked.limit).min(1 << 20));
    }
    let mut statement = connection.prepare_cached(
        "SELECT revision, json, id FROM records INDEXED BY records_by_age WHERE model = ?1 ORDER BY inserted \
         LIMIT -1 OFFSET ?2",
    )?;
    let mut rows = statement.query(params![row, number(offset)])?;
    while !picked.is_full()
        && let Some(row) = rows.next()?
    {
        picked.offer(record(row)?);
    }
    Ok(())
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
