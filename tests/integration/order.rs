//! The promises about order, under load: many writers and listeners on several connections and workers.

use crate::{
    client::{Client, Door, Seen, revision},
    random::Random,
    server::{Server, Setup, StoreKind},
    wire::{TEXT, Wire, frame},
};
use serde_json::{Value, json};
use std::{collections::HashMap, thread};

const WRITERS: u64 = 4;
const LISTENERS: u64 = 6;
const JOINERS: u64 = 12;
const REQUESTS: u64 = 600;
/// Requests of one writer that are on their way at once.
const WINDOW: u64 = 16;

fn door(number: u64) -> Door {
    Door::ALL[usize::try_from(number).unwrap() % Door::ALL.len()]
}

/// A request of a writer: what it does is a change in any case, for its records are its own.
fn work(writer: u64, n: u64, random: &mut Random) -> (&'static str, Value) {
    let record = |slot: u64| json!({"id": format!("w{writer}.{slot}"), "by": writer, "n": n});
    match random.below(10) {
        0..6 => ("upsert", record(random.below(20))),
        6..8 => {
            let first = random.below(20);
            ("upsert", (first..first + 1 + random.below(5)).map(record).collect())
        }
        8 => ("delete", json!({"id": format!("w{writer}.{}", random.below(20))})),
        _ => ("upsert", json!({"id": format!("w{writer}.20"), "by": writer, "n": n})),
    }
}

