//! The log of changes: written, kept short, and read.

use super::{failure::damaged, models::Model, step::stored_id};
use crate::store::{Change, ChangeKind};
use backsync_protocol::{Record, Revision};
use rusqlite::{Connection, params};

/// What is kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Retention {
    /// At least as many.
    entries: i64,
    /// So many more may gather, so that it is not trimmed each time.
    slack: i64,
    /// What has to go for an entry that comes.
    price: i64,
}

impl Retention {
    /// At least this many entries of each model.
    pub(super) fn new(entries: usize) -> Self {
        // Far below the largest number, so that a tenth more is one too.
        let entries = i64::try_from(entries).unwrap_or(i64::MAX).min(i64::MAX / 2);
        Self { entries, slack: entries / 10, price: 0 }
    }

    /// Where there is hardly any room.
    #[must_use]
    pub(super) fn tight(self) -> Self {
        Self { slack: 0, ..self }
    }

    /// For what shall make room: an entry takes the place of the two oldest.
    #[must_use]
    pub(super) fn freeing(self) -> Self {
        Self { price: 2, ..self }
    }

    /// Before an entry is written.
    pub(super) fn pay(self, connection: &Connection, model: &mut Model) -> rusqlite::Result<()> {
        let floor = model.head.min(model.floor + self.price);
        raise_floor(connection, model, floor)
    }

    /// After an entry was written.
    pub(super) fn trim(self, connection: &Connection, model: &mut Model) -> rusqlite::Result<()> {
        if model.head - model.floor <= self.entries + self.slack {
            return Ok(());
        }
        let floor = model.head - self.entries;
        raise_floor(connection, model, floor)
    }

    /// Bring every log down to the entries asked for, when there is no room. It is a transaction of its own.
    pub(super) fn give_up_slack(self, connection: &Connection) -> rusqlite::Result<()> {
        let transaction = connection.unchecked_transaction()?;
        transaction.execute(
            "DELETE FROM log WHERE rowid IN (SELECT l.rowid FROM models m JOIN log l ON l.model = m.id \
             WHERE m.head - m.floor > ?1 AND l.revision <= m.head - ?1)",
            [self.entries],
        )?;
        transaction.execute("UPDATE models SET floor = head - ?1 WHERE head - floor > ?1", [self.entries])?;
        transaction.commit()
    }
}

fn raise_floor(connection: &Connection, model: &mut Model, floor: i64) -> rusqlite::Result<()> {
    if floor > model.floor {
        connection
            .prepare_cached("DELETE FROM log WHERE model = ?1 AND revision <= ?2")?
            .execute(params![model.row, floor])?;
        model.floor = floor;
    }
    Ok(())
}

/// Write an entry.
pub(super) fn append(
    connection: &Connection,
    row: i64,
    revision: Revision,
    kind: ChangeKind,
    at: i64,
    record: &Record,
) -> rusqlite::Result<()> {
    let own = (record.revision != revision).then(|| record.revision.0.cast_signed());
    connection
        .prepare_cached(
            "INSERT INTO log (model, revision, kind, at, record, id, json) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![row, revision.0.cast_signed(), number(kind), at, own, record.id.as_str(), &*record.json])?;
    Ok(())
}

/// The entries after a revision that is not below the floor.
pub(super) fn after(connection: &Connection, row: i64, after: i64, limit: i64) -> rusqlite::Result<Vec<Change>> {
    let mut statement = connection.prepare_cached(
        "SELECT revision, kind, record, id, json FROM log WHERE model = ?1 AND revision > ?2 ORDER BY revision LIMIT ?3",
    )?;
    let changes = statement.query_map([row, after, limit], |row| {
        let revision = row.get::<_, i64>(0)?;
        let own = row.get::<_, Option<i64>>(2)?.unwrap_or(revision);
        let record = Record {
            id: stored_id(row, 3)?,
            revision: Revision(own.cast_unsigned()),
            json: row.get_ref(4)?.as_str()?.into(),
        };
        Ok(Change { revision: Revision(revision.cast_unsigned()), kind: kind(row.get(1)?)?, record })
    })?;
    changes.collect()
}

fn number(kind: ChangeKind) -> i64 {
    match kind {
        ChangeKind::Upsert => 0,
        ChangeKind::Delete => 1,
        ChangeKind::Evict => 2,
    }
}

fn kind(number: i64) -> rusqlite::Result<ChangeKind> {
    match number {
        0 => Ok(ChangeKind::Upsert),
        1 => Ok(ChangeKind::Delete),
        2 => Ok(ChangeKind::Evict),
        _ => Err(damaged(1, format!("no kind of change has the number {number}"))),
    }
}
