//! Which history of a model a position belongs to.
//!
//! Every opening of the database begins a new one, because what it finds may have been restored: the same revisions would be
//! used again for other changes. The chain of epochs tells how much of each earlier history is part of the present one.

use super::failure::damaged;
use crate::store::epoch::of_model;
use backsync_protocol::{Epoch, ModelName, Position, Revision};
use rusqlite::Connection;
use std::num::NonZeroU64;

/// This opening of the database, by its epoch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Opening(pub(super) Epoch);

impl Opening {
    /// A position of this opening.
    pub(super) fn position(self, model: &ModelName, revision: Revision) -> Position {
        Position { epoch: of_model(self.0, model), revision }
    }
}

/// The epochs of a model that are remembered, oldest first, each with the head at which it began.
pub(super) fn chain(
    connection: &Connection,
    name: &ModelName,
    row: Option<i64>,
) -> rusqlite::Result<Vec<(Epoch, Revision)>> {
    // Where an opening did not find the model, it stood at 0.
    let mut statement = connection.prepare_cached(
        "SELECT o.epoch, coalesce(e.first, 0) FROM openings o \
         LEFT JOIN epochs e ON e.opening = o.number AND e.model = ?1 ORDER BY o.number",
    )?;
    let epochs = statement.query_map([row], |row| {
        let epoch = NonZeroU64::new(row.get::<_, i64>(0)?.cast_unsigned());
        let epoch = Epoch(epoch.ok_or_else(|| damaged(0, "no epoch is 0"))?);
        Ok((of_model(epoch, name), Revision(row.get::<_, i64>(1)?.cast_unsigned())))
    })?;
    epochs.collect()
}

/// Whether a position is in the history that leads to the present one. At the very fork it is: what follows is the present's.
pub(super) fn leads_to(
    connection: &Connection,
    name: &ModelName,
    row: Option<i64>,
    present: Position,
    position: Position,
) -> rusqlite::Result<bool> {
    if position.epoch == present.epoch {
        return Ok(position.revision <= present.revision);
    }
    let chain = chain(connection, name, row)?;
    let then = chain.iter().position(|(epoch, _)| *epoch == position.epoch);
    let next = then.and_then(|then| chain.get(then + 1));
    Ok(next.is_some_and(|(_, fork)| position.revision <= *fork))
}
