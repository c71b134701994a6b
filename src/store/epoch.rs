//! Names of histories.

use backsync_protocol::{Epoch, ModelName};
use std::num::NonZeroU64;

/// A new name for a history.
pub(super) fn new() -> Epoch {
    loop {
        let random = u64::try_from(uuid::Uuid::new_v4().as_u128() >> 64).expect("the upper half of 128 bits");
        if let Some(epoch) = NonZeroU64::new(random) {
            return Epoch(epoch);
        }
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
