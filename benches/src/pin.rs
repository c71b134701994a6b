//! One CPU for the server, another for the load: without this the two take each other's time and caches.

use std::convert::Infallible;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::{Resource, Rlimit, Signal};
use rustix::thread::CpuSet;
use serde::Serialize;

use crate::failure::{Doing, Failure};

/// Which CPU is whose.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Cpus {
    /// The server's.
    pub(crate) server: usize,
    /// The load generator's.
    pub(crate) load: usize,
}

impl Cpus {
    /// The two CPUs farthest apart by number among those this process may use (neighbours by number are seldom the
    /// two halves of one core, and where they are, the first and the last are not), and the calling thread on its own.
    ///
    /// # Errors
    /// Why there is no pinning here, in words.
    pub(crate) fn divide() -> Result<Self, String> {
        let allowed = rustix::thread::sched_getaffinity(None).map_err(|error| error.to_string())?;
        let mut usable = (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu));
        let (Some(server), Some(load)) = (usable.next(), usable.next_back()) else {
            return Err("there is one CPU for everything".into());
        };
        stay_on(load).map_err(|error| error.to_string())?;
        Ok(Self { server, load })
    }
}

/// Becomes `command`, bound to `cpu`, with as many open files as are allowed, and ending when the bench does.
///
/// # Errors
/// Only returns when the command cannot be run; where pinning is not permitted it goes on without.
pub(crate) fn exec(cpu: Option<usize>, command: &[OsString]) -> Result<Infallible, Failure> {
    if let Some(Err(error)) = cpu.map(stay_on) {
        eprintln!("not pinned: {error}");
    }
    allow_many_files()?;
    rustix::process::set_parent_process_death_signal(Some(Signal::TERM)).doing("binding the server's life to mine")?;
    let (program, arguments) =
        command.split_first().ok_or_else(|| Failure::Wrong("there is no command to run pinned".into()))?;
    Err(Command::new(program).args(arguments).exec()).doing(format!("starting {}", program.display()))
}

/// Raises the number of files this process may open to what it may raise it to.
///
/// # Errors
/// [`Failure::System`] when that is refused.
pub(crate) fn allow_many_files() -> Result<u64, Failure> {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    rustix::process::setrlimit(Resource::Nofile, raised).doing("raising the limit of open files")?;
    Ok(limit.maximum.unwrap_or(u64::MAX))
}

fn stay_on(cpu: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu);
    Ok(rustix::thread::sched_setaffinity(None, &set)?)
}
