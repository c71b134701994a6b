use super::{Data, any};
use crate::store::{
    Bounds, Commit, Operation, Selection, Store, StoreError,
    conformance::{all, block_on, commit, model, upsert},
    sqlite::{Sqlite, queue},
};
use std::sync::atomic::{AtomicBool, Ordering};

fn record(n: usize) -> Commit {
    Commit { operations: vec![upsert(&format!(r#"{{"id":"{n}"}}"#))] }
}

fn transactions(store: &Sqlite) -> u64 {
    store.transactions.load(Ordering::Relaxed)
}

#[test]
fn calls_that_wait_together_share_a_transaction() {
    let data = Data::new();
    let store = data.open();
    block_on(async {
        let tool = data.tool();
        tool.execute_batch("BEGIN IMMEDIATE").unwrap();
        let models = [model("M"), model("Other")];
        let calls: Vec<_> =
            (0..600).map(|n| store.commit(&models[n % 2], vec![record(n)], Bounds::default())).collect();
        tool.execute_batch("ROLLBACK").unwrap();
        for (n, call) in calls.into_iter().enumerate() {
            assert_eq!(call.await.unwrap()[0].position.revision.0, n as u64 / 2 + 1);
        }
        assert_eq!(transactions(&store), 1);
    });
}

#[test]
fn calls_take_effect_in_their_order_whether_awaited_or_not() {
    let data = Data::new();
    let store = data.open();
    block_on(async {
        for n in 0..100 {
            drop(store.commit(&model("M"), vec![record(n)], Bounds::default()));
        }
        let last = store.commit(&model("M"), vec![record(100)], Bounds::default());
        assert_eq!(last.await.unwrap()[0].position.revision.0, 101);
        let expected: Vec<_> = (0..=100).map(|n| format!(r#"{{"id":"{n}","_rev":{}}}"#, n + 1)).collect();
        assert_eq!(all(&any(&store)).await, expected);
    });
}

#[test]
fn a_full_queue_refuses_and_applies_nothing() {
    let data = Data::new();
    let store = data.open();
    block_on(async {
        let tool = data.tool();
        tool.execute_batch("BEGIN IMMEDIATE").unwrap();
        let operations = vec![Operation::Delete { id: super::id("a") }; queue::ROOM as usize];
        let fills = store.commit(&model("M"), vec![Commit { operations }], Bounds::default());
        let refused = store.commit(&model("M"), vec![record(1)], Bounds::default());
        assert!(matches!(refused.await, Err(StoreError::Unavailable(_))));
        tool.execute_batch("ROLLBACK").unwrap();
        assert_eq!(fills.await.unwrap()[0].position.revision.0, 0);
        assert_eq!(commit(&any(&store), vec![upsert(r#"{"id":"b"}"#)]).await.position.revision.0, 1);
        assert_eq!(all(&any(&store)).await.len(), 1);
    });
}

#[test]
fn more_questions_than_there_is_room_for_are_all_answered() {
    let data = Data::new();
    let store = data.open();
    block_on(async {
        commit(&any(&store), vec![upsert(r#"{"id":"a"}"#)]).await;
        let questions: Vec<_> = (0..3000).map(|_| store.read(&model("M"), Selection::All)).collect();
        for question in questions {
            assert_eq!(question.await.unwrap().records.len(), 1);
        }
    });
}

#[test]
fn closing_finishes_what_was_called_and_nothing_after_it() {
    let data = Data::new();
    let store = data.open();
    block_on(async {
        let calls: Vec<_> = (0..200).map(|n| store.commit(&model("M"), vec![record(n)], Bounds::default())).collect();
        let read = store.read(&model("M"), Selection::All);
        let closed = store.close();
        assert!(matches!(store.commit(&model("M"), vec![record(0)], Bounds::default()).await, Err(StoreError::Closed)));
        assert!(matches!(store.position(&model("M")).await, Err(StoreError::Closed)));
        closed.await.unwrap();
        for call in calls {
            call.await.unwrap();
        }
        read.await.unwrap();
        store.close().await.unwrap();
        assert!(!data.file("backsync.db-wal").exists());
        assert_eq!(all(&any(&data.open())).await.len(), 200);
    });
}

#[test]
fn a_damaged_record_fails_only_those_who_want_it() {
    let data = Data::new();
    let store = data.open();
    block_on(async {
        commit(&any(&store), vec![upsert(r#"{"id":"a","x":1}"#), upsert(r#"{"id":"b"}"#)]).await;
        let tool = data.tool();
        tool.execute_batch("UPDATE records SET json = '{\"id\":' WHERE id = 'a'; BEGIN IMMEDIATE").unwrap();
        let call = |json| store.commit(&model("M"), vec![Commit { operations: vec![upsert(json)] }], Bounds::default());
        let (damaged, sound) = (call(r#"{"id":"a","x":2}"#), call(r#"{"id":"b","x":2}"#));
        tool.execute_batch("ROLLBACK").unwrap();
        assert!(matches!(damaged.await, Err(StoreError::Unavailable(_))));
        assert_eq!(sound.await.unwrap()[0].position.revision.0, 3);
    });
}

#[test]
fn the_wal_stays_small_under_writes_and_endless_reads() {
    let data = Data::new();
    let store = data.open();
    let text = "x".repeat(16_000);
    let write = |batch: usize| {
        let operations = (0..250).map(|n| upsert(&format!(r#"{{"id":"{n}","batch":{batch},"text":"{text}"}}"#)));
        let commits = vec![Commit { operations: operations.collect() }];
        block_on(store.commit(&model("M"), commits, Bounds::default())).unwrap();
    };
    write(0);
    let done = AtomicBool::new(false);
    let most = std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    block_on(store.read(&model("M"), Selection::All)).unwrap();
                }
            });
        }
        let size = |batch| {
            write(batch);
            std::fs::metadata(data.file("backsync.db-wal")).unwrap().len()
        };
        let most = (1..30).map(size).max();
        done.store(true, Ordering::Relaxed);
        most.unwrap()
    });
    assert!(most < 100 << 20, "{most}");
}

#[test]
fn a_long_read_does_not_let_the_wal_grow_for_ever() {
    let data = Data::new();
    let store = data.open();
    block_on(async {
        let text = "x".repeat(8000);
        let write = async |batch: usize| {
            let operations =
                (0..500).map(|n| upsert(&format!(r#"{{"id":"{n}","batch":{batch},"text":"{text}"}}"#))).collect();
            store.commit(&model("M"), vec![Commit { operations }], Bounds::default()).await.unwrap();
        };
        write(0).await;
        let tool = data.tool();
        tool.execute_batch("BEGIN; SELECT count(*) FROM models").unwrap();
        for batch in 1..14 {
            write(batch).await;
        }
        let held = std::fs::metadata(data.file("backsync.db-wal")).unwrap().len();
        assert!(held > 64 << 20, "{held}");
        tool.execute_batch("COMMIT").unwrap();
        for batch in 14..22 {
            write(batch).await;
        }
        let size = std::fs::metadata(data.file("backsync.db-wal")).unwrap().len();
        assert!(size <= 64 << 20, "{size}");
    });
}
