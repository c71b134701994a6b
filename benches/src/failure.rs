//! Why a run could not be carried through: everything here ends the run, a missed bar does not.

use std::io;

/// A run that did not work, or delivered something other than it should have.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The system refused something the bench needs.
    #[error("{what}")]
    System {
        /// What was being done, for a reader who sees only this line.
        what: String,
        /// The system's answer.
        source: io::Error,
    },
    /// The server under test did not come up, or ended before the run did.
    #[error("the server at {command} {how}")]
    Server {
        /// The command that was started.
        command: String,
        /// What it did instead of serving.
        how: String,
    },
    /// A connection ended while it was needed.
    #[error("connection {connection} was closed by the server: {reason}")]
    Closed {
        /// Its number in the order of opening.
        connection: usize,
        /// The close code and reason, or how the stream ended.
        reason: String,
    },
    /// Nothing arrived for so long that waiting on is pointless.
    #[error("nothing arrived for {seconds} s while waiting for {what}")]
    Stalled {
        /// How long it was quiet.
        seconds: u64,
        /// What was awaited.
        what: String,
    },
    /// The server sent what it must not, or not what it must.
    #[error("wrong delivery: {0}")]
    Wrong(String),
}

/// Names what was being done when the system refused.
pub(crate) trait Doing<T> {
    /// Turns an [`io::Error`] into a [`Failure::System`] that says `what` was being done.
    fn doing(self, what: impl Into<String>) -> Result<T, Failure>;
}

impl<T, E: Into<io::Error>> Doing<T> for Result<T, E> {
    fn doing(self, what: impl Into<String>) -> Result<T, Failure> {
        self.map_err(|source| Failure::System { what: what.into(), source: source.into() })
    }
}
