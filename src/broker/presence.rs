//! Who is here: sessions that may own records, and when those records go.
//!
//! A session lives while a connection has it, and lingers after that, so that who reconnects finds its records. The records
//! themselves are the store's, each held by a node for its session: a node ends the sessions that it holds records for, and
//! what dead nodes hold is adopted by who has the session now, or ended by anybody. Here is only what is to be done about
//! what the store has. Pure: time is an argument.

mod kept;
#[cfg(test)]
mod tests;

use crate::store::{Done, Millis, Operation, Owned, Owner};
use backsync_protocol::{ModelName, RecordId, RecordInput};
use kept::Kept;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

/// Numbers the looks at what the store has.
type Look = u64;

/// The sessions of a node.
#[derive(Debug)]
pub(crate) struct Presence {
    /// This node's incarnation.
    node: Arc<str>,
    sessions: HashMap<Arc<str>, Session>,
    /// Sessions of named clients that came: other nodes may hold records of theirs.
    arrived: HashSet<Arc<str>>,
    /// Nodes whose leases held when that was last asked.
    alive: HashSet<Arc<str>>,
    /// Nodes that are not alive and hold records, and from when on these may go.
    dead: HashMap<Arc<str>, Millis>,
    kept: Kept,
    looks: Look,
}

#[derive(Debug, Default)]
struct Session {
    connections: usize,
    /// When it ends, where no connection has it.
    deadline: Option<Millis>,
}

/// An operation of a commit that was done in somebody's name.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    /// Which of its part's.
    pub(crate) operation: usize,
    pub(crate) owner: Owner,
    /// The record, where it is a deletion.
    pub(crate) deletes: Option<RecordId>,
}

/// What a look at the store is for.
#[derive(Debug)]
pub(crate) struct Looking {
    look: Look,
    arrived: HashSet<Arc<str>>,
    ended: HashSet<Arc<str>>,
}

/// How long what dead nodes hold stays, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Grace {
    /// From when a node is found that was never seen alive.
    pub(crate) unknown: Millis,
    /// From when it is found that a node's lease has run out.
    pub(crate) lapsed: Millis,
}

impl Presence {
    pub(crate) fn new(node: Arc<str>) -> Self {
        let (sessions, arrived, alive, dead, kept, looks) = Default::default();
        Self { node, sessions, arrived, alive, dead, kept, looks }
    }

    /// This node's incarnation: what is written from now on is held by it.
    pub(crate) fn node(&self) -> &Arc<str> {
        &self.node
    }

    /// This node goes on as another incarnation. What the earlier one holds is its sessions' still.
    pub(crate) fn rename(&mut self, node: Arc<str>) {
        self.node = node;
    }

    /// A connection has this session from now on.
    pub(crate) fn attach(&mut self, session: &Arc<str>) {
        let session = self.sessions.entry(session.clone()).or_default();
        session.connections += 1;
        session.deadline = None;
    }

    /// The same for the session of a named client, which may come from another node.
    pub(crate) fn arrive(&mut self, session: &Arc<str>) {
        self.attach(session);
        self.arrived.insert(session.clone());
    }

    /// A connection that had this session is gone. If nobody has it now, it ends at `deadline`, or is forgotten where there is
    /// none. Answers whether it is to end.
    pub(crate) fn detach(&mut self, name: &str, deadline: Option<Millis>) -> bool {
        let Some(session) = self.sessions.get_mut(name) else { return false };
        session.connections -= 1;
        if session.connections > 0 {
            return false;
        }
        session.deadline = deadline;
        if deadline.is_none() {
            self.sessions.remove(name);
        }
        deadline.is_some()
    }

    /// A part of a commit is on its way, with these of its operations in somebody's name: what they delete is not restored
    /// meanwhile. [`Self::committed`] or [`Self::failed`] has to follow.
    pub(crate) fn begins(&mut self, model: &ModelName, named: &[Named]) {
        self.kept.deletes(model, named, true);
    }

    /// It was refused, or the store failed.
    pub(crate) fn failed(&mut self, model: &ModelName, named: &[Named]) {
        self.kept.deletes(model, named, false);
    }

    /// A part of a commit was done, with these of its operations in somebody's name. Answers whether a session came to be by
    /// it that nobody has: it ended while the write was on its way.
    pub(crate) fn committed(
        &mut self,
        model: &ModelName,
        done: &Done,
        named: &[Named],
        keeps: bool,
        now: Millis,
    ) -> bool {
        let known = self.sessions.len();
        for Named { owner, .. } in named.iter().filter(|named| named.deletes.is_none()) {
            if !self.sessions.contains_key(&owner.session) {
                self.sessions.insert(owner.session.clone(), Session { connections: 0, deadline: Some(now) });
            }
        }
        if keeps {
            self.kept.committed(model, done, named, self.looks);
        }
        self.sessions.len() > known
    }

    /// Whether somebody came whose records are to be adopted.
    pub(crate) fn has_arrived(&self) -> bool {
        !self.arrived.is_empty()
    }

