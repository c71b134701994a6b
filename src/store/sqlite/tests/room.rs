use super::Data;
use crate::store::{
    Answer, Few, Operation, Outcome, Read, Retention, Store, StoreError,
    conformance::{self, Step, block_on, model, upsert},
    sqlite::{Sqlite, SqliteOptions},
};
use smallvec::smallvec;

const MAX: u64 = 2 << 20;

fn open(data: &Data) -> Sqlite {
    data.try_open(SqliteOptions { max_bytes: MAX, ..Default::default() }).unwrap()
}

fn call(store: &Sqlite, operation: Operation) -> Answer<Few<Outcome>> {
    store.commit(smallvec![Step::of([operation]).0])
}

fn head(outcomes: &Few<Outcome>) -> u64 {
    outcomes[0].as_ref().unwrap().parts[0].position.revision.0
}

fn large(n: usize, bytes: usize) -> Operation {
    upsert(&format!(r#"{{"id":"{n}","text":"{}"}}"#, "x".repeat(bytes)))
}

fn delete(n: usize) -> Operation {
    conformance::delete(&n.to_string())
}

/// Write records until there is no room; how many there are then.
async fn fill(store: &Sqlite, bytes: usize) -> usize {
    let before = store.read(&model("M"), Read::default()).await.unwrap().records.len();
    for n in before.. {
        match call(store, large(n, bytes)).await {
            Ok(_) => {}
            Err(StoreError::Full) => return n,
            Err(error) => panic!("{error}"),
        }
    }
    unreachable!("numbers do not end")
}

#[test]
fn a_full_store_can_be_read_and_emptied_and_filled_again() {
    for bytes in [300, 3000, 40_000] {
        let data = Data::new();
        let mut store = open(&data);
        block_on(async {
            let filled = fill(&store, bytes).await;
            let size = std::fs::metadata(data.file("backsync.db")).unwrap().len();
            assert!(size <= MAX, "{size}");
            // Reopening writes too.
            store.close().await.unwrap();
            store = open(&data);
            let full = store.read(&model("M"), Read::default()).await.unwrap();
            assert_eq!((full.records.len(), full.position.revision.0), (filled, filled as u64));
            assert!(matches!(call(&store, large(filled + 1, bytes)).await, Err(StoreError::Full)));
            for n in 0..filled {
                let deleted = call(&store, delete(n)).await.unwrap();
                assert_eq!(head(&deleted), (filled + 1 + n) as u64);
            }
            for _ in 0..3 {
                let again = fill(&store, bytes).await;
                assert!(again >= filled / 5, "{again} after {filled}");
                store.commit(smallvec![Step::of((0..again).map(delete)).0]).await.unwrap();
            }
            store.close().await.unwrap();
            let size = std::fs::metadata(data.file("backsync.db")).unwrap().len();
            assert!(size <= MAX + MAX / 32, "{size}");
        });
    }
}

#[test]
fn the_log_gives_its_slack_before_anything_is_refused() {
    let data = Data::new();
    // Three entries to a page: 700 of them fit, the 770 to which the log may grow do not.
    let retention = Retention { log_entries: 700, ..Default::default() };
    let store = data.try_open(SqliteOptions { retention, max_bytes: MAX }).unwrap();
    block_on(async {
        for n in 0..2000 {
            let text = format!(r#"{{"id":"a","n":{n},"text":"{}"}}"#, "x".repeat(2500));
            call(&store, upsert(&text)).await.unwrap_or_else(|error| panic!("{n}: {error}"));
        }
    });
}

#[test]
fn what_is_too_large_does_not_stand_in_the_way_of_the_rest() {
    let data = Data::new();
    let store = open(&data);
    block_on(async {
        call(&store, large(0, 100)).await.unwrap();
        let tool = data.tool();
        tool.execute_batch("BEGIN IMMEDIATE").unwrap();
        let calls =
            [large(1, 100), large(2, 3 << 20), large(3, 100), delete(0)].map(|operation| call(&store, operation));
        tool.execute_batch("ROLLBACK").unwrap();
        let mut outcomes = Vec::new();
        for call in calls {
            outcomes.push(call.await.map(|outcomes| head(&outcomes)).map_err(|e| e.to_string()));
        }
        assert_eq!(outcomes, [Ok(2), Err("the store is full".into()), Ok(3), Ok(4)]);
    });
}

#[test]
fn tombstones_do_not_fill_a_store_that_has_no_room() {
    let data = Data::new();
    let retention = Retention { log_entries: 10, ..Default::default() };
    let store = data.try_open(SqliteOptions { retention, max_bytes: MAX }).unwrap();
    block_on(async {
        // 5 MiB of ids, each of which leaves a tombstone.
        for n in 0..200 {
            let ids = || (0..100).map(|m| format!("{n}-{m}-{}", "x".repeat(240)));
            let made = ids().map(|id| upsert(&format!(r#"{{"id":"{id}"}}"#)));
            let outcome = store.commit(smallvec![Step::of(made).0]).await;
            outcome.unwrap_or_else(|error| panic!("{n}: {error}"))[0].as_ref().unwrap();
            let gone = ids().map(|id| conformance::delete(&id));
            store.commit(smallvec![Step::of(gone).0]).await.unwrap()[0].as_ref().unwrap();
        }
    });
}

#[test]
fn what_found_no_room_is_not_taken_for_done() {
    let data = Data::new();
    let store = open(&data);
    block_on(async {
        let once = |n: usize, bytes| store.commit(smallvec![Step::of([large(n, bytes)]).once("me", &n.to_string()).0]);
        assert_eq!(head(&once(1, 100).await.unwrap()), 1);
        for _ in 0..2 {
            assert!(matches!(once(2, 3 << 20).await, Err(StoreError::Full)));
        }
        assert_eq!(head(&once(2, 100).await.unwrap()), 2);
        assert_eq!(head(&once(2, 100).await.unwrap()), 2);
    });
}
