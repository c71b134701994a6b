//! The rules of every store on a real Redis, alone and in a cluster, and what only this store has to show.

mod faults;
mod together;

use super::{Groups, Redis, RedisOptions};
use crate::{
    link::{self, Link},
    real_redis as process,
    store::{
        Retention, Store,
        conformance::{Fixture, RETENTION, conformance, model},
    },
};
use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicUsize, Ordering},
};

/// Commits of the rules go over several models: they are one group.
fn groups() -> Groups {
    ["A", "B", "M", "N", "New", "O", "Untouched", "Z"].map(|name| (model(name), "all".to_owned())).into()
}

fn link(url: &str) -> Arc<Link> {
    link::open::open(&url.parse().unwrap()).unwrap()
}

fn store(url: &str, node: &str, retention: Retention) -> Arc<dyn Store> {
    let (groups, node) = (groups(), node.into());
    Arc::new(Redis::new(link(url), RedisOptions { retention, groups, node, publishes: false, has_clock: false }))
}

/// Two nodes' ways to a fresh database of a real Redis.
pub(crate) fn two_over_redis(retention: Retention) -> [Arc<dyn Store>; 2] {
    let url = process::Redis::shared().database();
    ["one", "other"].map(|node| store(&url, node, retention))
}

struct InRedis;
impl Fixture for InRedis {
    const SEEDS: u64 = 12;

    fn open(&self, retention: Retention) -> Arc<dyn Store> {
        store(&process::Redis::shared().database(), "node", retention)
    }
}
conformance!(InRedis);

/// The same where keys are in slots.
mod in_cluster {
    use super::*;

    struct InCluster;
    impl Fixture for InCluster {
        const SEEDS: u64 = 3;

        fn open(&self, retention: Retention) -> Arc<dyn Store> {
            static CLUSTER: OnceLock<process::Redis> = OnceLock::new();
            static NEXT: AtomicUsize = AtomicUsize::new(0);
            let cluster = CLUSTER.get_or_init(|| process::Redis::start(process::Options::cluster()));
            let url = format!("{}?prefix=test-{}", cluster.url(), NEXT.fetch_add(1, Ordering::Relaxed));
            store(&url, "node", retention)
        }
    }
    conformance!(InCluster);
}
