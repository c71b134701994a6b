//! Where a value was written, so that a message can send the reader there.

use std::{fmt, path::PathBuf};

/// Where a value of the settings comes from. Displays as the end of "… is set": "in backsync.toml", "on the command
/// line".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// A settings file, by the path it was asked for with.
    File(PathBuf),
    /// An environment variable, by its name as found.
    Variable(String),
    /// A flag or `--set`.
    CommandLine,
    /// The program that embeds the server.
    Code,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("by default"),
            Self::File(path) => write!(f, "in {}", path.display()),
            Self::Variable(name) => write!(f, "in the variable {name}"),
            Self::CommandLine => f.write_str("on the command line"),
            Self::Code => f.write_str("in code"),
        }
    }
}
