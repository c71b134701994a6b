//! How a command ends, and the exit code for it.

use backsync_client::{ClientError, ConnectError, End};
use std::{fmt::Display, process::ExitCode};

/// Wrong arguments or settings.
pub(super) const USAGE: u8 = 2;

/// Why a command did not do what it was asked. Each kind is one exit code.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// Refused by the server, or something could not be read or written: 1.
    Failed(String),
    /// Wrong arguments or settings: 2.
    Usage(String),
    /// The server could not be reached, or was lost for good: 3.
    NoConnection(String),
    /// By a signal: 130.
    Interrupted,
    /// Nobody reads the output any more: all is well, 0.
    OutputClosed,
}

impl Failure {
    pub(super) fn failed(cause: impl Display) -> Self {
        Self::Failed(cause.to_string())
    }

    pub(super) fn usage(cause: impl Display) -> Self {
        Self::Usage(cause.to_string())
    }

    /// What to tell the user, where there is anything to tell.
    pub(super) fn message(&self) -> Option<&str> {
        match self {
            Self::Failed(message) | Self::Usage(message) | Self::NoConnection(message) => Some(message),
            Self::Interrupted | Self::OutputClosed => None,
        }
    }

    pub(super) fn exit_code(&self) -> ExitCode {
        self.number().into()
    }

    fn number(&self) -> u8 {
        match self {
            Self::OutputClosed => 0,
            Self::Failed(_) => 1,
            Self::Usage(_) => USAGE,
            Self::NoConnection(_) => 3,
            Self::Interrupted => 130,
        }
    }
}

impl From<ConnectError> for Failure {
    fn from(cause: ConnectError) -> Self {
        let hint = match &cause {
            ConnectError::Unreachable { .. } => "; is `backsync serve` running there? --wait waits for it",
            _ => "",
        };
        Self::NoConnection(format!("{cause}{hint}"))
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::ConnectionLost => Self::NoConnection(error.to_string()),
            ClientError::Ended(end) => end.into(),
            other => Self::failed(other),
        }
    }
}

impl From<End> for Failure {
    fn from(end: End) -> Self {
        Self::NoConnection(end.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use backsync_client::ServerError;

    #[test]
    fn every_end_has_its_documented_code() {
        let refused = ServerError::new("forbidden", "no", false);
        assert_eq!(Failure::from(ClientError::Refused(refused)).number(), 1);
        assert_eq!(Failure::from(ClientError::ConnectionLost).number(), 3);
        assert_eq!(Failure::from(ClientError::Ended(End::Closed)).number(), 3);
        assert_eq!(Failure::usage("x").number(), 2);
        assert_eq!((Failure::Interrupted.number(), Failure::OutputClosed.number()), (130, 0));
    }
}
