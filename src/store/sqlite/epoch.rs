//! Which history of a model a position belongs to.
//!
//! Every opening of the database begins a new one, because what it finds may have been restored: the same revisions would be
//! used again for other changes. The chain of epochs tells how much of each earlier history is part of the present one.

use super::failure::damaged;
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

/// The epoch of one model, so that a position of one model is none of another.
///
/// FNV-1a over the name, begun with the opening's epoch, and the mixing of SplitMix64 at the end; 1 for 0, which is no epoch.
/// For one name each of these steps can be turned back, so two openings never give it the same. Chains that are stored depend
/// on it: to change it is to change the format.
pub(super) fn of_model(opening: Epoch, model: &ModelName) -> Epoch {
    let begun = opening.0.get();
    let named = model.as_str().bytes().fold(begun, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    let mixed = (named ^ (named >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    Epoch(NonZeroU64::new(mixed ^ (mixed >> 31)).unwrap_or(NonZeroU64::MIN))
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn the_epoch_of_a_model_is_the_same_for_ever_and_of_no_other() {
        let of = |opening, name: &str| {
            of_model(Epoch(NonZeroU64::new(opening).unwrap()), &ModelName::parse(name).unwrap()).0.get()
        };
        assert_eq!(of(1, "A"), 10795567217692249553);
        let names = (0..100).map(|n| format!("Model{n}"));
        let epochs: HashSet<_> =
            names.flat_map(|name| (1..100).map(move |opening| of(opening, &name)).collect::<Vec<_>>()).collect();
        assert_eq!(epochs.len(), 9900);
    }
}
