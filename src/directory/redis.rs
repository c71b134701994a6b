//! The directory of nodes that share a Redis: an entry is a key that expires.

use super::{Claim, Directory, DirectoryError, LIFE, Lookup, Node, SessionKey};
use crate::link::{Ask, Lane, Link};
use redis::{FromRedisValue, Script, Value};
use std::{fmt, sync::Arc};

/// Entries that are kept in one call, where Redis lets them.
const TOGETHER: usize = 500;

/// A directory in Redis.
pub struct Redis {
    link: Arc<Link>,
    claim: Arc<Script>,
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").field("link", &self.link).finish()
    }
}

impl Redis {
    /// A directory in the Redis that a link leads to.
    pub fn new(link: Arc<Link>) -> Self {
        Self { link, claim: Arc::new(Script::new(include_str!("claim.lua"))) }
    }

    fn key(&self, session: SessionKey) -> Vec<u8> {
        self.link.key(&session.to_string(), "session").into_bytes()
    }

    /// Who has these sessions, now that `node` has claimed them.
    async fn claim_all(
        &self,
        sessions: &[SessionKey],
        node: &Node,
        gone: Option<&Node>,
    ) -> Result<Vec<String>, DirectoryError> {
        let keys: Vec<_> = sessions.iter().map(|session| self.key(*session)).collect();
        let gone = gone.map(Node::entry).unwrap_or_default();
        let arguments = [node.entry(), gone, LIFE.as_millis().to_string()];
        let (link, claim) = (self.link.clone(), self.claim.clone());
        self.ask(async move { link.call(Lane::Write, &Ask::script(&claim, &keys, &arguments)).await }).await
    }

    async fn ask<T: FromRedisValue>(
        &self,
        asking: impl Future<Output = redis::RedisResult<Value>> + Send + 'static,
    ) -> Result<T, DirectoryError> {
        let answer = self.link.spawn(asking).await.ok_or_else(|| DirectoryError::new("it is closed"))?;
        redis::from_redis_value(answer.map_err(DirectoryError::new)?).map_err(DirectoryError::new)
    }
}

impl Directory for Redis {
    fn claim<'a>(&'a self, session: SessionKey, node: &'a Node, gone: Option<&'a Node>) -> Lookup<'a, Claim> {
        Box::pin(async move {
            let holders = self.claim_all(&[session], node, gone).await?;
            let entry = holders.first().ok_or_else(|| DirectoryError::new("an answer without an entry"))?;
            match Node::parse(entry) {
                Some(holder) if holder == *node => Ok(Claim::Ours),
                Some(holder) => Ok(Claim::Theirs(holder)),
                None => Err(DirectoryError::new("an entry that is none")),
            }
        })
    }

    fn find(&self, session: SessionKey) -> Lookup<'_, Option<Node>> {
        Box::pin(async move {
            let mut command = redis::cmd("GET");
            command.arg(self.key(session));
            let link = self.link.clone();
            let entry: Option<String> =
                self.ask(async move { link.call(Lane::Read, &Ask::Command(command)).await }).await?;
            Ok(entry.as_deref().and_then(Node::parse))
        })
    }

    fn keep<'a>(&'a self, sessions: &'a [SessionKey], node: &'a Node) -> Lookup<'a, ()> {
        Box::pin(async move {
            let together = if self.link.is_cluster() { 1 } else { TOGETHER };
            for sessions in sessions.chunks(together) {
                self.claim_all(sessions, node, None).await?;
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::real_redis::{Options, Redis as RealRedis, Reply};

    fn block_on<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
    }

    #[test]
    fn a_session_is_of_the_first_that_claims_it_until_that_one_is_gone() {
        let redis = RealRedis::start(Options::single().append("no"));
        let [here, there] = [0, 1].map(|_| Redis::new(crate::link::open::open(&redis.url().parse().unwrap()).unwrap()));
        let [one, two, three] = ["http://a", "http://b", "http://c"].map(Node::new);
        let key = SessionKey::new("/sockjs", "s");
        block_on(async {
            assert_eq!(there.find(key).await.unwrap(), None);
            assert_eq!(here.claim(key, &one, None).await.unwrap(), Claim::Ours);
            assert_eq!(here.claim(key, &one, None).await.unwrap(), Claim::Ours);
            assert_eq!(there.claim(key, &two, None).await.unwrap(), Claim::Theirs(one.clone()));
            assert_eq!(there.claim(key, &two, Some(&three)).await.unwrap(), Claim::Theirs(one.clone()));
            assert_eq!(there.claim(key, &two, Some(&one)).await.unwrap(), Claim::Ours);
            // Who saw it go later finds who took it over.
            assert_eq!(here.claim(key, &three, Some(&one)).await.unwrap(), Claim::Theirs(two.clone()));
            assert_eq!(here.find(key).await.unwrap(), Some(two.clone()));
        });
        let name = String::from_utf8(here.key(key)).unwrap();
        let life = redis.command(&["PTTL", &name]);
        assert!(matches!(life, Reply::Number(1..=30_000)), "{life:?}");
        redis.command(&["FLUSHALL"]);
        block_on(async {
            // What was lost is there again, and what another has meanwhile stays that one's.
            let lost = SessionKey::new("/sockjs", "lost");
            there.claim(key, &two, None).await.unwrap();
            here.keep(&[key, lost], &one).await.unwrap();
            assert_eq!(there.find(lost).await.unwrap(), Some(one));
            assert_eq!(there.find(key).await.unwrap(), Some(two));
        });
        redis.kill();
        assert!(block_on(here.find(key)).is_err());
    }
}
