//! Peers that fall silent, and peers that never read: the server lets go of them, and serves the others as before.

use crate::{
    client::{Client, Door, revision},
    server::{HUNG, Server, Setup},
    wire::{CLOSE, PING, TEXT, Wire, frame},
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, thread, time::Instant};

#[test]
fn who_answers_no_ping_is_dropped_and_who_does_stays() {
    let beating = Setup::memory().set("heartbeat.interval_s", 1).set("heartbeat.timeout_s", 2);
    let server = Server::start(beating.set("limits.connections", 2));
    let mut healthy = Client::connect(&server);
    healthy.must("Kept:read", json!(null));
    // It reads, and so answers pings, until somebody says that it may go.
    let listener = thread::spawn(move || healthy.receive()["data"]["id"].clone());
    // Half open: the socket stands, and nobody is behind it. Its listening goes with it.
    let mut silent = Wire::upgraded(&server);
    silent.write(&frame(TEXT, br#"{"id":1,"event":"Kept:read"}"#));
    assert_eq!(silent.message()["id"], 1);
    let mut pings = 0;
    while let Some(frame) = silent.frame() {
        assert_eq!(frame.opcode, PING, "{frame:?}");
        pings += 1;
    }
    assert!((1..=10).contains(&pings), "{pings} pings before the end");
    // There were places for two, and its own is given back.
    let begin = Instant::now();
    let mut writer = loop {
        match Client::try_through(Door::Plain, server.address()) {
            Ok(client) => break client,
            Err(cause) => assert!(begin.elapsed() < HUNG, "{cause}"),
        }
    };
    writer.must("Kept:upsert", json!({"id": "x"}));
    assert_eq!(listener.join().unwrap(), "x");
}

/// Write far more than the buffers of the system take to a model that nobody but `listener` reads meanwhile. The listener
/// keeps up, as the bound is a small one for it too.
fn overrun(server: &Server, changes: u64) {
    let mut listener = Client::connect(server);
    listener.must("Kept:subscribe", json!(null));
    let mut writer = Client::connect(server);
    for n in 1..=changes {
        writer.must("Kept:upsert", json!({"id": format!("r{}", n % 3), "n": n, "text": "y".repeat(24 << 10)}));
        assert_eq!(revision(&listener.receive()), n);
    }
}

const CHANGES: u64 = 1500;

#[test]
fn who_stalls_is_told_in_short_what_it_missed_and_the_others_miss_nothing() {
    for setup in [Setup::memory(), Setup::sqlite()] {
        let setup = setup.set("heartbeat.interval_s", 600).set("heartbeat.timeout_s", 1200);
        let server = Server::start(setup.set("limits.queue_bytes", 64 << 10));
        let mut slow = Wire::upgraded(&server);
        slow.write(&frame(TEXT, br#"{"id":1,"event":"Kept:subscribe"}"#));
        assert_eq!(slow.message()["id"], 1);
        overrun(&server, CHANGES);
        let (mut view, mut reached, mut pushes) = (BTreeMap::new(), 0, 0);
        while reached < CHANGES {
            let push = slow.message();
            assert_eq!(push["event"], "Kept:upsert");
            if push.get("position").is_some() {
                assert!(revision(&push) > reached, "positions rise");
                reached = revision(&push);
            }
            pushes += 1;
            view.insert(push["data"]["id"].as_str().unwrap().to_owned(), push["data"].clone());
        }
        assert!(pushes < CHANGES, "the server kept {pushes} pushes for one that did not read");
        // From here on it is as before.
        let mut writer = Client::connect(&server);
        writer.must("Kept:delete", json!({"id": "r0"}));
        let push = slow.message();
        assert_eq!((&push["event"], revision(&push)), (&json!("Kept:delete"), CHANGES + 1));
        view.remove("r0");
        let stored = Client::connect(&server).must("Kept:read", json!(null));
        let mut seen: Vec<Value> = view.into_values().collect();
        seen.sort_by_key(|record| record["id"] != stored[0]["id"]);
        assert_eq!(Value::from(seen), stored, "at rest it knows what the store has");
    }
}

#[test]
fn who_never_reads_is_let_go() {
    let setup = Setup::memory().set("heartbeat.interval_s", 1).set("heartbeat.timeout_s", 600);
    let server = Server::start(setup.set("limits.queue_bytes", 64 << 10));
    let mut slow = Wire::upgraded(&server);
    slow.write(&frame(TEXT, br#"{"id":1,"event":"Kept:subscribe"}"#));
    assert_eq!(slow.message()["id"], 1);
    overrun(&server, CHANGES);
    // Another one's heartbeats tell that time has passed.
    let mut watch = Wire::upgraded(&server);
    for _ in 0..4 {
        assert_eq!(watch.frame().expect("it is open").opcode, PING);
    }
    // What is read at last is what was on its way: without a hole, and not to the end.
    let mut reached = 0;
    while let Some(frame) = slow.beyond_heartbeats().filter(|frame| frame.opcode == TEXT) {
        let message: Value = serde_json::from_slice(&frame.payload).unwrap();
        if message["event"] == "$session:close" {
            assert_eq!(message["data"]["code"], "slow_consumer");
            break;
        }
        assert_eq!(revision(&message), reached + 1, "no push is left out before the end");
        reached += 1;
    }
    assert!(reached < CHANGES, "the server kept {reached} pushes for one that never reads");
}

#[test]
fn who_asks_without_reading_is_not_heard_further_and_gets_every_answer_in_the_end() {
    const REQUESTS: u64 = 400;
    let server = Server::start(Setup::memory().set("limits.queue_bytes", 64 << 10));
    let mut witness = Client::connect(&server);
    let text = "y".repeat(1000);
    let records: Vec<Value> = (0..100).map(|n| json!({"id": n, "text": text})).collect();
    witness.must("Kept:upsert", records.into());
    let mut greedy = Wire::upgraded(&server);
    for id in 0..REQUESTS {
        let request = json!({"id": id, "event": "Kept:read", "options": {"listen": false}});
        greedy.write(&frame(TEXT, request.to_string().as_bytes()));
    }
    // Answers were asked for, so none of them makes a connection too slow; the others are served meanwhile.
    for n in 0..100 {
        witness.must("Other:upsert", json!({"id": n}));
    }
    for id in 0..REQUESTS {
        let reply = greedy.message();
        assert_eq!((reply["id"].as_u64(), reply["data"].as_array().unwrap().len()), (Some(id), 100));
    }
    greedy.write(&frame(CLOSE, &[]));
    assert_eq!(greedy.closed().0, 1000);
}

#[test]
fn who_goes_in_the_middle_of_anything_leaves_nothing_behind() {
    let server = Server::start(Setup::memory().set("limits.connections", 8));
    let mut witness = Client::connect(&server);
    witness.must("Kept:read", json!(null));
    for round in 0..200_u64 {
        let mut wire = loop {
            // A place is given back when the server has noticed.
            let mut wire = Wire::connect(server.address());
            if wire.ask(&crate::wire::handshake("/ws")).status == 101 {
                break wire;
            }
        };
        let upsert = json!({"id": 1, "event": "Kept:upsert", "data": {"id": "x", "round": round}}).to_string();
        let all = [frame(TEXT, br#"{"id":0,"event":"Kept:read"}"#), frame(TEXT, upsert.as_bytes())].concat();
        // Cut at another place each time; beyond the end, all of it was sent.
        let cut = usize::try_from(round).unwrap() * 2 % (all.len() + 40);
        wire.write(&all[..cut.min(all.len())]);
        if cut >= all.len() {
            assert_eq!(wire.message()["id"], 0);
        }
    }
    let last = witness.request("Kept:upsert", json!({"id": "last"}));
    let mut reached = 0;
    loop {
        let message = witness.receive();
        if message["id"] == last {
            break;
        }
        assert_eq!(revision(&message), reached + 1);
        reached += 1;
    }
}
