//! Commits that share a transaction of the database, and do not share their fate.

use super::{Data, any};
use crate::store::{
    Bounds, Outcome, Read, Rejection, Store, Terms,
    conformance::{Step, all, block_on, commit, delete, json, log, model, on, owner, under, upsert},
    sqlite::Sqlite,
};
use backsync_protocol::{ConflictPolicy, Revision};
use smallvec::smallvec;
use std::{num::NonZeroU32, sync::Arc};

/// Everything that the tables have, but for the openings.
fn rows(data: &Data) -> Vec<String> {
    let tool = data.tool();
    let mut rows = Vec::new();
    for (table, columns) in [
        ("models", "name, head, floor, records, tombstones, tombstones_floor"),
        ("records", "model, inserted, inserted_at, revision, id, owner, json"),
        ("log", "model, revision, kind, at, record, id, json"),
        ("tombstones", "model, revision, id, at, last_change"),
    ] {
        let sql = format!("SELECT json_array({columns}) FROM {table} ORDER BY 1");
        let mut statement = tool.prepare(&sql).unwrap();
        rows.extend(
            statement
                .query_map([], |row| row.get::<_, String>(0))
                .unwrap()
                .map(|row| format!("{table} {}", row.unwrap())),
        );
    }
    rows
}

fn stale() -> Terms {
    Terms { base: Some(Revision(77)), ..under(ConflictPolicy::ServerWins) }
}

/// Does something of everything in three models, one of them new, and is refused at the end.
fn refused() -> Step {
    let mine = Terms { owner: Some(owner("me", "n1")), ..Default::default() };
    let bounds = Bounds { max_records: NonZeroU32::new(1), max_age: None };
    let changes = [
        upsert(r#"{"id":"a","x":"lost"}"#),
        upsert(r#"{"id":"lost"}"#),
        on(&mine, upsert(r#"{"id":"b","x":1}"#)),
        delete("a"),
    ];
    Step::of(changes)
        .bounded(bounds)
        .and("New", [upsert(r#"{"id":"lost"}"#)])
        .and("Other", [delete("o"), on(&stale(), upsert(r#"{"id":"p","x":1}"#))])
}

async fn prepare(store: &Arc<dyn Store>) {
    commit(store, vec![upsert(r#"{"id":"a"}"#), upsert(r#"{"id":"b"}"#), upsert(r#"{"id":"z"}"#), delete("z")]).await;
    Step::to("Other", [upsert(r#"{"id":"o"}"#), upsert(r#"{"id":"p"}"#)]).done(store).await;
}

#[test]
fn a_refused_commit_leaves_no_trace() {
    let data = Data::new();
    let store = any(&data.open());
    block_on(async {
        prepare(&store).await;
        let before = rows(&data);
        let rejected = refused().rejected(&store).await;
        assert_eq!((rejected.part, rejected.operation), (2, 1));
        assert!(matches!(rejected.why, Rejection::Conflict { record: Some(_), .. }));
        assert_eq!(rows(&data), before);
        // Neither in what the writer remembers of the models.
        let next = Step::of([upsert(r#"{"id":"c"}"#)]).and("New", [upsert(r#"{"id":"n"}"#)]).parts(&store).await;
        assert_eq!((next[0].position.revision, next[1].position.revision), (Revision(5), Revision(1)));
        assert_eq!(store.owned().await.unwrap(), []);
    });
}

#[test]
fn a_refused_commit_takes_nothing_of_its_neighbours_with_it() {
    let (data, twin) = (Data::new(), Data::new());
    let good = |n: u64| {
        let record = upsert(&format!(r#"{{"id":"{}","n":{n}}}"#, n % 3));
        Step::of([record.clone(), delete(&((n + 1) % 3).to_string())]).and("New", [record])
    };
    let run = |data: &Data, with_refused: bool| {
        let store: Arc<Sqlite> = data.open();
        block_on(async {
            prepare(&any(&store)).await;
            let tool = data.tool();
            tool.execute_batch("BEGIN IMMEDIATE").unwrap();
            let mut calls = Vec::new();
            for n in 0..30 {
                calls.push(store.commit(smallvec![good(n).0]));
                if with_refused {
                    calls.push(store.commit(smallvec![refused().0, refused().once("me", &n.to_string()).0]));
                }
            }
            tool.execute_batch("ROLLBACK").unwrap();
            let mut outcomes: Vec<Outcome> = Vec::new();
            for call in calls {
                outcomes.extend(call.await.unwrap());
            }
            assert_eq!(outcomes.iter().filter(|outcome| outcome.is_err()).count(), if with_refused { 60 } else { 0 });
            assert_eq!(store.transactions.load(std::sync::atomic::Ordering::Relaxed), 3);
            let new = store.read(&model("New"), Read::default()).await.unwrap();
            (all(&any(&store)).await, log(&any(&store), 0).await, json(&new), rows(data))
        })
    };
    assert_eq!(run(&data, true), run(&twin, false));
}
