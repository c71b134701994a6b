//! Who is here: sessions that may own records, and when those records go.
//!
//! A session lives while a connection has it, and lingers after that, so that who reconnects finds its records. The records
//! themselves are the store's, each held by a node for its session: a node ends the sessions that it holds records for, and
//! what dead nodes hold is adopted by who has the session now, or ended by anybody. Here is only what is to be done about
//! what the store has. Pure: time is an argument.

mod kept;

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Change, ChangeKind};
    use backsync_protocol::{Epoch, Position, Record, Revision};
    use smallvec::smallvec;
    use std::num::NonZeroU64;

    const GRACE: Grace = Grace { unknown: 10, lapsed: 3 };
    const POSITION: Position = Position { epoch: Epoch(NonZeroU64::MIN), revision: Revision(1) };

    fn presence() -> Presence {
        Presence::new("here".into())
    }

    fn model() -> ModelName {
        ModelName::parse("M").unwrap()
    }

    fn owned(id: &str, session: &str, node: &str) -> Owned {
        let owner = Owner { session: session.into(), node: node.into() };
        Owned { model: model(), id: RecordId::parse(id).unwrap(), owner }
    }

    fn nodes(alive: &[&str]) -> Vec<Arc<str>> {
        alive.iter().map(|node| Arc::from(*node)).collect()
    }

    /// As `method id session node`.
    fn shown(operations: &[(ModelName, Operation)]) -> Vec<String> {
        let shown = operations.iter().map(|(_, operation)| {
            let owner = operation.owner().unwrap();
            let method = match operation {
                Operation::Adopt { .. } => "adopt",
                Operation::Restore { .. } => "restore",
                Operation::Release { .. } => "release",
                _ => "write",
            };
            format!("{method} {} {} {}", operation.id(), owner.session, owner.node)
        });
        shown.collect()
    }

    /// What is to be done, of those who came and went and of dead nodes.
    fn look(presence: &mut Presence, owned: &[Owned], alive: &[&str], now: Millis) -> Vec<String> {
        let looking = presence.look(now);
        let mut operations = presence.answer(&looking, owned, now);
        operations.extend(presence.reap(&looking, owned, nodes(alive), GRACE, now));
        presence.settle(&looking, now);
        let mut shown = shown(&operations);
        shown.sort();
        shown
    }

    /// This session has written this record.
    fn wrote(presence: &mut Presence, id: &str, session: &str) {
        let input = RecordInput::parse(serde_json::from_str("{}").unwrap(), || RecordId::parse(id).unwrap()).unwrap();
        let record = Record::new(&input, Revision(1), None);
        let change = Change { revision: Revision(1), kind: ChangeKind::Insert, record: record.clone(), before: None };
        let done = Done { records: smallvec![Some(record)], changes: smallvec![change], position: POSITION };
        let owner = Owner { session: session.into(), node: presence.node().clone() };
        presence.committed(&model(), &done, &[Named { operation: 0, owner, deletes: None }], true, 0);
    }

    #[test]
    fn a_session_ends_after_its_last_connection_and_its_linger() {
        let mut presence = presence();
        let me: Arc<str> = "me".into();
        presence.attach(&me);
        presence.attach(&me);
        assert!(!presence.detach("me", Some(10)));
        assert_eq!(presence.next_deadline(), None);
        assert!(presence.detach("me", Some(20)));
        let owned = [owned("a", "me", "here"), owned("b", "me", "there"), owned("c", "you", "there")];
        let alive = ["here", "there"];
        assert_eq!(presence.next_deadline(), Some(20));
        assert_eq!(look(&mut presence, &owned, &alive, 19), [""; 0]);
        assert_eq!(look(&mut presence, &owned, &alive, 20), ["release a me here"]);
        assert_eq!(presence.next_deadline(), None);
    }

    #[test]
    fn a_session_that_can_own_nothing_is_forgotten_at_once() {
        let mut presence = presence();
        presence.attach(&"me".into());
        assert!(!presence.detach("me", None));
        assert_eq!((presence.sessions.len(), presence.next_deadline()), (0, None));
    }

    #[test]
    fn who_comes_back_in_time_keeps_the_session() {
        let mut presence = presence();
        let me: Arc<str> = "me".into();
        let owned = [owned("a", "me", "here")];
        presence.attach(&me);
        presence.detach("me", Some(20));
        let looking = presence.look(20);
        presence.attach(&me);
        assert_eq!(shown(&presence.answer(&looking, &owned, 20)), [""; 0], "also while the store is asked");
        presence.settle(&looking, 20);
        assert_eq!(look(&mut presence, &owned, &["here"], 1000), [""; 0]);
        assert!(presence.detach("me", Some(2000)), "it was not forgotten");
    }

    #[test]
    fn what_could_not_be_done_is_done_with_the_next_look() {
        let mut presence = presence();
        presence.arrive(&"came".into());
        presence.attach(&"went".into());
        presence.detach("went", Some(1));
        let owned = [owned("a", "came", "there"), owned("b", "went", "here")];
        for is_last in [false, true] {
            let looking = presence.look(1);
            let operations = shown(&presence.answer(&looking, &owned, 1));
            assert_eq!(operations, ["adopt a came here", "release b went here"]);
            if is_last { presence.settle(&looking, 1) } else { presence.fail(looking) }
        }
        assert_eq!((presence.has_arrived(), presence.next_deadline()), (true, None));
        look(&mut presence, &[], &["here", "there"], 1);
        assert!(!presence.has_arrived(), "nobody else holds anything");
    }

    #[test]
    fn what_a_dead_process_left_is_taken_over_or_ends() {
        let mut presence = presence();
        presence.arrive(&"back".into());
        let owned = [owned("a", "back", ""), owned("b", "gone", ""), owned("c", "late", "")];
        assert_eq!(look(&mut presence, &owned, &["here"], 5), ["adopt a back here"]);
        assert_eq!(presence.next_burial(), Some(15));
        assert_eq!(look(&mut presence, &owned[1..], &["here"], 14), [""; 0]);
        presence.arrive(&"late".into());
        assert_eq!(look(&mut presence, &owned[1..], &["here"], 15), ["adopt c late here", "release b gone "]);
        assert_eq!(look(&mut presence, &[], &["here"], 16), [""; 0]);
        assert_eq!(presence.next_burial(), None);
    }

    #[test]
    fn who_has_been_alive_has_lingered_for_its_lease() {
        let mut presence = presence();
        let owned = [owned("a", "you", "there")];
        assert_eq!(look(&mut presence, &owned, &["here", "there"], 100), [""; 0]);
        assert_eq!(look(&mut presence, &owned, &["here"], 105), [""; 0]);
        assert_eq!(look(&mut presence, &owned, &["here"], 107), [""; 0]);
        assert_eq!(look(&mut presence, &owned, &["here"], 108), ["release a you there"]);
        // One that is only late to begin its lease is none that died.
        assert_eq!(look(&mut presence, &owned, &["here", "there"], 109), [""; 0]);
        assert_eq!(presence.next_burial(), None);
    }

    #[test]
    fn what_a_living_node_holds_is_adopted_only_by_who_comes() {
        let mut presence = presence();
        let (owned, alive) = ([owned("a", "me", "there")], ["here", "there"]);
        presence.arrive(&"me".into());
        assert_eq!(look(&mut presence, &owned, &alive, 1), ["adopt a me here"]);
        assert_eq!(look(&mut presence, &owned, &alive, 1), ["adopt a me here"], "another node may have been faster");
        assert_eq!(look(&mut presence, &[], &alive, 2), [""; 0]);
        assert_eq!(look(&mut presence, &owned, &alive, 2), [""; 0]);
        assert_eq!(look(&mut presence, &owned, &["here"], 3), ["adopt a me here"], "but of a dead one by who is here");
        presence.arrive(&"me".into());
        assert!(!presence.detach("me", Some(3)));
        assert!(presence.detach("me", Some(3)));
        assert_eq!(look(&mut presence, &owned, &alive, 4), [""; 0], "who has gone meanwhile adopts nothing");
    }

    #[test]
    fn a_write_that_comes_after_the_end_of_its_session_ends_too() {
        let mut presence = presence();
        wrote(&mut presence, "a", "gone");
        assert_eq!(presence.next_deadline(), Some(0));
        assert_eq!(look(&mut presence, &[owned("a", "gone", "here")], &["here"], 0), ["release a gone here"]);
        // One that nobody knows to be done is found.
        assert_eq!(look(&mut presence, &[owned("b", "gone", "here")], &["here"], 1), ["release b gone here"]);
    }

    #[test]
    fn what_others_took_for_dead_is_adopted_or_restored() {
        let mut presence = presence();
        presence.attach(&"me".into());
        for id in ["a", "b", "c", "d"] {
            wrote(&mut presence, id, "me");
        }
        let before = ["a", "b", "c", "d"].map(|id| owned(id, "me", "here"));
        assert_eq!(look(&mut presence, &before[..3], &["here"], 1), [""; 0], "somebody has deleted one");
        presence.rename("here again".into());
        let after = [owned("a", "me", "here"), owned("b", "me", "there")];
        let alive = ["here again", "there"];
        assert_eq!(
            look(&mut presence, &after, &alive, 2),
            ["adopt a me here again", "restore c me here again"],
            "another is held elsewhere"
        );
        // Until it is known to be done.
        assert_eq!(look(&mut presence, &after[1..], &alive, 3), ["restore a me here again", "restore c me here again"]);
        wrote(&mut presence, "a", "me");
        wrote(&mut presence, "c", "me");
        assert_eq!(look(&mut presence, &after[1..], &alive, 4), [""; 0]);
        assert_eq!(presence.kept.len(), 0);
    }

    #[test]
    fn what_its_client_deletes_is_not_restored_though_it_was_gone_before() {
        let mut presence = presence();
        presence.attach(&"me".into());
        wrote(&mut presence, "a", "me");
        let owner = Owner { session: "me".into(), node: "here".into() };
        let deletes = Some(RecordId::parse("a").unwrap());
        let done = Done { records: smallvec![None], changes: smallvec![], position: POSITION };
        presence.committed(&model(), &done, &[Named { operation: 0, owner, deletes }], true, 0);
        presence.rename("here again".into());
        assert_eq!(look(&mut presence, &[], &["here again"], 1), [""; 0]);
    }

    #[test]
    fn what_its_client_is_deleting_is_not_restored_meanwhile() {
        let mut presence = presence();
        presence.attach(&"me".into());
        wrote(&mut presence, "a", "me");
        let owner = Owner { session: "me".into(), node: "here".into() };
        let deletes = [Named { operation: 0, owner, deletes: Some(RecordId::parse("a").unwrap()) }];
        presence.begins(&model(), &deletes);
        presence.rename("here again".into());
        assert_eq!(look(&mut presence, &[], &["here again"], 1), [""; 0]);
        presence.failed(&model(), &deletes);
        assert_eq!(look(&mut presence, &[], &["here again"], 1), ["restore a me here again"]);
    }

    #[test]
    fn what_lingers_here_is_not_left_to_those_who_take_this_node_for_dead() {
        let mut presence = presence();
        presence.attach(&"me".into());
        for id in ["a", "gone"] {
            wrote(&mut presence, id, "me");
        }
        presence.detach("me", Some(20));
        presence.rename("here again".into());
        let owned = [owned("a", "me", "here"), owned("b", "me", "there")];
        assert_eq!(look(&mut presence, &owned, &["here again"], 1), ["adopt a me here again"]);
        // What is over is over.
        assert_eq!(look(&mut presence, &owned[..1], &["here again"], 20), ["release a me here"]);
    }

    #[test]
    fn what_was_written_after_the_look_began_is_not_missed_by_it() {
        let mut presence = presence();
        presence.attach(&"me".into());
        let looking = presence.look(1);
        wrote(&mut presence, "a", "me");
        assert_eq!(shown(&presence.reap(&looking, &[], nodes(&["here"]), GRACE, 1)), [""; 0]);
        assert_eq!(presence.kept.len(), 1);
        look(&mut presence, &[owned("a", "me", "here")], &["here"], 2);
        assert_eq!(presence.kept.len(), 1);
        presence.detach("me", Some(3));
        look(&mut presence, &[owned("a", "me", "here")], &["here"], 3);
        look(&mut presence, &[], &["here"], 4);
        assert_eq!(presence.kept.len(), 0, "it went with its session");
    }
}
