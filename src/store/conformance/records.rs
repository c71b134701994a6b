//! Records, revisions and the log, as long as nobody disagrees.

use super::*;
use crate::store::{ChangeKind, Selection};
use backsync_protocol::Epoch;
use std::num::NonZeroU64;

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
    let selection = Selection::Ids(["a", "x", "c"].map(id).to_vec());
    let some = read(&store, Read { selection, ..Read::default() }).await;
    assert_eq!(ids(&some), ["a", "c"]);
    assert_eq!(some.position, store.position(&model("M")).await.unwrap());
}

pub(crate) async fn an_upsert_merges_and_a_replace_does_not(store: Arc<dyn Store>) {
    commit(&store, vec![upsert(r#"{"id":"a","x":1,"y":{"z":1}}"#)]).await;
    let merged = commit(&store, vec![upsert(r#"{"id":"a","y":{"w":2},"n":null}"#)]).await;
    assert_eq!(merged.records[0].as_ref().unwrap().json(), r#"{"id":"a","x":1,"y":{"w":2},"n":null,"_rev":2}"#);
    let replaced = commit(&store, vec![replace(r#"{"id":"a","n":5}"#)]).await;
    assert_eq!(replaced.changes[0].record.json(), r#"{"id":"a","n":5,"_rev":3}"#);
}

pub(crate) async fn what_changes_nothing_is_not_numbered(store: Arc<dyn Store>) {
    commit(&store, vec![upsert(r#"{"id":"a","x":1,"y":[1,2]}"#)]).await;
    for same in [upsert(r#"{"id":"a"}"#), upsert(r#"{"id":"a","y":[1, 2]}"#), replace(r#"{"y":[1,2],"id":"a","x":1}"#)]
    {
        let same = commit(&store, vec![same]).await;
        assert_eq!((same.changes.len(), same.position.revision), (0, Revision(1)));
        assert_eq!(same.records[0].as_ref().unwrap().json(), r#"{"id":"a","x":1,"y":[1,2],"_rev":1}"#);
    }
}

pub(crate) async fn deleting_gives_the_last_state_and_nothing_twice(store: Arc<dyn Store>) {
    commit(&store, vec![upsert(r#"{"id":"a","x":1}"#)]).await;
    let deleted = commit(&store, vec![delete("a")]).await;
    assert_eq!((deleted.changes[0].kind, deleted.changes[0].revision), (ChangeKind::Delete, Revision(2)));
    assert_eq!(deleted.changes[0].record.json(), r#"{"id":"a","x":1,"_rev":1}"#);
    assert_eq!(deleted.records.as_slice(), [None]);
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
    assert_eq!(committed.position, Position { epoch: before.epoch, revision: Revision(2) });
    assert_eq!(store.position(&model("M")).await.unwrap(), committed.position);
}

pub(crate) async fn commits_of_one_call_see_each_other(store: Arc<dyn Store>) {
    let one = |operation| Step::of([operation]).0;
    let commits = smallvec![one(upsert(r#"{"id":"a","x":1}"#)), one(upsert(r#"{"id":"a","y":2}"#)), one(delete("a"))];
    let outcomes = store.commit(commits).await.unwrap();
    let done: Vec<_> = outcomes.into_iter().map(|outcome| outcome.unwrap().parts.remove(0)).collect();
    assert_eq!(done.iter().map(|done| done.position.revision.0).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(done[2].changes[0].record.json(), r#"{"id":"a","x":1,"y":2,"_rev":2}"#);
}

pub(crate) async fn the_log_is_what_happened(store: Arc<dyn Store>) {
    let mut happened = Vec::new();
    for operation in [upsert(r#"{"id":"a"}"#), upsert(r#"{"id":"b"}"#), delete("a"), upsert(r#"{"id":"b","x":1}"#)] {
        let changes = commit(&store, vec![operation]).await.changes;
        happened.extend(changes.into_iter().map(|change| Change { before: None, ..change }));
    }
    let kinds: Vec<_> = happened.iter().map(|change| change.kind).collect();
    assert_eq!(kinds, [ChangeKind::Insert, ChangeKind::Insert, ChangeKind::Delete, ChangeKind::Update]);
    let position = store.position(&model("M")).await.unwrap();
    let changes = async |after, limit| {
        let after = Position { revision: Revision(after), ..position };
        let page = store.changes(&model("M"), after, limit).await.unwrap().unwrap();
        assert_eq!(page.position, position, "where it stands, however little is asked for");
        page.changes
    };
    assert_eq!(changes(0, 10).await, happened);
    assert_eq!(changes(1, 2).await, happened[1..3]);
    assert_eq!(changes(4, 10).await, []);
    let position = store.position(&model("Untouched")).await.unwrap();
    let page = store.changes(&model("Untouched"), position, 10).await.unwrap();
    assert_eq!(page, Some(Page { changes: Vec::new(), position }));
}

pub(crate) async fn the_log_after_a_position_of_another_history_is_none(store: Arc<dyn Store>) {
    let position = commit(&store, vec![upsert(r#"{"id":"a"}"#), upsert(r#"{"id":"b"}"#)]).await.position;
    let changes =
        async |name, after| store.changes(&model(name), after, 10).await.unwrap().map(|page| page.changes.len());
    let at = |revision| Position { revision: Revision(revision), ..position };
    assert_eq!((changes("M", at(0)).await, changes("M", at(2)).await), (Some(2), Some(0)));
    assert_eq!((changes("M", at(3)).await, changes("M", at(u64::MAX)).await), (None, None), "ahead of what is");
    let other = Epoch(NonZeroU64::new(position.epoch.0.get() ^ 1).or(NonZeroU64::new(7)).unwrap());
    assert_eq!(changes("M", Position { epoch: other, ..at(0) }).await, None);
    assert_eq!((changes("N", at(0)).await, changes("N", at(2)).await), (None, None), "of another model");
}

pub(crate) async fn where_several_models_stand_is_told_in_their_order(store: Arc<dyn Store>) {
    let m = commit(&store, vec![upsert(r#"{"id":"a"}"#), delete("a")]).await.position;
    let n = Step::to("N", [upsert(r#"{"id":"a"}"#)]).done(&store).await.position;
    let untouched = store.position(&model("Untouched")).await.unwrap();
    let positions = store.positions(&["N", "Untouched", "M", "N"].map(model)).await.unwrap();
    assert_eq!((positions, untouched.revision), (vec![n, untouched, m, n], Revision(0)));
    assert_eq!(store.positions(&[]).await.unwrap(), []);
}

pub(crate) async fn the_log_is_what_happened_wherever_records_stand_by_now(store: Arc<dyn Store>) {
    let write = |n: u64, x: u64| upsert(&format!(r#"{{"id":"r{n}","x":{x}}}"#));
    let stays = |n: &u64| n % 8 == 7;
    let mut happened: Vec<Change> = Vec::new();
    let mut commit_all = async |operations: Vec<Operation>| happened.extend(commit(&store, operations).await.changes);
    commit_all((0..80).map(|n| write(n, 0)).collect()).await;
    commit_all((0..40).filter(stays).map(|n| write(n, 1)).collect()).await;
    // So many go that those that stay are moved together.
    commit_all((0..80).filter(|n| !stays(n)).map(|n| delete(&format!("r{n}"))).collect()).await;
    commit_all(vec![write(7, 2), write(90, 0), write(90, 1), delete("r90")]).await;
    let stale = Terms { base: Some(Revision(1)), ..under(ConflictPolicy::ServerWins) };
    let refused = [write(7, 9), delete("r15"), write(91, 9), on(&stale, write(23, 9))];
    assert_eq!(Step::of(refused).rejected(&store).await.operation, 3);
    // The base of a merge is known, though the record was moved, and changed, since.
    let base =
        happened.iter().rev().filter(|change| change.record.id() == "r7").nth(1).expect("it was written").revision;
    let merge = Terms { base: Some(base), ..under(ConflictPolicy::Merge) };
    let merged = commit(&store, vec![on(&merge, upsert(r#"{"id":"r7","x":1,"y":1}"#))]).await;
    assert!(merged.changes[0].record.json().starts_with(r#"{"id":"r7","x":2,"y":1,"#));
    happened.extend(merged.changes);
    happened.iter_mut().for_each(|change| change.before = None);
    for count in [RETENTION.log_entries, 7, 1] {
        let last = &happened[happened.len() - count..];
        assert_eq!(log(&store, last[0].revision.0 - 1).await.as_deref(), Some(last));
    }
}

pub(crate) async fn a_trimmed_log_says_so(store: Arc<dyn Store>) {
    for n in 0..PLENTY {
        commit(&store, vec![upsert(&format!(r#"{{"id":"a","n":{n}}}"#))]).await;
    }
    let kept = PLENTY - RETENTION.log_entries as u64;
    assert_eq!(numbers(&log(&store, kept).await.unwrap()), (kept + 1..=PLENTY).collect::<Vec<_>>());
    assert_eq!(log(&store, 0).await, None);
}

pub(crate) async fn models_do_not_see_each_other(store: Arc<dyn Store>) {
    commit(&store, vec![upsert(r#"{"id":"a"}"#)]).await;
    let other = store.read(&model("m"), Read::default()).await.unwrap();
    assert_eq!((other.records.len(), other.position.revision), (0, Revision(0)));
}

pub(crate) async fn text_survives_unharmed(store: Arc<dyn Store>) {
    let json = r#"{"id":"a\u0000\"ü","n":123456789012345678901234567890.10,"s":"\ud800 \u2028 é 😀 \u0000","e":"","d":[[{}]],"😀":-0,"_rev":1}"#;
    commit(&store, vec![upsert(json)]).await;
    assert_eq!(all(&store).await, [json]);
    let selection = Selection::Ids(vec![id("a\0\"ü")]);
    let found = read(&store, Read { selection, ..Read::default() }).await;
    assert_eq!(ids(&found), ["a\0\"ü"]);
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
    let changes = log(&store, 100).await.unwrap();
    assert_eq!(numbers(&changes), (101..=200).collect::<Vec<_>>());
    assert_eq!(all(&store).await.len(), 20);
}
