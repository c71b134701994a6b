//! `[bus]`: how the nodes of a cluster hear of each other's commits.

use super::url::{UrlError, not_here, split};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// How the nodes of a cluster hear of each other's commits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BusSettings {
    /// Which bus, and where it is.
    pub url: BusUrl,
}

/// A bus that this build can open. As text, and so in every layer of the settings, one of [`BusUrl::FORMS`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum BusUrl {
    /// `local:`, one process on its own.
    #[default]
    Local,
}

impl BusUrl {
    /// The forms of URL that this build has, for messages.
    pub const FORMS: &str = "local: only";

    /// The same place without a password, for what is shown and logged. No bus of this build has one; a variant that
    /// does has its arm here.
    #[must_use]
    pub fn without_password(&self) -> Self {
        match self {
            Self::Local => self.clone(),
        }
    }
}

impl FromStr for BusUrl {
    type Err = UrlError;

    fn from_str(url: &str) -> Result<Self, UrlError> {
        match split(url, Self::FORMS)? {
            ("local", "") => Ok(Self::Local),
            ("local", _) => Err(UrlError::Malformed { problem: "nothing follows `local:`", available: Self::FORMS }),
            (scheme, _) => Err(not_here(scheme, &["local"], Self::FORMS)),
        }
    }
}

impl fmt::Display for BusUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => f.write_str("local:"),
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
    fn the_local_bus_is_read_and_others_are_refused() {
        assert_eq!("local:".parse(), Ok(BusUrl::Local));
        assert_eq!(BusUrl::Local.to_string(), "local:");
        assert!(matches!("redis://:secret@h".parse::<BusUrl>(), Err(UrlError::NotBuilt { .. })));
        assert!(matches!("locale:".parse::<BusUrl>(), Err(UrlError::UnknownScheme { nearest: Some("local"), .. })));
        assert!(matches!("local:x".parse::<BusUrl>(), Err(UrlError::Malformed { .. })));
    }
}
