//! Where each model stands, as the writer knows it.
//!
//! What a transaction changes is kept apart until it is committed, so that with a transaction these changes go too.

use backsync_protocol::{ModelName, Revision};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::HashMap;

/// Models that are remembered; beyond this they are read again.
const REMEMBERED: usize = 65_536;

/// Where one model stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Model {
    /// Its row; none before its first record.
    pub(super) row: Option<i64>,
    /// The revision of the last change.
    pub(super) head: i64,
    /// The log has what came after it.
    pub(super) floor: i64,
    /// How many records there are.
    pub(super) records: i64,
    /// How many tombstones there are.
    pub(super) graves: i64,
    /// Deletions after it all have a tombstone.
    pub(super) graves_floor: i64,
    /// When the oldest tombstone was made, where there are any. As read it is before all times, until that is looked up.
    pub(super) oldest_grave: i64,
}

impl Model {
    const NEW: Self =
        Self { row: None, head: 0, floor: 0, records: 0, graves: 0, graves_floor: 0, oldest_grave: i64::MIN };

    /// Read where a model stands, and its row.
    pub(super) fn find(connection: &Connection, name: &ModelName) -> rusqlite::Result<Option<(i64, Self)>> {
        connection
            .prepare_cached(
                "SELECT id, head, floor, records, tombstones, tombstones_floor FROM models WHERE name = ?1",
            )?
            .query_row([name.as_str()], |columns| {
                let row = columns.get(0)?;
                let model = Self {
                    row: Some(row),
                    head: columns.get(1)?,
                    floor: columns.get(2)?,
                    records: columns.get(3)?,
                    graves: columns.get(4)?,
                    graves_floor: columns.get(5)?,
                    ..Self::NEW
                };
                Ok((row, model))
            })
            .optional()
    }

    pub(super) fn revision(&self) -> Revision {
        Revision(self.head.cast_unsigned())
    }

    /// Give it its row. Only a model that had a record has one.
    pub(super) fn created(&mut self, connection: &Connection, name: &ModelName) -> rusqlite::Result<i64> {
        if let Some(row) = self.row {
            return Ok(row);
        }
        let row = connection
            .prepare_cached(
                "INSERT INTO models (name, head, floor, records, tombstones, tombstones_floor) \
                 VALUES (?1, 0, 0, 0, 0, 0)",
            )?
            .insert([name.as_str()])?;
        self.row = Some(row);
        Ok(row)
    }
}

/// All models that were written to.
#[derive(Debug, Default)]
pub(super) struct Models {
    known: HashMap<ModelName, Model>,
    changed: HashMap<ModelName, Model>,
}

impl Models {
    /// Where a model stands within the transaction.
    pub(super) fn find(&mut self, connection: &Connection, name: &ModelName) -> rusqlite::Result<Model> {
        if let Some(model) = self.changed.get(name).or_else(|| self.known.get(name)) {
            return Ok(*model);
        }
        let Some((_, found)) = Model::find(connection, name)? else { return Ok(Model::NEW) };
        if self.known.len() >= REMEMBERED {
            self.known.clear();
        }
        self.known.insert(name.clone(), found);
        Ok(found)
    }

    /// It changed within the transaction.
    pub(super) fn set(&mut self, name: &ModelName, model: Model) {
        self.changed.insert(name.clone(), model);
    }

    /// Write down what changed: the last thing before the transaction is committed.
    pub(super) fn save(&self, connection: &Connection) -> rusqlite::Result<()> {
        let mut update = connection.prepare_cached(
            "UPDATE models SET head = ?2, floor = ?3, records = ?4, tombstones = ?5, tombstones_floor = ?6 WHERE id = ?1",
        )?;
        for model in self.changed.values() {
            let Model { row, head, floor, records, graves, graves_floor, .. } = model;
            update.execute(params![row, head, floor, records, graves, graves_floor])?;
        }
        Ok(())
    }

    /// The transaction was committed.
    pub(super) fn keep(&mut self) {
        self.known.extend(self.changed.drain());
    }

    /// The transaction was not committed.
    pub(super) fn undo(&mut self) {
        self.changed.clear();
    }

    /// The rows were changed behind its back.
    pub(super) fn forget(&mut self) {
        self.known.clear();
    }
}
