//! The servers under test: one on its own, or nodes with the Redis that they share; and the store on its own.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::bare::Mode;
use crate::dialect::Dialect;
use crate::failure::{Doing, Failure};
use crate::pin::Cpus;
use crate::process::{Greeting, Process};
use crate::record::Ids;
use crate::store;
use crate::usage::{Account, Share};

const HEALTH: Greeting =
    Greeting { ask: "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", answer: "HTTP/1.1 200" };
const PING: Greeting = Greeting { ask: "PING\r\n", answer: "+PONG" };

/// By the search path.
const REDIS: &str = "redis-server";

/// Where records are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// In memory.
    Memory,
    /// In SQLite, in a folder of the run's own.
    Sqlite,
}

/// What serves, and whose CPU time counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The yardstick, which delivers like this.
    Bare(Mode),
    /// The server under test.
    Alone(Kept),
    /// Its store in a process of its own, without a door, which writes these records.
    Store(Kept, Ids),
    /// So many nodes over one Redis, which counts, too.
    Nodes(usize),
    /// The same, and as if all nodes took what the busiest does; without Redis.
    Busiest(usize),
}

impl Place {
    /// Whether Redis is needed for it.
    pub(crate) fn has_redis(self) -> bool {
        matches!(self, Self::Nodes(_) | Self::Busiest(_))
    }

    /// Whether it keeps records in files.
    fn has_folder(self) -> bool {
        matches!(self, Self::Alone(Kept::Sqlite) | Self::Store(Kept::Sqlite, _))
    }

    /// What counts of the CPU time of the servers, and of Redis behind them.
    pub(crate) fn counted(self, processes: &[Share]) -> Share {
        let used = processes.iter().map(|share| share.used);
        let used = match self {
            Self::Bare(_) | Self::Alone(Kept::Memory) | Self::Store(Kept::Memory, _) => return processes[0],
            Self::Alone(Kept::Sqlite) | Self::Store(Kept::Sqlite, _) => processes[0].used,
            Self::Nodes(_) => used.sum(),
            Self::Busiest(nodes) => used.take(nodes).max().unwrap_or_default() * nodes as u32,
        };
        // They, or their threads, have one CPU, and wait for each other.
        Share { used, waited: Duration::ZERO }
    }
}

/// What to start, and where.
#[derive(Debug)]
pub(crate) struct Targets {
    /// The broker's executable; without one the bare server is its own test, which shows the noise of the place.
    pub(crate) server: Option<PathBuf>,
    /// More `--set` arguments for the broker.
    pub(crate) settings: Vec<String>,
    /// Which CPU the servers get, where there is a choice.
    pub(crate) cpus: Option<Cpus>,
}

impl Targets {
    /// Servers on free ports of this machine that answer already.
    ///
    /// # Errors
    /// [`Failure::Server`] when one does not come up.
    pub(crate) fn start(&self, place: Place) -> Result<Target, Failure> {
        let cpu = self.cpus.map(|cpus| cpus.server);
        let redis = place.has_redis().then(|| Process::start(cpu, redis, &PING)).transpose()?;
        let folder = place.has_folder().then(tempfile::tempdir).transpose().doing("making a folder for records")?;
        let store = match (&redis, &folder) {
            (Some(redis), _) => format!("redis://{}/0", redis.address),
            (None, Some(folder)) => format!("sqlite:{}", folder.path().display()),
            (None, None) => "memory:".into(),
        };
        let node = || match (&self.server, place) {
            (Some(server), Place::Alone(_) | Place::Nodes(_) | Place::Busiest(_)) => {
                Process::start(cpu, |address| self.broker(server, address, &store), &HEALTH)
            }
            (_, Place::Bare(mode)) => Process::start(cpu, |address| bare(address, mode), &HEALTH),
            (_, Place::Store(_, ids)) => {
                Process::start(cpu, |address| own_store(address, ids, folder.as_ref()), &store::HELLO)
            }
            (None, _) => Err(Failure::Wrong("there is no server to test but the bare one".into())),
        };
        let (dialect, count) = match place {
            Place::Bare(_) => (Dialect::Bare, 1),
            Place::Alone(_) | Place::Store(..) => (Dialect::Backsync, 1),
            Place::Nodes(nodes) | Place::Busiest(nodes) => (Dialect::Backsync, nodes),
        };
        let nodes = (0..count).map(|_| node()).collect::<Result<_, _>>()?;
        Ok(Target { nodes, redis, _folder: folder, dialect, place })
    }

