//! The tables, and how a connection to them is set up.
//!
//! Records and log are tables with a hidden row number and indexes beside: rows of more than a kilobyte do not spill, and
//! records with random ids make only the small index random. Pages are of 8 KiB, on which such rows waste least.

use super::{
    directory::{other_version, unreachable},
    epoch::Opening,
};
use crate::store::OpenError;
use backsync_protocol::Epoch;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior, params};
use std::{
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Marks a database as one of ours: "bsyn".
pub(super) const APPLICATION: i32 = 0x6273_796e;
/// The format of the tables.
pub(super) const FORMAT: i32 = 2;
/// Bytes of a page.
pub(super) const PAGE: u64 = 8192;

/// Somebody with a tool of their own may hold the database this long.
pub(super) const BUSY: Duration = Duration::from_secs(5);
/// To this size a reused WAL is cut.
const WAL_KEPT: u64 = 64 << 20;
/// Openings whose epochs are remembered.
const OPENINGS: i64 = 64;

const TABLES: &str = "
CREATE TABLE models (
    id               INTEGER PRIMARY KEY,
    name             TEXT NOT NULL UNIQUE,
    head             INTEGER NOT NULL, -- the revision of the last change
    floor            INTEGER NOT NULL, -- the log has what came after it
    records          INTEGER NOT NULL, -- how many there are
    tombstones       INTEGER NOT NULL, -- how many there are
    tombstones_floor INTEGER NOT NULL  -- deletions after it all have one
) STRICT;
CREATE TABLE records (
    model       INTEGER NOT NULL,
    inserted    INTEGER NOT NULL, -- the revision of the insertion
    inserted_at INTEGER NOT NULL, -- milliseconds since 1970
    revision    INTEGER NOT NULL,
    id          TEXT NOT NULL,
    owner       TEXT,             -- the session that it goes with, and its node, as `Owner` writes them
    json        TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX records_by_id ON records (model, id);
CREATE UNIQUE INDEX records_by_age ON records (model, inserted);
CREATE UNIQUE INDEX records_by_revision ON records (model, revision);
CREATE INDEX records_by_owner ON records (model, owner) WHERE owner IS NOT NULL;
CREATE TABLE log (
    model    INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    kind     INTEGER NOT NULL, -- 0 insert, 1 update, 2 delete, 3 evict
    at       INTEGER NOT NULL, -- milliseconds since 1970
    record   INTEGER,          -- the record's own revision, where it is another
    id       TEXT NOT NULL,
    json     TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX log_by_revision ON log (model, revision);
CREATE TABLE tombstones (
    model       INTEGER NOT NULL,
    revision    INTEGER NOT NULL, -- the deletion's
    id          TEXT NOT NULL,    -- a record of it may be there again
    at          INTEGER NOT NULL, -- milliseconds since 1970
    last_change INTEGER,          -- the same by the clock of who deleted it, where that was said
    PRIMARY KEY (model, revision)
) STRICT, WITHOUT ROWID;
CREATE INDEX tombstones_by_id ON tombstones (model, id);
CREATE TABLE transactions (
    number  INTEGER PRIMARY KEY, -- rises by the records of each, so that their sum is known without adding up
    records INTEGER NOT NULL,    -- how many they are, at the least 1
    client  TEXT NOT NULL,
    id      TEXT NOT NULL,
    digest  BLOB NOT NULL,
    at      INTEGER NOT NULL,    -- milliseconds since 1970
    outcome TEXT NOT NULL        -- JSON
) STRICT;
CREATE UNIQUE INDEX transactions_by_id ON transactions (client, id);
CREATE TABLE openings (
    number INTEGER PRIMARY KEY,
    epoch  INTEGER NOT NULL, -- the bits of a number without sign; each model has its own, made from this one
    at     INTEGER NOT NULL  -- milliseconds since 1970
) STRICT;
CREATE TABLE epochs (
    opening INTEGER NOT NULL,
    model   INTEGER NOT NULL,
    first   INTEGER NOT NULL, -- the head at which it began; without an entry, 0
    PRIMARY KEY (opening, model)
) STRICT, WITHOUT ROWID;
";

/// Fill an empty file with empty tables.
pub(super) fn create(path: &Path) -> rusqlite::Result<()> {
    let connection = connect(path)?;
    connection.execute_batch(&format!(
        "PRAGMA page_size = {PAGE}; PRAGMA journal_mode = OFF; BEGIN; \
         PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {FORMAT}; {TABLES} COMMIT"
    ))?;
    connection.close().map_err(|(_, error)| error)
}

/// A connection that writes.
pub(super) fn connect_writer(path: &Path) -> Result<Connection, OpenError> {
    let failed = |error| unreachable(path, error);
    let connection = connect(path).map_err(failed)?;
    // Once more, as SQLite sees it: the file's head alone does not tell what is still in the WAL.
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0)).map_err(failed);
    if number("application_id")? != APPLICATION {
        return Err(OpenError::NotOurs { path: path.to_owned() });
    }
    match number("user_version")? {
        FORMAT => {}
        found => return Err(other_version(path, found)),
    }
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0)).map_err(failed)?;
    if mode != "wal" {
        return Err(unreachable(path, format!("the file system cannot hold a write-ahead log (journal mode {mode})")));
    }
    // Checkpoints are made between groups, not within a commit.
    connection
        .execute_batch(&format!(
            "PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON; \
             PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = {WAL_KEPT}; PRAGMA cache_size = -32768"
        ))
        .map_err(failed)?;
    Ok(connection)
}

/// A connection that only reads.
pub(super) fn connect_reader(path: &Path) -> rusqlite::Result<Connection> {
    let connection = connect(path)?;
    connection.execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -8192")?;
    Ok(connection)
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.execute_batch(
        "PRAGMA foreign_keys = OFF; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY",
    )?;
    Ok(connection)
}

/// Begin an epoch for every model, and forget the oldest.
pub(super) fn begin_epoch(connection: &Connection, epoch: Epoch) -> rusqlite::Result<Opening> {
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    transaction
        .execute("INSERT INTO openings (epoch, at) VALUES (?1, ?2)", params![epoch.0.get().cast_signed(), now_ms()])?;
    let number = transaction.last_insert_rowid();
    transaction.execute("DELETE FROM openings WHERE number <= ?1", [number - OPENINGS])?;
    transaction.execute("DELETE FROM epochs WHERE opening <= ?1", [number - OPENINGS])?;
    transaction.execute("INSERT INTO epochs (opening, model, first) SELECT ?1, id, head FROM models", [number])?;
    transaction.commit()?;
    Ok(Opening(epoch))
}

/// The wall clock in milliseconds since 1970.
fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
