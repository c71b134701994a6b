//! What a merge makes of two edits, with what the log knows of the state they were made from.

use super::*;
use backsync_protocol::{ConflictPolicy::Merge, Side};

fn from(base: u64, prefer: Option<Side>) -> Terms {
    Terms { base: Some(Revision(base)), prefer, ..under(Merge) }
}

async fn refused(store: &Arc<dyn Store>, operation: Operation) -> (Option<String>, Vec<String>) {
    match Step::of([operation]).rejected(store).await {
        Rejected { part: 0, operation: 0, why: Rejection::Conflict { record, properties } } => {
            (record.map(|record| record.json().to_owned()), properties)
        }
        other => panic!("{other:?}"),
    }
}

/// A record as somebody knew it, at revision 1, and as it is, at 2.
async fn edited_since(store: &Arc<dyn Store>) {
    commit(store, vec![upsert(r#"{"id":"a","x":1,"y":1,"z":1}"#)]).await;
    commit(store, vec![upsert(r#"{"id":"a","x":2}"#)]).await;
}

pub(crate) async fn a_merge_keeps_what_only_one_side_changed(store: Arc<dyn Store>) {
    edited_since(&store).await;
    let merged = commit(&store, vec![on(&from(1, None), upsert(r#"{"id":"a","x":1,"y":3,"w":4}"#))]).await;
    let result = r#"{"id":"a","x":2,"y":3,"z":1,"w":4,"_rev":3}"#;
    assert_eq!(merged.records[0].as_ref().unwrap().json(), result);
    let before = merged.changes[0].before.as_ref().unwrap();
    assert_eq!((merged.changes[0].record.json(), before.revision()), (result, Revision(2)));
    assert_eq!(all(&store).await, [result]);
    // Both made the same of it, or the writer nothing: no change.
    for same in [upsert(r#"{"id":"a","x":2}"#), upsert(r#"{"id":"a","x":1,"z":1}"#)] {
        assert_eq!(commit(&store, vec![on(&from(1, None), same)]).await.changes.len(), 0);
    }
    // With the present state as base, or none, it is a write as any.
    commit(&store, vec![on(&from(3, None), upsert(r#"{"id":"a","x":7}"#))]).await;
    commit(&store, vec![on(&under(Merge), upsert(r#"{"id":"a","x":8}"#))]).await;
    assert_eq!(all(&store).await, [r#"{"id":"a","x":8,"y":3,"z":1,"w":4,"_rev":5}"#]);
}

pub(crate) async fn a_merge_tells_what_both_sides_changed(store: Arc<dyn Store>) {
    edited_since(&store).await;
    commit(&store, vec![upsert(r#"{"id":"a","z":2}"#)]).await;
    let stored = r#"{"id":"a","x":2,"y":1,"z":2,"_rev":3}"#;
    let of = |base, json: &str| refused(&store, on(&from(base, None), upsert(json)));
    let both = of(1, r#"{"id":"a","z":3,"x":3,"y":3}"#).await;
    assert_eq!(both, (Some(stored.to_owned()), vec!["x".to_owned(), "z".to_owned()]));
    assert_eq!(of(2, r#"{"id":"a","x":3,"z":3}"#).await.1, ["z"], "its base is the second state");
    assert_eq!(all(&store).await, [stored]);
    assert_eq!(store.position(&model("M")).await.unwrap().revision, Revision(3));
}

pub(crate) async fn a_merge_takes_the_side_it_prefers(store: Arc<dyn Store>) {
    edited_since(&store).await;
    let write = |prefer| on(&from(1, Some(prefer)), upsert(r#"{"id":"a","x":3,"y":3}"#));
    commit(&store, vec![write(Side::Server)]).await;
    assert_eq!(all(&store).await, [r#"{"id":"a","x":2,"y":3,"z":1,"_rev":3}"#]);
    let nothing_left = commit(&store, vec![write(Side::Server)]).await;
    assert_eq!(nothing_left.changes.len(), 0);
    commit(&store, vec![write(Side::Client)]).await;
    assert_eq!(all(&store).await, [r#"{"id":"a","x":3,"y":3,"z":1,"_rev":4}"#]);
}

pub(crate) async fn a_merged_replacement_takes_away_what_only_it_removed(store: Arc<dyn Store>) {
    edited_since(&store).await;
    commit(&store, vec![upsert(r#"{"id":"a","new":1}"#)]).await;
    commit(&store, vec![on(&from(1, None), replace(r#"{"id":"a","x":1,"y":5}"#))]).await;
    assert_eq!(all(&store).await, [r#"{"id":"a","x":2,"y":5,"new":1,"_rev":4}"#]);
    // It removed what the other side changed.
    let conflict = refused(&store, on(&from(1, None), replace(r#"{"id":"a","y":5}"#))).await;
    assert_eq!(conflict.1, ["x"]);
    commit(&store, vec![on(&from(1, Some(Side::Client)), replace(r#"{"id":"a","y":5}"#))]).await;
    assert_eq!(all(&store).await, [r#"{"id":"a","y":5,"new":1,"_rev":5}"#]);
}

pub(crate) async fn without_its_base_a_merge_refuses_every_difference(store: Arc<dyn Store>) {
    edited_since(&store).await;
    let write = |base, prefer| on(&from(base, prefer), upsert(r#"{"id":"a","y":3,"z":1}"#));
    // The revision of another record, some that are yet to come, and none.
    commit(&store, vec![upsert(r#"{"id":"b","y":1,"z":1}"#)]).await;
    for base in [3, 5, 99, 0] {
        assert_eq!(refused(&store, write(base, None)).await.1, ["y"], "{base}");
    }
    let again = [delete("a"), upsert(r#"{"id":"a","x":2,"y":1,"z":1}"#)];
    commit(&store, again.to_vec()).await;
    assert_eq!(refused(&store, write(4, None)).await.1, ["y"]);
    fill(&store, PLENTY).await;
    assert_eq!(log(&store, 0).await, None);
    assert_eq!(refused(&store, write(1, None)).await.1, ["y"]);
    let same = commit(&store, vec![on(&from(1, None), upsert(r#"{"id":"a","z":1}"#))]).await;
    assert_eq!(same.changes.len(), 0);
    commit(&store, vec![write(1, Some(Side::Server))]).await;
    assert_eq!(all(&store).await[1], r#"{"id":"a","x":2,"y":1,"z":1,"_rev":5}"#);
    let head = commit(&store, vec![write(1, Some(Side::Client))]).await.position.revision;
    assert_eq!(all(&store).await[1], format!(r#"{{"id":"a","x":2,"y":3,"z":1,"_rev":{head}}}"#));
}

pub(crate) async fn the_base_of_a_merge_may_be_of_the_same_batch(store: Arc<dyn Store>) {
    let batch = vec![
        upsert(r#"{"id":"a","x":1}"#),
        upsert(r#"{"id":"a","x":2}"#),
        on(&from(1, None), upsert(r#"{"id":"a","x":1,"y":3}"#)),
    ];
    commit(&store, batch).await;
    assert_eq!(all(&store).await, [r#"{"id":"a","x":2,"y":3,"_rev":3}"#]);
}

pub(crate) async fn an_edit_of_what_was_deleted_is_decided_by_preference(store: Arc<dyn Store>) {
    let write = |prefer| on(&from(1, prefer), upsert(r#"{"id":"a","x":2}"#));
    commit(&store, vec![upsert(r#"{"id":"a","x":1}"#), delete("a")]).await;
    assert_eq!(refused(&store, write(None)).await, (None, Vec::new()));
    let left = commit(&store, vec![write(Some(Side::Server))]).await;
    assert_eq!((left.records.as_slice(), left.changes.len()), ([None].as_slice(), 0));
    let written = commit(&store, vec![write(Some(Side::Client))]).await;
    assert_eq!(written.changes[0].record.json(), r#"{"id":"a","x":2,"_rev":3}"#);
    commit(&store, vec![on(&under(Merge), upsert(r#"{"id":"b"}"#))]).await;
    assert_eq!(all(&store).await[1], r#"{"id":"b","_rev":4}"#, "who knew of none does not edit");
}

pub(crate) async fn a_deletion_of_what_was_edited_is_decided_by_preference(store: Arc<dyn Store>) {
    let remove = |prefer| on(&from(1, prefer), delete("a"));
    edited_since(&store).await;
    let stored = r#"{"id":"a","x":2,"y":1,"z":1,"_rev":2}"#;
    assert_eq!(refused(&store, remove(None)).await, (Some(stored.to_owned()), Vec::new()));
    let left = commit(&store, vec![remove(Some(Side::Server))]).await;
    assert_eq!((left.records[0].as_ref().unwrap().json(), left.changes.len()), (stored, 0));
    assert_eq!(numbers(&commit(&store, vec![remove(Some(Side::Client))]).await.changes), [3]);
    commit(&store, vec![upsert(r#"{"id":"a"}"#)]).await;
    assert_eq!(numbers(&commit(&store, vec![on(&from(4, None), delete("a"))]).await.changes), [5]);
    let gone = commit(&store, vec![remove(None)]).await;
    assert_eq!((gone.records.as_slice(), gone.changes.len()), ([None].as_slice(), 0));
}
