//! One writer, many listeners: what a delivered message costs.

use std::time::{Duration, Instant};

use super::listening::listen;
use super::{CHECKED, Tally, Workload};
use crate::dialect::{Dialect, Topic, read_push};
use crate::failure::Failure;
use crate::load::{Arrival, Door, Load};
use crate::record::Revision;
use crate::target::Target;

/// Records a model has; writes go round them.
const RECORDS: u64 = 1_000;

/// How listeners are spread, and how far ahead the writer is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Topics, each with listeners of its own.
    pub(crate) topics: usize,
    /// What they are.
    pub(crate) topic: fn(usize) -> Topic,
    /// Listeners of each.
    pub(crate) listeners: usize,
    /// The nodes they are at, by number, as many at each. The writer is at the first.
    pub(crate) at: &'static [usize],
    /// How they come in; the writer has a WebSocket.
    pub(crate) door: Door,
    /// Messages written at once, each to the next topic. The following ones wait until every listener has these: were
    /// they written one by one as there is room, luck would decide how many a server finds together.
    pub(crate) window: usize,
}

/// The connections, listening, and what each has had.
#[derive(Debug)]
pub(crate) struct Fanout {
    shape: Shape,
    dialect: Dialect,
    load: Load,
    counts: Counts,
    next_topic: usize,
}

#[derive(Debug)]
struct Counts {
    dialect: Dialect,
    topic: fn(usize) -> Topic,
    /// The writer's connection; those before it listen, topic by topic.
    writer: usize,
    listeners: usize,
    /// Writes by topic.
    sent: Vec<u64>,
    /// Pushes by listener.
    received: Vec<u64>,
    written: u64,
    acknowledged: u64,
    /// By how much the server's numbers differ from the writer's: always the same, or a change was lost or made up.
    lead: Option<i128>,
}

impl Fanout {
    /// Opens all connections and makes all but one listen.
    ///
    /// # Errors
    /// When the server does not let them.
    pub(crate) fn prepare(target: &Target, shape: Shape) -> Result<Self, Failure> {
        let dialect = target.dialect;
        let mut load = Load::new()?;
        let writer = shape.topics * shape.listeners;
        for node in shape.at {
            load.open(writer / shape.at.len(), target.nodes[*node].address, shape.door)?;
        }
        load.open(1, target.first().address, Door::WebSocket)?;
        listen(&mut load, dialect, 0..writer, |listener| (shape.topic)(listener / shape.listeners))?;
        let counts = Counts {
            dialect,
            topic: shape.topic,
            writer,
            listeners: shape.listeners,
            sent: vec![0; shape.topics],
            received: vec![0; writer],
            written: 0,
            acknowledged: 0,
            lead: None,
        };
        Ok(Self { shape, dialect, load, counts, next_topic: 0 })
    }

    fn write_window(&mut self, text: &mut Vec<u8>) -> Result<(), Failure> {
        for _ in 0..self.shape.window {
            let number = self.next_topic;
            self.next_topic = (number + 1) % self.shape.topics;
            self.counts.sent[number] += 1;
            self.counts.written += 1;
            let sequence = self.counts.sent[number];
            text.clear();
            let id = number as u64 * RECORDS + sequence % RECORDS;
            let topic = (self.shape.topic)(number);
            self.dialect.put_upsert(text, topic, self.counts.written, Revision { id, sequence });
            self.load.queue(self.counts.writer, text)?;
        }
        self.load.send(self.counts.writer)
    }
}

impl Workload for Fanout {
    fn work(&mut self, length: Duration) -> Result<Tally, Failure> {
        let started = Instant::now();
        let mut tally = Tally::default();
        let mut text = Vec::new();
        while started.elapsed() < length {
            let sent = Instant::now();
            self.write_window(&mut text)?;
            let due = tally.done + (self.shape.window * self.shape.listeners) as u64;
            while tally.done < due || self.counts.acknowledged < self.counts.written {
                let turn = self.load.turn("pushes to every listener", |arrival| {
                    if self.counts.take(arrival)? {
                        tally.done += 1;
                        tally.bytes += arrival.text.len() as u64;
                        tally.latencies.record(arrival.at.saturating_duration_since(sent));
                    }
                    Ok(())
                });
                turn.map_err(|failure| self.counts.name_the_missing(failure))?;
            }
        }
        Ok(tally)
    }

    fn rest(&mut self, pause: Duration) -> Result<(), Failure> {
        self.load.rest(pause, |arrival| self.counts.take(arrival).map(drop))
    }
}

impl Counts {
    /// Adds to a stall which listener lacks what.
    fn name_the_missing(&self, failure: Failure) -> Failure {
        let due = |listener: usize| self.sent[listener / self.listeners];
        match (failure, self.received.iter().enumerate().find(|(listener, had)| **had < due(*listener))) {
            (Failure::Stalled { seconds, what }, Some((listener, had))) => {
                let what = format!("{what}: connection {listener} has had {had} of {}", due(listener));
                Failure::Stalled { seconds, what }
            }
            (failure, _) => failure,
        }
    }

    /// Counts what arrived: whether it is a push. More than was sent is wrong on any connection, so when the sum of all
    /// is right, each has had exactly its own.
    fn take(&mut self, arrival: Arrival<'_>) -> Result<bool, Failure> {
        let Arrival { connection, text, .. } = arrival;
        if connection == self.writer {
            self.acknowledged += 1;
            if self.acknowledged > self.written {
                return Err(Failure::Wrong(format!("an answer too many: {}", text.escape_ascii())));
            }
            if self.acknowledged % CHECKED == 1 || !self.dialect.may_acknowledge(text) {
                self.dialect.check_acknowledged(text, self.acknowledged)?;
            }
            return Ok(false);
        }
        let number = connection / self.listeners;
        let received = &mut self.received[connection];
        *received += 1;
        if *received > self.sent[number] {
            return Err(Failure::Wrong(format!("a push too many: {}", text.escape_ascii())));
        }
        if connection == 0 || (*received + connection as u64).is_multiple_of(CHECKED) {
            let topic = (self.topic)(number);
            let push = read_push(text, topic)?;
            let lead = i128::from(push.revision) - i128::from(push.sequence);
            // The numbers of a model go over all of its rooms.
            let goes_astray = matches!(topic, Topic::Model(_)) && *self.lead.get_or_insert(lead) != lead;
            if push.sequence != *received || goes_astray {
                let told = format!("{push:?}, lead {lead}, where {:?} was due", self.lead);
                return Err(Failure::Wrong(format!("push {received} of connection {connection} is {told}")));
            }
        }
        Ok(true)
    }
}
