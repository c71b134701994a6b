//! What a process has used, read from `/proc`: CPU time by the nanosecond, resident memory by the page.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use crate::failure::{Doing, Failure};

/// What a process had had of the CPUs at one moment.
#[derive(Debug)]
pub(crate) struct Account {
    /// By thread, exact; empty where the kernel keeps no such account.
    threads: BTreeMap<String, Share>,
    /// CPU time of the whole process with the threads that have ended, in steps of a clock tick.
    process: Duration,
}

/// CPU time that was had, and waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Share {
    /// Time on a CPU.
    pub(crate) used: Duration,
    /// Time ready to run, while something else had the CPU.
    pub(crate) waited: Duration,
}

impl Account {
    /// What process `pid` has had until now. Exact only while its threads sleep: the kernel adds up when a thread is
    /// switched away or a timer tick finds it running.
    ///
    /// # Errors
    /// [`Failure::System`] when the process is gone.
    pub(crate) fn of(pid: u32) -> Result<Self, Failure> {
        let mut threads = BTreeMap::new();
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).doing("listing the server's threads")?;
        for task in tasks.flatten() {
            let line = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
            let mut times = line.split(' ').map_while(|ns| ns.parse().ok()).map(Duration::from_nanos);
            if let (Some(used), Some(waited)) = (times.next(), times.next()) {
                threads.insert(task.file_name().to_string_lossy().into_owned(), Share { used, waited });
            }
        }
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).doing("reading the server's CPU time")?;
        Ok(Self { threads, process: process_time(&stat) })
    }

    /// What was had since `earlier`: by the exact account, or by the coarse one when a thread ended in between and took
    /// its account with it.
    pub(crate) fn since(&self, earlier: &Self) -> Share {
        let lost = earlier.threads.keys().any(|thread| !self.threads.contains_key(thread));
        if lost || self.threads.is_empty() {
            return Share { used: self.process.saturating_sub(earlier.process), waited: Duration::ZERO };
        }
        let mut sum = Share::default();
        for (thread, now) in &self.threads {
            let then = earlier.threads.get(thread).copied().unwrap_or_default();
            sum.used += now.used.saturating_sub(then.used);
            sum.waited += now.waited.saturating_sub(then.waited);
        }
        sum
    }
}

/// User and system time: the 14th and 15th field, counted behind the command's name, which may itself hold blanks.
fn process_time(stat: &str) -> Duration {
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks: u64 = fields.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

/// The memory of process `pid` that is in RAM, in KiB. What the kernel holds for its sockets is not in it.
///
/// # Errors
/// [`Failure::System`] when the process is gone.
pub(crate) fn resident_kib(pid: u32) -> Result<u64, Failure> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).doing("reading the server's memory")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()).and_then(|kib| kib.parse().ok());
    kib.ok_or_else(|| Failure::Wrong("the kernel does not tell the server's resident memory".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_with_blanks_and_brackets_does_not_shift_the_fields() {
        let stat = "7 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20";
        let ticks = rustix::param::clock_ticks_per_second() as f64;
        assert_eq!(process_time(stat), Duration::from_secs_f64(200.0 / ticks));
    }

    #[test]
    fn work_shows_as_cpu_time() {
        let pid = std::process::id();
        let before = Account::of(pid).unwrap();
        let started = std::time::Instant::now();
        while started.elapsed() < Duration::from_millis(50) {
            std::hint::black_box(started);
        }
        let used = Account::of(pid).unwrap().since(&before).used;
        assert!(used > Duration::from_millis(10), "{used:?}");
    }
}
