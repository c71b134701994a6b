//! What this node thinks that records are. It may be wrong, and may forget everything: Redis is asked to agree.

use crate::store::{Millis, Owner};
use backsync_protocol::{ModelName, Record, Revision};
use std::collections::HashMap;

/// Bytes of a generation. There are two: who is not asked for within one is forgotten.
const GENERATION: usize = 16 << 20;
/// What a guess costs beside its record.
const BESIDE: usize = 200;

/// What stands under an id. By default nothing, which is right for whatever is new.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Guess {
    pub(super) record: Option<Record>,
    pub(super) owner: Option<Owner>,
    /// Where there is no record any more: when it was deleted, by the clock of who did.
    pub(super) buried: Option<Millis>,
}

#[derive(Debug, Default)]
pub(super) struct Guesses {
    heads: HashMap<ModelName, Revision>,
    young: Generation,
    old: Generation,
}

#[derive(Debug, Default)]
struct Generation {
    models: HashMap<ModelName, HashMap<Box<str>, Guess>>,
    bytes: usize,
}

impl Generation {
    fn take(&mut self, model: &ModelName, id: &str) -> Option<Guess> {
        self.models.get_mut(model)?.remove(id)
    }
}

impl Guesses {
    pub(super) fn head(&self, model: &ModelName) -> Revision {
        self.heads.get(model).copied().unwrap_or_default()
    }

    pub(super) fn learn_head(&mut self, model: &ModelName, head: Revision) {
        match self.heads.get_mut(model) {
            Some(known) => *known = head,
            None => drop(self.heads.insert(model.clone(), head)),
        }
    }

    pub(super) fn look_up(&mut self, model: &ModelName, id: &str) -> Guess {
        let young = self.young.models.get(model).and_then(|records| records.get(id));
        if let Some(guess) = young {
            return guess.clone();
        }
        let Some(guess) = self.old.take(model, id) else { return Guess::default() };
        self.learn(model, id, guess.clone());
        guess
    }

    pub(super) fn learn(&mut self, model: &ModelName, id: &str, guess: Guess) {
        if guess == Guess::default() {
            // Nothing is what is thought anyway.
            self.young.take(model, id);
            self.old.take(model, id);
            return;
        }
        self.young.bytes += BESIDE + 2 * id.len() + guess.record.as_ref().map_or(0, |record| record.json().len());
        match self.young.models.get_mut(model) {
            Some(records) => drop(records.insert(id.into(), guess)),
            None => drop(self.young.models.insert(model.clone(), HashMap::from([(id.into(), guess)]))),
        }
        if self.young.bytes > GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guess(id: &str, size: usize) -> Guess {
        let json = format!(r#"{{"id":"{id}","x":"{}","_rev":1}}"#, "x".repeat(size));
        Guess { record: Record::restore(id, &json, Revision(1)), ..Guess::default() }
    }

    #[test]
    fn what_is_asked_for_stays_and_the_rest_is_bounded() {
        let model = ModelName::parse("M").unwrap();
        let mut guesses = Guesses::default();
        guesses.learn(&model, "a", guess("a", 10));
        for n in 0..200 {
            guesses.learn(&model, &n.to_string(), guess(&n.to_string(), 1 << 20));
            assert_eq!(guesses.look_up(&model, "a"), guess("a", 10), "{n}");
        }
        assert_eq!(guesses.look_up(&model, "1"), Guess::default());
        assert!(guesses.young.bytes + guesses.old.bytes <= 2 * GENERATION + (1 << 21));
        guesses.learn(&model, "a", Guess::default());
        assert_eq!(guesses.look_up(&model, "a"), Guess::default());
    }
}
