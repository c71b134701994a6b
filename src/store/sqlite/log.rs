//! The log of changes: written and read.

use super::{failure::damaged, records::record};
use crate::store::{Change, ChangeKind};
use backsync_protocol::{Record, Revision};
use rusqlite::{Connection, OptionalExtension, params};

/// Write an entry.
pub(super) fn append(
    connection: &Connection,
    row: i64,
    revision: Revision,
    kind: ChangeKind,
    at: i64,
    record: &Record,
) -> rusqlite::Result<()> {
    let own = (record.revision() != revision).then(|| record.revision().0.cast_signed());
    connection
        .prepare_cached(
            "INSERT INTO log (model, revision, kind, at, record, id, json) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![row, revision.0.cast_signed(), number(kind), at, own, record.id(), record.json()])?;
    Ok(())
}

/// The entries after a revision that is not below the floor.
pub(super) fn after(connection: &Connection, row: i64, after: i64, limit: i64) -> rusqlite::Result<Vec<Change>> {
    let mut statement = connection.prepare_cached(
        "SELECT coalesce(record, revision), json, id, revision, kind FROM log \
         WHERE model = ?1 AND revision > ?2 ORDER BY revision LIMIT ?3",
    )?;
    let changes = statement.query_map([row, after, limit], |row| {
        let revision = Revision(row.get::<_, i64>(3)?.cast_unsigned());
        Ok(Change { revision, kind: kind(row.get(4)?)?, record: record(row)?, before: None })
    })?;
    changes.collect()
}

/// A record as it was at a revision, where the log still knows.
pub(super) fn written(
    connection: &Connection,
    row: i64,
    revision: Revision,
    id: &str,
) -> rusqlite::Result<Option<Record>> {
    connection
        .prepare_cached(
            "SELECT revision, json, id FROM log WHERE model = ?1 AND revision = ?2 AND id = ?3 AND kind <= ?4",
        )?
        .query_row(params![row, revision.0.cast_signed(), id, number(ChangeKind::Update)], record)
        .optional()
}

/// Kinds that leave a record come before those that do not.
fn number(kind: ChangeKind) -> i64 {
    match kind {
        ChangeKind::Insert => 0,
        ChangeKind::Update => 1,
        ChangeKind::Delete => 2,
        ChangeKind::Evict => 3,
    }
}

fn kind(number: i64) -> rusqlite::Result<ChangeKind> {
    match number {
        0 => Ok(ChangeKind::Insert),
        1 => Ok(ChangeKind::Update),
        2 => Ok(ChangeKind::Delete),
        3 => Ok(ChangeKind::Evict),
        _ => Err(damaged(4, format!("no kind of change has the number {number}"))),
    }
}
