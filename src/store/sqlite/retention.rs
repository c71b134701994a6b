//! What is kept beside the records, and when some of it goes.
//!
//! Nothing here is done for each commit: when something has to go, a little more goes with it.

use super::{graves, models::Model};
use crate::store::{self, Millis};
use rusqlite::{Connection, params};

/// So many rows go at once, at the most: who waits for the writer shall not wait for its housekeeping.
pub(super) const AT_ONCE: i64 = 2000;

/// How many, and how old they get.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bound {
    most: i64,
    age: i64,
}

impl Bound {
    fn new(most: usize, age: Millis) -> Self {
        Self { most: i64::try_from(most).unwrap_or(i64::MAX), age: i64::try_from(age).unwrap_or(i64::MAX) }
    }

    /// Whether so many, of which the oldest is of this time, are too many or too old.
    pub(super) fn is_exceeded(self, count: i64, oldest: i64, now: i64) -> bool {
        count > 0 && (count > self.most || now.saturating_sub(oldest) > self.age)
    }

    /// What it is brought down to when it is exceeded.
    #[must_use]
    pub(super) fn below(self) -> Self {
        Self { most: self.most - (self.most / 10).min(AT_ONCE / 2), age: self.age - self.age / 10 }
    }
}

/// What is kept of each model.
#[derive(Debug, Clone, Copy)]
pub(super) struct Retention {
    /// At least so many entries of the log.
    entries: i64,
    /// So many more may gather.
    slack: i64,
    /// What has to go for an entry that comes.
    price: i64,
    graves: Bound,
    /// There is hardly any room: tombstones go where the log does not reach.
    is_tight: bool,
}

impl Retention {
    pub(super) fn new(retention: &store::Retention) -> Self {
        // Far below the largest number, so that a tenth more is one too.
        let entries = i64::try_from(retention.log_entries).unwrap_or(i64::MAX).min(i64::MAX / 2);
        let graves = Bound::new(retention.tombstones, retention.tombstone_age);
        Self { entries, slack: entries / 10, price: 0, graves, is_tight: false }
    }

    /// What is kept of transactions.
    pub(super) fn of_outcomes(retention: &store::Retention) -> Bound {
        Bound::new(retention.outcomes, retention.outcome_age)
    }

    /// Where there is hardly any room.
    #[must_use]
    pub(super) fn tight(self) -> Self {
        Self { slack: 0, is_tight: true, ..self }
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

    /// After an entry was written. The log is shortened when the whole commit is in it, unless that is more than there is
    /// room for.
    pub(super) fn trim(self, connection: &Connection, model: &mut Model) -> rusqlite::Result<()> {
        if self.is_tight { self.shorten(connection, model) } else { Ok(()) }
    }

    /// After all entries of a commit were written.
    pub(super) fn settle(self, connection: &Connection, model: &mut Model, now: i64) -> rusqlite::Result<()> {
        self.shorten(connection, model)?;
        if self.is_tight {
            graves::forget(connection, model, model.floor)?;
        }
        graves::purge(connection, model, self.graves, now)
    }

    fn shorten(self, connection: &Connection, model: &mut Model) -> rusqlite::Result<()> {
        if model.head - model.floor <= self.entries + self.slack {
            return Ok(());
        }
        let floor = model.head - self.entries;
        raise_floor(connection, model, floor)
    }

    /// Bring every log down to the entries asked for, and give up all tombstones that are older, when there is no room. It is
    /// a transaction of its own.
    pub(super) fn give_up_slack(self, connection: &Connection) -> rusqlite::Result<()> {
        let transaction = connection.unchecked_transaction()?;
        transaction.execute(
            "DELETE FROM log WHERE rowid IN (SELECT l.rowid FROM models m JOIN log l ON l.model = m.id \
             WHERE m.head - m.floor > ?1 AND l.revision <= m.head - ?1)",
            [self.entries],
        )?;
        transaction.execute("UPDATE models SET floor = head - ?1 WHERE head - floor > ?1", [self.entries])?;
        transaction.execute(
            "DELETE FROM tombstones WHERE revision <= (SELECT floor FROM models WHERE id = tombstones.model)",
            [],
        )?;
        transaction.execute(
            "UPDATE models SET tombstones = (SELECT count(*) FROM tombstones WHERE model = models.id), \
             tombstones_floor = floor WHERE tombstones_floor < floor",
            [],
        )?;
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
