//! Which web pages may use this server: the browser's `Origin`, judged by what is configured.

/// The rule for cross-origin use.
///
/// Without an `Origin` it is no browser, and may come in. A page of the server's own origin may; on a loopback address only
/// where the page was reached under a loopback name, or else any site could have its own name point here. All others
/// have to be listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origins {
    /// Allowed origins, such as `https://app.example.com`; `*` allows all.
    pub allowed: Vec<String>,
    /// Whether a server of its own listens on a loopback address only.
    pub loopback: bool,
}

impl Origins {
    /// Whether a page of this `Origin` may talk to a server that was addressed as `host` (both header values); `local` is
    /// whether it was reached on a loopback address.
    pub fn allow(&self, origin: Option<&str>, host: Option<&str>, local: bool) -> bool {
        let Some(origin) = origin else { return true };
        if self.allowed.iter().any(|allowed| allowed == "*" || allowed == origin) {
            return true;
        }
        let authority = origin.split_once("://").map(|(_, authority)| authority);
        authority.is_some() && authority == host && (!local || host.is_some_and(is_loopback))
    }

    /// Whether somebody who tells no origin at all may have addressed the server as `host`: on a loopback address another name than
    /// a loopback one can be that of a page whose owner had it point here.
    pub fn knows(&self, host: Option<&str>, local: bool) -> bool {
        let is_of = |allowed: &str| allowed == "*" || allowed.split_once("://").map(|(_, name)| name) == host;
        !local || host.is_none_or(is_loopback) || self.allowed.iter().any(|allowed| is_of(allowed))
    }
}

fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_pages_come_in() {
        let rule =
            |allowed: &[&str]| Origins { allowed: allowed.iter().map(ToString::to_string).collect(), loopback: false };
        let own = rule(&[]);
        assert!(own.allow(None, None, true));
        for host in ["localhost:9000", "127.0.0.1:9000", "[::1]:9000"] {
            assert!(own.allow(Some(&format!("http://{host}")), Some(host), true), "{host}");
        }
        // A name of somebody else's that points to this machine.
        assert!(!own.allow(Some("http://evil.example:9000"), Some("evil.example:9000"), true));
        assert!(!own.allow(Some("http://localhost:3000"), Some("localhost:9000"), true));
        assert!(!own.allow(Some("null"), Some("localhost:9000"), true));
        let public = rule(&["https://app.example"]);
        assert!(public.allow(Some("https://sync.example"), Some("sync.example"), false));
        assert!(public.allow(Some("https://app.example"), Some("sync.example"), false));
        assert!(!public.allow(Some("https://app.example.evil"), Some("sync.example"), false));
        assert!(rule(&["*"]).allow(Some("null"), None, true));
        assert!(
            own.knows(Some("localhost:9000"), true) && own.knows(Some("sync.example"), false) && own.knows(None, true)
        );
        assert!(!own.knows(Some("evil.example:9000"), true));
        assert!(rule(&["http://box.example:9000"]).knows(Some("box.example:9000"), true));
    }
}
