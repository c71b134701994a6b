//! `[server]`: where the server listens and how it stops.

use super::{
    error::{Problem, in_range},
    redact,
};
use serde::{Deserialize, Deserializer, Serialize, de::Error};
use std::{
    net::{IpAddr, SocketAddr},
    path::Path,
    time::Duration,
};

/// Where the server listens and how it stops.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerSettings {
    /// The address and port to listen on; port 0 takes a free one.
    #[serde(deserialize_with = "listen_address")]
    pub listen: SocketAddr,
    /// Where other nodes reach this one, like `http://10.0.0.5:9000`; empty: at [`Self::listen`].
    pub advertise: String,
    /// Threads that serve connections, at most 1024; 0 is one for each core.
    pub workers: usize,
    /// Pages of other origins that may connect: exact origins like `https://app.example.com`, or `*` for all.
    pub allowed_origins: Vec<String>,
    /// A folder whose files are served at `/`, in the place of the console, which is at `/console/` then; empty: none.
    pub public_dir: String,
    /// Seconds that open connections have to end after the server was asked to stop, at most one day.
    pub shutdown_grace_s: u64,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 9000)),
            advertise: String::new(),
            workers: 0,
            allowed_origins: Vec::new(),
            public_dir: String::new(),
            shutdown_grace_s: 10,
        }
    }
}

impl ServerSettings {
    /// [`Self::shutdown_grace_s`] as a duration.
    pub fn shutdown_grace(&self) -> Duration {
        Duration::from_secs(self.shutdown_grace_s)
    }

    pub(super) fn check(&self) -> Result<(), Problem> {
        check_advertised(&self.advertise).map_err(|why| {
            let advertise = redact(&self.advertise);
            Problem::new("server.advertise", format!("`{advertise}` leads other nodes nowhere: {why}"))
        })?;
        in_range("server.workers", self.workers as u64, 0, 1024)?;
        in_range("server.shutdown_grace_s", self.shutdown_grace_s, 0, 86_400)?;
        if !self.public_dir.is_empty() && !Path::new(&self.public_dir).is_dir() {
            return Err(Problem::new("server.public_dir", format!("`{}` is no folder here", self.public_dir)));
        }
        self.allowed_origins.iter().try_for_each(|origin| {
            check_origin(origin).map_err(|why| {
                Problem::new("server.allowed_origins", format!("`{}` can match no page: {why}", redact(origin)))
            })
        })
    }
}

fn listen_address<'de, D: Deserializer<'de>>(value: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(value)?;
    text.parse().map_err(|_| {
        D::Error::custom(format!(
            "`{text}` is no address to listen on, write IP:PORT like 127.0.0.1:9000, 0.0.0.0:9000 or [::1]:9000"
        ))
    })
}

/// Nodes ask each other by plain HTTP, at the paths that clients use.
fn check_advertised(address: &str) -> Result<(), &'static str> {
    const SHAPE: &str = "write http://host:port, like http://10.0.0.5:9000";
    if address.is_empty() {
        return Ok(());
    }
    let authority = address.strip_prefix("http://").ok_or(SHAPE)?;
    let (host, port) = split_port(authority);
    if !is_host(host) || port.is_some_and(|port| !port.parse::<u16>().is_ok_and(|number| number > 0)) {
        return Err(SHAPE);
    }
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if bare.parse::<IpAddr>().is_ok_and(|address| address.is_unspecified()) {
        return Err("it is every address of this machine, write the one that other nodes reach");
    }
    Ok(())
}

/// A browser sends `scheme://host[:port]` in lower case and leaves out the scheme's own port (RFC 6454, 6.2). Origins
/// are compared as text, so one in any other form would never match; it is refused here instead.
fn check_origin(origin: &str) -> Result<(), &'static str> {
    const SHAPE: &str = "write scheme://host or scheme://host:port, like https://app.example.com, or * for all";
    if origin == "*" {
        return Ok(());
    }
    let (scheme, authority) = origin.split_once("://").ok_or(SHAPE)?;
    if authority.contains(['/', '?', '#']) {
        return Err("an origin has no path, write it without anything behind the host and port, not even a slash");
    }
    if authority.contains('@') {
        return Err("an origin has no user and password");
    }
    if origin.bytes().any(|b| b.is_ascii_uppercase()) {
        return Err("browsers send it in lower case");
    }
    let (host, port) = split_port(authority);
    let scheme_holds = scheme.starts_with(|c: char| c.is_ascii_lowercase())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+.-".contains(&b));
    if !scheme_holds || !is_host(host) {
        return Err(SHAPE);
    }
    let Some(port) = port else { return Ok(()) };
    match (scheme, port.parse::<u16>()) {
        ("http", Ok(80)) | ("https", Ok(443)) => Err("browsers leave out the scheme's own port"),
        (_, Ok(number)) if number > 0 && number.to_string() == port => Ok(()),
        _ => Err("a port is a number from 1 to 65535"),
    }
}

fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

fn is_host(host: &str) -> bool {
    if let Some(inner) = host.strip_prefix('[') {
        return inner.strip_suffix(']').is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok());
    }
    !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_as_browsers_send_them_are_taken() {
        for good in ["*", "https://app.example.com", "http://localhost:8080", "http://[::1]:3000", "http://[::1]"] {
            assert_eq!(check_origin(good), Ok(()), "{good}");
        }
        assert_eq!(check_origin("capacitor://localhost"), Ok(()));
    }

    #[test]
    fn origins_that_could_never_match_are_refused() {
        for bad in [
            "",
            "app.example.com",
            "https://",
            "https://app.example.com/",
            "https://app.example.com/path",
            "https://App.example.com",
            "https://app.example.com:443",
            "http://app.example.com:80",
            "http://app.example.com:",
            "http://app.example.com:0",
            "http://app.example.com:08",
            "http://app.example.com:70000",
            "http://*.example.com",
            "http://[zz]",
            "://host",
            "null",
        ] {
            assert!(check_origin(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_what_other_nodes_can_reach_is_advertised() {
        for good in ["", "http://10.0.0.5:9000", "http://node-3.internal", "http://[fd00::5]:9000", "http://[fd00::5]"]
        {
            assert_eq!(check_advertised(good), Ok(()), "{good}");
        }
        for bad in [
            "10.0.0.5:9000",
            "https://10.0.0.5:9000",
            "http://",
            "http://10.0.0.5:9000/",
            "http://10.0.0.5:9000/path",
            "http://10.0.0.5:0",
            "http://10.0.0.5:",
            "http://me:secret@10.0.0.5:9000",
            "http://0.0.0.0:9000",
            "http://[::]:9000",
            "http://a b",
        ] {
            assert!(check_advertised(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_password_in_an_origin_is_not_repeated() {
        let settings = ServerSettings { allowed_origins: vec!["https://me:secret@host".into()], ..Default::default() };
        let what = settings.check().unwrap_err().what;
        assert!(what.contains("https://me:***@host") && !what.contains("secret"), "{what}");
    }
}
