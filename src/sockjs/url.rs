//! Which path means what, under a SockJS prefix.

/// The prefixes that are served, and how messages are framed below them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prefix {
    /// `/backsync`: messages as JSON values, as the Backbone clients want them.
    Values,
    /// `/sockjs`: messages as strings, as the protocol's text says.
    Strings,
}

impl Prefix {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Values, Self::Strings];

    /// As it stands in the URL.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Values => "/backsync",
            Self::Strings => "/sockjs",
        }
    }
}

/// A path below a prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address<'a> {
    /// Which prefix.
    pub prefix: Prefix,
    /// What is asked for there.
    pub target: Target<'a>,
}

/// What a path below a prefix asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target<'a> {
    /// The prefix alone: a few words for people.
    Greeting,
    /// `/info`: what this server can do.
    Info,
    /// `/websocket`: a plain WebSocket, without SockJS framing.
    RawWebSocket,
    /// `/<server>/<session>/<transport>`.
    Session {
        /// For load balancers.
        server: &'a str,
        /// Chosen by the client.
        session: &'a str,
        /// How it wants to talk.
        transport: Transport,
    },
}

/// The transports that this server offers; the name in the URL beside each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// `websocket`.
    WebSocket,
}

impl Transport {
    /// The table of transports.
    pub const TABLE: [(&'static str, Self); 1] = [("websocket", Self::WebSocket)];
}

/// Understand a path. `None` where there is nothing: another path, a transport that does not exist, an empty segment or
/// one with a dot.
pub fn parse(path: &str) -> Option<Address<'_>> {
    let (prefix, rest) =
        Prefix::ALL.into_iter().find_map(|prefix| Some((prefix, path.strip_prefix(prefix.path())?)))?;
    let target = match rest {
        "" | "/" => Target::Greeting,
        "/info" => Target::Info,
        "/websocket" => Target::RawWebSocket,
        _ => {
            let mut segments = rest.strip_prefix('/')?.split('/');
            let (server, session, transport) = (segments.next()?, segments.next()?, segments.next()?);
            let is_name = |segment: &str| !segment.is_empty() && !segment.contains('.');
            if segments.next().is_some() || !is_name(server) || !is_name(session) {
                return None;
            }
            let (_, transport) = Transport::TABLE.into_iter().find(|(name, _)| *name == transport)?;
            Target::Session { server, session, transport }
        }
    };
    Some(Address { prefix, target })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_as_they_are() {
        let target = |path| parse(path).map(|address| address.target);
        assert_eq!(target("/backsync"), Some(Target::Greeting));
        assert_eq!(target("/sockjs/info"), Some(Target::Info));
        assert_eq!(parse("/sockjs/websocket").unwrap().prefix, Prefix::Strings);
        let session = Target::Session { server: "000", session: "a b", transport: Transport::WebSocket };
        assert_eq!(target("/backsync/000/a b/websocket"), Some(session));
        for nothing in [
            "/",
            "/backsyncX",
            "/backsync//",
            "/backsync/a/b",
            "/backsync/a/b/websocket/",
            "/backsync//b/websocket",
            "/backsync/a/b.c/websocket",
            "/backsync/a/b/other",
            "/backsync/info/",
            "/backsync/a//websocket",
        ] {
            assert_eq!(target(nothing), None, "{nothing}");
        }
    }
}
