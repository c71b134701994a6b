//! Transactions take effect once, over everything that may come between two tries.

use super::{Data, any};
use crate::store::{
    Done, Outcome, Rejection, Retention, Store,
    conformance::{Fixture, Step, all, block_on, commit, delete, on, under, upsert},
    sqlite::Sqlite,
};
use backsync_protocol::{ConflictPolicy, Record, Revision};
use smallvec::smallvec;
use std::sync::Arc;

fn told(done: &Done) -> Vec<Option<&str>> {
    done.records.iter().map(|record| record.as_ref().map(Record::json)).collect()
}

fn count(data: &Data) -> i64 {
    data.tool().query_row("SELECT count(*) FROM transactions", [], |row| row.get(0)).unwrap()
}

#[test]
fn a_repetition_after_reopening_has_the_first_outcome() {
    let data = Data::new();
    let batch = || {
        let operations = [upsert(r#"{"id":"a","x":1}"#), upsert(r#"{"id":"a","x":2}"#), delete("none"), delete("b")];
        Step::of(operations).and("Other", [upsert(r#"{"id":"é\n"}"#)]).and("Never", []).once("me", "1")
    };
    let first = block_on(async {
        let store = any(&data.open());
        commit(&store, vec![upsert(r#"{"id":"b"}"#)]).await;
        batch().parts(&store).await
    });
    assert_eq!(
        told(&first[0]),
        [Some(r#"{"id":"a","x":1,"_rev":2}"#), Some(r#"{"id":"a","x":2,"_rev":3}"#), None, None]
    );
    block_on(async {
        let store = any(&data.open());
        commit(&store, vec![upsert(r#"{"id":"a","x":9}"#)]).await;
        Step::to("Other", [delete("é\n")]).done(&store).await;
        let before = all(&store).await;
        let again = batch().parts(&store).await;
        for (again, first) in again.iter().zip(&first) {
            assert_eq!((&again.records, again.position), (&first.records, first.position));
            assert!(again.changes.is_empty());
        }
        assert_eq!((again.len(), all(&store).await), (3, before));
        let reused = Step::of([delete("a")]).once("me", "1").rejected(&store).await;
        assert_eq!(reused.why, Rejection::TransactionReused);
        assert!(Step::of([delete("a")]).once("you", "1").commit(&store).await.is_ok());
    });
}

#[test]
fn a_refusal_is_remembered_over_reopening() {
    let data = Data::new();
    let server_wins = under(ConflictPolicy::ServerWins);
    let stale = crate::store::Terms { base: Some(Revision(1)), ..server_wins };
    // What the second operation meets is taken back with the first.
    let torn =
        || Step::of([upsert(r#"{"id":"a","x":3}"#), on(&stale, upsert(r#"{"id":"a","x":4}"#))]).once("me", "torn");
    let refused = || Step::of([on(&stale, upsert(r#"{"id":"a","x":5}"#))]).once("me", "refused");
    let first = block_on(async {
        let store = any(&data.open());
        commit(&store, vec![upsert(r#"{"id":"a","x":1}"#)]).await;
        commit(&store, vec![upsert(r#"{"id":"a","x":2}"#)]).await;
        (torn().rejected(&store).await, refused().rejected(&store).await)
    });
    let conflict = |rejected: &crate::store::Rejected| match &rejected.why {
        Rejection::Conflict { record: Some(record), .. } => record.json().to_owned(),
        why => panic!("{why:?}"),
    };
    assert_eq!((first.0.operation, &*conflict(&first.0)), (1, r#"{"id":"a","x":3,"_rev":3}"#));
    assert_eq!((first.1.operation, &*conflict(&first.1)), (0, r#"{"id":"a","x":2,"_rev":2}"#));
    block_on(async {
        let store = any(&data.open());
        commit(&store, vec![upsert(r#"{"id":"b"}"#), delete("a")]).await;
        assert_eq!((torn().rejected(&store).await, refused().rejected(&store).await), first);
    });
}

#[test]
fn where_the_text_is_forgotten_the_present_one_is_told() {
    let data = Data::new();
    let store = Fixture::open(&data, Retention { log_entries: 2, ..Default::default() });
    let batch = || Step::of([upsert(r#"{"id":"a","x":1}"#), upsert(r#"{"id":"b"}"#)]).once("me", "1");
    block_on(async {
        batch().done(&store).await;
        commit(&store, vec![upsert(r#"{"id":"a","x":2}"#), delete("b"), upsert(r#"{"id":"c"}"#)]).await;
        assert_eq!(told(&batch().done(&store).await), [Some(r#"{"id":"a","x":2,"_rev":3}"#), None]);
    });
}

#[test]
fn two_tries_that_wait_together_are_one() {
    let data = Data::new();
    let store = data.open();
    block_on(async {
        let tool = data.tool();
        tool.execute_batch("BEGIN IMMEDIATE").unwrap();
        let step = || Step::of([upsert(r#"{"id":"a"}"#)]).once("me", "1").0;
        let other = Step::of([upsert(r#"{"id":"b"}"#)]).once("me", "1").0;
        let calls = [store.commit(smallvec![step(), step()]), store.commit(smallvec![other, step()])];
        tool.execute_batch("ROLLBACK").unwrap();
        let mut outcomes: Vec<Outcome> = Vec::new();
        for call in calls {
            outcomes.extend(call.await.unwrap());
        }
        let changes = |outcome: &Outcome| outcome.as_ref().map(|committed| committed.parts[0].changes.len()).ok();
        assert_eq!(outcomes.iter().map(changes).collect::<Vec<_>>(), [Some(1), Some(0), None, Some(0)]);
        assert_eq!(all(&any(&store)).await, [r#"{"id":"a","_rev":1}"#]);
    });
}

#[test]
fn a_transaction_is_as_durable_as_what_it_did() {
    let data = Data::new();
    let step = || Step::of([upsert(r#"{"id":"a"}"#)]).once("me", "1");
    let store: Arc<Sqlite> = data.open();
    let first = block_on(step().done(&any(&store)));
    let crashed = data.copy();
    let again = block_on(step().done(&any(&crashed.open())));
    assert_eq!((again.changes.len(), again.position), (0, first.position));
}

#[test]
fn outcomes_go_by_the_records_they_changed_and_by_age() {
    let data = Data::new();
    let retention = Retention { outcomes: 5, outcome_age: 100, ..Default::default() };
    let step = |n: u64, records: u64| {
        let operations = (0..records).map(|m| upsert(&format!(r#"{{"id":"{m}","n":{n}}}"#)));
        Step::of(operations.collect::<Vec<_>>()).once("me", &n.to_string()).at(1000)
    };
    block_on(async {
        let store = Fixture::open(&data, retention);
        for n in 0..3 {
            step(n, 1).done(&store).await;
        }
        assert_eq!(count(&data), 3);
        step(3, 2).done(&store).await;
        assert_eq!(count(&data), 4);
        step(4, 3).done(&store).await;
        assert_eq!(count(&data), 2);
    });
    block_on(async {
        let store = Fixture::open(&data, retention);
        assert_eq!(step(3, 2).done(&store).await.changes.len(), 0);
        assert_eq!(step(1, 1).done(&store).await.changes.len(), 1);
        assert_eq!(count(&data), 2);
        step(5, 1).at(1101).done(&store).await;
        assert_eq!(count(&data), 1);
    });
}
