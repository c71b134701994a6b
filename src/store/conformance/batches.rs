//! A commit is applied whole or not at all: one model or several, one operation or many.

use super::*;
use crate::store::ChangeKind::{self, Delete, Insert, Update};
use backsync_protocol::{ConflictPolicy::ServerWins, Position, RecordInput};
use std::num::NonZeroU32;

/// Is refused wherever it stands.
fn conflict(record: &str) -> Operation {
    on(&Terms { base: Some(Revision(999)), ..under(ServerWins) }, upsert(&format!(r#"{{"id":"{record}"}}"#)))
}

/// Everything that can be seen of a model.
async fn view(store: &Arc<dyn Store>, name: &str) -> (Snapshot, Option<Page>) {
    let model = model(name);
    let snapshot = store.read(&model, Read::default()).await.unwrap();
    let begin = Position { revision: Revision(0), ..snapshot.position };
    (snapshot, store.changes(&model, begin, usize::MAX).await.unwrap())
}

fn kinds(changes: &[Change]) -> Vec<(u64, ChangeKind, &str)> {
    changes.iter().map(|change| (change.revision.0, change.kind, change.record.id())).collect()
}

pub(crate) async fn a_batch_refused_in_the_middle_leaves_nothing(store: Arc<dyn Store>) {
    commit(&store, vec![upsert(r#"{"id":"a","x":1}"#), upsert(r#"{"id":"b"}"#), upsert(r#"{"id":"c"}"#)]).await;
    let before = view(&store, "M").await;
    let operations = [
        upsert(r#"{"id":"a","x":2}"#),
        upsert(r#"{"id":"d"}"#),
        delete("b"),
        replace(r#"{"id":"a"}"#),
        upsert(r#"{"id":"b","again":true}"#),
        delete("d"),
        conflict("c"),
        upsert(r#"{"id":"e"}"#),
    ];
    let refused = Step::of(operations).rejected(&store).await;
    let why = Rejection::Conflict { record: Some(before.0.records[2].clone()), properties: Vec::new() };
    assert_eq!(refused, Rejected { part: 0, operation: 6, why });
    assert_eq!(view(&store, "M").await, before);
    let since = read(&store, Read { since: Some(before.0.position), ..Read::default() }).await;
    assert_eq!((since.records, since.deleted, since.reset), (vec![], vec![], false));
    assert_eq!(numbers(&commit(&store, vec![upsert(r#"{"id":"a","x":3}"#)]).await.changes), [4]);
    assert_eq!(log(&store, 3).await.unwrap().len(), 1);
}

pub(crate) async fn a_part_that_is_refused_undoes_the_others(store: Arc<dyn Store>) {
    Step::of([upsert(r#"{"id":"a"}"#), upsert(r#"{"id":"b"}"#)])
        .and("A", [upsert(r#"{"id":"a"}"#)])
        .and("Z", [upsert(r#"{"id":"z"}"#)])
        .parts(&store)
        .await;
    let before = [view(&store, "M").await, view(&store, "A").await, view(&store, "Z").await];
    let bounds = Bounds { max_records: NonZeroU32::new(1), max_age: None };
    let refused = Step::of([upsert(r#"{"id":"c"}"#), delete("a"), upsert(r#"{"id":"a"}"#)])
        .bounded(bounds)
        .and("Z", [upsert(r#"{"id":"z","x":1}"#), upsert(r#"{"id":"y"}"#)])
        .and("A", [delete("a"), upsert(r#"{"id":"a","x":1}"#), conflict("a")])
        .and("New", [upsert(r#"{"id":"n"}"#)])
        .rejected(&store)
        .await;
    assert_eq!((refused.part, refused.operation), (2, 2));
    assert_eq!([view(&store, "M").await, view(&store, "A").await, view(&store, "Z").await], before);
    assert_eq!(store.position(&model("New")).await.unwrap().revision, Revision(0));
    let after = Step::of([delete("a")]).and("A", [delete("a")]).parts(&store).await;
    assert_eq!((numbers(&after[0].changes), numbers(&after[1].changes)), (vec![3], vec![2]));
}

pub(crate) async fn a_refused_commit_does_not_touch_those_beside_it(store: Arc<dyn Store>) {
    let commits = smallvec![
        Step::of([upsert(r#"{"id":"a"}"#)]).0,
        Step::of([upsert(r#"{"id":"a","x":1}"#), upsert(r#"{"id":"b"}"#), conflict("a")]).0,
        Step::of([upsert(r#"{"id":"a","y":1}"#)]).0,
    ];
    let outcomes = store.commit(commits).await.unwrap();
    assert_eq!(outcomes.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
    assert_eq!(all(&store).await, [r#"{"id":"a","y":1,"_rev":2}"#]);
    assert_eq!(kinds(&log(&store, 0).await.unwrap()), [(1, Insert, "a"), (2, Update, "a")]);
}

pub(crate) async fn a_record_may_be_written_several_times_in_a_batch(store: Arc<dyn Store>) {
    let batch = vec![
        upsert(r#"{"id":"a","x":1}"#),
        upsert(r#"{"id":"a","y":2}"#),
        upsert(r#"{"id":"a","x":1}"#),
        on(&Terms { base: Some(Revision(2)), ..under(ServerWins) }, replace(r#"{"id":"a","z":3}"#)),
    ];
    let done = commit(&store, batch).await;
    let records: Vec<_> = done.records.iter().map(|record| record.as_ref().unwrap().json()).collect();
    let (second, last) = (r#"{"id":"a","x":1,"y":2,"_rev":2}"#, r#"{"id":"a","z":3,"_rev":3}"#);
    assert_eq!(records, [r#"{"id":"a","x":1,"_rev":1}"#, second, second, last]);
    let before: Vec<_> = done.changes.iter().map(|change| change.before.as_ref().map(Record::json)).collect();
    assert_eq!(before, [None, Some(records[0]), Some(second)]);
    assert_eq!(kinds(&done.changes), [(1, Insert, "a"), (2, Update, "a"), (3, Update, "a")]);
    assert_eq!(all(&store).await, [last]);
}

pub(crate) async fn what_a_batch_inserts_it_may_delete(store: Arc<dyn Store>) {
    commit(&store, vec![upsert(r#"{"id":"a"}"#), upsert(r#"{"id":"b"}"#)]).await;
    let batch = vec![upsert(r#"{"id":"c"}"#), delete("c"), delete("a"), upsert(r#"{"id":"a","x":1}"#), delete("c")];
    let done = commit(&store, batch).await;
    assert_eq!(kinds(&done.changes), [(3, Insert, "c"), (4, Delete, "c"), (5, Delete, "a"), (6, Insert, "a")]);
    let there: Vec<_> = done.records.iter().map(Option::is_some).collect();
    assert_eq!(there, [true, false, false, true, false]);
    assert_eq!(all(&store).await, [r#"{"id":"b","_rev":2}"#, r#"{"id":"a","x":1,"_rev":6}"#]);
}

pub(crate) async fn each_part_has_its_own_position(store: Arc<dyn Store>) {
    commit(&store, vec![upsert(r#"{"id":"a"}"#), upsert(r#"{"id":"b"}"#)]).await;
    let parts = Step::to("Z", [upsert(r#"{"id":"z"}"#), upsert(r#"{"id":"y"}"#), delete("z")])
        .and("M", [delete("a")])
        .and("A", [delete("nothing")])
        .and("B", [])
        .parts(&store)
        .await;
    let numbers: Vec<_> = parts.iter().map(|part| numbers(&part.changes)).collect();
    assert_eq!(numbers, [vec![1, 2, 3], vec![3], vec![], vec![]]);
    assert_eq!(parts.iter().map(|part| part.records.len()).collect::<Vec<_>>(), [3, 1, 1, 0]);
    for (name, part) in ["Z", "M", "A", "B"].into_iter().zip(&parts) {
        assert_eq!(part.position, store.position(&model(name)).await.unwrap(), "{name}");
    }
    assert_eq!(view(&store, "Z").await.1.unwrap().changes, parts[0].changes.to_vec());
    assert_eq!(ids(&view(&store, "Z").await.0), ["y"]);
}

/// Far more than is ever moved one by one.
pub(crate) async fn a_large_batch_is_taken_back_whole(store: Arc<dyn Store>) {
    let insert = |n: u32| upsert(&format!(r#"{{"id":"{n}"}}"#));
    commit(&store, (0..400).map(insert).collect()).await;
    commit(&store, (0..300).filter(|n| n % 3 == 0).map(|n| delete(&n.to_string())).collect()).await;
    let before = view(&store, "M").await;
    let removals = (0..400).filter(|n| n % 7 != 0).map(|n| delete(&n.to_string()));
    let operations: Vec<_> = removals.chain((0..100).map(insert)).chain([conflict("7")]).collect();
    let last = operations.len() - 1;
    assert_eq!(Step::of(operations).rejected(&store).await.operation, last);
    assert_eq!(view(&store, "M").await, before);
    assert_eq!(numbers(&commit(&store, vec![delete("399")]).await.changes), [501]);
    assert_eq!(ids(&view(&store, "M").await.0).len(), 299);
}

pub(crate) async fn ids_that_need_escapes_are_ids_like_any(store: Arc<dyn Store>) {
    let awkward = ["\"", "\\", "\n", "\0", "\u{7f}", "é😀", "%_*?[", "'; --", "a\"b\\", " ", "null", "\u{2028}", "A"];
    let write = |id: &str, x: u32| {
        let json = format!(r#"{{"id":{},"x":{x}}}"#, serde_json::to_string(id).unwrap());
        let record = RecordInput::parse(serde_json::from_str(&json).unwrap(), || unreachable!()).unwrap();
        Operation::Upsert { record, replace: false, terms: under(ServerWins) }
    };
    let long = "\"".repeat(RecordId::MAX_BYTES);
    let every = || awkward.into_iter().chain([&*long]);
    commit(&store, every().map(|id| write(id, 1)).collect()).await;
    let start = store.position(&model("M")).await.unwrap();
    Step::of(every().map(|id| write(id, 2)).chain([conflict("x")])).rejected(&store).await;
    let seen = read(&store, Read::default()).await;
    assert_eq!(ids(&seen), every().collect::<Vec<_>>());
    assert!(seen.records.iter().all(|record| record.json().contains(r#","x":1,"_rev":"#)));
    commit(&store, every().map(|id| write(id, 3)).collect()).await;
    let changed = read(&store, Read { since: Some(start), ..Read::default() }).await;
    assert_eq!(ids(&changed), every().collect::<Vec<_>>());
    let gone = commit(&store, every().map(delete).collect()).await;
    assert_eq!(gone.changes.iter().map(|change| change.record.id()).collect::<Vec<_>>(), every().collect::<Vec<_>>());
    let changed = read(&store, Read { since: Some(start), ..Read::default() }).await;
    let mut deleted: Vec<_> = changed.deleted.iter().map(RecordId::as_str).collect();
    let mut expected: Vec<_> = every().collect();
    deleted.sort_unstable();
    expected.sort_unstable();
    assert_eq!((ids(&changed).len(), deleted), (0, expected));
}

pub(crate) async fn commits_that_name_models_in_another_order_do_not_wait_for_each_other(store: Arc<dyn Store>) {
    std::thread::scope(|scope| {
        for (thread, order) in [["M", "N"], ["N", "M"], ["M", "N"], ["N", "M"]].into_iter().enumerate() {
            let store = &store;
            scope.spawn(move || {
                block_on(async {
                    for n in 0..50 {
                        let write = || [upsert(&format!(r#"{{"id":"{thread}","n":{n}}}"#))];
                        let parts = Step::to(order[0], write()).and(order[1], write()).parts(store).await;
                        // What is one step for both has the same number in both.
                        assert_eq!(parts[0].position.revision, parts[1].position.revision);
                    }
                });
            });
        }
    });
    let (here, there) = (view(&store, "M").await, view(&store, "N").await);
    assert_eq!((here.0.position.revision, &here.0.records), (Revision(200), &there.0.records));
}
