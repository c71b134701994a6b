//! Why settings were refused: each message says where to look, what was wrong there and what would be right.

use super::Origin;
use std::path::PathBuf;

/// Settings that cannot be used. No message repeats the password of a URL.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The settings file that was asked for is not there or cannot be read.
    #[error("cannot read the settings file {path}: {source}", path = path.display())]
    File {
        /// The path as it was given.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The settings file is not TOML.
    #[error("{path} is not valid TOML: {message}", path = path.display())]
    Syntax {
        /// The path as it was given.
        path: PathBuf,
        /// Line, column and the offending line. Text rather than the parser's error, which would quote that line
        /// with a password in it.
        message: String,
    },
    /// A key that does not exist.
    #[error("unknown key `{key}` {origin}; {hint}")]
    UnknownKey {
        /// The key as it was read, dotted.
        key: String,
        /// Where it is written.
        origin: Origin,
        /// The nearest key, or the keys there are.
        hint: String,
    },
    /// A key that exists with a value of another type.
    #[error("wrong type for `{key}` {origin}: {given} was given, {expected} is right")]
    WrongType {
        /// The key, dotted.
        key: String,
        /// Where it is written.
        origin: Origin,
        /// The value, with its type.
        given: String,
        /// The type that is right.
        expected: &'static str,
    },
    /// A value of the right type that does not hold.
    #[error("invalid `{key}` {origin}: {problem}")]
    Invalid {
        /// The key, dotted.
        key: String,
        /// Where it is written.
        origin: Origin,
        /// What is wrong with the value and what would be right.
        problem: String,
    },
    /// An argument to `--set` without a key and a `=`.
    #[error("`{given}` sets nothing; write KEY=VALUE, like limits.depth=32")]
    NotAnAssignment {
        /// The argument.
        given: String,
    },
}

/// A value that does not hold, before it is known who set it.
#[derive(Debug)]
pub(super) struct Problem {
    /// The key, dotted.
    pub(super) key: String,
    /// What is wrong with its value and what would be right.
    pub(super) what: String,
}

impl Problem {
    pub(super) fn new(key: &str, what: impl Into<String>) -> Self {
        Self { key: key.to_owned(), what: what.into() }
    }

    pub(super) fn with_origin(self, origin: Origin) -> SettingsError {
        SettingsError::Invalid { key: self.key, origin, problem: self.what }
    }
}

/// The check that most numbers need.
pub(super) fn in_range(key: &str, value: u64, least: u64, most: u64) -> Result<(), Problem> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    let right = if most == u64::MAX { format!("{least} or more is") } else { format!("{least} to {most} are") };
    Err(Problem::new(key, format!("{value} is out of range, {right} right")))
}
