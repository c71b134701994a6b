//! What is to be done about what the store has, whoever comes, goes and dies.

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
