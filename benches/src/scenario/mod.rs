//! What is done to a server, and what one doing of it cost.

mod batches;
mod fanout;
mod idle;
mod listening;
mod requests;

use std::time::{Duration, Instant};

pub(crate) use self::batches::Batches;
pub(crate) use self::fanout::{Fanout, Shape};
pub(crate) use self::idle::{Growth, measure_idle};
pub(crate) use self::requests::{Requests, Writers};
use crate::failure::Failure;
use crate::latency::Latencies;
use crate::target::Target;
use crate::usage::{Account, Share};

/// One of this many messages is read as JSON and checked; all are counted.
const CHECKED: u64 = 61;
/// How long a server is left alone before and after a window, so that its account is complete.
const SETTLE: Duration = Duration::from_millis(20);

/// How long the parts of one measurement take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lengths {
    /// Work that is not measured, before.
    pub(crate) warm: Duration,
    /// Measured work.
    pub(crate) window: Duration,
}

/// Work done over connections that stay open: what was counted, and how long each took.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Deliveries or acknowledged requests.
    pub(crate) done: u64,
    /// From sending to receiving, of each.
    pub(crate) latencies: Latencies,
    /// The bytes of all of their texts.
    pub(crate) bytes: u64,
    /// Of the server's time what went into making that which it was to work with: it does not count.
    pub(crate) aside: Duration,
}

/// A load that can be put on a server for any time, as often as wanted.
pub(crate) trait Workload {
    /// Works for `length`, and until all that was begun is done.
    ///
    /// # Errors
    /// When the server closes, stalls, or sends something wrong.
    fn work(&mut self, length: Duration) -> Result<Tally, Failure>;

    /// Keeps the connections answered for `pause`; nothing may come that was not awaited.
    ///
    /// # Errors
    /// When something does.
    fn rest(&mut self, pause: Duration) -> Result<(), Failure>;
}

/// What one measured window cost.
#[derive(Debug)]
pub(crate) struct Cost {
    /// What counts of the servers' CPU time.
    pub(crate) server: Share,
    /// The CPU time of each node, then of Redis.
    pub(crate) processes: Vec<Duration>,
    /// The load generator's.
    pub(crate) load: Share,
    /// Time by the clock.
    pub(crate) wall: Duration,
    /// What was done in it.
    pub(crate) tally: Tally,
}

impl Cost {
    /// CPU µs for one.
    pub(crate) fn cpu_us(&self) -> f64 {
        self.server.used.as_secs_f64() * 1e6 / self.tally.done as f64
    }

    /// µs by the clock for one.
    pub(crate) fn wall_us(&self) -> f64 {
        self.wall.as_secs_f64() * 1e6 / self.tally.done as f64
    }

    /// CPU µs of each node, then of Redis, for one.
    pub(crate) fn each_us(&self) -> impl Iterator<Item = f64> {
        self.processes.iter().map(|used| used.as_secs_f64() * 1e6 / self.tally.done as f64)
    }

    /// How much of the time the one or the other could have run, had something else not had its CPU.
    pub(crate) fn crowded(&self) -> f64 {
        self.server.waited.max(self.load.waited).as_secs_f64() / self.wall.as_secs_f64()
    }

    /// The size of one text.
    pub(crate) fn bytes(&self) -> f64 {
        self.tally.bytes as f64 / self.tally.done as f64
    }
}

/// Warms `target` up with `workload`, then measures it.
///
/// # Errors
/// When the work could not be done as it should.
pub(crate) fn measure(target: &Target, workload: &mut dyn Workload, lengths: Lengths) -> Result<Cost, Failure> {
    workload.work(lengths.warm)?;
    workload.rest(SETTLE)?;
    let accounts = || Ok::<_, Failure>((target.accounts()?, Account::of(std::process::id())?));
    let (servers, load) = accounts()?;
    let started = Instant::now();
    let tally = workload.work(lengths.window)?;
    let wall = started.elapsed().saturating_sub(tally.aside);
    workload.rest(SETTLE)?;
    let (servers_after, load_after) = accounts()?;
    let mut shares: Vec<Share> =
        servers_after.iter().zip(&servers).map(|(after, before)| after.since(before)).collect();
    shares[0].used = shares[0].used.saturating_sub(tally.aside);
    let server = target.place.counted(&shares);
    let processes = shares.iter().map(|share| share.used).collect();
    Ok(Cost { server, processes, load: load_after.since(&load), wall, tally })
}
