//! `kill -9`, twenty times: writers that repeat what had no answer, listeners that resume, and people who are present.
//! In the end nothing acknowledged is lost, nothing is applied twice, every listener knows what the store has, and nobody
//! is present who is gone.

use crate::{
    client::{Client, Door, Seen},
    random::Random,
    server::{Server, Setup},
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, VecDeque},
    time::Instant,
};

const ROUNDS: u64 = 20;

/// A writer with a name: what has no answer is sent again under its id, with the same text.
struct Writer {
    name: String,
    next: u64,
    unanswered: VecDeque<Value>,
    acknowledged: u64,
}

impl Writer {
    fn connect(&self, server: &Server) -> Client {
        Client::with_query(Door::Plain, server.address(), &format!("?client={}", self.name))
    }

    fn new_request(&mut self) -> Value {
        self.next += 1;
        let n = self.next;
        // Its records have no ids: done twice, there would be two of them.
        let line = |part: u64| json!({"writer": self.name, "n": n, "part": part});
        let data = if n.is_multiple_of(4) { json!([line(0), line(1)]) } else { line(0) };
        let request = json!({"id": n, "event": "Line:upsert", "data": data});
        self.unanswered.push_back(request.clone());
        request
    }

    fn take(&mut self, reply: &Value) {
        let request = self.unanswered.pop_front().expect("an answer to something");
        assert_eq!(reply["id"], request["id"], "{reply}");
        assert!(reply.get("error").is_none(), "{reply}");
        self.acknowledged = reply["id"].as_u64().unwrap();
    }
}

/// A listener that goes on from where it was.
#[derive(Default)]
struct Listener {
    filter: Value,
    position: Option<String>,
    records: BTreeMap<String, Value>,
    resets: usize,
}

impl Listener {
    fn request(&self) -> Value {
        json!({"id": "listen", "event": "Line:read", "data": {"where": self.filter, "since": self.position}})
    }

    fn take(&mut self, message: &Value) {
        let put = |records: &mut BTreeMap<String, Value>, record: &Value| {
            records.insert(record["id"].as_str().unwrap().to_owned(), record.clone());
        };
        assert!(message.get("error").is_none(), "{message}");
        if message["id"] == "listen" {
            if message["reset"] == true || self.position.is_none() {
                self.resets += usize::from(self.position.is_some());
                self.records.clear();
            }
            for id in message["deleted"].as_array().into_iter().flatten() {
                self.records.remove(id.as_str().unwrap());
            }
            message["data"].as_array().unwrap().iter().for_each(|record| put(&mut self.records, record));
        } else if message["event"] == "Line:upsert" {
            put(&mut self.records, &message["data"]);
        } else {
            self.records.remove(message["data"]["id"].as_str().unwrap());
        }
        self.position = Some(message["position"].as_str().unwrap().to_owned());
    }
}

