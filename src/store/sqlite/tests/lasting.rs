use super::{Data, any, id};
use crate::store::{
    Bounds, Change, Commit, Operation, Selection, Store, StoreError,
    conformance::{Fixture, all, block_on, commit, model, upsert},
    sqlite::SqliteOptions,
};
use backsync_protocol::Revision;
use std::{fs, num::NonZeroU32, sync::Arc};

async fn log(store: &Arc<dyn Store>, after: u64) -> Option<Vec<Change>> {
    store.changes(&model("M"), Revision(after), 10_000).await.unwrap()
}

#[test]
fn all_is_there_after_reopening() {
    let data = Data::new();
    let look = async |store: &Arc<dyn Store>| {
        let position = store.position(&model("M")).await.unwrap();
        (position.revision, all(store).await, log(store, 0).await, log(store, 130).await)
    };
    let before = block_on(async {
        let store = Fixture::open(&data, 100);
        for name in ["c", "a", "b", "d"] {
            commit(&store, vec![upsert(&format!(r#"{{"id":"{name}"}}"#))]).await;
        }
        for n in 0..150 {
            commit(&store, vec![upsert(&format!(r#"{{"id":"c","n":{n}}}"#))]).await;
        }
        commit(&store, vec![Operation::Delete { id: id("a") }, upsert(r#"{"id":"e"}"#)]).await;
        let before = look(&store).await;
        store.close().await.unwrap();
        before
    });
    assert_eq!((before.0, before.2.is_none(), before.3.as_ref().unwrap().len()), (Revision(156), true, 26));
    block_on(async {
        let store = Fixture::open(&data, 100);
        assert_eq!(look(&store).await, before);
        let bounds = Bounds { max_records: NonZeroU32::new(3) };
        let operations = vec![upsert(r#"{"id":"f"}"#)];
        let next = store.commit(&model("M"), vec![Commit { operations }], bounds).await.unwrap();
        let changes = next[0].changes.iter().map(|change| (change.revision.0, change.record.id.as_str()));
        assert_eq!(changes.collect::<Vec<_>>(), [(157, "f"), (158, "c"), (159, "b")]);
    });
}

#[test]
fn a_smaller_log_is_trimmed_with_the_next_commit() {
    let data = Data::new();
    block_on(async {
        let store = Fixture::open(&data, 1000);
        let many = (0..500).map(|n| upsert(&format!(r#"{{"id":"a","n":{n}}}"#))).collect();
        commit(&store, many).await;
    });
    block_on(async {
        let store = Fixture::open(&data, 10);
        assert_eq!(log(&store, 0).await.unwrap().len(), 500);
        commit(&store, vec![upsert(r#"{"id":"b"}"#)]).await;
        assert_eq!((log(&store, 490).await, log(&store, 491).await.unwrap().len()), (None, 10));
    });
}

#[test]
fn every_opening_begins_an_epoch() {
    let data = Data::new();
    let (first, created) = block_on(async {
        let store = data.open();
        let untouched = store.epochs(&model("M")).await.unwrap();
        let committed = commit(&any(&store), vec![upsert(r#"{"id":"a"}"#), upsert(r#"{"id":"b"}"#)]).await;
        let epoch = committed.position.epoch;
        assert_eq!(untouched, [(epoch, Revision(0))]);
        assert_eq!(store.epochs(&model("M")).await.unwrap(), untouched);
        (epoch, committed.position)
    });
    let second = block_on(async {
        let store = data.open();
        let position = store.position(&model("M")).await.unwrap();
        assert_eq!(position.revision, created.revision);
        commit(&any(&store), vec![upsert(r#"{"id":"c"}"#)]).await;
        let operations = vec![upsert(r#"{"id":"x"}"#)];
        store.commit(&model("Later"), vec![Commit { operations }], Bounds::default()).await.unwrap();
        position.epoch
    });
    block_on(async {
        let store = data.open();
        let third = store.position(&model("M")).await.unwrap().epoch;
        let of = |name| store.epochs(&model(name));
        assert_eq!(of("M").await.unwrap(), [(first, Revision(0)), (second, Revision(2)), (third, Revision(3))]);
        assert_eq!(of("Later").await.unwrap(), [(second, Revision(0)), (third, Revision(1))]);
        assert_eq!(of("Never").await.unwrap(), [(third, Revision(0))]);
    });
}

#[test]
fn the_newest_64_epochs_are_remembered() {
    let data = Data::new();
    let mut given = Vec::new();
    for n in 0..70 {
        let store = data.open();
        let record = upsert(&format!(r#"{{"id":"a","n":{n}}}"#));
        given.push((block_on(commit(&any(&store), vec![record])).position.epoch, Revision(n)));
    }
    let store = data.open();
    let remembered = block_on(store.epochs(&model("M"))).unwrap();
    assert_eq!(remembered.len(), 64);
    assert_eq!(remembered[..63], given[7..]);
}

#[test]
fn what_was_answered_survives_a_crash() {
    let data = Data::new();
    let crashed = Data::new();
    let store = data.open();
    block_on(async {
        for n in 0..200 {
            commit(&any(&store), vec![upsert(&format!(r#"{{"id":"{n}","n":{n}}}"#))]).await;
        }
        // As the disk is now, without anything that closing would do.
        for file in ["backsync.db", "backsync.db-wal"] {
            fs::copy(data.file(file), crashed.file(file)).unwrap();
        }
        let before = (all(&any(&store)).await, log(&any(&store), 0).await);
        let recovered = any(&crashed.open());
        assert_eq!((all(&recovered).await, log(&recovered, 0).await), before);
        assert_eq!(commit(&recovered, vec![upsert(r#"{"id":"next"}"#)]).await.position.revision, Revision(201));
    });
}

#[test]
fn a_torn_end_of_the_wal_costs_no_more_than_the_end() {
    let data = Data::new();
    let crashed = Data::new();
    let store = data.open();
    block_on(async {
        for n in 0..20 {
            commit(&any(&store), vec![upsert(&format!(r#"{{"id":"{n}"}}"#))]).await;
        }
        fs::copy(data.file("backsync.db"), crashed.file("backsync.db")).unwrap();
        let wal = fs::read(data.file("backsync.db-wal")).unwrap();
        fs::write(crashed.file("backsync.db-wal"), &wal[..wal.len() - 100]).unwrap();
        let recovered = any(&crashed.open());
        let head = recovered.position(&model("M")).await.unwrap().revision;
        assert_eq!(head, Revision(19));
        assert_eq!(all(&recovered).await, all(&any(&store)).await[..19]);
        assert_eq!(log(&recovered, 0).await.unwrap().len(), 19);
    });
}

#[test]
fn a_damaged_page_is_an_answer_and_no_panic() {
    let data = Data::new();
    block_on(async {
        let store = data.open();
        let text = "x".repeat(500);
        let many = (0..2000).map(|n| upsert(&format!(r#"{{"id":"{n}","text":"{text}"}}"#))).collect();
        commit(&any(&store), many).await;
        store.close().await.unwrap();
    });
    let mut bytes = fs::read(data.file("backsync.db")).unwrap();
    let half = bytes.len() / 2;
    bytes[half..].fill(0xa5);
    fs::write(data.file("backsync.db"), bytes).unwrap();
    block_on(async {
        let store = data.try_open(SqliteOptions::default()).unwrap();
        let read = store.read(&model("M"), Selection::All).await;
        assert!(matches!(read, Err(StoreError::Unavailable(_))), "{read:?}");
        assert_eq!(store.position(&model("M")).await.unwrap().revision, Revision(2000));
        store.close().await.unwrap();
    });
}
