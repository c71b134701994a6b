//! The stores there are, by the URL that names each.

use super::{LOG_ENTRIES, Memory, OpenError, Sqlite, SqliteOptions, Store};
use crate::settings::{StoreSettings, StoreUrl};
use std::sync::Arc;

/// Open the store that the settings name.
///
/// # Errors
/// Where it cannot be opened, or belongs to somebody else.
pub fn open(settings: &StoreSettings) -> Result<Arc<dyn Store>, OpenError> {
    Ok(match &settings.url {
        StoreUrl::Memory => Arc::new(Memory::default()),
        StoreUrl::Sqlite(directory) => {
            let options = SqliteOptions { log_entries: LOG_ENTRIES, max_bytes: settings.max_bytes };
            Arc::new(Sqlite::open(directory, options)?)
        }
    })
}