#[test]
fn twenty_kills_lose_nothing_double_nothing_and_leave_no_ghosts() {
    let setup = Setup::sqlite().set("models.User.ephemeral", true).set("presence.linger_s", 1);
    let mut server = Server::start(setup.on_a_lasting_port());
    let mut random = Random::seeded(77);
    let writer = |name: &str| Writer { name: name.into(), next: 0, unanswered: VecDeque::new(), acknowledged: 0 };
    let mut writers = [writer("first"), writer("second")];
    let mut listeners = [Listener::default(), Listener { filter: json!({"writer": "first"}), ..Listener::default() }];
    for round in 0..=ROUNDS {
        let last = round == ROUNDS;
        let mut heard: Vec<Client> = listeners.iter().map(|_| Client::connect(&server)).collect();
        for (client, listener) in heard.iter_mut().zip(&listeners) {
            client.send(&listener.request());
        }
        // Somebody new is present in each round, and one comes back each time.
        let mut guest = Client::with_query(Door::Plain, server.address(), &format!("?client=guest{round}"));
        present(&mut guest, 0, json!({"id": format!("guest{round}")}));
        let mut regular = Client::with_query(Door::Plain, server.address(), "?client=regular");
        present(&mut regular, round, json!({"id": "regular", "round": round}));

        let mut clients: Vec<Client> = writers.iter().map(|writer| writer.connect(&server)).collect();
        for (client, writer) in clients.iter_mut().zip(&mut writers) {
            // First what had no answer, then more.
            for request in writer.unanswered.clone() {
                client.try_send(&request);
            }
            for _ in 0..if last { 0 } else { 100 + random.below(200) } {
                let request = writer.new_request();
                client.try_send(&request);
            }
        }
        // Killed after some of the answers, in the last round after all of them.
        for (client, writer) in clients.iter_mut().zip(&mut writers) {
            let answers = if last { writer.unanswered.len() as u64 } else { 1 + random.below(80) };
            for _ in 0..answers {
                writer.take(&client.receive());
            }
        }
        if last {
            // Every write was answered; what a listener is owed comes before the answer to what it asks now.
            for (client, listener) in heard.iter_mut().zip(&mut listeners) {
                let look = json!({"ids": []});
                client.send(&json!({"id": "end", "event": "Line:read", "data": look, "options": {"listen": false}}));
                loop {
                    let message = client.receive();
                    if message["id"] == "end" {
                        break;
                    }
                    listener.take(&message);
                }
            }
            no_ghosts(&server, &[&format!("guest{round}"), "regular"]);
            break;
        }
        server.kill();
        // What had reached them before the end counts.
        for (client, writer) in clients.iter_mut().zip(&mut writers) {
            while let Seen::Message(reply) = client.see() {
                writer.take(&reply);
            }
        }
        for (client, listener) in heard.iter_mut().zip(&mut listeners) {
            while let Seen::Message(message) = client.see() {
                listener.take(&message);
            }
        }
        server.restart();
    }
    let stored = Client::connect(&server).must("Line:read", json!(null));
    let stored = stored.as_array().unwrap();
    let mut expected: Vec<(String, u64, u64)> = Vec::new();
    for writer in &writers {
        assert_eq!((writer.unanswered.len(), writer.acknowledged), (0, writer.next));
        for n in 1..=writer.next {
            expected.extend((0..if n.is_multiple_of(4) { 2 } else { 1 }).map(|part| (writer.name.clone(), n, part)));
        }
    }
    let key = |record: &Value| {
        let number = |name: &str| record[name].as_u64().unwrap();
        (record["writer"].as_str().unwrap().to_owned(), number("n"), number("part"))
    };
    let mut found: Vec<_> = stored.iter().map(key).collect();
    found.sort();
    assert_eq!(found, expected, "every line is there once");
    for listener in &listeners {
        let matches = |record: &&Value| listener.filter == Value::Null || record["writer"] == listener.filter["writer"];
        let truth: BTreeMap<String, Value> = stored
            .iter()
            .filter(matches)
            .map(|record| (record["id"].as_str().unwrap().to_owned(), record.clone()))
            .collect();
        let (known, there) = (listener.records.len(), truth.len());
        assert!(listener.records == truth, "a listener knows {known} records that are not the {there} of the store");
        assert_eq!(listener.resets, 0, "a log that is kept is gone on from");
    }
}

/// Be present. A client with a name numbers its writes over all its connections.
fn present(client: &mut Client, number: u64, record: Value) {
    client.send(&json!({"id": format!("present {number}"), "event": "User:upsert", "data": record}));
    let reply = client.receive();
    assert!(reply.get("error").is_none(), "{reply}");
}

/// Wait until nobody is present but these.
fn no_ghosts(server: &Server, present: &[&str]) {
    let begin = Instant::now();
    let mut watch = Client::connect(server);
    watch.send(&json!({"id": 0, "event": "User:read"}));
    let mut users: Vec<String> = Vec::new();
    loop {
        let message = watch.receive();
        let id = |record: &Value| record["id"].as_str().unwrap().to_owned();
        match message["event"].as_str().unwrap() {
            "User:read" => users.extend(message["data"].as_array().unwrap().iter().map(id)),
            "User:delete" => users.retain(|user| *user != id(&message["data"])),
            _ => {}
        }
        if users.len() == present.len() && present.iter().all(|user| users.iter().any(|known| known == user)) {
            return;
        }
        assert!(begin.elapsed() < crate::server::HUNG, "ghosts: {users:?}");
    }
}

#[test]
fn who_leaves_is_gone_after_the_linger_and_who_comes_back_in_time_stays() {
    let setup = Setup::memory().set("models.User.ephemeral", true).set("presence.linger_s", 1);
    let server = Server::start(setup);
    let connect = |name: &str| Client::with_query(Door::Plain, server.address(), &format!("?client={name}"));
    let mut watch = Client::connect(&server);
    watch.must("User:read", json!(null));
    let mut leaves = connect("leaves");
    leaves.must("User:upsert", json!([{"id": "a"}, {"id": "b"}]));
    let mut anonymous = Client::connect(&server);
    anonymous.must("User:upsert", json!({"id": "nameless"}));
    let mut returns = connect("returns");
    returns.must("User:upsert", json!({"id": "c"}));
    for _ in 0..4 {
        assert_eq!(watch.receive()["event"], "User:upsert");
    }
    // Who has no name cannot come back: its record goes at once.
    drop(anonymous);
    let gone = watch.receive();
    assert_eq!((&gone["event"], &gone["data"]["id"]), (&json!("User:delete"), &json!("nameless")));
    drop(returns);
    let mut back = connect("returns");
    drop(leaves);
    let mut gone: Vec<Value> = (0..2).map(|_| watch.receive()["data"]["id"].clone()).collect();
    gone.sort_by_key(Value::to_string);
    assert_eq!(gone, [json!("a"), json!("b")]);
    present(&mut back, 2, json!({"id": "c", "again": true}));
    assert_eq!(watch.receive()["data"], json!({"id": "c", "again": true, "_rev": 8}));
}
