//! The store on its own, told to work: what a record in a batch costs without any door.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::{Tally, Workload};
use crate::failure::{Doing, Failure};
use crate::store::Done;
use crate::target::Target;

/// The answer comes when the work is done, and no later than this after the time for it is over.
const LATE: Duration = Duration::from_secs(10);

/// The way to the store's process.
#[derive(Debug)]
pub(crate) struct Batches(BufReader<TcpStream>);

impl Batches {
    /// Connects to it.
    ///
    /// # Errors
    /// [`Failure::System`] when it does not listen.
    pub(crate) fn prepare(target: &Target) -> Result<Self, Failure> {
        let address = target.first().address;
        let stream = TcpStream::connect(address).doing(format!("connecting to the store at {address}"))?;
        Ok(Self(BufReader::new(stream)))
    }
}

impl Workload for Batches {
    fn work(&mut self, length: Duration) -> Result<Tally, Failure> {
        let stream = self.0.get_mut();
        stream.set_read_timeout(Some(length + LATE)).doing("limiting how long the store is waited for")?;
        let mut line = String::new();
        let closed = |reason: String| Failure::Closed { connection: 0, reason };
        let asked = writeln!(stream, "work {}", length.as_millis());
        asked.and_then(|()| self.0.read_line(&mut line)).map_err(|error| closed(error.to_string()))?;
        let Some(Done { records, aside }) = Done::parse(&line) else {
            return Err(closed(format!("instead of what was done it says {line:?}")));
        };
        Ok(Tally { done: records, aside, ..Tally::default() })
    }

    fn rest(&mut self, pause: Duration) -> Result<(), Failure> {
        std::thread::sleep(pause);
        Ok(())
    }
}
