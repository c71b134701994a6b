//! Whether a Redis is one that records may be kept in: read off what `INFO` says.

/// The oldest version that works.
const OLDEST: u32 = 7;

/// What is wrong with a server, for people; in the middle of a sentence that begins with the server.
pub(super) fn fitness(info: &str) -> Result<(), String> {
    let version = field(info, "redis_version").unwrap_or("0");
    let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok()).unwrap_or(0);
    if major < OLDEST {
        return Err(format!("is version {version}; backsync needs {OLDEST} or later"));
    }
    match field(info, "maxmemory_policy") {
        None | Some("noeviction") => {}
        Some(policy) => {
            return Err(format!(
                "has maxmemory-policy {policy}, so it throws records away when its memory is full; \
                 set it to noeviction (in redis.conf, and now by `CONFIG SET maxmemory-policy noeviction`)"
            ));
        }
    }
    match field(info, "role") {
        None | Some("master") => Ok(()),
        Some(role) => Err(format!("is no primary ({role}); give the address of the primary, or of the Sentinels")),
    }
}

/// Whether it keeps nothing beyond its own end.
pub(super) fn forgets(info: &str) -> bool {
    field(info, "aof_enabled") == Some("0")
}

/// Whether it goes on writing behind what it read at its start, which may be torn: Redis cuts that off in the midst of a
/// transaction, and would do the half together with what is written next when it starts once more.
pub(super) fn may_be_torn(info: &str) -> bool {
    let is = |name, value| field(info, name) == Some(value);
    is("aof_enabled", "1") && is("aof_rewrites", "0") && is("aof_rewrite_in_progress", "0")
}

fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "# Server\r\nredis_version:7.0.15\r\n# Memory\r\nmaxmemory_policy:noeviction\r\n# Replication\r\nrole:master\r\n# Persistence\r\naof_enabled:1\r\n";

    #[test]
    fn a_server_that_would_lose_records_is_refused_with_what_to_do() {
        assert_eq!(fitness(GOOD), Ok(()));
        for (from, to, says) in [
            ("7.0.15", "6.2.1", "needs 7 or later"),
            ("noeviction", "allkeys-lru", "CONFIG SET maxmemory-policy noeviction"),
            ("role:master", "role:slave", "address of the primary"),
        ] {
            let problem = fitness(&GOOD.replace(from, to)).unwrap_err();
            assert!(problem.contains(says), "{problem}");
        }
        assert!(fitness("").is_err(), "whatever that is, it is no Redis");
    }

    #[test]
    fn a_file_is_trusted_once_it_was_written_anew() {
        let of = |enabled, rewrites, running| {
            may_be_torn(&format!(
                "aof_enabled:{enabled}\r\naof_rewrite_in_progress:{running}\r\naof_rewrites:{rewrites}\r\n"
            ))
        };
        assert!(of(1, 0, 0));
        assert!(!of(0, 0, 0) && !of(1, 1, 0) && !of(1, 0, 1));
        assert!(!may_be_torn(""));
    }

    #[test]
    fn a_server_without_a_disk_is_told_from_others() {
        assert!(!forgets(GOOD));
        assert!(forgets(&GOOD.replace("aof_enabled:1", "aof_enabled:0")));
    }
}
