//! The buses there are, by the URL that names each.

use super::{Bus, Local};
use crate::settings::{BusSettings, BusUrl};
use std::sync::Arc;

/// Open the bus that the settings name.
pub fn open(settings: &BusSettings) -> Arc<dyn Bus> {
    match settings.url {
        BusUrl::Local => Arc::new(Local::default()),
    }
}
