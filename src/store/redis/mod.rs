//! The store of `redis://`: shared by all nodes that use the same Redis.
//!
//! Every commit is one step of Redis: a script that looks transactions up, gives revisions, writes records, log, tombstones and the
//! outcome, lets go of what is beyond the bounds, and tells the other nodes. What becomes of a record is decided on the node, by the
//! rules that all stores share, on what the node thinks is there; the script is told what that rests on and does nothing
//! where it is otherwise. So no document is ever read in Redis, and mostly one round trip is enough.
//!
//! All reads are answered by the primary. What one call may cost there is bounded: large reads come in pages, and what changed
//! meanwhile is put right by the log.

mod call;
mod clock;
mod committing;
mod guesses;
mod keys;
mod outcomes;
mod owning;
mod plan;
mod reading;
mod stand;
#[cfg(test)]
mod tests;
mod value;
mod view;

pub use keys::Groups;
pub(crate) use stand::Process;
#[cfg(test)]
pub(crate) use tests::two_over_redis;

use super::{
    Answer, Commit, Few, Lease, Millis, Nodes, Outcome, Owned, Page, Read, Retention, Snapshot, Store, StoreError,
};
use crate::link::{Ask, Lane, Link};
use backsync_protocol::{ModelName, Position};
use clock::Clock;
use guesses::Guesses;
use redis::Script;
use std::{
    collections::{HashMap, HashSet},
    fmt,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicU64},
};

/// Something in Redis is not as this program writes it.
#[derive(Debug, thiserror::Error)]
#[error("what is kept in Redis is damaged: {0}")]
pub(crate) struct Damaged(pub(crate) String);

/// How the store works.
#[derive(Debug, Clone)]
pub struct RedisOptions {
    /// What is kept beside the records.
    pub retention: Retention,
    /// Which models are kept together.
    pub groups: Groups,
    /// The name of this node, by which a bus knows what it published itself; of letters, digits and `-`.
    pub node: String,
    /// Whether the store tells the other nodes of commits, for a bus that listens on the same Redis.
    pub publishes: bool,
    /// Whether commits happen when the clock of Redis says, which is the same for all nodes, and not when that of their node does.
    pub has_clock: bool,
}

/// The store of `redis://`.
pub struct Redis(Arc<Inner>);

struct Inner {
    link: Arc<Link>,
    options: RedisOptions,
    scripts: Scripts,
    guesses: Mutex<Guesses>,
    clock: Clock,
    /// Commits of a group are planned one behind the other.
    turns: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    /// Numbers the calls of this node.
    calls: AtomicU64,
    /// Runs of Redis that this node has written to.
    met: Mutex<HashSet<Process>>,
    /// Models whose records have owners, as far as this node has noted it in Redis.
    owning: Mutex<HashSet<ModelName>>,
}

struct Scripts {
    commit: Script,
    stands: Script,
    page: Script,
    some: Script,
    graves: Script,
    log: Script,
    states: Script,
    renew: Script,
}

impl Scripts {
    fn new() -> Self {
        let reading = |script: &str| Script::new(&format!("{}{script}", include_str!("stand.lua")));
        Self {
            commit: Script::new(include_str!("commit.lua")),
            stands: reading(include_str!("stands.lua")),
            page: reading(include_str!("page.lua")),
            some: reading(include_str!("some.lua")),
            graves: reading(include_str!("graves.lua")),
            log: reading(include_str!("log.lua")),
            states: Script::new(include_str!("states.lua")),
            renew: Script::new(include_str!("renew.lua")),
        }
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").field("link", &self.0.link).finish_non_exhaustive()
    }
}

impl Redis {
    /// A store in the Redis that a link leads to.
    pub fn new(link: Arc<Link>, options: RedisOptions) -> Self {
        let has_clock = options.has_clock;
        Self(Arc::new(Inner {
            link,
            options,
            scripts: Scripts::new(),
            guesses: Mutex::default(),
            clock: Clock::new(has_clock),
            turns: Mutex::default(),
            calls: AtomicU64::new(1),
            met: Mutex::default(),
            owning: Mutex::default(),
        }))
    }

    fn on_link<T: Send + 'static, F: Future<Output = Result<T, StoreError>> + Send + 'static>(
        &self,
        work: impl FnOnce(Arc<Inner>) -> F,
    ) -> Answer<T> {
        let answer = self.0.link.spawn(work(self.0.clone()));
        Answer::later(async move { answer.await.unwrap_or(Err(StoreError::Closed)) })
    }
}

impl Inner {
    fn guesses(&self) -> MutexGuard<'_, Guesses> {
        self.guesses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(&self, group: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(turn) = turns.get(group) {
            return turn.clone();
        }
        turns.entry(group.to_owned()).or_default().clone()
    }

    async fn ask(&self, lane: Lane, ask: &Ask<'_>) -> Result<redis::Value, StoreError> {
        self.link.call(lane, ask).await.map_err(|error| match error.code() {
            Some("OOM") => StoreError::Full,
            _ => unavailable(error),
        })
    }
}

fn unavailable(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
    StoreError::Unavailable(cause.into())
}

impl Store for Redis {
    fn commit(&self, mut commits: Few<Commit>) -> Answer<Few<Outcome>> {
        self.on_link(|inner| async move {
            inner.note_owning(&commits).await?;
            inner.clock.correct(&mut commits);
            inner.commit(commits).await
        })
    }

    fn read(&self, model: &ModelName, read: Read) -> Answer<Snapshot> {
        let model = model.clone();
        self.on_link(|inner| async move { inner.read(&model, &read).await })
    }

    fn changes(&self, model: &ModelName, after: Position, limit: usize) -> Answer<Option<Page>> {
        let model = model.clone();
        self.on_link(|inner| async move {
            let changes = inner.changes(&model, after.revision, limit).await?;
            let known = changes.filter(|(_, stand)| stand.has(&model, after));
            Ok(known.map(|(changes, stand)| Page { changes, position: stand.position(&model) }))
        })
    }

    fn positions(&self, models: &[ModelName]) -> Answer<Vec<Position>> {
        let models = models.to_vec();
        self.on_link(|inner| async move { inner.positions(&models).await })
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn owned(&self) -> Answer<Vec<Owned>> {
        self.on_link(|inner| async move { inner.owned().await })
    }

    fn renew(&self, lease: Lease, _: Millis) -> Answer<Nodes> {
        self.on_link(|inner| async move { inner.renew(lease).await })
    }

    fn close(&self) -> Answer<()> {
        let closing = self.0.link.spawn(async {});
        let link = self.0.link.clone();
        Answer::later(async move {
            closing.await;
            link.close();
            Ok(())
        })
    }
}
