//! Where a server is: a full WebSocket address from what a person types.

use crate::{error::ConnectError, naming::in_query};
use std::fmt;
use tokio_tungstenite::tungstenite::http::Uri;

/// The port of a server that was given without one.
pub const DEFAULT_PORT: u16 = 9000;

/// A complete, checked `ws://host:port/path` address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerUrl(String);

impl ServerUrl {
    /// Complete an address: `host`, `host:port`, `ws://host:port`, `http://host:port` or a whole `ws://host:port/path`.
    /// Without a path it gets `/ws`, a bare host gets port [`DEFAULT_PORT`].
    ///
    /// # Errors
    /// [`ConnectError::InvalidUrl`] where it is none of these, or asks for TLS, which is not offered yet.
    pub fn parse(text: &str) -> Result<Self, ConnectError> {
        let invalid = |reason: &str| ConnectError::InvalidUrl { url: text.to_owned(), reason: reason.to_owned() };
        let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
        match scheme {
            "" | "ws" | "http" => {}
            "wss" | "https" => return Err(invalid("connections with TLS are not offered yet; use ws://")),
            _ => return Err(invalid("the scheme is ws, as in ws://127.0.0.1:9000/ws")),
        }
        let path_at = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(path_at);
        if authority.is_empty() {
            return Err(invalid("the host is missing, as in ws://127.0.0.1:9000/ws"));
        }
        let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| !port.contains(']'));
        let port = if scheme.is_empty() && !has_port { format!(":{DEFAULT_PORT}") } else { String::new() };
        let path = match path {
            "" | "/" => "/ws".to_owned(),
            query if query.starts_with('?') => format!("/ws{query}"),
            path => path.to_owned(),
        };
        let url = format!("ws://{authority}{port}{path}");
        let uri: Uri = url.parse().map_err(|cause| invalid(&format!("{cause}")))?;
        match uri.authority() {
            Some(parsed) if has_port && parsed.port_u16().is_none() => Err(invalid("the port is 1 to 65535")),
            Some(_) => Ok(Self(url)),
            None => Err(invalid("the host is missing, as in ws://127.0.0.1:9000/ws")),
        }
    }

    /// The client that its query names, as it stands there.
    pub fn client(&self) -> Option<&str> {
        let query = self.0.split_once('?')?.1.split('#').next()?;
        query.split('&').find_map(|pair| pair.strip_prefix("client="))
    }

    /// The same address, naming a client in its query.
    #[must_use]
    pub(crate) fn with_client(&self, name: &str) -> Self {
        let address = self.0.split('#').next().unwrap_or_default();
        let joint = if address.contains('?') { '&' } else { '?' };
        Self(format!("{address}{joint}client={}", in_query(name)))
    }

    /// The whole address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_completed() {
        for (typed, url) in [
            ("localhost", "ws://localhost:9000/ws"),
            ("localhost:80", "ws://localhost:80/ws"),
            ("[::1]", "ws://[::1]:9000/ws"),
            ("[::1]:9001", "ws://[::1]:9001/ws"),
            ("ws://h:1", "ws://h:1/ws"),
            ("ws://h:1/", "ws://h:1/ws"),
            ("http://h:1", "ws://h:1/ws"),
            ("ws://h/x/y?z=1", "ws://h/x/y?z=1"),
            ("h:1?client=a", "ws://h:1/ws?client=a"),
        ] {
            assert_eq!(ServerUrl::parse(typed).unwrap().as_str(), url, "{typed}");
        }
    }

    #[test]
    fn a_client_is_named_in_the_query() {
        let url = |typed| ServerUrl::parse(typed).unwrap();
        assert_eq!((url("h").client(), url("h?a=b&client=x#y").client()), (None, Some("x")));
        assert_eq!(url("h").with_client("a b").as_str(), "ws://h:9000/ws?client=a%20b");
        assert_eq!(url("h?z=1#y").with_client("c").as_str(), "ws://h:9000/ws?z=1&client=c");
    }

    #[test]
    fn what_cannot_be_reached_is_refused() {
        for typed in ["", "ws://", "ftp://h", "wss://h", "a b", "h:99999", "h:x", "/ws"] {
            assert!(matches!(ServerUrl::parse(typed), Err(ConnectError::InvalidUrl { .. })), "{typed}");
        }
    }
}
