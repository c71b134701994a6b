//! Writes that nobody hears: what an acknowledged request costs.

use std::time::{Duration, Instant};

use super::{CHECKED, Tally, Workload};
use crate::dialect::{Dialect, Topic};
use crate::failure::Failure;
use crate::load::{Door, Load};
use crate::record::Revision;
use crate::target::Target;

/// More a connection cannot have on the way.
const OUTSTANDING: usize = 8;
/// Records of each connection that are written again and again.
const RECORDS: u64 = 200;
/// New records of one window: the memory of the place is not what is measured.
const MOST_NEW: u64 = 400_000;

/// Which records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ids {
    /// A new one by each request.
    New,
    /// The same ones in turn, with a change each time.
    Rotating,
}

/// How many write what, and how far ahead of the answers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Writers {
    /// What they write.
    pub(crate) ids: Ids,
    /// How many there are.
    pub(crate) connections: usize,
    /// Requests that each has on the way, at most 8.
    pub(crate) outstanding: usize,
}

/// The connections, each with requests of its own on the way.
#[derive(Debug)]
pub(crate) struct Requests {
    writers: Writers,
    dialect: Dialect,
    load: Load,
    senders: Vec<Sender>,
    created: u64,
}

#[derive(Clone, Debug)]
struct Sender {
    sent: u64,
    acknowledged: u64,
    /// When the requests on the way were sent, by their number.
    times: [Instant; OUTSTANDING],
    /// Was answered, and can send again.
    ready: bool,
}

impl Requests {
    /// Opens all connections.
    ///
    /// # Errors
    /// When the server does not let them.
    pub(crate) fn prepare(target: &Target, writers: Writers) -> Result<Self, Failure> {
        let mut load = Load::new()?;
        load.open(writers.connections, target.first().address, Door::WebSocket)?;
        let idle = Sender { sent: 0, acknowledged: 0, times: [Instant::now(); OUTSTANDING], ready: true };
        Ok(Self { writers, dialect: target.dialect, load, senders: vec![idle; writers.connections], created: 0 })
    }

    /// Sends as many requests as `connection` may have on the way, in one write.
    fn refill(&mut self, connection: usize, text: &mut Vec<u8>) -> Result<(), Failure> {
        let sender = &mut self.senders[connection];
        let now = Instant::now();
        while sender.sent - sender.acknowledged < self.writers.outstanding as u64 {
            sender.sent += 1;
            self.created += 1;
            sender.times[sender.sent as usize % OUTSTANDING] = now;
            let id = match self.writers.ids {
                Ids::New => self.created,
                Ids::Rotating => connection as u64 * RECORDS + sender.sent % RECORDS,
            };
            text.clear();
            self.dialect.put_upsert(text, Topic::ONE, sender.sent, Revision { id, sequence: sender.sent });
            self.load.queue(connection, text)?;
        }
        self.load.send(connection)
    }
}

impl Workload for Requests {
    fn work(&mut self, length: Duration) -> Result<Tally, Failure> {
        let started = Instant::now();
        let most = match self.writers.ids {
            Ids::New => self.created + MOST_NEW,
            Ids::Rotating => u64::MAX,
        };
        let mut tally = Tally::default();
        let mut text = Vec::new();
        loop {
            let goes_on = started.elapsed() < length && self.created < most;
            if goes_on {
                for connection in 0..self.senders.len() {
                    if std::mem::take(&mut self.senders[connection].ready) {
                        self.refill(connection, &mut text)?;
                    }
                }
            }
            if !goes_on && self.senders.iter().all(|sender| sender.sent == sender.acknowledged) {
                self.senders.iter_mut().for_each(|sender| sender.ready = true);
                return Ok(tally);
            }
            let (senders, dialect) = (&mut self.senders, self.dialect);
            self.load.turn("acknowledgements", |arrival| {
                let sender = &mut senders[arrival.connection];
                let sent = sender.acknowledge(dialect, arrival.text)?;
                tally.done += 1;
                tally.bytes += arrival.text.len() as u64;
                tally.latencies.record(arrival.at.saturating_duration_since(sent));
                Ok(())
            })?;
        }
    }

    fn rest(&mut self, pause: Duration) -> Result<(), Failure> {
        let (senders, dialect) = (&mut self.senders, self.dialect);
        self.load.rest(pause, |arrival| senders[arrival.connection].acknowledge(dialect, arrival.text).map(drop))
    }
}

impl Sender {
    /// Counts an answer; when its request was sent.
    fn acknowledge(&mut self, dialect: Dialect, answer: &[u8]) -> Result<Instant, Failure> {
        self.acknowledged += 1;
        self.ready = true;
        if self.acknowledged > self.sent {
            return Err(Failure::Wrong(format!("an answer too many: {}", answer.escape_ascii())));
        }
        if self.acknowledged % CHECKED == 1 || !dialect.may_acknowledge(answer) {
            dialect.check_acknowledged(answer, self.acknowledged)?;
        }
        Ok(self.times[self.acknowledged as usize % OUTSTANDING])
    }
}
