use super::{Data, any};
use crate::store::{
    Answer, Few, Outcome, Read, Store, StoreError,
    conformance::{Step, all, block_on, commit, delete, model, upsert},
    sqlite::{Sqlite, queue},
};
use smallvec::smallvec;
use std::sync::atomic::{AtomicBool, Ordering};

fn call(store: &Sqlite, step: Step) -> Answer<Few<Outcome>> {
    store.commit(smallvec![step.0])
}

fn record(n: usize) -> Step {
    Step::of([upsert(&format!(r#"{{"id":"{n}"}}"#))])
}

async fn head(call: Answer<Few<Outcome>>) -> u64 {
    call.await.unwrap()[0].as_ref().unwrap().parts[0].position.revision.0
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
        let step = |n: usize| Step::to(["M", "Other"][n % 2], [upsert(&format!(r#"{{"id":"{n}"}}"#))]);
        let calls: Vec<_> = (0..600).map(|n| call(&store, step(n))).collect();
        tool.execute_batch("ROLLBACK").unwrap();
        for (n, call) in calls.into_iter().enumerate() {
            assert_eq!(head(call).await, n as u64 / 2 + 1);
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
            drop(call(&store, record(n)));
        }
        assert_eq!(head(call(&store, record(100))).await, 101);
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
        let fills = call(&store, Step::of(vec![delete("a"); queue::ROOM as usize]));
        let refused = call(&store, record(1));
        assert!(matches!(refused.await, Err(StoreError::Unavailable(_))));
        tool.execute_batch("ROLLBACK").unwrap();
        assert_eq!(head(fills).await, 0);
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
        let questions: Vec<_> = (0..3000).map(|_| store.read(&model("M"), Read::default())).collect();
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
        let calls: Vec<_> = (0..200).map(|n| call(&store, record(n))).collect();
        let read = store.read(&model("M"), Read::default());
        let closed = store.close();
        assert!(matches!(call(&store, record(0)).await, Err(StoreError::Closed)));
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
        let set = |json| call(&store, Step::of([upsert(json)]));
        let (damaged, sound) = (set(r#"{"id":"a","x":2}"#), set(r#"{"id":"b","x":2}"#));
        tool.execute_batch("ROLLBACK").unwrap();
        assert!(matches!(damaged.await, Err(StoreError::Unavailable(_))));
        assert_eq!(head(sound).await, 3);
        let read = store.read(&model("M"), Read::default()).await;
        assert!(matches!(read, Err(StoreError::Unavailable(_))), "{read:?}");
    });
}

#[test]
fn the_wal_stays_small_under_writes_and_endless_reads() {
    let data = Data::new();
    let store = data.open();
    let text = "x".repeat(16_000);
    let write = |batch: usize| {
        let operations = (0..250).map(|n| upsert(&format!(r#"{{"id":"{n}","batch":{batch},"text":"{text}"}}"#)));
        block_on(call(&store, Step::of(operations))).unwrap();
    };
    write(0);
    let done = AtomicBool::new(false);
    let most = std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    block_on(store.read(&model("M"), Read::default())).unwrap();
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
            let operations = (0..500).map(|n| upsert(&format!(r#"{{"id":"{n}","batch":{batch},"text":"{text}"}}"#)));
            call(&store, Step::of(operations)).await.unwrap();
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
