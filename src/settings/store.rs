//! `[store]`: where records and their changes are kept.

use super::{
    error::{Problem, in_range},
    redis::RedisUrl,
    url::{UrlError, not_here, split},
};
use serde::{Deserialize, Serialize};
use std::{fmt, path::PathBuf, str::FromStr};

/// Where records and their changes are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreSettings {
    /// Which store, and where it is.
    pub url: StoreUrl,
    /// Bytes the store may take on disk; 0 is no limit.
    pub max_bytes: u64,
    /// Changes of each model that are kept for those who come back, at the least.
    pub log_entries: usize,
    /// Deletions of each model that are remembered beyond the log, at the most so many,
    pub tombstones: usize,
    /// and for so many hours.
    pub tombstone_hours: u64,
    /// Outcomes of writes by named clients that are remembered, at the most so many,
    pub outcomes: usize,
    /// and for so many hours.
    pub outcome_hours: u64,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            url: StoreUrl::default(),
            max_bytes: 0,
            log_entries: 10_000,
            tombstones: 100_000,
            tombstone_hours: 7 * 24,
            outcomes: 100_000,
            outcome_hours: 24,
        }
    }
}

impl StoreSettings {
    pub(super) fn check(&self) -> Result<(), Problem> {
        const CENTURY: u64 = 100 * 366 * 24;
        in_range("store.log_entries", self.log_entries as u64, 1, 1_000_000_000)?;
        in_range("store.tombstones", self.tombstones as u64, 0, 1_000_000_000)?;
        in_range("store.tombstone_hours", self.tombstone_hours, 0, CENTURY)?;
        in_range("store.outcomes", self.outcomes as u64, 1, 1_000_000_000)?;
        in_range("store.outcome_hours", self.outcome_hours, 1, CENTURY)
    }
}

/// A store that this build can open. As text, and so in every layer of the settings, one of [`StoreUrl::FORMS`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum StoreUrl {
    /// `memory:`, gone when the process ends.
    Memory,
    /// `sqlite:PATH`, the folder that holds the database. Relative paths begin at the working directory.
    Sqlite(PathBuf),
    /// `redis://…`, shared by all nodes that use it.
    Redis(RedisUrl),
}

impl StoreUrl {
    /// The forms of URL that this build has, for messages.
    pub const FORMS: &str = "memory:, sqlite:PATH, redis://HOST:PORT, redis+sentinel:// and redis+cluster://";

    /// The same place without a password, for what is shown and logged.
    #[must_use]
    pub fn without_password(&self) -> Self {
        match self {
            Self::Memory | Self::Sqlite(_) => self.clone(),
            Self::Redis(url) => Self::Redis(url.without_password()),
        }
    }
}

impl Default for StoreUrl {
    fn default() -> Self {
        Self::Sqlite("./backsync-data".into())
    }
}

impl FromStr for StoreUrl {
    type Err = UrlError;

    fn from_str(url: &str) -> Result<Self, UrlError> {
        let malformed = |problem| UrlError::Malformed { problem, available: Self::FORMS };
        match split(url, Self::FORMS)? {
            ("memory", "") => Ok(Self::Memory),
            ("memory", _) => Err(malformed("nothing follows `memory:`")),
            ("sqlite", ":memory:") => Err(malformed("a store in memory is `memory:`")),
            ("sqlite", rest) => match rest.strip_prefix("//").unwrap_or(rest) {
                "" => Err(malformed("a path follows `sqlite:`")),
                path => Ok(Self::Sqlite(path.into())),
            },
            (scheme, _) if RedisUrl::SCHEMES.contains(&scheme) => RedisUrl::parse(url, Self::FORMS).map(Self::Redis),
            (scheme, _) => {
                Err(not_here(scheme, &[&["memory", "sqlite"][..], &RedisUrl::SCHEMES].concat(), Self::FORMS))
            }
        }
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory:"),
            Self::Redis(url) => url.fmt(f),
            Self::Sqlite(path) => {
                let path = path.display().to_string();
                let authority = if path.starts_with("//") { "//" } else { "" };
                write!(f, "sqlite:{authority}{path}")
            }
        }
    }
}

impl TryFrom<String> for StoreUrl {
    type Error = UrlError;

    fn try_from(url: String) -> Result<Self, UrlError> {
        url.parse()
    }
}

impl From<StoreUrl> for String {
    fn from(url: StoreUrl) -> Self {
        url.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_this_build_survive_being_written_and_read() {
        for (text, written) in [
            ("memory:", "memory:"),
            ("sqlite:./backsync-data", "sqlite:./backsync-data"),
            ("sqlite:/var/lib/backsync", "sqlite:/var/lib/backsync"),
            ("sqlite:///var/lib/backsync", "sqlite:/var/lib/backsync"),
            ("sqlite://data", "sqlite:data"),
            ("sqlite:////server/share", "sqlite:////server/share"),
        ] {
            let url: StoreUrl = text.parse().unwrap();
            assert_eq!(url.to_string(), written);
            assert_eq!(written.parse::<StoreUrl>().unwrap(), url);
        }
    }

    #[test]
    fn a_store_of_another_build_is_named_without_its_password() {
        let message = "postgres://me:secret@db/x".parse::<StoreUrl>().unwrap_err().to_string();
        assert_eq!(
            message,
            "`postgres:` is not in this build, which has memory:, sqlite:PATH, redis://HOST:PORT, redis+sentinel:// and redis+cluster://"
        );
    }

    #[test]
    fn an_unknown_scheme_is_answered_with_the_nearest_and_the_list() {
        let message = "sqllite:x".parse::<StoreUrl>().unwrap_err().to_string();
        assert!(
            message.starts_with("`sqllite:` is not known, did you mean `sqlite:`, this build has memory:"),
            "{message}"
        );
        let message = "mysql://me:secret@db/x".parse::<StoreUrl>().unwrap_err().to_string();
        assert!(!message.contains("secret"), "{message}");
    }

    #[test]
    fn half_a_url_is_refused() {
        for bad in ["", "memory", "backsync-data", "memory:x", "sqlite:", "sqlite://", "sqlite::memory:"] {
            assert!(matches!(bad.parse::<StoreUrl>(), Err(UrlError::Malformed { .. })), "{bad}");
        }
    }
}
