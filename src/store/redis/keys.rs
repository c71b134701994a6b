//! What things are called in Redis.

use crate::{link::Link, store::Transaction};
use backsync_protocol::ModelName;
use std::collections::HashMap;

/// Which models are kept together: those of one group, so that a commit may go over them. The others are each alone.
pub type Groups = HashMap<ModelName, String>;

/// The keys of a model.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    pub(super) head: Vec<u8>,
    pub(super) records: Vec<u8>,
    pub(super) order: Vec<u8>,
    pub(super) log: Vec<u8>,
    pub(super) graves: Vec<u8>,
    pub(super) times: Vec<u8>,
    pub(super) owners: Vec<u8>,
}

impl Keys {
    pub(super) fn of(link: &Link, groups: &Groups, model: &ModelName) -> Self {
        let tag = tag(groups, model);
        let key = |what: &str| link.key(tag, &format!("{model}:{what}")).into_bytes();
        Self {
            head: key("head"),
            records: key("records"),
            order: key("order"),
            log: key("log"),
            graves: key("graves"),
            times: key("times"),
            owners: key("owners"),
        }
    }

    /// As the commit's script takes them.
    pub(super) fn all(self) -> [Vec<u8>; 7] {
        [self.head, self.records, self.order, self.log, self.graves, self.times, self.owners]
    }
}

/// What a model's keys share with those of its group, and of what goes with it.
pub(super) fn tag<'a>(groups: &'a Groups, model: &'a ModelName) -> &'a str {
    groups.get(model.subject()).map_or(model.subject(), String::as_str)
}

/// A transaction among those of a group.
pub(super) fn field(transaction: &Transaction) -> Vec<u8> {
    // The length tells where the one ends and the other begins, whatever they contain.
    format!("{}:{}{}", transaction.client.len(), transaction.client, transaction.id).into_bytes()
}
