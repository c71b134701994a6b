//! What a model may grow to: the oldest go, as changes like any.

use super::*;
use crate::store::ChangeKind::{self, Delete, Evict, Insert, Update};
use backsync_protocol::ConflictPolicy::LatestWins;
use std::num::{NonZeroU32, NonZeroU64};

fn records(most: u32) -> Bounds {
    Bounds { max_records: NonZeroU32::new(most), max_age: None }
}

fn age(most: Millis) -> Bounds {
    Bounds { max_records: None, max_age: NonZeroU64::new(most) }
}

fn insert(ids: &str) -> Vec<Operation> {
    ids.chars().map(|id| upsert(&format!(r#"{{"id":"{id}"}}"#))).collect()
}

fn kinds(done: &Done) -> Vec<(u64, ChangeKind, &str)> {
    done.changes.iter().map(|change| (change.revision.0, change.kind, change.record.id())).collect()
}

async fn left(store: &Arc<dyn Store>) -> String {
    ids(&read(store, Read::default()).await).concat()
}

pub(crate) async fn the_oldest_go_where_a_model_is_bounded(store: Arc<dyn Store>) {
    for id in ["a", "b"] {
        Step::of(insert(id)).bounded(records(2)).done(&store).await;
    }
    // It is not the younger for being changed.
    Step::of([upsert(r#"{"id":"a","x":1}"#)]).bounded(records(2)).done(&store).await;
    let over = Step::of(insert("cd")).bounded(records(2)).done(&store).await;
    assert_eq!(kinds(&over), [(4, Insert, "c"), (5, Insert, "d"), (6, Evict, "a"), (7, Evict, "b")]);
    assert_eq!(over.changes[2].record.json(), r#"{"id":"a","x":1,"_rev":3}"#);
    assert_eq!(over.position.revision, Revision(7));
    assert_eq!(all(&store).await, [r#"{"id":"c","_rev":4}"#, r#"{"id":"d","_rev":5}"#]);
    assert_eq!(log(&store, 3).await.unwrap(), over.changes.to_vec());
}

pub(crate) async fn a_batch_larger_than_its_model_leaves_its_last_records(store: Arc<dyn Store>) {
    let over = Step::of(insert("abcba")).bounded(records(2)).done(&store).await;
    assert_eq!(kinds(&over), [(1, Insert, "a"), (2, Insert, "b"), (3, Insert, "c"), (4, Evict, "a")]);
    assert!(over.records.iter().all(Option::is_some), "as each operation left it");
    let over = Step::of([insert("de"), vec![delete("b")]].concat()).bounded(records(2)).done(&store).await;
    assert_eq!(kinds(&over), [(5, Insert, "d"), (6, Insert, "e"), (7, Delete, "b"), (8, Evict, "c")]);
    assert_eq!(left(&store).await, "de");
}

pub(crate) async fn only_what_is_said_with_a_commit_bounds_its_model(store: Arc<dyn Store>) {
    commit(&store, insert("abc")).await;
    Step::to("N", insert("n")).bounded(records(1)).done(&store).await;
    assert_eq!(left(&store).await, "abc");
    let parts = Step::of(insert("d")).bounded(records(3)).and("N", insert("m")).parts(&store).await;
    assert_eq!(kinds(&parts[0]), [(4, Insert, "d"), (5, Evict, "a")]);
    assert_eq!(kinds(&parts[1]), [(2, Insert, "m")]);
    // What changes nothing evicts all the same.
    let same = Step::of(insert("d")).bounded(records(2)).done(&store).await;
    assert_eq!(kinds(&same), [(6, Evict, "b")]);
}

pub(crate) async fn a_part_without_operations_evicts(store: Arc<dyn Store>) {
    commit(&store, insert("abcd")).await;
    let done = Step::of([]).bounded(records(3)).done(&store).await;
    assert_eq!((kinds(&done), done.records.len()), (vec![(5, Evict, "a")], 0));
    let done = Step::of([]).bounded(records(3)).done(&store).await;
    assert_eq!((kinds(&done), done.position.revision), (vec![], Revision(5)));
    let done = Step::of([]).bounded(age(10)).at(NOW + 11).done(&store).await;
    assert_eq!(kinds(&done), [(6, Evict, "b"), (7, Evict, "c"), (8, Evict, "d")]);
    let done = Step::to("Untouched", []).bounded(records(1)).done(&store).await;
    assert_eq!((kinds(&done), done.position.revision), (vec![], Revision(0)));
}

pub(crate) async fn what_is_too_old_goes_with_the_next_commit(store: Arc<dyn Store>) {
    let step = |ids, at| Step::of(insert(ids)).bounded(age(1000)).at(NOW + at);
    step("ab", 0).done(&store).await;
    step("c", 500).done(&store).await;
    let at_its_age = step("d", 1000).done(&store).await;
    assert_eq!(kinds(&at_its_age), [(4, Insert, "d")]);
    let update = Step::of([upsert(r#"{"id":"b","x":1}"#)]).bounded(age(1000)).at(NOW + 1001).done(&store).await;
    assert_eq!(kinds(&update), [(5, Update, "b"), (6, Evict, "a"), (7, Evict, "b")], "from its insertion on");
    assert_eq!(left(&store).await, "cd");
    // Inserted again it is young again.
    step("a", 1400).done(&store).await;
    Step::of([delete("c"), upsert(r#"{"id":"c"}"#)]).bounded(age(1000)).at(NOW + 1450).done(&store).await;
    let later = step("", 2100).done(&store).await;
    assert_eq!((kinds(&later), left(&store).await), (vec![(11, Evict, "d")], "ac".to_owned()));
}

pub(crate) async fn both_bounds_hold(store: Arc<dyn Store>) {
    let both = Bounds { max_records: NonZeroU32::new(2), max_age: NonZeroU64::new(1000) };
    for (n, id) in (0..).zip(["a", "b", "c"]) {
        Step::of(insert(id)).bounded(Bounds::default()).at(NOW + 600 * n).done(&store).await;
    }
    let done = Step::of([]).bounded(both).at(NOW + 1200).done(&store).await;
    assert_eq!(kinds(&done), [(4, Evict, "a")]);
    let done = Step::of(insert("de")).bounded(both).at(NOW + 1200).done(&store).await;
    assert_eq!(kinds(&done), [(5, Insert, "d"), (6, Insert, "e"), (7, Evict, "b"), (8, Evict, "c")]);
    let done = Step::of(insert("f")).bounded(both).at(NOW + 2201).done(&store).await;
    assert_eq!(kinds(&done), [(9, Insert, "f"), (10, Evict, "d"), (11, Evict, "e")]);
}

pub(crate) async fn who_was_away_learns_of_evictions(store: Arc<dyn Store>) {
    let start = commit(&store, insert("abcdefg")).await.position;
    let evicted = Step::of([]).bounded(records(4)).done(&store).await;
    let since = || read(&store, Read { since: Some(start), ..Read::default() });
    let deleted = async || since().await.deleted.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(log(&store, 7).await.unwrap(), evicted.changes.to_vec());
    assert_eq!((deleted().await, since().await.records), (vec!["a".to_owned(), "b".into(), "c".into()], vec![]));
    fill(&store, PLENTY).await;
    let mut gone = deleted().await;
    gone.sort();
    assert_eq!((gone, since().await.reset), (vec!["a".to_owned(), "b".into(), "c".into()], false));
}

pub(crate) async fn what_was_evicted_may_come_back(store: Arc<dyn Store>) {
    let edit = |x: u32| {
        let terms = Terms { last_change: Some(1000), ..under(LatestWins) };
        on(&terms, upsert(&format!(r#"{{"id":"a","x":{x}}}"#)))
    };
    Step::of([edit(1), upsert(r#"{"id":"b"}"#)]).bounded(records(1)).done(&store).await;
    // Nobody decided that it should not be there.
    let back = commit(&store, vec![edit(2)]).await;
    assert_eq!(kinds(&back), [(4, Insert, "a")]);
}
