//! The servers under test: started, waited for, and ended by the bench that started them.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::bare::Mode;
use crate::dialect::Dialect;
use crate::failure::{Doing, Failure};
use crate::pin::Cpus;

/// A server that does not answer by then does not come up.
const START: Duration = Duration::from_secs(10);

/// Which of the two a run is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The server under test.
    Server,
    /// The yardstick.
    Bare,
}

/// What to start, and where.
#[derive(Debug)]
pub(crate) struct Targets {
    /// The broker's executable; without one the bare server is its own test, which shows the noise of the place.
    pub(crate) server: Option<PathBuf>,
    /// More `--set` arguments for the broker.
    pub(crate) settings: Vec<String>,
    /// Which CPU the server gets, where there is a choice.
    pub(crate) cpus: Option<Cpus>,
}

impl Targets {
    /// A server on a free port of this machine that answers already; a bare one delivers by `mode`.
    ///
    /// # Errors
    /// [`Failure::Server`] when it does not come up.
    pub(crate) fn start(&self, side: Side, mode: Mode) -> Result<Target, Failure> {
        let own = std::env::current_exe().doing("finding the bench's own executable")?;
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
        let address = free.doing("finding a free port")?;
        let (dialect, command) = match &self.server {
            Some(server) if side == Side::Server => (Dialect::Backsync, self.broker(server.clone(), address)),
            _ => (Dialect::Bare, bare(own.clone(), address, mode)),
        };
        let cpu = self.cpus.map_or_else(|| "any".into(), |cpus| cpus.server.to_string());
        let named = command.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
        let child = Command::new(own)
            .args(["pinned", &cpu, "--"])
            .args(&command)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .doing(format!("starting {named}"))?;
        let mut target = Target { child, address, dialect, command: named };
        target.wait_until_healthy()?;
        Ok(target)
    }

    fn broker(&self, server: PathBuf, address: SocketAddr) -> Vec<OsString> {
        let mut command: Vec<OsString> = vec![server.into(), "serve".into()];
        command.extend(["--listen", &address.to_string(), "--store", "memory:"].map(OsString::from));
        let settings =
            ["server.workers=1", "log.level=warn"].into_iter().chain(self.settings.iter().map(String::as_str));
        command.extend(settings.flat_map(|setting| ["--set".into(), setting.into()]));
        command
    }
}

fn bare(own: PathBuf, address: SocketAddr, mode: Mode) -> Vec<OsString> {
    let mode = match mode {
        Mode::Each => "each",
        Mode::Batch => "batch",
        Mode::Echo => "echo",
    };
    vec![own.into(), "bare".into(), "--listen".into(), address.to_string().into(), "--mode".into(), mode.into()]
}

/// A running server, ended when it is dropped.
#[derive(Debug)]
pub(crate) struct Target {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// What it speaks.
    pub(crate) dialect: Dialect,
    command: String,
}

impl Target {
    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The cause of a `failure`: where the server has ended, that, rather than what followed from it.
    pub(crate) fn explain(&mut self, failure: Failure) -> Failure {
        // A process ends a moment after its connections do.
        let until = Instant::now() + Duration::from_millis(500);
        while matches!(failure, Failure::Closed { .. }) && Instant::now() < until {
            if let Ok(Some(status)) = self.child.try_wait() {
                return self.failed(format!("ended during the run with {status}"));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        failure
    }

    fn wait_until_healthy(&mut self) -> Result<(), Failure> {
        let started = Instant::now();
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(self.failed(format!("ended with {status} before it served")));
            }
            let answer = ask_health(self.address);
            if answer.starts_with("HTTP/1.1 200") {
                return Ok(());
            }
            if started.elapsed() > START {
                let said = answer.lines().next().unwrap_or("nothing").to_owned();
                return Err(self.failed(format!("did not become healthy; /healthz says {said}")));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn failed(&self, how: String) -> Failure {
        Failure::Server { command: self.command.clone(), how }
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        // Both fail only when it has ended by itself, which is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What `/healthz` answers, empty when nobody does.
fn ask_health(address: SocketAddr) -> String {
    let ask = || {
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream
            .write_all(format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes())?;
        let mut answer = [0; 256];
        let got = stream.read(&mut answer)?;
        Ok::<_, std::io::Error>(String::from_utf8_lossy(&answer[..got]).into_owned())
    };
    ask().unwrap_or_default()
}
