//! `[bus]`: how the nodes of a cluster hear of each other's commits.

use super::{
    StoreUrl,
    error::Problem,
    redis::RedisUrl,
    url::{UrlError, not_here, split},
};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// How the nodes of a cluster hear of each other's commits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BusSettings {
    /// Which bus, and where it is.
    pub url: BusUrl,
}

impl BusSettings {
    pub(super) fn check(&self, store: &StoreUrl) -> Result<(), Problem> {
        match (&self.url, store) {
            (BusUrl::Redis(_), StoreUrl::Memory | StoreUrl::Sqlite(_)) => Err(Problem::new(
                "bus.url",
                format!(
                    "a bus between servers needs a store that they share, like redis://HOST:PORT; {store} is one server's own"
                ),
            )),
            _ => Ok(()),
        }
    }
}

/// A bus that this build can open. As text, and so in every layer of the settings, one of [`BusUrl::FORMS`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum BusUrl {
    /// `auto:`, as the store wants it: through Redis where that is the store, else within the process.
    #[default]
    Auto,
    /// `local:`, one process on its own.
    Local,
    /// `redis://…`, for nodes that share a store.
    Redis(RedisUrl),
}

impl BusUrl {
    /// The forms of URL that this build has, for messages.
    pub const FORMS: &str = "auto:, local:, redis://HOST:PORT, redis+sentinel:// and redis+cluster://";

    /// The same place without a password, for what is shown and logged.
    #[must_use]
    pub fn without_password(&self) -> Self {
        match self {
            Self::Auto | Self::Local => self.clone(),
            Self::Redis(url) => Self::Redis(url.without_password()),
        }
    }
}

impl FromStr for BusUrl {
    type Err = UrlError;

    fn from_str(url: &str) -> Result<Self, UrlError> {
        match split(url, Self::FORMS)? {
            ("auto", "") => Ok(Self::Auto),
            ("local", "") => Ok(Self::Local),
            ("auto" | "local", _) => {
                Err(UrlError::Malformed { problem: "nothing follows `auto:` and `local:`", available: Self::FORMS })
            }
            (scheme, _) if RedisUrl::SCHEMES.contains(&scheme) => RedisUrl::parse(url, Self::FORMS).map(Self::Redis),
            (scheme, _) => Err(not_here(scheme, &[&["auto", "local"][..], &RedisUrl::SCHEMES].concat(), Self::FORMS)),
        }
    }
}

impl fmt::Display for BusUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto:"),
            Self::Local => f.write_str("local:"),
            Self::Redis(url) => url.fmt(f),
        }
    }
}

impl TryFrom<String> for BusUrl {
    type Error = UrlError;

    fn try_from(url: String) -> Result<Self, UrlError> {
        url.parse()
    }
}

impl From<BusUrl> for String {
    fn from(url: BusUrl) -> Self {
        url.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bus_is_read_and_others_are_refused() {
        for text in ["auto:", "local:", "redis://h:1/0", "redis+cluster://a:1,b:2"] {
            assert_eq!(text.parse::<BusUrl>().unwrap().to_string(), text);
        }
        assert!(matches!("postgres://:secret@h".parse::<BusUrl>(), Err(UrlError::NotBuilt { .. })));
        assert!(matches!("locale:".parse::<BusUrl>(), Err(UrlError::UnknownScheme { nearest: Some("local"), .. })));
        assert!(matches!("local:x".parse::<BusUrl>(), Err(UrlError::Malformed { .. })));
    }
}
