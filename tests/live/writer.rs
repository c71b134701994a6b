//! A client that writes: many requests at once, each of which it repeats under its id and in the same words until it knows the outcome.

use crate::{
    connection::Next,
    random::Random,
    world::{Link, World, count, position},
};
use backsync_protocol::Position;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::atomic::Ordering,
    thread,
    time::{Duration, Instant},
};

/// Requests that have no answer yet, at the most.
const WINDOW: u64 = 16;

/// So long at the least between two new ones: what goes wrong is to be found by kinds, not by mass.
const PACE: Duration = Duration::from_millis(12);

/// Records that a writer has for itself. Many more than the window, so that two requests for one of them never meet.
const ITEMS: u64 = 64;

/// Records that all writers write.
const COUNTERS: u64 = 6;

pub(crate) struct Writer<'a> {
    world: &'a World,
    name: String,
    random: Random,
    node: usize,
    next: u64,
    next_at: Instant,
    unanswered: VecDeque<Request>,
    /// Of each counter, the revision at which it was last seen.
    counters: BTreeMap<String, u64>,
    written: Written,
}

/// What a writer knows to be done.
#[derive(Default)]
pub(crate) struct Written {
    pub(crate) name: String,
    /// Those that made lines, by their number.
    pub(crate) lines: BTreeMap<u64, Lines>,
    /// What became of each of its items: the number that was written last, none where it was deleted.
    pub(crate) items: BTreeMap<String, Option<u64>>,
}

/// A write that made records with ids of the server's choice: done twice there would be twice as many.
pub(crate) struct Lines {
    pub(crate) ids: Vec<String>,
    pub(crate) position: Position,
}

struct Request {
    n: u64,
    text: String,
    kind: Kind,
    /// It was put off until then.
    again_at: Option<Instant>,
}

enum Kind {
    Lines,
    /// Lines and a counter in one step.
    Both,
    Item(String, Option<u64>),
    Counter,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(world: &'a World, number: usize, seed: u64) -> Self {
        let (name, node) = (format!("writer{number}"), number % world.fleet.len());
        let written = Written { name: name.clone(), ..Written::default() };
        let (random, next_at) = (Random::seeded(seed), Instant::now());
        let (unanswered, counters) = (VecDeque::new(), BTreeMap::new());
        Self { world, name, random, node, next: 0, next_at, unanswered, counters, written }
    }

    /// Write until evening, and then until everything is answered.
    pub(crate) fn run(mut self) -> Written {
        let mut link = None;
        while !self.world.is_evening.load(Ordering::Relaxed) || !self.unanswered.is_empty() {
            if self.world.is_over.load(Ordering::Relaxed) {
                self.world.wrong(format!("{} has {} writes without an answer", self.name, self.unanswered.len()));
                break;
            }
            link = match link {
                Some(link) => self.talk(link),
                None => self.connect(),
            };
        }
        self.written
    }

