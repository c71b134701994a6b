//! The records, as rows.

use super::failure::damaged;
use crate::store::{Millis, Owner};
use backsync_protocol::{Record, Revision};
use rusqlite::{Connection, OptionalExtension, Row, params};

/// A record, and what is known of it beside.
#[derive(Debug)]
pub(super) struct Stored {
    place: i64,
    pub(super) record: Record,
    pub(super) owner: Option<Owner>,
    /// The revision of its insertion: what orders the records.
    pub(super) inserted: i64,
}

/// Read the record of a row that begins with revision, JSON and id.
pub(super) fn record(row: &Row<'_>) -> rusqlite::Result<Record> {
    let revision = Revision(row.get::<_, i64>(0)?.cast_unsigned());
    Record::restore(row.get_ref(2)?.as_str()?, row.get_ref(1)?.as_str()?, revision)
        .ok_or_else(|| damaged(1, "a record's text is not that of its id"))
}

pub(super) fn find(connection: &Connection, model: i64, id: &str) -> rusqlite::Result<Option<Stored>> {
    connection
        .prepare_cached("SELECT revision, json, id, rowid, owner, inserted FROM records WHERE model = ?1 AND id = ?2")?
        .query_row(params![model, id], |row| {
            let owner = row.get_ref(4)?.as_str_or_null()?.map(Owner::restore);
            Ok(Stored { place: row.get(3)?, record: record(row)?, owner, inserted: row.get(5)? })
        })
        .optional()
}

pub(super) fn insert(
    connection: &Connection,
    model: i64,
    record: &Record,
    owner: Option<&Owner>,
    now: i64,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO records (model, inserted, inserted_at, revision, id, owner, json) \
             VALUES (?1, ?2, ?3, ?2, ?4, ?5, ?6)",
        )?
        .execute(params![
            model,
            record.revision().0.cast_signed(),
            now,
            record.id(),
            owner.map(Owner::to_string),
            record.json()
        ])?;
    Ok(())
}

/// Put another state in the place of a record's.
pub(super) fn update(
    connection: &Connection,
    stored: &Stored,
    record: &Record,
    owner: Option<&Owner>,
) -> rusqlite::Result<()> {
    connection.prepare_cached("UPDATE records SET revision = ?2, json = ?3 WHERE rowid = ?1")?.execute(params![
        stored.place,
        record.revision().0.cast_signed(),
        record.json()
    ])?;
    // Apart, because it is seldom and would make every update look at one more index.
    claim(connection, stored, owner)
}

/// A record belongs to whom it is written for, if that was said.
pub(super) fn claim(connection: &Connection, stored: &Stored, owner: Option<&Owner>) -> rusqlite::Result<()> {
    if let Some(owner) = owner.filter(|owner| Some(*owner) != stored.owner.as_ref()) {
        connection
            .prepare_cached("UPDATE records SET owner = ?2 WHERE rowid = ?1")?
            .execute(params![stored.place, owner.to_string()])?;
    }
    Ok(())
}

pub(super) fn delete(connection: &Connection, stored: &Stored) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM records WHERE rowid = ?1")?.execute([stored.place])?;
    Ok(())
}

/// Remove the record that was inserted first, unless that was after this time.
pub(super) fn take_oldest(connection: &Connection, model: i64, until: i64) -> rusqlite::Result<Option<Record>> {
    connection
        .prepare_cached(
            "DELETE FROM records WHERE rowid = (SELECT rowid FROM records WHERE model = ?1 ORDER BY inserted LIMIT 1) \
             AND inserted_at <= ?2 RETURNING revision, json, id",
        )?
        .query_row([model, until], record)
        .optional()
}

/// A time as it is stored.
pub(super) fn time(millis: Millis) -> i64 {
    i64::try_from(millis).unwrap_or(i64::MAX)
}