    /// When the next session ends.
    pub(crate) fn next_deadline(&self) -> Option<Millis> {
        self.sessions.values().filter_map(|session| session.deadline).min()
    }

    /// When what a dead node holds may go.
    pub(crate) fn next_burial(&self) -> Option<Millis> {
        self.dead.values().copied().min()
    }

    /// Begin a look at what the store has. [`Self::settle`] or [`Self::fail`] has to follow.
    pub(crate) fn look(&mut self, now: Millis) -> Looking {
        self.looks += 1;
        let over = |session: &Session| session.deadline.is_some_and(|deadline| deadline <= now);
        let ended = self.sessions.iter().filter(|(_, session)| over(session)).map(|(name, _)| name.clone()).collect();
        Looking { look: self.looks, arrived: std::mem::take(&mut self.arrived), ended }
    }

    /// What is to be done about what the store had when the look began: what other nodes hold of those who came is adopted,
    /// and what this node holds of those who went is released. Who came is looked at again until nobody else holds anything.
    pub(crate) fn answer(&mut self, looking: &Looking, owned: &[Owned], now: Millis) -> Vec<(ModelName, Operation)> {
        let mut operations = Vec::new();
        for Owned { model, id, owner } in owned {
            let is_held_here = owner.node == self.node;
            if is_held_here && looking.ended.contains(&owner.session) && self.has_ended(&owner.session, now) {
                operations.push((model.clone(), Operation::Release { id: id.clone(), owner: owner.clone() }));
            } else if !is_held_here && looking.arrived.contains(&owner.session) && self.is_here(&owner.session) {
                operations.push((model.clone(), self.adopt(id, owner)));
                self.arrived.insert(owner.session.clone());
            }
        }
        operations
    }

    /// The same about nodes that are not among those alive, which has to be asked after the look began: what they hold of
    /// sessions that are here now is adopted, and the rest is released when its grace is over. Of what this node held as an earlier
    /// incarnation, what lingers is adopted, too, and what others have released of those who are here is restored.
    pub(crate) fn reap(
        &mut self,
        looking: &Looking,
        owned: &[Owned],
        alive: Vec<Arc<str>>,
        grace: Grace,
        now: Millis,
    ) -> Vec<(ModelName, Operation)> {
        let known = std::mem::replace(&mut self.alive, alive.into_iter().collect());
        let mut dead = HashMap::new();
        let mut operations = Vec::new();
        for Owned { model, id, owner } in owned {
            let Owner { session, node } = owner;
            let is_over = if *node == self.node {
                // Of a write that was not known to be done when its session ended.
                !self.sessions.contains_key(session)
            } else if self.alive.contains(node) {
                continue;
            } else {
                let lingers = || now + if known.contains(node) { grace.lapsed } else { grace.unknown };
                let over =
                    *dead.entry(node.clone()).or_insert_with(|| self.dead.get(node).copied().unwrap_or_else(lingers));
                let lingers_here = || self.kept.has(model, id, owner) && !self.has_ended(session, now);
                if self.is_here(session) || lingers_here() {
                    // Those who came are answered anyway.
                    if !looking.arrived.contains(session) || !self.is_here(session) {
                        operations.push((model.clone(), self.adopt(id, owner)));
                    }
                    continue;
                }
                over <= now
            };
            if is_over {
                operations.push((model.clone(), Operation::Release { id: id.clone(), owner: owner.clone() }));
            }
        }
        self.dead = dead;
        let is_known = |session: &str| self.sessions.contains_key(session);
        for (model, record, owner) in self.kept.compare(owned, looking.look, &self.node, is_known) {
            let Ok(record) = RecordInput::again(&record) else { continue };
            if self.is_here(&owner.session) {
                let Owner { session, node: from } = owner;
                let owner = Owner { session, node: self.node.clone() };
                operations.push((model, Operation::Restore { record, owner, from }));
            }
        }
        operations
    }

    /// All that a look asked for was done: if nobody came back meanwhile, nothing is left of the sessions that had ended.
    pub(crate) fn settle(&mut self, looking: &Looking, now: Millis) {
        for session in &looking.ended {
            if self.has_ended(session, now) {
                self.sessions.remove(session);
            }
        }
    }

    /// Not all of it was done.
    pub(crate) fn fail(&mut self, looking: Looking) {
        self.arrived.extend(looking.arrived);
    }

    /// Have this node hold what another one holds.
    fn adopt(&self, id: &RecordId, Owner { session, node }: &Owner) -> Operation {
        let owner = Owner { session: session.clone(), node: self.node.clone() };
        Operation::Adopt { id: id.clone(), owner, from: node.clone() }
    }

    fn is_here(&self, session: &str) -> bool {
        self.sessions.get(session).is_some_and(|session| session.connections > 0)
    }

    /// Whether a session has ended: nobody came back meanwhile.
    fn has_ended(&self, session: &str, now: Millis) -> bool {
        self.sessions.get(session).is_none_or(|session| session.deadline.is_some_and(|deadline| deadline <= now))
    }
}
