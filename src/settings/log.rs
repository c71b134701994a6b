//! `[log]`: what is logged, and how.

use super::{error::Problem, nearest::nearest};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use tracing_subscriber::filter::{LevelFilter, Targets};

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// What is logged, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogSettings {
    /// A level for everything, `target=level` for a part, or several with commas: `info,backsync=debug`.
    pub level: String,
    /// How lines look on stderr.
    pub format: LogFormat,
    /// Whether the server's own log is copied into the model `ServerLog`.
    pub server_log: bool,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::Auto, server_log: true }
    }
}

impl LogSettings {
    /// [`Self::level`] as a filter.
    ///
    /// Stricter than the filter's own reading, where a lone word that is no level means everything of a target of that
    /// name: `inof` would silently log nothing.
    ///
    /// # Errors
    /// What is wrong with the text and what would be right.
    pub fn filter(&self) -> Result<Targets, String> {
        self.level.split(',').map(str::trim).try_fold(Targets::new(), |targets, directive| {
            let (target, level) = match directive.rsplit_once('=') {
                Some((target, level)) => (Some(target.trim()), level.trim()),
                None => (None, directive),
            };
            let level = parse_level(level)?;
            match target {
                None => Ok(targets.with_default(level)),
                Some(target) if is_target(target) => Ok(targets.with_target(target, level)),
                Some(target) => Err(format!("`{target}` is no target, write TARGET=LEVEL like backsync=debug")),
            }
        })
    }

    pub(super) fn check(&self) -> Result<(), Problem> {
        self.filter().map(drop).map_err(|what| Problem::new("log.level", what))
    }
}

fn parse_level(word: &str) -> Result<LevelFilter, String> {
    let lower = word.to_ascii_lowercase();
    if LEVELS.contains(&lower.as_str()) {
        return lower.parse().map_err(|_| format!("`{word}` is no level"));
    }
    let meant = nearest(&lower, LEVELS).map(|level| format!("did you mean `{level}`; ")).unwrap_or_default();
    Err(format!("`{word}` is no level, {meant}a level is one of {}", LEVELS.join(", ")))
}

fn is_target(target: &str) -> bool {
    !target.is_empty() && target.bytes().all(|b| b.is_ascii_alphanumeric() || b"_:-.".contains(&b))
}

/// How log lines look on stderr. As text `auto`, `pretty` or `json`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum LogFormat {
    /// For people where stderr is a terminal, else JSON.
    #[default]
    Auto,
    /// One line of text an event, for people.
    Pretty,
    /// One JSON object a line, for machines.
    Json,
}

impl LogFormat {
    const ALL: [Self; 3] = [Self::Auto, Self::Pretty, Self::Json];

    /// The word for it in the settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Pretty => "pretty",
            Self::Json => "json",
        }
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|format| format.as_str() == word)
            .ok_or_else(|| format!("`{word}` is no format, one of {} is right", Self::ALL.map(Self::as_str).join(", ")))
    }
}

impl TryFrom<String> for LogFormat {
    type Error = String;

    fn try_from(word: String) -> Result<Self, String> {
        word.parse()
    }
}

impl From<LogFormat> for String {
    fn from(format: LogFormat) -> Self {
        format.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::Level;

    fn filter(level: &str) -> Result<Targets, String> {
        LogSettings { level: level.to_owned(), ..Default::default() }.filter()
    }

    #[test]
    fn levels_hold_for_everything_or_for_a_target() {
        let targets = filter("info, backsync::store=debug").unwrap();
        assert!(targets.would_enable("actix_web", &Level::INFO));
        assert!(!targets.would_enable("actix_web", &Level::DEBUG));
        assert!(targets.would_enable("backsync::store::sqlite", &Level::DEBUG));
        assert!(!filter("off").unwrap().would_enable("backsync", &Level::ERROR));
    }

    #[test]
    fn a_mistyped_level_is_refused_instead_of_taken_for_a_target() {
        assert_eq!(
            filter("inof").unwrap_err(),
            "`inof` is no level, did you mean `info`; a level is one of off, error, warn, info, debug, trace"
        );
        for bad in ["", "info,", "backsync", "backsync=", "=debug", "a b=info", "backsync=loud", "a=b=info"] {
            assert!(filter(bad).is_err(), "{bad}");
        }
    }
}
