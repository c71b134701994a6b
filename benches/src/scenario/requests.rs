//! Writes that nobody hears: what an acknowledged request costs.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::{CHECKED, Tally, Workload};
use crate::failure::Failure;
use crate::load::{Door, Load};
use crate::record::{Ids, Revision};
use crate::target::Target;
use crate::wording::Wording;

/// How many write what, and how far ahead of the answers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Writers {
    /// What they write.
    pub(crate) ids: Ids,
    /// How they come in.
    pub(crate) door: Door,
    /// How many there are.
    pub(crate) connections: usize,
    /// Requests that each has on the way.
    pub(crate) outstanding: usize,
}

/// The connections, each with requests of its own on the way.
#[derive(Debug)]
pub(crate) struct Requests {
    writers: Writers,
    wording: Wording,
    load: Load,
    senders: Vec<Sender>,
    created: u64,
}

#[derive(Clone, Debug)]
struct Sender {
    sent: u64,
    acknowledged: u64,
    /// When the requests on the way were sent, in their order.
    times: VecDeque<Instant>,
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
        load.open(writers.connections, target.first().address, writers.door)?;
        let idle = Sender { sent: 0, acknowledged: 0, times: VecDeque::new(), ready: true };
        let wording = Wording::at(writers.door, target.dialect);
        Ok(Self { writers, wording, load, senders: vec![idle; writers.connections], created: 0 })
    }

    /// Sends as many requests as `connection` may have on the way, in one write.
    fn refill(&mut self, connection: usize, text: &mut Vec<u8>) -> Result<(), Failure> {
        let sender = &mut self.senders[connection];
        let now = Instant::now();
        while sender.sent - sender.acknowledged < self.writers.outstanding as u64 {
            sender.sent += 1;
            self.created += 1;
            sender.times.push_back(now);
            let Writers { ids, connections, .. } = self.writers;
            let id = ids.id(connection as u64, connections as u64, sender.sent, self.created);
            text.clear();
            self.wording.put(text, Revision { id, sequence: sender.sent });
            self.load.queue(connection, text)?;
        }
        self.load.send(connection)
    }
}

impl Workload for Requests {
    fn work(&mut self, length: Duration) -> Result<Tally, Failure> {
        let started = Instant::now();
        let most = self.created.saturating_add(self.writers.ids.most());
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
            let (senders, wording) = (&mut self.senders, self.wording);
            self.load.turn("acknowledgements", |arrival| {
                let sender = &mut senders[arrival.connection];
                let sent = sender.acknowledge(wording, arrival.text)?;
                tally.done += 1;
                tally.bytes += arrival.text.len() as u64;
                tally.latencies.record(arrival.at.saturating_duration_since(sent));
                Ok(())
            })?;
        }
    }

    fn rest(&mut self, pause: Duration) -> Result<(), Failure> {
        let (senders, wording) = (&mut self.senders, self.wording);
        self.load.rest(pause, |arrival| senders[arrival.connection].acknowledge(wording, arrival.text).map(drop))
    }
}

impl Sender {
    /// Counts an answer; when its request was sent.
    fn acknowledge(&mut self, wording: Wording, answer: &[u8]) -> Result<Instant, Failure> {
        self.acknowledged += 1;
        self.ready = true;
        let Some(sent) = self.times.pop_front() else {
            return Err(Failure::Wrong(format!("an answer too many: {}", answer.escape_ascii())));
        };
        if self.acknowledged % CHECKED == 1 || !wording.may_acknowledge(answer) {
            wording.check_acknowledged(answer, self.acknowledged)?;
        }
        Ok(sent)
    }
}
