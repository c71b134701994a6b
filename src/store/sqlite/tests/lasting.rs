use super::{Data, any};
use crate::store::{
    Bounds, Read, Rejection, Retention, Store, StoreError, Terms,
    conformance::{Fixture, Step, adopt, all, block_on, commit, delete, log, model, on, owner, upsert},
    sqlite::SqliteOptions,
};
use backsync_protocol::Revision;
use std::{
    fs,
    num::{NonZeroU32, NonZeroU64},
    sync::Arc,
};

fn keeping(log_entries: usize) -> Retention {
    Retention { log_entries, ..Default::default() }
}

#[test]
fn all_is_there_after_reopening() {
    let data = Data::new();
    let look = async |store: &Arc<dyn Store>| {
        let position = store.position(&model("M")).await.unwrap();
        (position.revision, all(store).await, log(store, 0).await, log(store, 130).await)
    };
    let before = block_on(async {
        let store = Fixture::open(&data, keeping(100));
        for name in ["c", "a", "b", "d"] {
            commit(&store, vec![upsert(&format!(r#"{{"id":"{name}"}}"#))]).await;
        }
        for n in 0..150 {
            commit(&store, vec![upsert(&format!(r#"{{"id":"c","n":{n}}}"#))]).await;
        }
        commit(&store, vec![delete("a"), upsert(r#"{"id":"e"}"#)]).await;
        let before = look(&store).await;
        store.close().await.unwrap();
        before
    });
    assert_eq!((before.0, before.2.is_none(), before.3.as_ref().unwrap().len()), (Revision(156), true, 26));
    block_on(async {
        let store = Fixture::open(&data, keeping(100));
        assert_eq!(look(&store).await, before);
        let bounds = Bounds { max_records: NonZeroU32::new(3), max_age: None };
        let next = Step::of([upsert(r#"{"id":"f"}"#)]).bounded(bounds).done(&store).await;
        let changes = next.changes.iter().map(|change| (change.revision.0, change.record.id()));
        assert_eq!(changes.collect::<Vec<_>>(), [(157, "f"), (158, "c"), (159, "b")]);
    });
}

#[test]
fn a_smaller_log_is_trimmed_with_the_next_commit() {
    let data = Data::new();
    block_on(async {
        let store = Fixture::open(&data, keeping(1000));
        let many = (0..500).map(|n| upsert(&format!(r#"{{"id":"a","n":{n}}}"#))).collect();
        commit(&store, many).await;
    });
    block_on(async {
        let store = Fixture::open(&data, keeping(10));
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
        let later = Step::to("Later", [upsert(r#"{"id":"x"}"#)]).done(&any(&store)).await;
        (position.epoch, later.position.epoch)
    });
    block_on(async {
        let store = data.open();
        let present = async |name| store.position(&model(name)).await.unwrap().epoch;
        let of = |name| store.epochs(&model(name));
        let third = present("M").await;
        assert_eq!(of("M").await.unwrap(), [(first, Revision(0)), (second.0, Revision(2)), (third, Revision(3))]);
        let later = of("Later").await.unwrap();
        assert_eq!(later[1..], [(second.1, Revision(0)), (present("Later").await, Revision(1))]);
        let never = of("Never").await.unwrap();
        assert_eq!((never.len(), never[2]), (3, (present("Never").await, Revision(0))));
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
    let store = data.open();
    block_on(async {
        for n in 0..200 {
            commit(&any(&store), vec![upsert(&format!(r#"{{"id":"{n}","n":{n}}}"#))]).await;
        }
        let crashed = data.copy();
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
        let read = store.read(&model("M"), Read::default()).await;
        assert!(matches!(read, Err(StoreError::Unavailable(_))), "{read:?}");
        assert_eq!(store.position(&model("M")).await.unwrap().revision, Revision(2000));
        store.close().await.unwrap();
    });
}

#[test]
fn owners_and_ages_are_there_after_reopening() {
    let data = Data::new();
    let mine = Terms { owner: Some(owner("me", "n1")), ..Default::default() };
    let owned = async |store: &Arc<dyn Store>| {
        let owned = store.owned().await.unwrap();
        let mut owned: Vec<_> =
            owned.iter().map(|o| format!("{} {} {} {}", o.model, o.id, o.owner.session, o.owner.node)).collect();
        owned.sort();
        owned
    };
    block_on(async {
        let store = any(&data.open());
        let terms = || on(&mine, upsert(r#"{"id":"a"}"#));
        Step::of([terms(), upsert(r#"{"id":"b"}"#)]).at(1000).done(&store).await;
        Step::to("Other", [upsert(r#"{"id":"a"}"#)]).at(1000).done(&store).await;
        Step::to("Other", [on(&mine, upsert(r#"{"id":"a","x":1}"#))]).at(2000).done(&store).await;
        assert_eq!(owned(&store).await, ["M a me n1", "Other a me n1"]);
    });
    block_on(async {
        let store = any(&data.open());
        assert_eq!(owned(&store).await, ["M a me n1", "Other a me n1"]);
        let theirs = Terms { owner: Some(owner("them", "n1")), ..Default::default() };
        let rejected = Step::of([on(&theirs, delete("a"))]).rejected(&store).await;
        assert_eq!(rejected.why, Rejection::NotOwner);
        let bounds = Bounds { max_records: None, max_age: NonZeroU64::new(500) };
        let kept = Step::of([]).bounded(bounds).at(1500).done(&store).await;
        assert_eq!(kept.changes.len(), 0);
        let evicted = Step::of([]).bounded(bounds).at(1501).done(&store).await;
        assert_eq!(evicted.changes.iter().map(|change| change.record.id()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(owned(&store).await, ["Other a me n1"]);
    });
}

#[test]
fn what_was_stored_without_a_node_is_its_sessions_still() {
    let data = Data::new();
    let mine = on(&Terms { owner: Some(owner("me", "n2")), ..Default::default() }, upsert(r#"{"id":"a"}"#));
    block_on(async {
        let store = any(&data.open());
        Step::of([mine.clone(), upsert(r#"{"id":"b"}"#)]).done(&store).await;
    });
    data.tool().execute("UPDATE records SET owner = 'me' WHERE owner IS NOT NULL", []).unwrap();
    block_on(async {
        let store = any(&data.open());
        let holders = async || store.owned().await.unwrap().into_iter().map(|owned| owned.owner).collect::<Vec<_>>();
        assert_eq!(holders().await, [owner("me", "")]);
        Step::of([adopt("a", owner("them", "n2"), ""), adopt("a", owner("me", "n2"), "")]).done(&store).await;
        assert_eq!(holders().await, [owner("me", "n2")]);
    });
}
