//! What became of the records since a position: for those who were away.

use super::*;
use crate::store::Selection;
use backsync_protocol::{Epoch, Filter, FilterLimits, Position};
use std::num::NonZeroU64;

async fn since(store: &Arc<dyn Store>, since: Position) -> Snapshot {
    read(store, Read { since: Some(since), ..Read::default() }).await
}

fn gone(snapshot: &Snapshot) -> Vec<&str> {
    let mut gone: Vec<_> = snapshot.deleted.iter().map(RecordId::as_str).collect();
    gone.sort_unstable();
    gone
}

fn filter(json: &str) -> Option<Filter> {
    Some(Filter::parse(serde_json::from_str(json).unwrap(), &FilterLimits::default()).unwrap())
}

/// Nothing of the past is known: it is everything.
async fn is_reset(store: &Arc<dyn Store>, position: Position) {
    let answer = since(store, position).await;
    let everything = read(store, Read::default()).await;
    assert_eq!(answer, Snapshot { reset: true, ..everything }, "{position}");
}

/// Everything that may become of a record. Answers the position before.
async fn much_happens(store: &Arc<dyn Store>) -> Position {
    let insert = |ids: &str| ids.chars().map(|id| upsert(&format!(r#"{{"id":"{id}","x":1}}"#))).collect();
    let before = commit(store, insert("abcdef")).await.position;
    // Twice, and not in the order of insertion.
    commit(store, vec![upsert(r#"{"id":"e","x":2}"#), upsert(r#"{"id":"c","x":2}"#), upsert(r#"{"id":"e","x":3}"#)])
        .await;
    commit(store, insert("ghi")).await;
    commit(store, vec![delete("b"), delete("a"), upsert(r#"{"id":"a","x":4}"#), delete("d")]).await;
    commit(store, vec![delete("h"), upsert(r#"{"id":"d","x":5}"#), delete("d"), upsert(r#"{"id":"g","x":6}"#)]).await;
    before
}

/// After that, whatever else was changed.
fn has_all_of_it(answer: &Snapshot, others: &[&str]) {
    assert_eq!(ids(answer), [["c", "e", "g", "i", "a"].as_slice(), others].concat());
    // Of `h` nobody knew before; that it is gone need not be said, but may.
    let gone: Vec<_> = gone(answer).into_iter().filter(|id| *id != "h").collect();
    assert_eq!((gone, answer.reset), (vec!["b", "d"], false));
    assert!(answer.records.iter().any(|record| record.json() == r#"{"id":"e","x":3,"_rev":9}"#));
}

pub(crate) async fn nothing_became_of_what_nobody_changed(store: Arc<dyn Store>) {
    let empty = store.position(&model("M")).await.unwrap();
    let nothing = |position| Snapshot { records: vec![], deleted: vec![], reset: false, next: None, position };
    assert_eq!(since(&store, empty).await, nothing(empty));
    let position = commit(&store, vec![upsert(r#"{"id":"a"}"#), delete("a"), upsert(r#"{"id":"b"}"#)]).await.position;
    assert_eq!(since(&store, position).await, nothing(position));
    let first = since(&store, empty).await;
    assert_eq!((ids(&first), first.reset, first.position), (vec!["b"], false, position));
}

pub(crate) async fn the_log_tells_what_became_of_the_records(store: Arc<dyn Store>) {
    let before = much_happens(&store).await;
    let answer = since(&store, before).await;
    has_all_of_it(&answer, &[]);
    assert_eq!(answer.position, store.position(&model("M")).await.unwrap());
    let later = since(&store, Position { revision: Revision(16), ..before }).await;
    assert_eq!((ids(&later), gone(&later)), (vec!["g"], vec!["d", "h"]));
}

pub(crate) async fn the_tombstones_tell_it_when_the_log_does_not(store: Arc<dyn Store>) {
    let before = much_happens(&store).await;
    fill(&store, PLENTY).await;
    assert_eq!(log(&store, 6).await, None);
    has_all_of_it(&since(&store, before).await, &["filler"]);
    let chosen = ["d", "a", "x", "f", "b", "c"].map(id).to_vec();
    let query = Read { selection: Selection::Ids(chosen), since: Some(before), ..Read::default() };
    let answer = read(&store, query.clone()).await;
    assert_eq!((ids(&answer), gone(&answer), answer.reset), (vec!["c", "a"], vec!["b", "d"], false));
    let answer = read(&store, Read { filter: filter(r#"{"x":4}"#), ..query }).await;
    assert_eq!((ids(&answer), gone(&answer), answer.reset), (vec!["a"], vec!["b", "c", "d"], false));
    // `b` was deleted with revision 13.
    let later = since(&store, Position { revision: Revision(13), ..before }).await;
    assert_eq!((ids(&later), gone(&later)), (vec!["g", "a", "filler"], vec!["d", "h"]));
    let inside = since(&store, Position { revision: Revision(PLENTY), ..before }).await;
    assert_eq!((ids(&inside), inside.deleted.len(), inside.reset), (vec!["filler"], 0, false));
}

pub(crate) async fn beyond_the_tombstones_it_is_everything(store: Arc<dyn Store>) {
    let before = much_happens(&store).await;
    let some = (0..RETENTION.tombstones / 4).flat_map(|n| {
        let id = format!("some {n}");
        [upsert(&format!(r#"{{"id":"{id}"}}"#)), delete(&id)]
    });
    commit(&store, some.collect()).await;
    fill(&store, PLENTY).await;
    assert!(!since(&store, before).await.reset);
    let many = (0..PLENTY).flat_map(|n| {
        let id = format!("many {n}");
        [upsert(&format!(r#"{{"id":"{id}"}}"#)), delete(&id)]
    });
    let done = commit(&store, many.collect()).await;
    is_reset(&store, before).await;
    let kept = done.position.revision.0 - RETENTION.log_entries as u64;
    let inside = since(&store, Position { revision: Revision(kept), ..before }).await;
    assert_eq!((inside.records, inside.reset), (vec![], false), "the log still knows");
}

pub(crate) async fn tombstones_go_with_time(store: Arc<dyn Store>) {
    let before = much_happens(&store).await;
    fill(&store, PLENTY).await;
    let pass = |after| Step::of([upsert(r#"{"id":"late"}"#), delete("late")]).at(NOW + after);
    pass(RETENTION.tombstone_age).done(&store).await;
    assert!(!since(&store, before).await.reset);
    pass(RETENTION.tombstone_age + 1).done(&store).await;
    is_reset(&store, before).await;
    // That none are left of a time does not make the present unknown.
    let present = store.position(&model("M")).await.unwrap();
    pass(3 * RETENTION.tombstone_age).done(&store).await;
    assert!(!since(&store, present).await.reset);
}

pub(crate) async fn who_was_never_here_is_given_everything(store: Arc<dyn Store>) {
    let before = much_happens(&store).await;
    let head = store.position(&model("M")).await.unwrap();
    let other = NonZeroU64::new(before.epoch.0.get() ^ 1).or(NonZeroU64::new(7)).unwrap();
    is_reset(&store, Position { epoch: Epoch(other), ..before }).await;
    is_reset(&store, Position { epoch: Epoch(other), revision: Revision(0) }).await;
    is_reset(&store, Position { revision: head.revision.next(), ..head }).await;
    is_reset(&store, Position { revision: Revision(u64::MAX), ..head }).await;
    assert!(!since(&store, Position { revision: Revision(0), ..head }).await.reset);
}

pub(crate) async fn a_position_of_one_model_is_none_of_another(store: Arc<dyn Store>) {
    much_happens(&store).await;
    let elsewhere = Step::to("N", [upsert(r#"{"id":"n"}"#)]).done(&store).await.position;
    is_reset(&store, elsewhere).await;
    is_reset(&store, store.position(&model("Untouched")).await.unwrap()).await;
}

pub(crate) async fn what_no_longer_matches_counts_as_deleted(store: Arc<dyn Store>) {
    let room = |id: &str, room: &str| upsert(&format!(r#"{{"id":"{id}","room":"{room}"}}"#));
    let first = vec![room("in", "a"), room("out", "b"), room("leaves", "a"), room("enters", "b"), room("gone", "a")];
    let before = commit(&store, first).await.position;
    commit(&store, vec![room("enters", "a"), room("leaves", "b"), room("new", "a"), room("other", "b")]).await;
    commit(&store, vec![delete("gone"), upsert(r#"{"id":"in","x":1}"#), upsert(r#"{"id":"out","x":1}"#)]).await;
    let query = Read { filter: filter(r#"{"room":"a"}"#), since: Some(before), ..Read::default() };
    for _ in 0..2 {
        let answer = read(&store, query.clone()).await;
        assert_eq!((ids(&answer), answer.reset), (vec!["in", "enters", "new"], false));
        // Of the others nobody knew before.
        let known = ["leaves", "gone", "out", "other", "filler"];
        assert!(gone(&answer).iter().all(|id| known.contains(id)), "{answer:?}");
        assert!(["gone", "leaves"].iter().all(|id| gone(&answer).contains(id)), "{answer:?}");
        fill(&store, PLENTY).await;
    }
    let reset = read(&store, Read { since: Some(Position { revision: Revision(u64::MAX), ..before }), ..query }).await;
    assert_eq!((ids(&reset), reset.deleted.len(), reset.reset), (vec!["in", "enters", "new"], 0, true));
}

pub(crate) async fn of_some_ids_only_these_are_told(store: Arc<dyn Store>) {
    let before = much_happens(&store).await;
    let of = async |chosen: &[&str], filter| {
        let selection = Selection::Ids(chosen.iter().map(|text| id(text)).collect());
        read(&store, Read { selection, filter, since: Some(before), ..Read::default() }).await
    };
    let answer = of(&["d", "a", "f", "never", "e", "b"], None).await;
    assert_eq!((ids(&answer), gone(&answer)), (vec!["e", "a"], vec!["b", "d"]), "in the order of insertion");
    let answer = of(&["a", "e"], filter(r#"{"x":{"$lt":4}}"#)).await;
    assert_eq!((ids(&answer), gone(&answer)), (vec!["e"], vec!["a"]));
    let answer = of(&[], None).await;
    assert_eq!((ids(&answer), gone(&answer), answer.reset), (vec![], vec![], false));
}

pub(crate) async fn a_position_between_the_changes_of_a_commit_is_one(store: Arc<dyn Store>) {
    let done = commit(&store, vec![upsert(r#"{"id":"a"}"#), upsert(r#"{"id":"b"}"#), delete("a")]).await;
    let answer = since(&store, Position { revision: Revision(1), ..done.position }).await;
    assert_eq!((ids(&answer), gone(&answer), answer.reset), (vec!["b"], vec!["a"], false));
}
