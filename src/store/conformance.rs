//! What every store has to hold to, as tests that each of them runs.

use super::{Bounds, Change, ChangeKind, Commit, Committed, Operation, Selection, Store};
use backsync_protocol::{ModelName, RecordId, RecordInput, Revision};
use std::{future::Future, num::NonZeroU32, sync::Arc};

/// A store to be tried; it lives as long as its fixture.
pub(crate) trait Fixture {
    /// Open a fresh, empty store that keeps this many log entries.
    fn open(&self, log_entries: usize) -> Arc<dyn Store>;
}

/// Make a test of every case for one fixture.
macro_rules! conformance {
    ($fixture:expr) => {
        $crate::store::conformance::conformance!(@ $fixture;
            records_come_back_in_insertion_order,
            an_upsert_merges_and_a_replace_does_not,
            what_changes_nothing_is_not_numbered,
            deleting_gives_the_last_state_and_nothing_twice,
            revisions_are_contiguous_over_batches,
            a_batch_is_one_position,
            commits_of_one_call_see_each_other,
            the_log_is_what_happened,
            a_trimmed_log_says_so,
            the_oldest_go_where_a_model_is_bounded,
            models_do_not_see_each_other,
            text_survives_unharmed,
            commits_of_many_threads_are_in_one_order,
        );
    };
    (@ $fixture:expr; $($case:ident),* $(,)?) => {
        $(
            #[test]
            fn $case() {
                $crate::store::conformance::run(&$fixture, $crate::store::conformance::$case);
            }
        )*
    };
}
pub(crate) use conformance;

/// Run one case on a fresh store.
pub(crate) fn run<F: Fixture, T: Future<Output = ()>>(fixture: &F, case: impl FnOnce(Arc<dyn Store>) -> T) {
    block_on(case(fixture.open(100)));
}

pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

pub(crate) fn model(name: &str) -> ModelName {
    ModelName::parse(name).unwrap()
}

pub(crate) fn upsert(json: &str) -> Operation {
    let input = RecordInput::parse(serde_json::from_str(json).unwrap()).unwrap();
    Operation::Upsert { id: input.id.unwrap(), attributes: input.attributes, replace: false }
}

fn replace(json: &str) -> Operation {
    match upsert(json) {
        Operation::Upsert { id, attributes, .. } => Operation::Upsert { id, attributes, replace: true },
        Operation::Delete { .. } => unreachable!("an upsert"),
    }
}

fn delete(id: &str) -> Operation {
    Operation::Delete { id: RecordId::parse(id).unwrap() }
}

pub(crate) async fn commit(store: &Arc<dyn Store>, operations: Vec<Operation>) -> Committed {
    commit_bounded(store, operations, Bounds::default()).await
}

async fn commit_bounded(store: &Arc<dyn Store>, operations: Vec<Operation>, bounds: Bounds) -> Committed {
    store.commit(&model("M"), vec![Commit { operations }], bounds).await.unwrap().pop().unwrap()
}

pub(crate) async fn all(store: &Arc<dyn Store>) -> Vec<String> {
    let snapshot = store.read(&model("M"), Selection::All).await.unwrap();
    snapshot.records.iter().map(|record| record.json.to_string()).collect()
}

fn numbers(changes: &[Change]) -> Vec<u64> {
    changes.iter().map(|change| change.revision.0).collect()
}

