//! `kill -9` in the middle of work: what was acknowledged is there, and what the command line sends is there once.

use crate::{
    client::{Client, Seen, revision},
    random::Random,
    server::{Process, Server, Setup, client_command},
};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Write},
    process::Stdio,
    sync::mpsc,
    thread,
};

/// Listen until the model has come to this revision.
fn reaches(server: &Server, event: &str, wanted: u64) {
    let mut watcher = Client::connect(server);
    let mut reached = revision(&watcher.ask(&format!("{event}:subscribe"), json!(null)));
    while reached < wanted {
        reached = revision(&watcher.receive());
    }
}

#[test]
fn a_pipe_through_a_server_that_is_killed_again_and_again_loses_and_doubles_nothing() {
    const PART: usize = 4000;
    const PARTS: usize = 5;
    let mut server = Server::start(Setup::sqlite().on_a_lasting_port());
    let lines: Vec<String> = (0..PART * PARTS).map(|n| format!("line {n} of the log")).collect();
    let mut command = client_command(&server, &["pipe", "Line", "--raw", "--quiet", "--batch", "100"]);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut pipe = Process(command.spawn().unwrap());
    let mut stdin = pipe.0.stdin.take().unwrap();
    let (more, wanted) = mpsc::channel::<String>();
    let feed = thread::spawn(move || wanted.iter().for_each(|part| stdin.write_all(part.as_bytes()).unwrap()));
    let mut random = Random::seeded(20_000);
    for (number, part) in lines.chunks(PART).enumerate() {
        more.send(part.join("\n") + "\n").unwrap();
        if number + 1 < PARTS {
            // In the middle of this part; the next is given only when the server is back.
            reaches(&server, "Line", (number * PART) as u64 + 1 + random.below(PART as u64 / 2));
            server.kill();
            server.restart();
        }
    }
    drop(more);
    feed.join().unwrap();
    assert_eq!(pipe.wait().code(), Some(0));
    let records = Client::connect(&server).must("Line:read", json!(null));
    let stored: Vec<&str> =
        records.as_array().unwrap().iter().map(|record| record["message"].as_str().unwrap()).collect();
    let first_wrong = stored.iter().zip(&lines).position(|(stored, line)| stored != line);
    assert_eq!((stored.len(), first_wrong), (lines.len(), None), "not each line once and in order");
}

#[test]
fn what_was_acknowledged_before_a_kill_is_there_after_it() {
    let mut server = Server::start(Setup::sqlite().on_a_lasting_port());
    let mut random = Random::seeded(9);
    let mut acknowledged: Vec<Value> = Vec::new();
    for round in 0..4 {
        let mut client = Client::connect(&server);
        let enough = acknowledged.len() + 50 + usize::try_from(random.below(500)).unwrap();
        // Some are on their way all the time, singles and batches.
        let mut next = 0..;
        let mut send = |client: &mut Client| {
            let n: u64 = next.next().unwrap();
            let record = |part: u64| json!({"id": format!("{round}.{n}.{part}"), "n": n});
            let data = if n.is_multiple_of(3) { json!([record(0), record(1), record(2)]) } else { record(0) };
            client.try_send(&json!({"id": n, "event": "Kept:upsert", "data": data}))
        };
        for _ in 0..64 {
            send(&mut client);
        }
        let mut killed = false;
        while let Seen::Message(reply) = client.see() {
            assert!(reply.get("error").is_none(), "{reply}");
            match &reply["data"] {
                Value::Array(records) => acknowledged.extend(records.iter().cloned()),
                record => acknowledged.push(record.clone()),
            }
            if !killed && acknowledged.len() >= enough {
                // Whatever answers still come were given before it died.
                server.kill();
                killed = true;
            }
            if !killed {
                send(&mut client);
            }
        }
        assert!(killed, "the connection ended before its time");
        server.restart();
        let records = Client::connect(&server).must("Kept:read", json!(null));
        let stored = records.as_array().unwrap();
        for record in &acknowledged {
            assert!(stored.contains(record), "{record} was acknowledged and is lost");
        }
        for (at, record) in stored.iter().enumerate() {
            assert_eq!(record["_rev"], at + 1, "each change has the next number, also across a restart");
        }
        // A batch is there whole or not at all.
        let batches = stored.iter().filter(|record| record["n"].as_u64().unwrap().is_multiple_of(3)).count();
        assert!(batches.is_multiple_of(3), "{batches} records of batches of 3");
    }
}

#[test]
fn another_history_begins_with_a_restart() {
    let mut server = Server::start(Setup::sqlite().on_a_lasting_port());
    let position = |server: &Server| Client::connect(server).ask("Kept:subscribe", json!(null))["position"].clone();
    let before = position(&server);
    server.kill();
    server.restart();
    assert_ne!(position(&server), before, "what was read before the kill may not have been kept");
}

#[test]
fn tail_goes_on_over_a_kill_and_prints_nothing_twice() {
    let mut server = Server::start(Setup::sqlite().on_a_lasting_port());
    let mut writer = Client::connect(&server);
    writer.must("Line:upsert", json!({"id": "0", "message": "0"}));
    let mut command = client_command(&server, &["tail", "Line", "--json"]);
    let mut tail = Process(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let mut printed = BufReader::new(tail.0.stdout.take().unwrap()).lines();
    let mut next = || -> String {
        let line: Value = serde_json::from_str(&printed.next().unwrap().unwrap()).unwrap();
        line["data"]["id"].as_str().unwrap().to_owned()
    };
    assert_eq!(next(), "0");
    for round in 1..=3 {
        Client::connect(&server).must("Line:upsert", json!({"id": format!("{round}a"), "message": "a"}));
        assert_eq!(next(), format!("{round}a"));
        server.kill();
        server.restart();
        // It may be back or not when this happens.
        Client::connect(&server).must("Line:upsert", json!({"id": format!("{round}b"), "message": "b"}));
        assert_eq!(next(), format!("{round}b"));
    }
}
