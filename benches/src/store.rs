//! The store on its own: it reads records from JSON and commits them in batches, in a process without any door, as the yardstick of
//! what bulk over HTTP adds to it.
//!
//! It writes the JSON itself, and tells what that took, so that it does not count as the store's. Its
//! language, a line each way: `hello`, answered `hello`; and `work MS`, answered after so many milliseconds by `done RECORDS NS`.

use std::convert::Infallible;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use backsync::protocol::{ModelName, RecordInput};
use backsync::store::{Bounds, Commit, Few, Memory, Operation, Part, Sqlite, SqliteOptions, Store, Terms};
use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::{Builder, Runtime};

use crate::failure::{Doing, Failure};
use crate::process::Greeting;
use crate::record::{Ids, Revision};

/// What it is asked until it serves.
pub(crate) const HELLO: Greeting = Greeting { ask: "hello\n", answer: "hello" };

/// Records of one commit.
const BATCH: u64 = 1_000;

/// How deep they may nest, as for the server.
const DEPTH: usize = 64;

/// Works as it is told on `listen` until the process ends, with its records in memory or in this directory.
///
/// # Errors
/// Only returns when it cannot listen, or the store refuses a batch.
pub(crate) fn serve(listen: SocketAddr, ids: Ids, directory: Option<&Path>) -> Result<Infallible, Failure> {
    let store: Box<dyn Store> = match directory {
        None => Box::new(Memory::default()),
        Some(directory) => {
            let opened = Sqlite::open(directory, SqliteOptions::default());
            Box::new(opened.map_err(io::Error::other).doing("opening the store")?)
        }
    };
    let runtime = Builder::new_current_thread().build().doing("making a place to wait")?;
    let model = ModelName::parse("Bench").expect("it is a name");
    let mut writer = Writer { store, runtime, ids, model, written: 0 };
    let listener = TcpListener::bind(listen).doing(format!("listening on {listen}"))?;
    loop {
        let (stream, _) = listener.accept().doing("accepting a connection")?;
        obey(stream, &mut writer)?;
    }
}

/// Does what is asked on one connection, until it ends.
fn obey(mut stream: TcpStream, writer: &mut Writer) -> Result<(), Failure> {
    let lines = BufReader::new(stream.try_clone().doing("reading a connection")?).lines();
    // Who asks is the bench: when it goes, so does this.
    for line in lines.map_while(Result::ok) {
        let answer = match line.strip_prefix("work ").and_then(|ms| ms.parse().ok()) {
            Some(ms) => writer.work(Duration::from_millis(ms))?.to_string(),
            None => line,
        };
        if writeln!(stream, "{answer}").is_err() {
            break;
        }
    }
    Ok(())
}

struct Writer {
    store: Box<dyn Store>,
    runtime: Runtime,
    ids: Ids,
    model: ModelName,
    /// Records so far.
    written: u64,
}

impl Writer {
    /// Commits one batch after the other for `length`.
    fn work(&mut self, length: Duration) -> Result<Done, Failure> {
        let (started, before) = (Instant::now(), self.written);
        let mut aside = Duration::ZERO;
        while started.elapsed() < length && self.written - before < self.ids.most() {
            aside += self.commit()?;
        }
        Ok(Done { records: self.written - before, aside })
    }

    /// Commits a batch; what it took to write it.
    fn commit(&mut self) -> Result<Duration, Failure> {
        let begun = thread_time();
        let lines = self.next();
        let aside = thread_time().saturating_sub(begun);
        let batch = self.batch(&lines);
        let outcomes = self.runtime.block_on(self.store.commit(Few::from([batch])));
        let outcomes = outcomes.map_err(io::Error::other).doing("committing a batch")?;
        let parts = outcomes.iter().flatten().flat_map(|done| &done.parts);
        let changes: usize = parts.map(|part| part.changes.len()).sum();
        match changes as u64 {
            BATCH => Ok(aside),
            other => Err(Failure::Wrong(format!("of the {BATCH} records of a batch the store changed {other}"))),
        }
    }

    /// The next records, a line each.
    fn next(&mut self) -> Vec<u8> {
        let mut lines = Vec::new();
        for _ in 0..BATCH {
            self.written += 1;
            Revision { id: self.ids.id(0, 1, self.written, self.written), sequence: self.written }.put(&mut lines);
            lines.push(b'\n');
        }
        lines
    }

    fn batch(&self, lines: &[u8]) -> Commit {
        let lines = std::str::from_utf8(lines).expect("JSON is text").lines();
        let operations =
            lines.map(|line| Operation::Upsert { record: record(line), replace: false, terms: Terms::default() });
        let operations = operations.collect();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
        let part = Part { model: self.model.clone(), bounds: Bounds::default(), operations };
        Commit { parts: vec![part], transaction: None, now }
    }
}

fn record(text: &str) -> RecordInput {
    RecordInput::read(text, DEPTH, || unreachable!("it has an id")).expect("it is a record")
}

/// What this thread has had of the CPUs.
fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Done {
    /// Records committed.
    pub(crate) records: u64,
    /// CPU time that went into writing them as JSON.
    pub(crate) aside: Duration,
}

impl Done {
    /// Reads the line that tells it.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let (records, aside) = line.trim_end().strip_prefix("done ")?.split_once(' ')?;
        Some(Self { records: records.parse().ok()?, aside: Duration::from_nanos(aside.parse().ok()?) })
    }
}

impl std::fmt::Display for Done {
    /// The line that tells it.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "done {} {}", self.records, self.aside.as_nanos())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_is_read_as_it_is_told() {
        let done = Done { records: 3_000, aside: Duration::from_nanos(1_234_567) };
        assert_eq!(Done::parse(&format!("{done}\n")), Some(done));
        assert_eq!(Done::parse("hello\n"), None);
        assert_eq!(Done::parse(""), None);
    }

    #[test]
    fn every_record_of_a_batch_is_a_change() {
        for ids in [Ids::New, Ids::Rotating] {
            let runtime = Builder::new_current_thread().build().unwrap();
            let model = ModelName::parse("Bench").unwrap();
            let mut writer = Writer { store: Box::new(Memory::default()), runtime, ids, model, written: 0 };
            // Once around and further.
            for _ in 0..12 {
                writer.commit().unwrap();
            }
            assert_eq!(writer.written, 12 * BATCH);
        }
    }
}
