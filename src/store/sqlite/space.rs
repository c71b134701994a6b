//! How far the database may grow, and what happens when it cannot.
//!
//! A deletion is written to the log too, so it needs room before it makes any. Two things keep a full store from locking
//! itself up: a reserve of pages that only deletions may use, and, while less than that reserve is free, a deletion takes
//! the two oldest entries of its model's log with it, so that the file's use goes down and not just over to the log.

use super::schema::PAGE;
use rusqlite::Connection;

/// A smaller limit than this is taken as this: 1 MiB.
const LEAST_PAGES: u64 = 128;
/// The largest number that SQLite takes, and its own limit.
const MOST_PAGES: u64 = 4_294_967_294;

/// The room of one database.
#[derive(Debug)]
pub(super) struct Space {
    limit: Option<u64>,
    reserve: u64,
    tight: bool,
}

impl Space {
    /// Measure and limit a database; 0 bytes are no limit.
    pub(super) fn new(connection: &Connection, max_bytes: u64) -> rusqlite::Result<Self> {
        let limit = (max_bytes > 0).then(|| (max_bytes / PAGE).clamp(LEAST_PAGES, MOST_PAGES / 2));
        let reserve = limit.map_or(0, |limit| (limit / 32).clamp(8, 1024));
        let mut space = Self { limit, reserve, tight: false };
        space.tight = limit.is_some() && space.room(connection)?.0 < reserve;
        space.restrict(connection)?;
        Ok(space)
    }

    /// Whether room has to be made.
    pub(super) fn is_tight(&self) -> bool {
        self.tight
    }

    /// Something found no room; whether that is news.
    pub(super) fn found_full(&mut self) -> bool {
        !std::mem::replace(&mut self.tight, true)
    }

    /// Something that needs room found it. Without a limit that alone tells that the disk is no longer full.
    pub(super) fn found_room(&mut self) {
        self.tight &= self.limit.is_some();
    }

    /// See whether there is room again. Costs nothing as long as there is.
    pub(super) fn measure(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        if self.tight {
            let (free, all) = self.room(connection)?;
            self.tight = free < all / 4;
        }
        Ok(())
    }

    /// Pages that are or may become free, and all there may be.
    fn room(&self, connection: &Connection) -> rusqlite::Result<(u64, u64)> {
        let (used, free) = (pages(connection, "page_count")?, pages(connection, "freelist_count")?);
        let all = self.limit.unwrap_or(used);
        Ok((all.saturating_sub(used) + free, all))
    }

    /// Let what comes use the reserve.
    pub(super) fn open_reserve(&self, connection: &Connection) -> rusqlite::Result<()> {
        self.allow(connection, self.reserve)
    }

    /// Keep what comes out of the reserve.
    pub(super) fn restrict(&self, connection: &Connection) -> rusqlite::Result<()> {
        self.allow(connection, 0)
    }

    fn allow(&self, connection: &Connection, more: u64) -> rusqlite::Result<()> {
        let Some(limit) = self.limit else { return Ok(()) };
        // SQLite never goes below what the file has, and reuses its free pages whatever the limit.
        connection.query_row(&format!("PRAGMA max_page_count = {}", limit + more), [], |_| Ok(()))
    }
}

fn pages(connection: &Connection, what: &str) -> rusqlite::Result<u64> {
    connection.pragma_query_value(None, what, |row| row.get::<_, i64>(0)).map(i64::cast_unsigned)
}
