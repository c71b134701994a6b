//! Who holds which records, and which nodes are alive.

use super::{
    Damaged, Inner, unavailable,
    value::{exactly, list, number, text},
};
use crate::{
    link::{Ask, Lane},
    store::{Commit, Lease, Nodes, Owned, Owner, Part, StoreError},
};
use backsync_protocol::{ModelName, RecordId};
use redis::Value;
use std::{collections::BTreeSet, sync::PoisonError};

impl Inner {
    /// Note which models have records with owners, before they have some: so all nodes find them.
    pub(super) async fn note_owning(&self, commits: &[Commit]) -> Result<(), StoreError> {
        let owns = |part: &&Part| part.operations.iter().any(|operation| operation.owner().is_some());
        let is_new = |model: &&ModelName| !self.owning.lock().unwrap_or_else(PoisonError::into_inner).contains(*model);
        let parts = commits.iter().flat_map(|commit| &commit.parts).filter(owns);
        let new: Vec<ModelName> = parts.map(|part| &part.model).filter(is_new).cloned().collect();
        if new.is_empty() {
            return Ok(());
        }
        let mut command = redis::cmd("SADD");
        command.arg(self.link.key("owning", "models"));
        for model in &new {
            command.arg(model.as_str());
        }
        self.ask(Lane::Write, &Ask::Command(command)).await?;
        self.owning.lock().unwrap_or_else(PoisonError::into_inner).extend(new);
        Ok(())
    }

    /// All records that belong to a session.
    pub(super) async fn owned(&self) -> Result<Vec<Owned>, StoreError> {
        let mut command = redis::cmd("SMEMBERS");
        command.arg(self.link.key("owning", "models"));
        let noted = self.ask(Lane::Read, &Ask::Command(command)).await?;
        let own = self.owning.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut models: BTreeSet<ModelName> = own.into_iter().collect();
        for name in members(noted).map_err(unavailable)? {
            models.insert(ModelName::parse(&name).map_err(|error| unavailable(error.to_string()))?);
        }
        let mut owned = Vec::new();
        for model in models {
            let mut command = redis::cmd("HGETALL");
            command.arg(self.keys(&model).owners);
            let answer = self.ask(Lane::Read, &Ask::Command(command)).await?;
            for (id, owner) in pairs(answer).map_err(unavailable)? {
                let id = RecordId::parse(&id).map_err(|error| unavailable(error.to_string()))?;
                owned.push(Owned { model: model.clone(), id, owner: Owner::restore(&owner) });
            }
        }
        Ok(owned)
    }

    /// Renew a lease or begin one, by the clock of Redis. What that clock shows is remembered.
    pub(super) async fn renew(&self, lease: Lease) -> Result<Nodes, StoreError> {
        let keys = [self.link.key("nodes", "leases").into_bytes()];
        let Lease { node, is_new, duration } = lease;
        let arguments = [node.to_string(), u8::from(is_new).to_string(), duration.to_string()];
        let asked = self.clock.now();
        let answer = self.ask(Lane::Write, &Ask::script(&self.scripts.renew, &keys, &arguments)).await?;
        let read = |answer| -> Result<(Nodes, u64), Damaged> {
            let [lapsed, alive, now] = exactly(answer)?;
            let alive = list(alive)?.into_iter().map(|node| Ok(text(node)?.into()));
            let nodes = Nodes { lapsed: number(lapsed)? == 1, alive: alive.collect::<Result<_, Damaged>>()? };
            Ok((nodes, number(now)?))
        };
        let (nodes, now) = read(answer).map_err(unavailable)?;
        self.clock.set(asked, now);
        Ok(nodes)
    }
}

fn members(value: Value) -> Result<Vec<String>, Damaged> {
    match value {
        Value::Set(members) => members.into_iter().map(text).collect(),
        value => list(value)?.into_iter().map(text).collect(),
    }
}

fn pairs(value: Value) -> Result<Vec<(String, String)>, Damaged> {
    match value {
        Value::Map(pairs) => pairs.into_iter().map(|(key, value)| Ok((text(key)?, text(value)?))).collect(),
        value => {
            let (mut values, mut pairs) = (list(value)?.into_iter(), Vec::new());
            while let (Some(key), Some(value)) = (values.next(), values.next()) {
                pairs.push((text(key)?, text(value)?));
            }
            Ok(pairs)
        }
    }
}
