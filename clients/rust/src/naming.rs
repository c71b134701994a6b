//! Who a client is to the server, and how its requests are called: no name is ever used for two requests.
//!
//! A server remembers writes by the client's name and the request's id. So an id must not come back under one name: the
//! ids of a random name count from 1, since nobody else has the name; those of a name that a program chose begin with
//! something that is random in each client.

use crate::error::ConnectError;
use std::fmt::Write;
use uuid::Uuid;

/// A server takes no longer name.
const LONGEST: usize = 128;

/// How a client calls itself, so that the server knows a repeated write for what it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ClientName {
    /// A random UUID, another for each client. This is what a repeated write needs, and no more.
    #[default]
    Random,
    /// A name that stays over restarts of the program: 1 to 128 printable ASCII characters. Who knows it can do as this
    /// client does. Records of ephemeral models belong to the name; what was not answered before the restart is not repeated
    /// after it.
    Named(String),
    /// None: what is repeated after a lost connection may take effect twice.
    Anonymous,
}

impl ClientName {
    /// The name for one client.
    pub(crate) fn choose(&self) -> Result<Option<String>, ConnectError> {
        match self {
            Self::Random => Ok(Some(Uuid::new_v4().to_string())),
            Self::Anonymous => Ok(None),
            Self::Named(name) => {
                let fits = (1..=LONGEST).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic());
                if fits { Ok(Some(name.clone())) } else { Err(ConnectError::InvalidName { name: name.clone() }) }
            }
        }
    }
}

/// A name as it stands in the query of a URL.
pub(crate) fn in_query(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'-' | b'.' | b'_' | b'~' => text.push(byte.into()),
            byte if byte.is_ascii_alphanumeric() => text.push(byte.into()),
            byte => write!(text, "%{byte:02X}").expect("writing to a string cannot fail"),
        }
    }
    text
}

/// The ids of one client's requests.
#[derive(Debug, Default)]
pub(crate) struct RequestIds {
    prefix: Option<String>,
}

impl RequestIds {
    /// Plain numbers: the name is this client's alone, or there is none.
    pub(crate) fn plain() -> Self {
        Self::default()
    }

    /// Such as no other client of the same name makes.
    pub(crate) fn prefixed() -> Self {
        let random = Uuid::new_v4().simple().to_string();
        Self { prefix: Some(format!("{}-", &random[..16])) }
    }

    /// The id of this number, as JSON.
    pub(crate) fn json(&self, number: u64) -> String {
        match &self.prefix {
            Some(prefix) => format!("\"{prefix}{number}\""),
            None => number.to_string(),
        }
    }

    /// The number of an id; `None` for one that this client did not make.
    pub(crate) fn number(&self, json: &str) -> Option<u64> {
        match &self.prefix {
            Some(prefix) => json.strip_prefix('"')?.strip_suffix('"')?.strip_prefix(prefix.as_str())?.parse().ok(),
            None => json.parse().ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_random_given_or_none() {
        let random = || ClientName::Random.choose().unwrap().unwrap();
        assert_ne!(random(), random());
        assert_eq!(ClientName::Anonymous.choose().unwrap(), None);
        let named = |name: &str| ClientName::Named(name.to_owned()).choose();
        assert_eq!(named("till-3").unwrap().as_deref(), Some("till-3"));
        for bad in ["", "a b", "ü", &"x".repeat(129)] {
            assert!(matches!(named(bad), Err(ConnectError::InvalidName { .. })), "{bad}");
        }
        assert_eq!(in_query("a&b=c%1-_.~"), "a%26b%3Dc%251-_.~");
    }

    #[test]
    fn two_clients_of_one_name_never_share_an_id() {
        let (a, b) = (RequestIds::prefixed(), RequestIds::prefixed());
        assert_ne!(a.json(1), b.json(1));
        assert_eq!((a.number(&a.json(7)), b.number(&a.json(7)), a.number("7")), (Some(7), None, None));
        let plain = RequestIds::plain();
        assert_eq!((plain.json(7), plain.number("7"), plain.number("\"7\"")), ("7".to_owned(), Some(7), None));
    }
}
