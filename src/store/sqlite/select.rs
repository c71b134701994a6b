//! What is asked, each question within one read transaction.

use super::{
    epoch::{self, Opening},
    failure::damaged,
    log,
    models::Model,
    records::{self, record},
    since,
};
use crate::store::{Owned, Owner, Page, Read, Selection, Snapshot, shape};
use backsync_protocol::{Cursor, Epoch, Filter, ModelName, Position, Record, RecordId, Revision};
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
                return Ok(Snapshot { records: Vec::new(), deleted: Vec::new(), reset, next: None, position });
            };
            let since = since.revision.0.cast_signed();
            if since >= model.floor.min(model.graves_floor) {
                let (records, deleted) = since::changed(connection, row, &model, since, read)?;
                return Ok(Snapshot { records, deleted, reset, next: None, position });
            }
        }
        reset = true;
    }
    let (records, next) = found.map_or(Ok(Default::default()), |(row, model)| select(connection, row, &model, read))?;
    Ok(Snapshot { records, deleted: Vec::new(), reset, next, position })
}

/// The records that match, of those that are met one after the other.
struct Picked<'a> {
    filter: Option<&'a Filter>,
    enough: usize,
    records: Vec<shape::Placed>,
}

impl Picked<'_> {
    fn is_full(&self) -> bool {
        self.records.len() >= self.enough
    }

    fn offer(&mut self, inserted: i64, record: Record) {
        if self.filter.is_none_or(|filter| filter.matches(record.json())) {
            self.records.push((Revision(inserted.cast_unsigned()), record));
        }
    }
}

fn select(
    connection: &Connection,
    row: i64,
    model: &Model,
    read: &Read,
) -> rusqlite::Result<(Vec<Record>, Option<Cursor>)> {
    let mut picked = Picked { filter: read.filter.as_ref(), enough: shape::enough(read), records: Vec::new() };
    match &read.selection {
        Selection::All if read.filter.is_none() && read.sort.is_none() => {
            // SQLite passes over what is skipped by the index alone.
            let rest = Read { skip: 0, ..read.clone() };
            picked.enough = shape::enough(&rest);
            all(connection, row, model, read, read.skip, &mut picked)?;
            return Ok(shape::shape(picked.records, &rest));
        }
        Selection::All => all(connection, row, model, read, 0, &mut picked)?,
        Selection::Ids(ids) => {
            for id in ids {
                if picked.is_full() {
                    break;
                }
                if let Some(stored) = records::find(connection, row, id.as_str())? {
                    picked.offer(stored.inserted, stored.record);
                }
            }
        }
    }
    Ok(shape::shape(picked.records, read))
}

fn all(
    connection: &Connection,
    row: i64,
    model: &Model,
    read: &Read,
    offset: usize,
    picked: &mut Picked<'_>,
) -> rusqlite::Result<()> {
    if picked.filter.is_none() {
        // What the disk says is a hint only: it may be damaged.
        let expected = usize::try_from(model.records).unwrap_or_default().saturating_sub(offset);
        picked.records.reserve(expected.min(picked.enough).min(1 << 20));
    }
    // In the order of insertion, what is before the place need not be looked at.
    let after = read.after.as_ref().filter(|_| read.sort.is_none()).map_or(0, |after| after.inserted.0.cast_signed());
    let mut statement = connection.prepare_cached(
        "SELECT revision, json, id, inserted FROM records INDEXED BY records_by_age WHERE model = ?1 AND inserted > ?2 \
         ORDER BY inserted LIMIT -1 OFFSET ?3",
    )?;
    let mut rows = statement.query(params![row, after, number(offset)])?;
    while !picked.is_full()
        && let Some(row) = rows.next()?
    {
        picked.offer(row.get(3)?, record(row)?);
    }
    Ok(())
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
