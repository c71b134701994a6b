//! From settings to the way there.

use super::{Address, Host, Link, LinkError, Tls, Topology};
use crate::settings::{RedisKind, RedisUrl};
use std::sync::Arc;

/// Connect to the Redis of a URL.
///
/// # Errors
/// Where it cannot be reached, or is not fit.
pub fn open(url: &RedisUrl) -> Result<Arc<Link>, LinkError> {
    Link::open(&address(url))
}

fn address(url: &RedisUrl) -> Address {
    Address {
        place: url.place(),
        hosts: url.hosts.iter().map(|(name, port)| Host { name: name.clone(), port: *port }).collect(),
        topology: match &url.kind {
            RedisKind::Single => Topology::Single,
            RedisKind::Sentinel(service) => Topology::Sentinel { service: service.clone() },
            RedisKind::Cluster => Topology::Cluster,
        },
        tls: url.tls.then(|| Tls { authority: url.authority.clone() }),
        username: url.username.clone(),
        password: url.password.clone(),
        database: url.database.into(),
        prefix: url.prefix.clone(),
    }
}
