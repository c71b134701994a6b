//! Which path means what, under a SockJS prefix.

use super::transport::Transport;

/// The prefixes that the broker's doors are served at, and how messages are framed below them.
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

/// A path below one of the broker's prefixes.
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
    /// `/iframe….html`: the page that clients of other origins talk through.
    Iframe,
    /// `/client/<file>`: the client's script for that page.
    Client {
        /// The name of a file.
        file: &'a str,
    },
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

/// Understand a path. `None` where there is nothing.
pub fn parse(path: &str) -> Option<Address<'_>> {
    let (prefix, rest) =
        Prefix::ALL.into_iter().find_map(|prefix| Some((prefix, path.strip_prefix(prefix.path())?)))?;
    Some(Address { prefix, target: parse_below(rest)? })
}

/// Understand what follows a prefix. `None` where there is nothing: another path, a transport that does not exist, an empty
/// segment or one with a dot.
pub fn parse_below(rest: &str) -> Option<Target<'_>> {
    match rest {
        "" | "/" => return Some(Target::Greeting),
        "/info" => return Some(Target::Info),
        "/websocket" => return Some(Target::RawWebSocket),
        _ => {}
    }
    let mut segments = rest.strip_prefix('/')?.split('/');
    let target = match (segments.next()?, segments.next(), segments.next()) {
        (page, None, None) if is_iframe(page) => Target::Iframe,
        ("client", Some(file), None) if is_file(file) => Target::Client { file },
        (server, Some(session), Some(transport)) if is_name(server) && is_name(session) => {
            Target::Session { server, session, transport: Transport::named(transport)? }
        }
        _ => return None,
    };
    segments.next().is_none().then_some(target)
}

fn is_name(segment: &str) -> bool {
    !segment.is_empty() && !segment.contains('.')
}

fn is_iframe(page: &str) -> bool {
    let version = page.strip_prefix("iframe").and_then(|rest| rest.strip_suffix(".html"));
    version.is_some_and(|version| {
        version.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-._".contains(&b))
    })
}

/// One name, of no folder, and none that is hidden.
fn is_file(name: &str) -> bool {
    !name.starts_with('.') && !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
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
        for transport in Transport::ALL {
            let session = Target::Session { server: "000", session: "a b", transport };
            let path = format!("/backsync/000/a b/{}", transport.name());
            assert_eq!(parse(&path).unwrap().target, session);
        }
        for page in ["iframe.html", "iframe-.html", "iframe-1.6.1-a_b.min.html"] {
            assert_eq!(parse(&format!("/sockjs/{page}")).unwrap().target, Target::Iframe, "{page}");
        }
        assert_eq!(target("/sockjs/client/sockjs.min.js"), Some(Target::Client { file: "sockjs.min.js" }));
        for nothing in [
            "/",
            "/backsyncX",
            "/backsync//",
            "/backsync///",
            "/backsync/a/b",
            "/backsync/a/b/websocket/",
            "/backsync//b/websocket",
            "/backsync/a/b.c/websocket",
            "/backsync/a.b/c/websocket",
            "/backsync/a/b/other",
            "/backsync/a/b/XHR",
            "/backsync/info/",
            "/backsync/a//websocket",
            "/backsync/iframe-.html/",
            "/backsync/iframe-/.html",
            "/backsync/iframe",
            "/backsync/IFRAME.html",
            "/backsync/iframe-X.html",
            "/backsync/iframe.HTML",
            "/backsync/client/..",
            "/backsync/client/.profile",
            "/backsync/client/a b",
            "/backsync/client/a/b",
        ] {
            assert_eq!(target(nothing), None, "{nothing}");
        }
    }
}
