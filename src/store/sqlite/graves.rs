//! Tombstones: what was deleted, for those who come back when the log no longer reaches as far.
//!
//! They are read in two ways: all that were made after a revision, and the newest of an id. A record of the id may be there
//! again; its tombstones stay until their time is over.

use super::{
    models::Model,
    retention::{AT_ONCE, Bound},
};
use crate::store::Millis;
use backsync_protocol::Revision;
use rusqlite::{Connection, OptionalExtension, params};

/// A record was removed.
pub(super) fn bury(
    connection: &Connection,
    model: &mut Model,
    id: &str,
    revision: Revision,
    last_change: Option<Millis>,
    now: i64,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT INTO tombstones (model, revision, id, at, last_change) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![model.row, revision.0.cast_signed(), id, now, last_change.map(u64::cast_signed)])?;
    if model.graves == 0 {
        model.oldest_grave = now;
    }
    model.graves += 1;
    Ok(())
}

/// When a record was last deleted, by the clock of who did, where that was said.
pub(super) fn last_change(connection: &Connection, model: &Model, id: &str) -> rusqlite::Result<Option<Millis>> {
    if model.graves == 0 {
        return Ok(None);
    }
    let found = connection
        .prepare_cached(
            "SELECT last_change FROM tombstones WHERE model = ?1 AND id = ?2 ORDER BY revision DESC LIMIT 1",
        )?
        .query_row(params![model.row, id], |row| row.get::<_, Option<i64>>(0))
        .optional()?;
    Ok(found.flatten().map(i64::cast_unsigned))
}

/// Let the oldest go where there are too many, or they are too old.
pub(super) fn purge(connection: &Connection, model: &mut Model, bound: Bound, now: i64) -> rusqlite::Result<()> {
    if !bound.is_exceeded(model.graves, model.oldest_grave, now) {
        return Ok(());
    }
    let (mut floor, mut left) = (model.graves_floor, model.graves);
    let mut statement =
        connection.prepare_cached("SELECT revision, at FROM tombstones WHERE model = ?1 ORDER BY revision LIMIT ?2")?;
    let mut oldest = statement.query(params![model.row, AT_ONCE])?;
    while let Some(grave) = oldest.next()? {
        if !bound.below().is_exceeded(left, grave.get(1)?, now) {
            break;
        }
        floor = grave.get(0)?;
        left -= 1;
    }
    drop(oldest);
    forget(connection, model, floor)?;
    model.oldest_grave = connection
        .prepare_cached("SELECT at FROM tombstones WHERE model = ?1 ORDER BY revision LIMIT 1")?
        .query_row([model.row], |row| row.get(0))
        .optional()?
        .unwrap_or(i64::MAX);
    Ok(())
}

/// Forget deletions up to a revision.
pub(super) fn forget(connection: &Connection, model: &mut Model, floor: i64) -> rusqlite::Result<()> {
    if floor > model.graves_floor {
        let gone = connection
            .prepare_cached("DELETE FROM tombstones WHERE model = ?1 AND revision <= ?2")?
            .execute(params![model.row, floor])?;
        model.graves -= i64::try_from(gone).expect("as many as were counted");
        model.graves_floor = floor;
    }
    Ok(())
}
