//! URLs of Redis: one server, the Sentinels of a service, or nodes of a cluster.

use super::url::UrlError;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use std::{fmt, path::PathBuf, str::FromStr};

/// What of a user, a password or a value stays as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

/// The port where none is said.
const PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;

/// What keys begin with where nothing else is said.
const PREFIX: &str = "backsync";

/// Where Redis is: `redis://[USER[:PASSWORD]@]HOST[:PORT][/DATABASE]`, `redis+sentinel://…@HOST[:PORT],…/SERVICE[/DATABASE]` or
/// `redis+cluster://…@HOST[:PORT],…`; with `rediss` for TLS, `?ca=FILE` for certificates to trust in the place of the system's, and
/// `?prefix=NAME` for what all keys begin with.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RedisUrl {
    /// Names or addresses, and ports.
    pub hosts: Vec<(String, u16)>,
    /// What they are.
    pub kind: RedisKind,
    /// Whether it is spoken to by TLS.
    pub tls: bool,
    /// Certificates that are trusted, in the place of the system's.
    pub authority: Option<PathBuf>,
    /// The user, where not the default one.
    pub username: Option<String>,
    /// The password.
    pub password: Option<String>,
    /// The number of the database.
    pub database: u16,
    /// What all keys begin with.
    pub prefix: String,
}

/// What stands at a URL of Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedisKind {
    /// One server.
    Single,
    /// Sentinels of this service.
    Sentinel(String),
    /// Nodes of a cluster.
    Cluster,
}

impl RedisUrl {
    /// The schemes there are.
    pub(super) const SCHEMES: [&str; 6] =
        ["redis", "rediss", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster"];

    /// The same place without a password.
    #[must_use]
    pub fn without_password(&self) -> Self {
        Self { password: self.password.as_ref().map(|_| "***".to_owned()), ..self.clone() }
    }

    /// The hosts with their ports, as in the URL.
    fn shown_hosts(&self) -> String {
        let shown = |(name, port): &(String, u16)| {
            if name.contains(':') { format!("[{name}]:{port}") } else { format!("{name}:{port}") }
        };
        self.hosts.iter().map(shown).collect::<Vec<_>>().join(",")
    }

    /// Where it is, for people: without who asks and how.
    #[must_use]
    pub fn place(&self) -> String {
        match &self.kind {
            RedisKind::Sentinel(service) => format!("{}/{service}", self.shown_hosts()),
            RedisKind::Single | RedisKind::Cluster => self.shown_hosts(),
        }
    }

    /// Whether both are the same Redis, or seem so.
    #[must_use]
    pub fn is_same_place(&self, other: &Self) -> bool {
        (&self.hosts, &self.kind, self.database, &self.prefix)
            == (&other.hosts, &other.kind, other.database, &other.prefix)
    }

    /// Read a URL; `available` are the forms that are told where it is none.
    pub(super) fn parse(url: &str, available: &'static str) -> Result<Self, UrlError> {
        let malformed = |problem| UrlError::Malformed { problem, available };
        let (scheme, rest) = url.split_once("://").ok_or(malformed("`redis:` is followed by //HOST:PORT"))?;
        let (tls, kind) = match scheme.strip_prefix("rediss") {
            Some(kind) => (true, kind),
            None => (false, scheme.strip_prefix("redis").unwrap_or_default()),
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (credentials, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        let decode = |text: &str| {
            let decoded = percent_decode_str(text).decode_utf8();
            decoded.map(|text| Some(text.into_owned()).filter(|text| !text.is_empty()))
        };
        let undecodable = |_| malformed("a URL is UTF-8 behind its % signs");
        let (username, password) = credentials.split_once(':').unwrap_or((credentials, ""));
        let (username, password) = (decode(username).map_err(undecodable)?, decode(password).map_err(undecodable)?);
        let mut segments = path.split('/').filter(|segment| !segment.is_empty());
        let kind = match kind {
            "" => RedisKind::Single,
            "+cluster" => RedisKind::Cluster,
            _ => {
                let service = segments.next().map(decode).transpose().map_err(undecodable)?.flatten();
                RedisKind::Sentinel(
                    service.ok_or(malformed("the name of the service follows the Sentinels: /SERVICE"))?,
                )
            }
        };
        let database = segments.next().map_or(Ok(0), str::parse);
        let database = database.map_err(|_| malformed("a database of Redis is a number"))?;
        if segments.next().is_some() {
            return Err(malformed("nothing follows the number of the database"));
        }
        let port = if matches!(kind, RedisKind::Sentinel(_)) { SENTINEL_PORT } else { PORT };
        let hosts: Vec<_> = hosts.split(',').map(|host| host_of(host, port, available)).collect::<Result<_, _>>()?;
        match kind {
            RedisKind::Single if hosts.len() > 1 => {
                return Err(malformed("`redis:` is one server; several are `redis+sentinel:` or `redis+cluster:`"));
            }
            RedisKind::Cluster if database != 0 => return Err(malformed("a cluster has only the database 0")),
            _ => {}
        }
        let (mut prefix, mut authority) = (PREFIX.to_owned(), None);
        for (name, value) in
            query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        {
            let value = decode(value).map_err(undecodable)?.ok_or(malformed("`?ca=` and `?prefix=` have a value"))?;
            match name {
                "ca" if tls => authority = Some(value.into()),
                "ca" => return Err(malformed("`?ca=` goes with `rediss:`, which is encrypted")),
                "prefix" if !value.contains(['{', '}']) => prefix = value,
                "prefix" => return Err(malformed("a prefix has no braces")),
                _ => return Err(malformed("behind the question mark there are ca and prefix")),
            }
        }
        Ok(Self { hosts, kind, tls, authority, username, password, database, prefix })
    }
}

fn host_of(text: &str, port: u16, available: &'static str) -> Result<(String, u16), UrlError> {
    let malformed = |problem| UrlError::Malformed { problem, available };
    // An address of version 6 has colons of its own.
    let (name, rest) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']').ok_or(malformed("an address that begins with [ ends with ]"))?,
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    if name.is_empty() {
        return Err(malformed("the name of a host is missing"));
    }
    let port = match rest.strip_prefix(':') {
        None if rest.is_empty() => port,
        None => return Err(malformed("a port follows a colon")),
        Some(port) => port.parse().map_err(|_| malformed("a port is a number up to 65535"))?,
    };
    Ok((name.to_owned(), port))
}

impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let encode = |text: &str| utf8_percent_encode(text, PLAIN).to_string();
        let kind = match &self.kind {
            RedisKind::Single => "",
            RedisKind::Sentinel(_) => "+sentinel",
            RedisKind::Cluster => "+cluster",
        };
        write!(f, "redis{}{kind}://", if self.tls { "s" } else { "" })?;
        if self.username.is_some() || self.password.is_some() {
            f.write_str(&encode(self.username.as_deref().unwrap_or_default()).replace('/', "%2F"))?;
            if let Some(password) = &self.password {
                // What stands for a password is shown as it is.
                let password = if password == "***" { password.clone() } else { encode(password).replace('/', "%2F") };
                write!(f, ":{password}")?;
            }
            f.write_str("@")?;
        }
        f.write_str(&self.shown_hosts())?;
        match &self.kind {
            RedisKind::Single => write!(f, "/{}", self.database)?,
            RedisKind::Sentinel(service) => write!(f, "/{}/{}", encode(service).replace('/', "%2F"), self.database)?,
            RedisKind::Cluster => {}
        }
        let mut separator = '?';
        if let Some(authority) = &self.authority {
            write!(f, "{separator}ca={}", encode(&authority.display().to_string()))?;
            separator = '&';
        }
        if self.prefix != PREFIX {
            write!(f, "{separator}prefix={}", encode(&self.prefix))?;
        }
        Ok(())
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisUrl({})", self.without_password())
    }
}

