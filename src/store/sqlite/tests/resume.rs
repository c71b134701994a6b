//! Coming back with a position, over openings, forks and what was forgotten.

use super::{Data, any};
use crate::store::{
    Read, Retention, Selection, Snapshot, Store,
    conformance::{Fixture, Step, block_on, commit, delete, id, ids, model, read, upsert},
};
use backsync_protocol::{Position, RecordId, Revision};
use std::{collections::HashSet, sync::Arc};

async fn since(store: &Arc<dyn Store>, position: Position) -> Snapshot {
    read(store, Read { since: Some(position), ..Read::default() }).await
}

async fn set(store: &Arc<dyn Store>, name: &str, n: u64) -> Position {
    commit(store, vec![upsert(&format!(r#"{{"id":"{name}","n":{n}}}"#))]).await.position
}

async fn position_of(store: &Arc<dyn Store>) -> Position {
    store.position(&model("M")).await.unwrap()
}

async fn remove(store: &Arc<dyn Store>, name: &str) -> Position {
    commit(store, vec![delete(name)]).await.position
}

fn gone(snapshot: &Snapshot) -> Vec<&str> {
    let mut gone: Vec<_> = snapshot.deleted.iter().map(RecordId::as_str).collect();
    gone.sort_unstable();
    gone
}

#[test]
fn a_position_is_good_over_reopening() {
    let data = Data::new();
    let mut positions = Vec::new();
    for n in 0..5 {
        let store = any(&data.open());
        block_on(async {
            set(&store, "old", 0).await;
            positions.push(set(&store, &n.to_string(), n).await);
            set(&store, "gone", n).await;
            remove(&store, "gone").await;
        });
    }
    let store = any(&data.open());
    block_on(async {
        for (n, position) in positions.into_iter().enumerate() {
            let since = since(&store, position).await;
            let expected: Vec<_> = (n + 1..5).map(|n| n.to_string()).collect();
            assert_eq!(
                (ids(&since), gone(&since), since.reset),
                (expected.iter().map(|id| &**id).collect(), vec!["gone"], false)
            );
        }
    });
}

#[test]
fn only_who_is_ahead_of_the_fork_begins_anew() {
    let data = Data::new();
    let (backup, at_fork, ahead) = block_on(async {
        let store = any(&data.open());
        set(&store, "a", 1).await;
        let at_fork = set(&store, "b", 1).await;
        let backup = data.copy();
        (backup, at_fork, set(&store, "lost", 1).await)
    });
    let restored = any(&backup.open());
    block_on(async {
        assert!(since(&restored, ahead).await.reset);
        // The same revision, another change.
        let position = set(&restored, "c", 1).await;
        assert_eq!(position.revision, ahead.revision);
        let reset = since(&restored, ahead).await;
        assert_eq!((ids(&reset), reset.reset), (vec!["a", "b", "c"], true));
        let resumed = since(&restored, at_fork).await;
        assert_eq!((ids(&resumed), resumed.reset), (vec!["c"], false));
        let future = Position { revision: Revision(u64::MAX), ..position };
        assert!(since(&restored, future).await.reset);
        assert_eq!(ids(&since(&restored, position).await), [""; 0]);
    });
}

#[test]
fn the_log_leads_on_over_a_fork_and_not_from_beyond_it() {
    let data = Data::new();
    let (backup, first, at_fork, ahead) = block_on(async {
        let store = any(&data.open());
        let (first, at_fork) = (set(&store, "a", 1).await, set(&store, "b", 1).await);
        let backup = data.copy();
        (backup, first, at_fork, set(&store, "lost", 1).await)
    });
    let restored = any(&backup.open());
    block_on(async {
        let after = async |position| restored.changes(&model("M"), position, 10).await.unwrap();
        let page = after(at_fork).await.unwrap();
        assert_eq!((page.changes.len(), page.position.revision), (0, at_fork.revision));
        assert_ne!(page.position.epoch, at_fork.epoch);
        let position = set(&restored, "c", 1).await;
        assert_eq!(position, Position { revision: ahead.revision, ..page.position });
        let changed = async |position| {
            let page = after(position).await?;
            assert_eq!(page.position, position_of(&restored).await);
            Some(page.changes.iter().map(|change| change.record.id().to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(changed(at_fork).await, Some(vec!["c".to_owned()]));
        assert_eq!(changed(first).await, Some(vec!["b".to_owned(), "c".to_owned()]));
        assert_eq!((changed(ahead).await, changed(position).await), (None, Some(vec![])));
    });
}

#[test]
fn a_position_of_another_model_is_none() {
    let data = Data::new();
    let store = any(&data.open());
    block_on(async {
        let ours = set(&store, "a", 1).await;
        let theirs = Step::to("Other", [upsert(r#"{"id":"a"}"#)]).done(&store).await.position;
        assert_eq!(ours.revision, theirs.revision);
        assert!(since(&store, theirs).await.reset);
        let never = store.position(&model("Never")).await.unwrap();
        let read = |since| store.read(&model("Never"), Read { since: Some(since), ..Read::default() });
        assert!(!read(never).await.unwrap().reset);
        assert!(read(ours).await.unwrap().reset);
    });
}

#[test]
fn tombstones_reach_further_than_the_log_also_over_reopening() {
    let data = Data::new();
    let retention = Retention { log_entries: 3, tombstones: 5, tombstone_age: 1000, ..Default::default() };
    let begin = block_on(async {
        let store = Fixture::open(&data, retention);
        let begin = set(&store, "a", 1).await;
        for name in ["x", "y", "z"] {
            set(&store, name, 1).await;
            remove(&store, name).await;
        }
        set(&store, "y", 2).await;
        begin
    });
    block_on(async {
        let store = Fixture::open(&data, retention);
        assert_eq!(store.changes(&model("M"), begin, 1).await.unwrap(), None);
        let resumed = since(&store, begin).await;
        assert_eq!((ids(&resumed), gone(&resumed), resumed.reset), (vec!["y"], vec!["x", "z"], false));
        let selection = Selection::Ids(["z", "a", "y", "none", "z"].map(id).to_vec());
        let of_these = read(&store, Read { selection, since: Some(begin), ..Read::default() }).await;
        assert_eq!((ids(&of_these), gone(&of_these)), (vec!["y"], vec!["z"]));
        // Two more may come; the third one makes the first forgotten.
        for name in ["p", "q"] {
            set(&store, name, 1).await;
            remove(&store, name).await;
        }
        assert!(!since(&store, begin).await.reset);
        set(&store, "r", 1).await;
        remove(&store, "r").await;
        assert!(since(&store, begin).await.reset);
    });
}

#[test]
fn tombstones_go_when_they_are_old() {
    let data = Data::new();
    let retention = Retention { log_entries: 1, tombstone_age: 1000, ..Default::default() };
    let begin = block_on(async {
        let store = Fixture::open(&data, retention);
        let begin = set(&store, "a", 1).await;
        Step::of([upsert(r#"{"id":"b"}"#), delete("b"), upsert(r#"{"id":"c"}"#)]).at(5000).done(&store).await;
        Step::of([upsert(r#"{"id":"d"}"#)]).at(6000).done(&store).await;
        assert_eq!(gone(&since(&store, begin).await), ["b"]);
        begin
    });
    block_on(async {
        let store = Fixture::open(&data, retention);
        assert_eq!(gone(&since(&store, begin).await), ["b"]);
        Step::of([upsert(r#"{"id":"e"}"#)]).at(6001).done(&store).await;
        assert!(since(&store, begin).await.reset);
    });
}

#[test]
fn where_the_log_reaches_further_it_is_what_counts() {
    let data = Data::new();
    let store = Fixture::open(&data, Retention { tombstones: 1, ..Default::default() });
    block_on(async {
        let begin = set(&store, "a", 1).await;
        for name in ["x", "y", "a"] {
            set(&store, name, 2).await;
            remove(&store, name).await;
        }
        set(&store, "x", 3).await;
        let resumed = since(&store, begin).await;
        assert_eq!((ids(&resumed), gone(&resumed), resumed.reset), (vec!["x"], vec!["a", "y"], false));
        let selection = Selection::Ids(["y", "x", "none"].map(id).to_vec());
        let of_these = read(&store, Read { selection, since: Some(begin), ..Read::default() }).await;
        assert_eq!((ids(&of_these), gone(&of_these)), (vec!["x"], vec!["y"]));
    });
}

#[test]
fn housekeeping_comes_in_pieces_and_is_done_in_the_end() {
    let data = Data::new();
    block_on(async {
        let store = any(&data.open());
        let made = (0..6000).map(|n| upsert(&format!(r#"{{"id":"{n}"}}"#)));
        Step::of(made.collect::<Vec<_>>()).done(&store).await;
        Step::of((0..6000).map(|n| delete(&n.to_string())).collect::<Vec<_>>()).done(&store).await;
    });
    let left = || -> i64 { data.tool().query_row("SELECT count(*) FROM tombstones", [], |row| row.get(0)).unwrap() };
    let store = Fixture::open(&data, Retention { tombstones: 100, ..Default::default() });
    let mut seen = HashSet::new();
    for n in 0..10 {
        block_on(set(&store, "a", n));
        seen.insert(left());
    }
    assert_eq!(seen, HashSet::from([4000, 2000, 90]));
}
