//! The stores there are, by the URL that names each.

use super::{Groups, Memory, OpenError, Redis, RedisOptions, Retention, Sqlite, SqliteOptions, Store};
use crate::{
    link::{self, Link},
    settings::{StoreSettings, StoreUrl},
};
use std::sync::Arc;

/// What a store that several nodes share has to know of this one.
#[derive(Debug)]
pub struct Node<'a> {
    /// Its name.
    pub name: &'a str,
    /// Which models are written together.
    pub groups: Groups,
    /// Whether the store tells the other nodes of commits by itself.
    pub publishes: bool,
}

/// A store, and the way to Redis where it is there: whatever else is to be in the same Redis goes by it, too.
pub type Opened = (Arc<dyn Store>, Option<Arc<Link>>);

/// Open the store that the settings name.
///
/// # Errors
/// Where it cannot be opened, or belongs to somebody else.
pub fn open(settings: &StoreSettings, node: Node<'_>) -> Result<Opened, OpenError> {
    const HOUR: u64 = 3_600_000;
    let retention = Retention {
        log_entries: settings.log_entries,
        tombstones: settings.tombstones,
        tombstone_age: settings.tombstone_hours * HOUR,
        outcomes: settings.outcomes,
        outcome_age: settings.outcome_hours * HOUR,
    };
    Ok(match &settings.url {
        StoreUrl::Memory => (Arc::new(Memory::new(retention)), None),
        StoreUrl::Sqlite(directory) => {
            let options = SqliteOptions { retention, max_bytes: settings.max_bytes };
            (Arc::new(Sqlite::open(directory, options)?), None)
        }
        StoreUrl::Redis(url) => {
            let link = link::open::open(url)?;
            let Node { name, groups, publishes } = node;
            let options = RedisOptions { retention, groups, node: name.to_owned(), publishes, has_clock: true };
            (Arc::new(Redis::new(link.clone(), options)), Some(link))
        }
    })
}