impl FromStr for RedisUrl {
    type Err = UrlError;

    fn from_str(url: &str) -> Result<Self, UrlError> {
        Self::parse(url, "redis://, redis+sentinel:// and redis+cluster://")
    }
}

impl TryFrom<String> for RedisUrl {
    type Error = UrlError;

    fn try_from(url: String) -> Result<Self, UrlError> {
        url.parse()
    }
}

impl From<RedisUrl> for String {
    fn from(url: RedisUrl) -> Self {
        url.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> RedisUrl {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn every_form_is_read_and_written() {
        for (text, written) in [
            ("redis://localhost", "redis://localhost:6379/0"),
            ("redis://[::1]:7000/3", "redis://[::1]:7000/3"),
            ("rediss://me:s%40e%2Fc@h/2?ca=/etc/ca.pem", "rediss://me:s%40e%2Fc@h:6379/2?ca=/etc/ca.pem"),
            ("redis://:secret@h", "redis://:secret@h:6379/0"),
            ("redis://h?prefix=app1", "redis://h:6379/0?prefix=app1"),
            ("redis+sentinel://a,b:1/main/4", "redis+sentinel://a:26379,b:1/main/4"),
            ("rediss+cluster://a:1,b:2", "rediss+cluster://a:1,b:2"),
        ] {
            assert_eq!(url(text).to_string(), written);
            assert_eq!(url(written), url(text));
        }
        let parts = url("rediss://me:s%40e%2Fc@h/2");
        assert_eq!((parts.username.as_deref(), parts.password.as_deref()), (Some("me"), Some("s@e/c")));
    }

    #[test]
    fn what_is_shown_has_no_password() {
        let shown = url("redis://me:secret@h").without_password();
        assert_eq!(shown.to_string(), "redis://me:***@h:6379/0");
        assert!(!format!("{:?}", url("redis://me:secret@h")).contains("secret"));
    }

    #[test]
    fn half_a_url_is_refused() {
        for bad in [
            "redis:",
            "redis://",
            "redis://h:x",
            "redis://h/x",
            "redis://h/1/2",
            "redis://a,b",
            "redis://h?db=1",
            "redis://h?ca=x",
            "redis://[::1",
            "redis+sentinel://a",
            "redis+cluster://a/1",
            "redis://h?prefix={a}",
        ] {
            assert!(matches!(bad.parse::<RedisUrl>(), Err(UrlError::Malformed { .. })), "{bad}");
        }
    }
}