/// Write with many requests on the way; where it listens, every reply has to stand right behind its own push.
fn write(mut client: Client, writer: u64, listens: bool) {
    let mut random = Random::seeded(writer);
    if listens {
        client.must("Load:subscribe", json!(null));
    }
    let mut sent: Vec<(&'static str, Value)> = Vec::new();
    let (mut answered, mut last) = (0, Value::Null);
    let mut reached = None;
    while answered < REQUESTS {
        while (sent.len() as u64) < REQUESTS && sent.len() as u64 - answered < WINDOW {
            let n = sent.len() as u64;
            let (method, data) = work(writer, n, &mut random);
            client.send(&json!({"id": n, "event": format!("Load:{method}"), "data": data}));
            sent.push((method, data));
        }
        let message = client.receive();
        if message.get("id").is_none() {
            let revision = revision(&message);
            assert!(reached.is_none_or(|reached| revision == reached + 1), "a hole before {message}");
            (reached, last) = (Some(revision), message);
            continue;
        }
        assert_eq!(message["id"], answered, "replies keep the order of their requests");
        assert!(message.get("error").is_none(), "{message}");
        let (method, data) = &sent[usize::try_from(answered).unwrap()];
        // The deletion of what is not there has no push.
        if listens && *method == "upsert" {
            assert_eq!(last["position"], message["position"], "the push right before the reply is not its own");
            let own = data.as_array().map_or(data, |batch| batch.last().unwrap());
            assert_eq!((&last["data"]["id"], &last["data"]["n"]), (&own["id"], &own["n"]));
        }
        answered += 1;
    }
}

/// What a listener saw: revision, event and record of each change, up to the one that ends it.
fn listen(client: &mut Client, mut reached: u64) -> Vec<Value> {
    let mut seen = Vec::new();
    loop {
        let message = client.receive();
        assert!(message.get("id").is_none(), "{message}");
        assert_eq!(revision(&message), reached + 1, "a hole or a repetition: {message}");
        reached += 1;
        let last = message["data"]["id"] == "the end";
        seen.push(message);
        if last {
            return seen;
        }
    }
}

fn apply(records: &mut HashMap<String, Value>, change: &Value) {
    let id = change["data"]["id"].as_str().unwrap().to_owned();
    if change["event"] == "Load:upsert" {
        records.insert(id, change["data"].clone());
    } else {
        assert_eq!(change["event"], "Load:delete");
        // Its last state is the one that was known.
        assert_eq!(records.remove(&id), Some(change["data"].clone()));
    }
}

fn by_id(records: &Value) -> HashMap<String, Value> {
    let entry = |record: &Value| (record["id"].as_str().unwrap().to_owned(), record.clone());
    records.as_array().unwrap().iter().map(entry).collect()
}

/// Join in the middle of it: a read, perhaps another, then pushes to the end. What comes of it is what is there.
fn join(mut client: Client, reads: u64) -> HashMap<String, Value> {
    let id = client.request("Load:read", json!(null));
    let reply = client.receive();
    assert_eq!(reply["id"], id, "nothing is heard before the first read is answered: {reply}");
    let (mut records, mut reached) = (by_id(&reply["data"]), revision(&reply));
    for _ in 0..reads {
        // The answer to a read covers what it covers: nothing of that comes again, and nothing is missing behind it.
        let id = client.request("Load:read", json!(null));
        loop {
            let message = client.receive();
            if message["id"] == id {
                assert!(revision(&message) >= reached, "a read goes back in time");
                (records, reached) = (by_id(&message["data"]), revision(&message));
                break;
            }
            assert_eq!(revision(&message), reached + 1, "{message}");
            reached += 1;
            apply(&mut records, &message);
            if message["data"]["id"] == "the end" {
                // The load is over; what is left is the answer.
                let reply = client.receive();
                assert_eq!((&reply["id"], revision(&reply)), (&json!(id), reached));
                assert_eq!(by_id(&reply["data"]), records);
                return records;
            }
        }
        if records.contains_key("the end") {
            return records;
        }
    }
    if records.contains_key("the end") {
        return records;
    }
    listen(&mut client, reached).iter().for_each(|change| apply(&mut records, change));
    records
}

fn under_load(store: StoreKind) {
    let server = Server::start(Setup::new(store));
    let address = server.address();
    let listeners: Vec<_> = (0..LISTENERS)
        .map(|number| {
            let mut client = Client::through(door(number), address);
            client.must("Load:subscribe", json!(null));
            thread::spawn(move || listen(&mut client, 0))
        })
        .collect();
    let mut guide = Client::connect(&server);
    guide.must("Load:subscribe", json!(null));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| thread::spawn(move || write(Client::through(door(writer), address), writer, writer % 2 == 0)))
        .collect();
    // Readers join whenever the guide has seen so and so much.
    let mut random = Random::seeded(7);
    let mut moments: Vec<u64> = (0..JOINERS).map(|_| 1 + random.below(WRITERS * REQUESTS / 2)).collect();
    moments.sort_unstable();
    let mut joiners = Vec::new();
    for (number, moment) in (0..).zip(moments) {
        while revision(&guide.receive()) < moment {}
        joiners.push(thread::spawn(move || join(Client::through(door(number), address), number % 4)));
    }
    writers.into_iter().for_each(|writer| writer.join().unwrap());
    Client::connect(&server).must("Load:upsert", json!({"id": "the end"}));
    let seen: Vec<Vec<Value>> = listeners.into_iter().map(|listener| listener.join().unwrap()).collect();
    assert!(seen.iter().all(|one| *one == seen[0]), "two listeners saw different things");
    let mut from_changes = HashMap::new();
    seen[0].iter().for_each(|change| apply(&mut from_changes, change));
    let stored = by_id(&Client::connect(&server).must("Load:read", json!(null)));
    assert_eq!(from_changes, stored, "the changes do not add up to the records");
    for joiner in joiners {
        assert_eq!(joiner.join().unwrap(), stored, "what a reader joined to does not add up to the records");
    }
}

#[test]
fn all_listeners_see_one_order_and_joiners_miss_nothing_on_memory() {
    under_load(StoreKind::Memory);
}

#[test]
fn all_listeners_see_one_order_and_joiners_miss_nothing_on_sqlite() {
    under_load(StoreKind::Sqlite);
}

