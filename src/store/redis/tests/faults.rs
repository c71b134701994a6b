//! A Redis that fails.

use super::{process::Options, *};
use crate::{
    link::LinkError,
    store::{
        Read, StoreError,
        conformance::{Step, all, block_on, delete, log, read, upsert},
    },
};
use backsync_protocol::{Position, Revision};

fn record(n: usize) -> Step {
    Step::of([upsert(&format!(r#"{{"id":"r{n}","n":{n}}}"#))])
}

fn refused(url: &str) -> String {
    match link::open::open(&url.parse().unwrap()).map(drop) {
        Err(LinkError::Unfit { problem, .. }) => problem,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_was_acknowledged_is_there_after_redis_was_killed() {
    let redis = process::Redis::start(Options::single().append("always"));
    let store = store(redis.url(), "node", RETENTION);
    let before = block_on(record(1).once("me", "1").done(&store)).position;
    redis.kill();
    redis.restart();
    // The connection is made anew, and nobody has to know.
    let again = block_on(record(1).once("me", "1").done(&store));
    assert_eq!((again.changes.len(), again.records[0].as_ref().unwrap().json()), (0, r#"{"id":"r1","n":1,"_rev":1}"#));
    let after = block_on(record(2).done(&store)).position;
    assert_ne!(before.epoch, after.epoch, "another process, another history");
    assert_eq!(after.revision, Revision(2));
    let since = block_on(read(&store, Read { since: Some(before), ..Read::default() }));
    assert_eq!((since.records.len(), since.reset), (1, false), "nothing was lost, and whoever was here goes on");
    // Whoever is ahead of where the new one began is told everything.
    let ahead = Position { revision: Revision(2), ..before };
    assert!(block_on(read(&store, Read { since: Some(ahead), ..Read::default() })).reset);
    assert!(block_on(store.changes(&model("M"), ahead, 10)).unwrap().is_none());
    assert_eq!(block_on(store.changes(&model("M"), before, 10)).unwrap().unwrap().position, after);
}

#[test]
fn half_a_commit_of_a_torn_file_is_not_done_at_a_later_start() {
    let redis = process::Redis::start(Options::single().append("always"));
    let store = store(redis.url(), "node", RETENTION);
    block_on(record(1).done(&store));
    is_written_anew(&redis);
    // Both are one commit, and the last bytes of it are lost.
    block_on(Step::of(["a", "b"].map(|id| upsert(&format!(r#"{{"id":"{id}"}}"#)))).done(&store));
    redis.kill();
    redis.tear(60);
    redis.restart();
    let told = block_on(record(2).done(&store)).position;
    is_written_anew(&redis);
    let before = block_on(all(&store));
    assert_eq!(before.len(), 2, "{before:?}");
    redis.kill();
    redis.restart();
    assert_eq!(block_on(all(&store)), before);
    assert_eq!(block_on(store.position(&model("M"))).unwrap().revision, told.revision);
}

/// Wait until Redis has written its append-only file anew.
fn is_written_anew(redis: &process::Redis) {
    loop {
        let info = redis.command(&["INFO", "persistence"]);
        let info = info.as_text().unwrap();
        let is = |field: &str| info.lines().any(|line| line == field);
        if !is("aof_rewrites:0") && is("aof_rewrite_in_progress:0") && is("aof_last_bgrewrite_status:ok") {
            return;
        }
        std::thread::yield_now();
    }
}

#[test]
fn a_redis_that_forgot_everything_is_another_history() {
    let redis = process::Redis::start(Options::single().append("no"));
    let store = store(redis.url(), "node", RETENTION);
    let before = block_on(record(1).done(&store)).position;
    redis.kill();
    redis.restart();
    let now = block_on(store.position(&model("M"))).unwrap();
    assert_eq!(now.revision, Revision(0));
    assert!(block_on(read(&store, Read { since: Some(before), ..Read::default() })).reset);
    // What the node thought to be there is not: it is told so, and goes on.
    let done = block_on(Step::of([upsert(r#"{"id":"r1","x":1}"#)]).done(&store));
    assert_eq!(done.records[0].as_ref().unwrap().json(), r#"{"id":"r1","x":1,"_rev":1}"#);
}

#[test]
fn a_redis_that_stands_still_costs_time_and_nothing_else() {
    let redis = process::Redis::start(Options::single().append("no"));
    let store = store(redis.url(), "node", RETENTION);
    block_on(record(1).done(&store));
    redis.stop();
    let waiting = store.commit([record(2).0].into_iter().collect());
    redis.go_on();
    assert!(block_on(waiting).is_ok());
    assert_eq!(block_on(all(&store)).len(), 2);
}

#[test]
fn connections_that_are_cut_are_made_anew() {
    let redis = process::Redis::start(Options::single().append("no"));
    let store = store(redis.url(), "node", RETENTION);
    for n in 0..20 {
        redis.command(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
        block_on(record(n).once("me", &n.to_string()).done(&store));
        assert_eq!(block_on(all(&store)).len(), n + 1);
    }
}

#[test]
fn a_full_redis_says_so_and_still_lets_go_of_records() {
    let redis = process::Redis::start(Options::single().append("no"));
    let store = store(redis.url(), "node", RETENTION);
    block_on(Step::of((0..100).map(|n| upsert(&format!(r#"{{"id":"r{n}"}}"#)))).done(&store));
    redis.command(&["CONFIG", "SET", "maxmemory", "1"]);
    let full = block_on(store.commit([record(1000).0].into_iter().collect()));
    assert!(matches!(full, Err(StoreError::Full)), "{full:?}");
    assert_eq!(block_on(all(&store)).len(), 100, "nothing of it was done, and reading works");
    block_on(Step::of([delete("r1"), delete("r2")]).done(&store));
    redis.command(&["CONFIG", "SET", "maxmemory", "0"]);
    block_on(record(1000).done(&store));
    assert_eq!(block_on(all(&store)).len(), 99);
    assert_eq!(block_on(log(&store, 100)).unwrap().len(), 3);
}

#[test]
fn a_redis_that_would_throw_records_away_is_refused() {
    let redis = process::Redis::start(Options::single().append("no").set("maxmemory-policy allkeys-lru"));
    let problem = refused(redis.url());
    assert!(problem.contains("maxmemory-policy allkeys-lru") && problem.contains("noeviction"), "{problem}");
}

#[test]
fn nobody_there_is_said_with_the_place_and_without_the_password() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("redis://me:secret@127.0.0.1:{port}");
    let error = link::open::open(&url.parse().unwrap()).map(drop).unwrap_err().to_string();
    assert!(error.contains(&format!("127.0.0.1:{port}")) && !error.contains("secret"), "{error}");
}

#[test]
fn passwords_users_and_tls_let_in() {
    let user = process::Redis::start(Options::single().append("no").user("me", "s3cret"));
    let tls = process::Redis::start(Options::tls());
    for redis in [user, tls] {
        let store = store(redis.url(), "node", RETENTION);
        block_on(record(1).done(&store));
        assert_eq!(block_on(all(&store)).len(), 1, "{}", redis.url());
    }
}

#[test]
fn a_replica_that_takes_over_goes_on_where_it_stands() {
    let redis = process::Redis::start(Options::sentinel());
    let store = store(redis.url(), "node", RETENTION);
    let before = block_on(record(1).done(&store)).position;
    // It is acknowledged by the replicas, so that it is theirs too.
    redis.node("primary").command(&["WAIT", "2", "5000"]);
    redis.node("primary").kill();
    // Nothing is taken until another is primary.
    let mut n = 2;
    let after = loop {
        match block_on(store.commit([record(n).0].into_iter().collect())) {
            Ok(mut outcomes) => break outcomes.remove(0).unwrap().parts[0].position,
            Err(StoreError::Unavailable(_)) => n += 1,
            Err(error) => panic!("{error}"),
        }
    };
    assert_ne!(before.epoch, after.epoch);
    let since = block_on(read(&store, Read { since: Some(before), ..Read::default() }));
    assert!(!since.reset, "what both had goes on");
}
