//! Bringing the write-ahead log home into the database, between commits and never within one.

use super::schema::BUSY;
use rusqlite::Connection;
use std::time::Duration;
use tracing::warn;

/// Pages in the WAL after which they are brought home: 32 MiB. Pages that change often go home once in this time.
const EVERY: i64 = 4096;
/// Pages at which the WAL is emptied, waiting for readers: 64 MiB.
const AT_MOST: i64 = 8192;
/// Pages after which that is tried again: 8 MiB.
const AGAIN: i64 = 1024;
/// How long emptying waits for readers while writers wait for it.
const PATIENCE: Duration = Duration::from_millis(250);

/// What is known of one WAL.
#[derive(Debug, Default)]
pub(super) struct Checkpoints {
    /// Something is in the WAL only.
    pending: bool,
    /// The WAL's length at the last attempt.
    tried: i64,
    /// The last attempt failed, and it was said.
    failing: bool,
}

/// Pages in the WAL, and how many of them are in the database too.
struct Wal {
    pages: i64,
    home: i64,
}

impl Checkpoints {
    /// Whether an idle moment should be used.
    pub(super) fn are_pending(&self) -> bool {
        self.pending
    }

    /// Something was committed.
    pub(super) fn after_commit(&mut self, connection: &Connection) {
        self.pending = true;
        let Some(wal) = self.run(connection, "NOOP") else { return };
        if wal.pages < self.tried {
            self.tried = 0;
        }
        // A reader may have held the last attempt up: the next is worth it when there is more.
        if wal.pages >= AT_MOST {
            if self.tried < AT_MOST || wal.pages - self.tried >= AGAIN {
                self.truncate(connection, PATIENCE);
                self.tried = wal.pages;
            }
        } else if wal.pages - wal.home.max(self.tried) >= EVERY {
            self.run(connection, "PASSIVE");
            self.tried = wal.pages;
        }
    }

    /// Nobody wants anything.
    pub(super) fn when_idle(&mut self, connection: &Connection) {
        self.pending = false;
        self.run(connection, "PASSIVE");
    }

    /// Nothing more will come.
    pub(super) fn at_the_end(&mut self, connection: &Connection) {
        self.truncate(connection, BUSY);
    }

    fn truncate(&mut self, connection: &Connection, patience: Duration) {
        let _ = connection.busy_timeout(patience);
        self.run(connection, "TRUNCATE");
        let _ = connection.busy_timeout(BUSY);
    }

    /// Nothing is lost where it fails: the WAL grows until a later one succeeds.
    fn run(&mut self, connection: &Connection, mode: &str) -> Option<Wal> {
        let wal = connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| {
            Ok(Wal { pages: row.get(1)?, home: row.get(2)? })
        });
        match wal {
            Ok(wal) => {
                // To look is not to try.
                self.failing &= mode == "NOOP";
                Some(wal)
            }
            Err(error) => {
                if !std::mem::replace(&mut self.failing, true) {
                    warn!(%error, mode, "the write-ahead log cannot be brought home and grows; it is tried again");
                }
                None
            }
        }
    }
}