/// 64 upserts in one TCP write, while others write too.
fn pipelined(store: StoreKind) {
    let server = Server::start(Setup::new(store));
    let address = server.address();
    let others: Vec<_> = (0..2)
        .map(|writer| thread::spawn(move || write(Client::through(Door::Plain, address), writer, writer == 0)))
        .collect();
    let mut wire = Wire::upgraded(&server);
    wire.write(&frame(TEXT, br#"{"id":"s","event":"Load:subscribe"}"#));
    let mut last = wire.message();
    for round in 0..8 {
        let upsert = |n: u64| json!({"id": n, "event": "Load:upsert", "data": {"id": n, "round": round}});
        wire.write(&(0..64).flat_map(|n| frame(TEXT, upsert(n).to_string().as_bytes())).collect::<Vec<u8>>());
        let mut answered = 0_u64;
        while answered < 64 {
            let message = wire.message();
            if message.get("id").is_none() {
                assert_eq!(revision(&message), revision(&last) + 1, "a hole");
            } else {
                assert_eq!(message["id"], answered);
                assert_eq!((&last["position"], &last["data"]), (&message["position"], &message["data"]));
                answered += 1;
            }
            last = message;
        }
    }
    others.into_iter().for_each(|other| other.join().unwrap());
}

#[test]
fn each_of_64_pipelined_replies_stands_right_behind_its_own_push_on_memory() {
    pipelined(StoreKind::Memory);
}

#[test]
fn each_of_64_pipelined_replies_stands_right_behind_its_own_push_on_sqlite() {
    pipelined(StoreKind::Sqlite);
}

#[test]
fn batches_are_not_torn_by_others() {
    for store in StoreKind::ALL {
        let server = Server::start(Setup::new(store));
        let address = server.address();
        let mut listener = Client::connect(&server);
        listener.must("Load:subscribe", json!(null));
        let writers: Vec<_> = (0..3_u64)
            .map(|writer| {
                thread::spawn(move || {
                    let mut client = Client::through(door(writer), address);
                    for n in 0..100_u64 {
                        let part = |part: u64| json!({"id": format!("{writer}.{part}"), "batch": [writer, n]});
                        client.must("Load:upsert", (0..7).map(part).collect());
                    }
                })
            })
            .collect();
        for _ in 0..300 {
            let batch: Vec<Value> = (0..7).map(|_| listener.receive()["data"]["batch"].clone()).collect();
            assert!(batch.iter().all(|one| *one == batch[0]), "{batch:?}");
        }
        writers.into_iter().for_each(|writer| writer.join().unwrap());
    }
}

#[test]
fn listeners_to_single_records_see_each_of_their_changes_once_and_in_order() {
    for store in StoreKind::ALL {
        let server = Server::start(Setup::new(store));
        let address = server.address();
        let writers: Vec<_> = (0..2_u64)
            .map(|writer| {
                thread::spawn(move || {
                    let mut client = Client::through(Door::Plain, address);
                    for n in 1..=300_u64 {
                        client.must("Load:upsert", json!({"id": format!("{writer}.{}", n % 3), "n": n}));
                    }
                })
            })
            .collect();
        // They join while it goes on; one of them hears two records of one writer, the other one of each.
        let listeners: Vec<_> = [["0.0", "0.1"], ["0.2", "1.0"]]
            .into_iter()
            .map(|ids| {
                thread::spawn(move || {
                    let mut client = Client::through(Door::Strings, address);
                    let id = client.request("Load:read", json!({"ids": ids}));
                    let reply = client.receive();
                    assert_eq!(reply["id"], id);
                    let mut known = by_id(&reply["data"]);
                    // The last that each of them becomes.
                    let wanted = |id: &str| 298 + (id[2..].parse::<u64>().unwrap() + 2) % 3;
                    let n = |known: &HashMap<String, Value>, id: &str| {
                        known.get(id).map_or(0, |r| r["n"].as_u64().unwrap())
                    };
                    while ids.iter().any(|id| n(&known, id) < wanted(id)) {
                        let push = client.receive();
                        let id = push["data"]["id"].as_str().unwrap().to_owned();
                        assert!(ids.contains(&id.as_str()), "not asked for: {push}");
                        let before = n(&known, &id);
                        let first = if id.ends_with('0') { 3 } else { id[2..].parse().unwrap() };
                        let expected = if before == 0 { first } else { before + 3 };
                        assert_eq!(push["data"]["n"], expected, "{push}");
                        known.insert(id, push["data"].clone());
                    }
                })
            })
            .collect();
        writers.into_iter().chain(listeners).for_each(|thread| thread.join().unwrap());
    }
}

#[test]
fn who_leaves_hears_nothing_behind_the_reply_and_who_comes_back_goes_on() {
    let server = Server::memory();
    let address = server.address();
    let writer = thread::spawn(move || write(Client::through(Door::Plain, address), 1, false));
    let mut client = Client::connect(&server);
    for _ in 0..50 {
        let id = client.request("Load:subscribe", json!(null));
        let subscribed = client.receive();
        assert_eq!(subscribed["id"], id, "heard without listening: {subscribed}");
        let mut reached = revision(&subscribed);
        let id = client.request("Load:unsubscribe", json!(null));
        loop {
            let Seen::Message(message) = client.see() else { panic!("the connection ended") };
            if message["id"] == id {
                break;
            }
            assert_eq!(revision(&message), reached + 1);
            reached += 1;
        }
    }
    writer.join().unwrap();
}