    fn connect(&mut self) -> Option<Link<'a>> {
        let Some(mut link) = self.world.connect(self.node, &self.name) else {
            thread::sleep(Duration::from_millis(self.random.below(100)));
            self.move_on();
            return None;
        };
        // Somebody impatient says it at another node as well, at the same time.
        let twin = self.random.one_in(4).then(|| (self.node + 1) % self.world.fleet.len());
        let mut twin = twin.and_then(|node| self.world.connect(node, &self.name));
        for request in &mut self.unanswered {
            request.again_at = None;
            count(&self.world.tally.repeated);
            link.send(&request.text);
            if let Some(twin) = &mut twin {
                twin.send(&request.text);
            }
        }
        Some(link)
    }

    fn move_on(&mut self) {
        if self.random.one_in(2) {
            self.node = self.random.index(self.world.fleet.len());
        }
    }

    fn talk(&mut self, mut link: Link<'a>) -> Option<Link<'a>> {
        let now = Instant::now();
        if now >= self.next_at && !self.world.is_evening.load(Ordering::Relaxed) {
            self.next_at = now + PACE;
            // Often many at once, so that there are some in the midst of everything.
            for _ in 0..if self.random.one_in(4) { WINDOW } else { 1 } {
                let oldest = self.unanswered.front().map_or(self.next + 1, |request| request.n);
                if self.next + 1 < oldest + WINDOW {
                    let request = self.request();
                    link.send(&request.text);
                    self.unanswered.push_back(request);
                }
            }
        }
        for request in self.unanswered.iter_mut().filter(|request| request.again_at.is_some_and(|at| at <= now)) {
            request.again_at = None;
            count(&self.world.tally.repeated);
            link.send(&request.text);
        }
        match link.next() {
            Next::Message(reply) => self.answered(&reply),
            Next::Nothing => {}
            Next::Lost => {
                self.move_on();
                return None;
            }
        }
        Some(link)
    }

    fn request(&mut self) -> Request {
        self.next += 1;
        let (n, name) = (self.next, self.name.clone());
        let line = |part: u64| json!({"writer": name, "n": n, "part": part});
        let counter = json!({"id": format!("counter{}", self.random.below(COUNTERS)), "writer": name, "n": n});
        let item = format!("{name}.{}", n % ITEMS);
        let mut options = Value::Null;
        let (kind, event, data) = match self.random.below(16) {
            0..6 => (Kind::Lines, "Line:upsert", line(0)),
            6..8 => (Kind::Lines, "Line:upsert", (0..2 + n % 2).map(line).collect()),
            8..11 => (Kind::Item(item.clone(), Some(n)), "Item:upsert", json!({"id": item, "n": n, "odd": n % 2 == 1})),
            11 => (Kind::Item(item.clone(), None), "Item:delete", json!({"id": item})),
            12 => (Kind::Counter, "Counter:upsert", counter),
            13..15 => {
                if let Some(base) = self.counters.get(counter["id"].as_str().unwrap()) {
                    options = json!({"policy": "server-wins", "base": base});
                }
                (Kind::Counter, "Counter:upsert", counter)
            }
            _ => {
                let entry = |event: &str, data: Value| json!({"event": event, "data": data});
                let entries = json!([entry("Line:upsert", line(0)), entry("Counter:upsert", counter)]);
                (Kind::Both, "$batch:commit", entries)
            }
        };
        let text = json!({"id": n, "event": event, "data": data, "options": options}).to_string();
        Request { n, text, kind, again_at: None }
    }

    fn answered(&mut self, reply: &Value) {
        // A push it has not asked for, or the answer to what was said twice.
        let Some(at) = self.unanswered.iter().position(|request| reply["id"] == request.n) else { return };
        if reply["error"]["retry"] == true {
            count(&self.world.tally.put_off);
            let wait = Duration::from_millis(20 + self.random.below(100));
            self.unanswered[at].again_at = Some(Instant::now() + wait);
            return;
        }
        let request = self.unanswered.remove(at).expect("it was found");
        match (reply.get("error"), request.kind) {
            (None, kind) => {
                self.world.tally.acknowledge();
                self.done(request.n, kind, reply);
            }
            (Some(error), Kind::Counter) if error["code"] == "conflict" => {
                count(&self.world.tally.conflicts);
                self.seen(&error["record"]);
            }
            (Some(error), _) => self.world.wrong(format!("{} was refused: {error}", request.text)),
        }
    }

    fn done(&mut self, n: u64, kind: Kind, reply: &Value) {
        match kind {
            Kind::Lines => self.lines(n, reply),
            Kind::Both => {
                self.lines(n, &reply["data"][0]);
                self.seen(&reply["data"][1]["data"]);
            }
            Kind::Item(id, n) => {
                self.written.items.insert(id, n);
            }
            Kind::Counter => self.seen(&reply["data"]),
        }
    }

    fn lines(&mut self, n: u64, done: &Value) {
        let records = done["data"].as_array().cloned().unwrap_or_else(|| vec![done["data"].clone()]);
        let position = position(done).expect("what is done has a position");
        let ids = records.iter().map(|record| record["id"].as_str().unwrap_or_default().to_owned()).collect();
        self.written.lines.insert(n, Lines { ids, position });
    }

    fn seen(&mut self, counter: &Value) {
        if let (Some(id), Some(revision)) = (counter["id"].as_str(), counter["_rev"].as_u64()) {
            self.counters.insert(id.to_owned(), revision);
        }
    }
}
