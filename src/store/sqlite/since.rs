//! What became of a model's records after a revision: their last states and what is gone, not how it came to it.

use super::{
    models::Model,
    records::{self, record},
    select::stored_id,
};
use crate::store::{Read, Selection};
use backsync_protocol::{Record, RecordId};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::HashSet;

/// The records of the selection that were inserted or changed since and match, in the order of their insertion, and the ids of
/// those that were deleted since, or changed and do not match. The log or the tombstones have to reach back so far.
pub(super) fn changed(
    connection: &Connection,
    row: i64,
    model: &Model,
    since: i64,
    read: &Read,
) -> rusqlite::Result<(Vec<Record>, Vec<RecordId>)> {
    let (mut present, mut deleted) = match &read.selection {
        Selection::All => (all_changed(connection, row, since)?, all_deleted(connection, row, model, since)?),
        Selection::Ids(ids) => of_ids(connection, row, model, since, ids)?,
    };
    present.sort_unstable_by_key(|(inserted, _)| *inserted);
    let mut records = Vec::with_capacity(present.len());
    for (_, record) in present {
        if read.filter.as_ref().is_none_or(|filter| filter.matches(record.json())) {
            records.push(record);
        } else {
            deleted.push(RecordId::parse(record.id()).expect("the id of a record is one"));
        }
    }
    Ok((records, deleted))
}

/// Records, each with what orders it.
type Present = Vec<(i64, Record)>;

fn all_changed(connection: &Connection, row: i64, since: i64) -> rusqlite::Result<Present> {
    connection
        .prepare_cached(
            "SELECT revision, json, id, inserted FROM records INDEXED BY records_by_revision \
             WHERE model = ?1 AND revision > ?2",
        )?
        .query_map([row, since], |row| Ok((row.get(3)?, record(row)?)))?
        .collect()
}

/// What was deleted and is not there again, each once.
fn all_deleted(connection: &Connection, row: i64, model: &Model, since: i64) -> rusqlite::Result<Vec<RecordId>> {
    let mut statement = connection.prepare_cached(if since >= model.graves_floor {
        "SELECT id FROM tombstones t WHERE model = ?1 AND revision > ?2 \
         AND NOT EXISTS (SELECT 1 FROM records r WHERE r.model = ?1 AND r.id = t.id) ORDER BY revision"
    } else {
        "SELECT id FROM log l WHERE model = ?1 AND revision > ?2 AND kind >= 2 \
         AND NOT EXISTS (SELECT 1 FROM records r WHERE r.model = ?1 AND r.id = l.id) ORDER BY revision"
    })?;
    let (mut seen, mut deleted) = (HashSet::new(), Vec::new());
    for id in statement.query_map([row, since], |row| stored_id(row, 0))? {
        let id = id?;
        if seen.insert(id.clone()) {
            deleted.push(id);
        }
    }
    Ok(deleted)
}

/// Few ids are asked for, of many that changed: each is looked at on its own.
fn of_ids(
    connection: &Connection,
    row: i64,
    model: &Model,
    since: i64,
    ids: &[RecordId],
) -> rusqlite::Result<(Present, Vec<RecordId>)> {
    let (mut seen, mut present, mut missing) = (HashSet::new(), Vec::new(), Vec::new());
    for id in ids.iter().filter(|id| seen.insert(id.as_str())) {
        match records::find(connection, row, id.as_str())? {
            None => missing.push(id.clone()),
            Some(stored) if stored.record.revision().0.cast_signed() > since => {
                present.push((stored.inserted, stored.record));
            }
            Some(_) => {}
        }
    }
    Ok((present, deleted_of(connection, row, model, since, missing)?))
}

/// Those of the ids, of which there are no records, that were deleted since.
fn deleted_of(
    connection: &Connection,
    row: i64,
    model: &Model,
    since: i64,
    mut missing: Vec<RecordId>,
) -> rusqlite::Result<Vec<RecordId>> {
    if missing.is_empty() {
        return Ok(missing);
    }
    if since < model.graves_floor {
        // The log is not found by id.
        let deleted: HashSet<_> = all_deleted(connection, row, model, since)?.into_iter().collect();
        missing.retain(|id| deleted.contains(id));
        return Ok(missing);
    }
    let mut statement =
        connection.prepare_cached("SELECT 1 FROM tombstones WHERE model = ?1 AND id = ?2 AND revision > ?3 LIMIT 1")?;
    let mut deleted = Vec::new();
    for id in missing {
        if statement.query_row(params![row, id.as_str(), since], |_| Ok(())).optional()?.is_some() {
            deleted.push(id);
        }
    }
    Ok(deleted)
}
