//! Where Redis is.

use std::{fmt, path::PathBuf};

/// Where Redis is, and how it is spoken to. It is shown as its `place`.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// As it is shown, without user and password.
    pub place: String,
    /// The server; or the Sentinels, or some nodes of the cluster: one that answers is enough.
    pub hosts: Vec<Host>,
    /// What these are.
    pub topology: Topology,
    /// Whether and how it is encrypted.
    pub tls: Option<Tls>,
    /// The user of Redis' access rules.
    pub username: Option<String>,
    /// Its password.
    pub password: Option<String>,
    /// The number of the database; a cluster has only 0.
    pub database: i64,
    /// What the names of all keys begin with.
    pub prefix: String,
}

/// A host and its port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// A name or an address.
    pub name: String,
    /// The TCP port.
    pub port: u16,
}

/// What stands at an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Topology {
    /// One server.
    Single,
    /// Sentinels, who know where the primary of a service is.
    Sentinel {
        /// The name of the service.
        service: String,
    },
    /// Nodes of a cluster.
    Cluster,
}

/// How a connection is encrypted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tls {
    /// A file with the certificates (PEM) that are trusted, instead of the system's.
    pub authority: Option<PathBuf>,
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)
    }
}
