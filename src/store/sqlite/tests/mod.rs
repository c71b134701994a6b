//! Tests of what this store promises beyond what every store does.

mod lasting;
mod once;
mod opening;
mod resume;
mod room;
mod together;
mod twin;
mod working;

use super::{Sqlite, SqliteOptions};
use crate::store::{
    Retention, Store,
    conformance::{Fixture, conformance},
};
use rusqlite::Connection;
use std::{path::PathBuf, sync::Arc};
use tempfile::TempDir;

/// A data directory that goes with the test.
struct Data(TempDir);

impl Data {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn try_open(&self, options: SqliteOptions) -> Result<Sqlite, super::OpenError> {
        Sqlite::open(self.0.path(), options)
    }

    fn open(&self) -> Arc<Sqlite> {
        Arc::new(self.try_open(SqliteOptions::default()).unwrap())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Somebody else's connection to the database.
    fn tool(&self) -> Connection {
        Connection::open(self.file("backsync.db")).unwrap()
    }

    /// As the disk is now, without anything that closing would do: what a crash or a backup leaves.
    fn copy(&self) -> Self {
        let copy = Self::new();
        for file in ["backsync.db", "backsync.db-wal"] {
            if self.file(file).exists() {
                std::fs::copy(self.file(file), copy.file(file)).unwrap();
            }
        }
        copy
    }

    /// Everything in the directory, byte for byte.
    fn bytes(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let files = std::fs::read_dir(self.0.path()).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<_> = files.map(|path| (path.clone(), std::fs::read(path).unwrap())).collect();
        files.sort();
        files
    }
}

impl Fixture for Data {
    const SEEDS: u64 = 3;

    fn open(&self, retention: Retention) -> Arc<dyn Store> {
        Arc::new(self.try_open(SqliteOptions { retention, ..Default::default() }).unwrap())
    }
}

conformance!(Data::new());

fn any(store: &Arc<Sqlite>) -> Arc<dyn Store> {
    store.clone()
}
