//! The buses there are, by the URL that names each.

use super::{Bus, Local, Redis};
use crate::{
    link::{self, Link, LinkError},
    settings::{BusUrl, Settings, StoreUrl},
};
use backsync_protocol::ModelName;
use std::{collections::HashMap, sync::Arc};

/// Whether the store tells other nodes of commits by itself: it does where the bus listens on the same Redis.
pub fn is_stores(settings: &Settings) -> bool {
    match (&settings.bus.url, &settings.store.url) {
        (BusUrl::Auto, StoreUrl::Redis(_)) => true,
        (BusUrl::Redis(bus), StoreUrl::Redis(store)) => bus.is_same_place(store),
        _ => false,
    }
}

/// Open the bus that the settings name, for a node of this name. `link` is the store's way to Redis, if it has one.
///
/// # Errors
/// Where it cannot be reached.
pub fn open(
    settings: &Settings,
    link: Option<Arc<Link>>,
    node: &str,
    groups: HashMap<ModelName, String>,
) -> Result<Arc<dyn Bus>, LinkError> {
    Ok(match (&settings.bus.url, link) {
        (BusUrl::Auto | BusUrl::Redis(_), Some(link)) if is_stores(settings) => {
            Arc::new(Redis::new(link, node, groups, true))
        }
        (BusUrl::Redis(url), _) => Arc::new(Redis::new(link::open::open(url)?, node, groups, false)),
        (BusUrl::Auto | BusUrl::Local, _) => Arc::new(Local::default()),
    })
}
