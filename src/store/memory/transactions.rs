//! Outcomes of transactions, so that a repetition is answered and not done again.

use crate::store::{Committed, Millis, Outcome, Retention, Transaction};
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

type Key = (Arc<str>, Box<str>);

#[derive(Debug, Default)]
pub(super) struct Transactions {
    known: HashMap<Key, Known>,
    order: VecDeque<(Key, Millis, usize)>,
    /// The sum of what is in `order`.
    weight: usize,
}

#[derive(Debug)]
struct Known {
    digest: [u8; 16],
    outcome: Outcome,
}

/// What is known of a transaction.
pub(super) enum Seen {
    Never,
    /// It was done, with this outcome.
    Before(Outcome),
    /// Its name was used for something else.
    Otherwise,
}

impl Transactions {
    pub(super) fn look_up(&self, transaction: &Transaction) -> Seen {
        match self.known.get(&key(transaction)) {
            None => Seen::Never,
            Some(known) if known.digest == transaction.digest => Seen::Before(known.outcome.clone()),
            Some(_) => Seen::Otherwise,
        }
    }

    pub(super) fn remember(&mut self, transaction: &Transaction, outcome: &Outcome, now: Millis, keep: &Retention) {
        let outcome = outcome.clone().map(without_changes);
        let weight = outcome.as_ref().map_or(1, |done| done.parts.iter().map(|part| part.records.len().max(1)).sum());
        self.known.insert(key(transaction), Known { digest: transaction.digest, outcome });
        self.order.push_back((key(transaction), now, weight));
        self.weight += weight;
        while let Some((_, at, _)) = self.order.front()
            && (self.weight > keep.outcomes || now.saturating_sub(*at) > keep.outcome_age)
            && let Some((key, _, weight)) = self.order.pop_front()
        {
            self.weight -= weight;
            self.known.remove(&key);
        }
    }
}

fn key(transaction: &Transaction) -> Key {
    (transaction.client.clone(), transaction.id.clone())
}

/// A repetition changes nothing.
fn without_changes(mut done: Committed) -> Committed {
    done.parts.iter_mut().for_each(|part| part.changes.clear());
    done
}
