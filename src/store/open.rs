//! The stores there are, by the URL that names each.

use super::{Memory, OpenError, Retention, Sqlite, SqliteOptions, Store};
use crate::settings::{StoreSettings, StoreUrl};
use std::sync::Arc;

/// Open the store that the settings name.
///
/// # Errors
/// Where it cannot be opened, or belongs to somebody else.
pub fn open(settings: &StoreSettings) -> Result<Arc<dyn Store>, OpenError> {
    const HOUR: u64 = 3_600_000;
    let retention = Retention {
        log_entries: settings.log_entries,
        tombstones: settings.tombstones,
        tombstone_age: settings.tombstone_hours * HOUR,
        outcomes: settings.outcomes,
        outcome_age: settings.outcome_hours * HOUR,
    };
    Ok(match &settings.url {
        StoreUrl::Memory => Arc::new(Memory::new(retention)),
        StoreUrl::Sqlite(directory) => {
            let options = SqliteOptions { retention, max_bytes: settings.max_bytes };
            Arc::new(Sqlite::open(directory, options)?)
        }
    })
}
