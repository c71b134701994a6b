//! What everybody in a run shares: the nodes, what was counted, and what was seen.

use crate::{
    connection::{Connection, Next},
    fleet::Fleet,
};
use backsync_protocol::Position;
use serde_json::Value;
use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

pub(crate) struct World {
    pub(crate) fleet: Fleet,
    pub(crate) tally: Tally,
    /// Writers begin nothing new, and guests stay away.
    pub(crate) is_evening: AtomicBool,
    /// Everybody goes home.
    pub(crate) is_over: AtomicBool,
    seen: Mutex<HashMap<(String, Position), Told>>,
    wrong: Mutex<Vec<String>>,
}

/// What was counted.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) acknowledged: AtomicUsize,
    /// Writes that were sent again because their outcome was not known.
    pub(crate) repeated: AtomicUsize,
    /// Requests that were answered with an error that says to try again.
    pub(crate) put_off: AtomicUsize,
    pub(crate) conflicts: AtomicUsize,
    pub(crate) pushes: AtomicUsize,
    /// Listeners that were told everything anew.
    pub(crate) resets: AtomicUsize,
    pub(crate) connections: AtomicUsize,
    /// Those that ended though their node was not killed.
    pub(crate) dropped: AtomicUsize,
    pub(crate) guests: AtomicUsize,
    silence: Mutex<(Option<Instant>, Duration)>,
}

impl Tally {
    /// A write was answered.
    pub(crate) fn acknowledge(&self) {
        count(&self.acknowledged);
        let mut silence = self.silence.lock().unwrap();
        let now = Instant::now();
        let since = silence.0.replace(now).map_or(Duration::ZERO, |last| now - last);
        silence.1 = silence.1.max(since);
    }

    /// The longest time in which nobody was answered a write.
    pub(crate) fn longest_silence(&self) -> Duration {
        self.silence.lock().unwrap().1
    }
}

/// A change as a message tells it.
#[derive(Debug, Clone, PartialEq)]
struct Told {
    method: String,
    id: String,
    /// Of what became of the record, where it is still there.
    look: Option<Look>,
}

impl World {
    pub(crate) fn new(fleet: Fleet) -> Self {
        Self {
            fleet,
            tally: Tally::default(),
            is_evening: false.into(),
            is_over: false.into(),
            seen: Mutex::default(),
            wrong: Mutex::default(),
        }
    }

    /// A connection to a node, for a client of this name.
    pub(crate) fn connect(&self, node: usize, client: &str) -> Option<Link<'_>> {
        let kills = self.fleet.kills(node);
        let connection = Connection::open(self.fleet.address(node), client)?;
        count(&self.tally.connections);
        Some(Link { world: self, connection, node, kills })
    }

    /// What should never be.
    pub(crate) fn wrong(&self, what: String) {
        self.wrong.lock().unwrap().push(what);
    }

    pub(crate) fn everything_wrong(&self) -> Vec<String> {
        self.wrong.lock().unwrap().clone()
    }

    /// Somebody was told that this is the change at a position: everybody else who is told of it has to be told the same.
    pub(crate) fn told(&self, model: &str, position: Position, method: &str, record: &Value) {
        let id = record["id"].as_str().unwrap_or_default().to_owned();
        let told = Told { method: method.to_owned(), id, look: (method == "upsert").then(|| Look::of(record)) };
        let mut seen = self.seen.lock().unwrap();
        let first = seen.entry((model.to_owned(), position)).or_insert_with(|| told.clone());
        if *first != told {
            let what = format!("{model} at {position}: {told:?} to one, {first:?} to another");
            drop(seen);
            self.wrong(what);
        }
    }

    /// How many histories a model had, as far as anybody heard of a change in them.
    pub(crate) fn histories(&self, model: &str) -> usize {
        let seen = self.seen.lock().unwrap();
        let mut epochs: Vec<_> = seen.keys().filter(|(of, _)| of == model).map(|(_, at)| at.epoch.0).collect();
        epochs.sort_unstable();
        epochs.dedup();
        epochs.len()
    }
}

/// A connection that knows whether it had to end.
pub(crate) struct Link<'a> {
    world: &'a World,
    connection: Connection,
    node: usize,
    kills: usize,
}

impl Link<'_> {
    pub(crate) fn send(&mut self, text: &str) -> bool {
        self.connection.send(text)
    }

    pub(crate) fn next(&mut self) -> Next {
        let next = self.connection.next();
        if matches!(next, Next::Lost) && self.world.fleet.kills(self.node) == self.kills {
            count(&self.world.tally.dropped);
        }
        next
    }
}

pub(crate) fn count(of: &AtomicUsize) {
    of.fetch_add(1, Ordering::Relaxed);
}

/// What a record looks like; two that differ look different.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Look {
    revision: u64,
    print: u64,
}

impl Look {
    pub(crate) fn of(record: &Value) -> Self {
        let mut hasher = DefaultHasher::new();
        record.to_string().hash(&mut hasher);
        Self { revision: record["_rev"].as_u64().unwrap_or_default(), print: hasher.finish() }
    }
}

/// The position of a message, where it has one.
pub(crate) fn position(message: &Value) -> Option<Position> {
    message["position"].as_str().map(|position| position.parse().unwrap())
}
