//! Several nodes over one Redis, at the same time.

use super::*;
use crate::store::{
    Read, StoreError, Terms,
    conformance::{Step, all, block_on, log, numbers, on, read, under, upsert},
};
use backsync_protocol::{ConflictPolicy::ServerWins, Revision};
use smallvec::smallvec;
use std::{collections::HashSet, thread};

fn nodes(count: usize) -> Vec<Arc<dyn Store>> {
    let url = process::Redis::shared().database();
    (0..count).map(|node| store(&url, &format!("node-{node}"), RETENTION)).collect()
}

/// Read a counter and write the next number, until nobody was faster.
async fn increment(store: &Arc<dyn Store>) {
    loop {
        let now = read(store, Read::default()).await;
        let (n, base) = match now.records.first() {
            Some(record) => {
                let value: serde_json::Value = serde_json::from_str(record.json()).unwrap();
                (value["n"].as_u64().unwrap(), record.revision())
            }
            None => (0, Revision(0)),
        };
        let terms = Terms { base: (base.0 > 0).then_some(base), ..under(ServerWins) };
        let write = on(&terms, upsert(&format!(r#"{{"id":"counter","n":{}}}"#, n + 1)));
        match Step::of([write]).commit(store).await {
            Ok(done) if done.parts[0].changes.len() == 1 => return,
            _ => {}
        }
    }
}

#[test]
fn what_one_node_decides_on_old_knowledge_is_decided_anew() {
    let nodes = nodes(3);
    block_on(Step::of([upsert(r#"{"id":"counter","n":0}"#)]).done(&nodes[0]));
    let each = 20;
    thread::scope(|scope| {
        for node in &nodes {
            scope.spawn(move || {
                block_on(async {
                    for _ in 0..each {
                        increment(node).await;
                    }
                })
            });
        }
    });
    let records = block_on(all(&nodes[1]));
    assert_eq!(records, [format!(r#"{{"id":"counter","n":{},"_rev":{}}}"#, 3 * each, 3 * each + 1)]);
}

#[test]
fn commits_of_all_nodes_are_in_one_order() {
    let nodes = nodes(3);
    let each = 30;
    let seen: Vec<Vec<u64>> = thread::scope(|scope| {
        let run = |(n, node): (usize, &Arc<dyn Store>)| {
            let node = node.clone();
            scope.spawn(move || {
                let mut revisions = Vec::new();
                for i in 0..each {
                    // Some meet the others' records, some are their own, and some change the same record twice.
                    let operations = [format!("shared {}", i % 3), format!("own {n} {i}"), format!("own {n} {i}")]
                        .map(|id| upsert(&format!(r#"{{"id":"{id}","by":{n},"x":{i}}}"#)));
                    let done = block_on(Step::of(operations).done(&node));
                    revisions.extend(numbers(&done.changes));
                }
                revisions
            })
        };
        let running: Vec<_> = nodes.iter().enumerate().map(run).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut all: Vec<u64> = seen.concat();
    all.sort_unstable();
    let head = block_on(nodes[0].position(&model("M"))).unwrap().revision.0;
    assert_eq!(all, (1..=head).collect::<Vec<_>>(), "each revision was given once");
    assert!(seen.iter().all(|revisions| revisions.is_sorted()));
    let log = block_on(log(&nodes[2], head - 50)).unwrap();
    assert_eq!(numbers(&log), (head - 49..=head).collect::<Vec<_>>());
}

#[test]
fn a_transaction_that_is_sent_to_two_nodes_is_done_once() {
    let nodes = nodes(2);
    let step = |n: u64| Step::of([upsert(&format!(r#"{{"id":"r{n}","n":{n}}}"#))]).once("me", &n.to_string());
    let changed: usize = thread::scope(|scope| {
        let run = |node: &Arc<dyn Store>| {
            let node = node.clone();
            scope.spawn(move || (0..50).map(|n| block_on(step(n).done(&node)).changes.len()).sum::<usize>())
        };
        let running: Vec<_> = nodes.iter().map(run).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!((changed, block_on(all(&nodes[0])).len()), (50, 50));
}

#[test]
fn a_large_read_is_of_one_position_whatever_is_written_meanwhile() {
    let url = process::Redis::shared().database();
    let retention = Retention { log_entries: 100_000, ..RETENTION };
    let [writer, reader] = ["writer", "reader"].map(|node| store(&url, node, retention));
    // All records bear the same number, but for the time between the two halves of a commit, which nobody can see.
    let all_at = |n: u64| (0..2500).map(move |id| upsert(&format!(r#"{{"id":"{id}","n":{n}}}"#)));
    block_on(Step::of(all_at(0)).done(&writer));
    thread::scope(|scope| {
        // Whoever reads is over, one way or the other, when this is let go of.
        let (reading, is_over) = std::sync::mpsc::channel::<()>();
        scope.spawn(move || {
            let mut n = 0;
            while is_over.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
                n += 1;
                block_on(Step::of(all_at(n)).done(&writer));
                // What goes and comes again stands at the end.
                let again = [crate::store::conformance::delete("7"), upsert(&format!(r#"{{"id":"7","n":{n}}}"#))];
                block_on(Step::of(again).done(&writer));
            }
        });
        for _ in 0..5 {
            let snapshot = block_on(read(&reader, Read::default()));
            let values =
                snapshot.records.iter().map(|record| serde_json::from_str::<serde_json::Value>(record.json()).unwrap());
            let numbers: HashSet<u64> = values.map(|value| value["n"].as_u64().unwrap()).collect();
            assert_eq!((snapshot.records.len(), numbers.len()), (2500, 1));
            let newest = snapshot.records.iter().map(|record| record.revision()).max().unwrap();
            assert_eq!(newest, snapshot.position.revision);
        }
        drop(reading);
    });
}

#[test]
fn the_name_of_a_transaction_is_one_over_all_groups() {
    let nodes = nodes(2);
    block_on(Step::of([upsert(r#"{"id":"a"}"#)]).once("me", "1").done(&nodes[0]));
    let reused = block_on(Step::to("Elsewhere", [upsert(r#"{"id":"a"}"#)]).once("me", "1").rejected(&nodes[1]));
    assert_eq!(reused.why, crate::store::Rejection::TransactionReused);
}

#[test]
fn models_of_different_groups_may_be_in_one_commit() {
    // But not in a cluster, where they are in different slots.
    let nodes = nodes(2);
    let parts = Step::of([upsert(r#"{"id":"a"}"#)]).and("Elsewhere", [upsert(r#"{"id":"b"}"#)]);
    assert_eq!(block_on(parts.parts(&nodes[0])).len(), 2);
    let stale = on(&Terms { base: Some(Revision(9)), ..under(ServerWins) }, upsert(r#"{"id":"b","x":1}"#));
    let parts = Step::of([upsert(r#"{"id":"a","x":1}"#)]).and("Elsewhere", [stale]);
    assert_eq!(block_on(parts.rejected(&nodes[1])).part, 1);
    assert_eq!(block_on(all(&nodes[1])), [r#"{"id":"a","_rev":1}"#], "whole or not at all");
}

#[test]
fn a_store_that_was_closed_says_so() {
    let nodes = nodes(2);
    block_on(nodes[1].close()).unwrap();
    let closed = block_on(nodes[1].commit(smallvec![Step::of([upsert(r#"{"id":"a"}"#)]).0]));
    assert!(matches!(closed, Err(StoreError::Closed)));
}