pub(crate) async fn records_come_back_in_insertion_order(store: Arc<dyn Store>) {
    for id in ["c", "a", "b"] {
        commit(&store, vec![upsert(&format!(r#"{{"id":"{id}"}}"#))]).await;
    }
    commit(&store, vec![upsert(r#"{"id":"c","again":true}"#)]).await;
    commit(&store, vec![delete("a")]).await;
    commit(&store, vec![upsert(r#"{"id":"a"}"#)]).await;
    assert_eq!(
        all(&store).await,
        [r#"{"id":"c","again":true,"_rev":4}"#, r#"{"id":"b","_rev":3}"#, r#"{"id":"a","_rev":6}"#]
    );
    let ids = ["a", "x", "c"].map(|id| RecordId::parse(id).unwrap()).to_vec();
    let some = store.read(&model("M"), Selection::Ids(ids)).await.unwrap();
    assert_eq!(some.records.iter().map(|r| r.id.as_str()).collect::<Vec<_>>(), ["a", "c"]);
    assert_eq!(some.position, store.position(&model("M")).await.unwrap());
}

pub(crate) async fn an_upsert_merges_and_a_replace_does_not(store: Arc<dyn Store>) {
    commit(&store, vec![upsert(r#"{"id":"a","x":1,"y":{"z":1}}"#)]).await;
    let merged = commit(&store, vec![upsert(r#"{"id":"a","y":{"w":2},"n":null}"#)]).await;
    assert_eq!(&*merged.records[0].as_ref().unwrap().json, r#"{"id":"a","x":1,"y":{"w":2},"n":null,"_rev":2}"#);
    let replaced = commit(&store, vec![replace(r#"{"id":"a","n":5}"#)]).await;
    assert_eq!(&*replaced.changes[0].record.json, r#"{"id":"a","n":5,"_rev":3}"#);
}

pub(crate) async fn what_changes_nothing_is_not_numbered(store: Arc<dyn Store>) {
    commit(&store, vec![upsert(r#"{"id":"a","x":1,"y":[1,2]}"#)]).await;
    for same in [upsert(r#"{"id":"a"}"#), upsert(r#"{"id":"a","y":[1, 2]}"#), replace(r#"{"y":[1,2],"id":"a","x":1}"#)]
    {
        let same = commit(&store, vec![same]).await;
        assert_eq!((same.changes.len(), same.position.revision), (0, Revision(1)));
        assert_eq!(&*same.records[0].as_ref().unwrap().json, r#"{"id":"a","x":1,"y":[1,2],"_rev":1}"#);
    }
}

pub(crate) async fn deleting_gives_the_last_state_and_nothing_twice(store: Arc<dyn Store>) {
    commit(&store, vec![upsert(r#"{"id":"a","x":1}"#)]).await;
    let deleted = commit(&store, vec![delete("a")]).await;
    assert_eq!((deleted.changes[0].kind, deleted.changes[0].revision), (ChangeKind::Delete, Revision(2)));
    assert_eq!(&*deleted.changes[0].record.json, r#"{"id":"a","x":1,"_rev":1}"#);
    assert_eq!(deleted.records, [None]);
    let again = commit(&store, vec![delete("a")]).await;
    assert_eq!((again.changes.len(), again.position.revision), (0, Revision(2)));
}

pub(crate) async fn revisions_are_contiguous_over_batches(store: Arc<dyn Store>) {
    let batch =
        vec![upsert(r#"{"id":"a"}"#), upsert(r#"{"id":"b"}"#), upsert(r#"{"id":"a"}"#), delete("b"), delete("x")];
    let committed = commit(&store, batch).await;
    assert_eq!(numbers(&committed.changes), [1, 2, 3]);
    assert_eq!(committed.records.iter().map(Option::is_some).collect::<Vec<_>>(), [true, true, true, false, false]);
    assert_eq!(numbers(&commit(&store, vec![upsert(r#"{"id":"c"}"#)]).await.changes), [4]);
}

pub(crate) async fn a_batch_is_one_position(store: Arc<dyn Store>) {
    let before = store.position(&model("M")).await.unwrap();
    assert_eq!(before.revision, Revision(0));
    let committed = commit(&store, vec![upsert(r#"{"id":"a"}"#), upsert(r#"{"id":"b"}"#)]).await;
    assert_eq!(committed.position, backsync_protocol::Position { epoch: before.epoch, revision: Revision(2) });
    assert_eq!(store.position(&model("M")).await.unwrap(), committed.position);
}

pub(crate) async fn commits_of_one_call_see_each_other(store: Arc<dyn Store>) {
    let one = |operation| Commit { operations: vec![operation] };
    let commits = vec![one(upsert(r#"{"id":"a","x":1}"#)), one(upsert(r#"{"id":"a","y":2}"#)), one(delete("a"))];
    let committed = store.commit(&model("M"), commits, Bounds::default()).await.unwrap();
    assert_eq!(committed.iter().map(|c| c.position.revision.0).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(&*committed[2].changes[0].record.json, r#"{"id":"a","x":1,"y":2,"_rev":2}"#);
}

pub(crate) async fn the_log_is_what_happened(store: Arc<dyn Store>) {
    let mut happened = Vec::new();
    for operation in [upsert(r#"{"id":"a"}"#), upsert(r#"{"id":"b"}"#), delete("a"), upsert(r#"{"id":"b","x":1}"#)] {
        happened.extend(commit(&store, vec![operation]).await.changes);
    }
    let changes = |after, limit| store.changes(&model("M"), Revision(after), limit);
    assert_eq!(changes(0, 10).await.unwrap().unwrap(), happened);
    assert_eq!(changes(1, 2).await.unwrap().unwrap(), happened[1..3]);
    assert_eq!(changes(4, 10).await.unwrap().unwrap(), []);
    assert_eq!(store.changes(&model("Untouched"), Revision(0), 10).await.unwrap().unwrap(), []);
}

/// The fixture's store keeps 100 entries at the least.
pub(crate) async fn a_trimmed_log_says_so(store: Arc<dyn Store>) {
    for n in 0..2500 {
        commit(&store, vec![upsert(&format!(r#"{{"id":"a","n":{n}}}"#))]).await;
    }
    let last = store.changes(&model("M"), Revision(2400), 1000).await.unwrap().unwrap();
    assert_eq!(numbers(&last), (2401..=2500).collect::<Vec<_>>());
    assert_eq!(store.changes(&model("M"), Revision(0), 1000).await.unwrap(), None);
}

pub(crate) async fn the_oldest_go_where_a_model_is_bounded(store: Arc<dyn Store>) {
    let bounds = Bounds { max_records: NonZeroU32::new(2) };
    for id in ["a", "b"] {
        commit_bounded(&store, vec![upsert(&format!(r#"{{"id":"{id}"}}"#))], bounds).await;
    }
    commit_bounded(&store, vec![upsert(r#"{"id":"a","x":1}"#)], bounds).await;
    let over = commit_bounded(&store, vec![upsert(r#"{"id":"c"}"#), upsert(r#"{"id":"d"}"#)], bounds).await;
    let kinds: Vec<_> = over.changes.iter().map(|c| (c.revision.0, c.kind, c.record.id.to_string())).collect();
    let of = |revision, kind, id: &str| (revision, kind, id.to_owned());
    let expected = [
        of(4, ChangeKind::Upsert, "c"),
        of(5, ChangeKind::Upsert, "d"),
        of(6, ChangeKind::Evict, "a"),
        of(7, ChangeKind::Evict, "b"),
    ];
    assert_eq!(kinds, expected);
    assert_eq!(over.position.revision, Revision(7));
    assert_eq!(all(&store).await, [r#"{"id":"c","_rev":4}"#, r#"{"id":"d","_rev":5}"#]);
    assert_eq!(store.changes(&model("M"), Revision(3), 10).await.unwrap().unwrap(), over.changes);
}

pub(crate) async fn models_do_not_see_each_other(store: Arc<dyn Store>) {
    commit(&store, vec![upsert(r#"{"id":"a"}"#)]).await;
    let other = store.read(&model("m"), Selection::All).await.unwrap();
    assert_eq!((other.records.len(), other.position.revision), (0, Revision(0)));
}

pub(crate) async fn text_survives_unharmed(store: Arc<dyn Store>) {
    let json = r#"{"id":"a\u0000\"ü","n":123456789012345678901234567890.10,"s":"\ud800 \u2028 é 😀 \u0000","e":"","d":[[{}]],"😀":-0,"_rev":1}"#;
    commit(&store, vec![upsert(json)]).await;
    assert_eq!(all(&store).await, [json]);
    let id = RecordId::parse("a\0\"ü").unwrap();
    let found = store.read(&model("M"), Selection::Ids(vec![id.clone()])).await.unwrap();
    assert_eq!(found.records[0].id, id);
}

pub(crate) async fn commits_of_many_threads_are_in_one_order(store: Arc<dyn Store>) {
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let store = &store;
            scope.spawn(move || {
                block_on(async {
                    for n in 0..50 {
                        commit(store, vec![upsert(&format!(r#"{{"id":"{thread}-{}","n":{n}}}"#, n % 5))]).await;
                    }
                });
            });
        }
    });
    let changes = store.changes(&model("M"), Revision(100), 1000).await.unwrap().unwrap();
    assert_eq!(numbers(&changes), (101..=200).collect::<Vec<_>>());
    assert_eq!(all(&store).await.len(), 20);
}