    fn broker(&self, server: &Path, address: SocketAddr, store: &str) -> Vec<OsString> {
        let mut command: Vec<OsString> = vec![server.into(), "serve".into()];
        command.extend(["--listen", &address.to_string(), "--store", store].map(OsString::from));
        // A Redis that keeps nothing is warned of at every start.
        let level = if store.starts_with("redis:") { "log.level=error" } else { "log.level=warn" };
        let settings = ["server.workers=1", level].into_iter().chain(self.settings.iter().map(String::as_str));
        command.extend(settings.flat_map(|setting| ["--set".into(), setting.into()]));
        command
    }
}

fn bare(address: SocketAddr, mode: Mode) -> Vec<OsString> {
    let mode = match mode {
        Mode::Each => "each",
        Mode::Batch => "batch",
        Mode::Echo => "echo",
    };
    let own = "/proc/self/exe";
    [own, "bare", "--listen", &address.to_string(), "--mode", mode].map(OsString::from).into()
}

fn own_store(address: SocketAddr, ids: Ids, folder: Option<&TempDir>) -> Vec<OsString> {
    let ids = match ids {
        Ids::New => "new",
        Ids::Rotating => "rotating",
    };
    let mut command: Vec<OsString> = vec!["/proc/self/exe".into(), "store".into()];
    command.extend(["--listen", &address.to_string(), "--ids", ids].map(OsString::from));
    command.extend(folder.iter().flat_map(|folder| ["--directory".into(), folder.path().into()]));
    command
}

/// A Redis that keeps nothing, for this run only.
fn redis(address: SocketAddr) -> Vec<OsString> {
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    let place = ["--bind", &host, "--port", &port];
    let kept = ["--save", "", "--appendonly", "no", "--loglevel", "warning"];
    [REDIS].into_iter().chain(place).chain(kept).map(OsString::from).collect()
}

/// Whether there is a Redis to start.
pub(crate) fn has_redis() -> bool {
    Command::new(REDIS).arg("--version").stdout(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Running servers, ended when they are dropped: the nodes before their Redis and their folder.
#[derive(Debug)]
pub(crate) struct Target {
    /// At least one.
    pub(crate) nodes: Vec<Process>,
    redis: Option<Process>,
    _folder: Option<TempDir>,
    /// What they speak.
    pub(crate) dialect: Dialect,
    /// What they are.
    pub(crate) place: Place,
}

impl Target {
    /// The first of the servers, or the only one.
    pub(crate) fn first(&self) -> &Process {
        &self.nodes[0]
    }

    /// What each process has had until now: the nodes, then Redis.
    ///
    /// # Errors
    /// [`Failure::System`] when one is gone.
    pub(crate) fn accounts(&self) -> Result<Vec<Account>, Failure> {
        self.nodes.iter().chain(&self.redis).map(|process| Account::of(process.pid())).collect()
    }

    /// The cause of a `failure`: where a server has ended, that, rather than what followed from it.
    pub(crate) fn explain(&mut self, failure: Failure) -> Failure {
        // A process ends a moment after its connections do.
        let until = Instant::now() + Duration::from_millis(500);
        while matches!(failure, Failure::Closed { .. }) && Instant::now() < until {
            let mut processes = self.nodes.iter_mut().chain(&mut self.redis);
            if let Some(ended) = processes.find_map(|process| process.ended("during the run")) {
                return ended;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        failure
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_cost_what_all_do_or_as_much_as_the_busiest_each() {
        let shares = [3, 5, 7].map(|used| Share { used: Duration::from_millis(used), waited: Duration::ZERO });
        let counted = |place: Place| place.counted(&shares).used.as_millis();
        assert_eq!((counted(Place::Nodes(2)), counted(Place::Busiest(2))), (15, 10));
    }
}
