//! What goes wrong, each for a moment, and is mended again.

use crate::{proxy::Proxy, random::Random, redis::Redis, server::HUNG, world::World};
use std::{
    fmt,
    sync::atomic::Ordering,
    thread,
    time::{Duration, Instant},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// `kill -9` to one of the nodes.
    NodeKilled,
    /// `kill -9` to Redis, which starts again with what it had written.
    RedisKilled,
    /// The same, and the end of what it had written is gone, as after a loss of power.
    RedisForgets,
    /// Redis does nothing for a while.
    RedisStopped,
    /// Whoever is subscribed is cut off.
    SubscribersCut,
    /// Everybody else is.
    OthersCut,
    /// The bus takes everything and brings nothing.
    BusSwallows,
    /// The primary is killed, and Sentinel puts a replica in its place.
    Promotion,
    /// The same after the replicas heard nothing more of the primary for a while.
    PromotionForgets,
    /// One of a cluster's primaries is killed, and its replica takes its place.
    ShardKilled,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::NodeKilled => "a node is killed",
            Self::RedisKilled => "Redis is killed",
            Self::RedisForgets => "Redis is killed and forgets",
            Self::RedisStopped => "Redis stops for a while",
            Self::SubscribersCut => "subscribers are cut off",
            Self::OthersCut => "others are cut off",
            Self::BusSwallows => "the bus swallows everything",
            Self::Promotion => "a replica is promoted",
            Self::PromotionForgets => "a replica is promoted that was behind",
            Self::ShardKilled => "a primary of the cluster is killed",
        };
        f.pad(name)
    }
}

/// Where it goes wrong.
pub(crate) struct Scene<'a> {
    pub(crate) world: &'a World,
    pub(crate) redis: Option<&'a Redis>,
    pub(crate) bus: Option<&'a Proxy>,
}

impl Scene<'_> {
    /// Let it go wrong, and mend it.
    pub(crate) fn play(&self, fault: Fault, random: &mut Random) {
        let moment = |longest: u64, random: &mut Random| {
            thread::sleep(Duration::from_millis(longest / 5 + random.below(longest * 4 / 5)));
        };
        match fault {
            Fault::NodeKilled => {
                let node = random.index(self.world.fleet.len());
                self.world.fleet.kill(node);
                moment(1000, random);
                self.world.fleet.restart(node);
            }
            Fault::RedisKilled => {
                self.redis().kill();
                moment(1000, random);
                self.redis().restart();
            }
            Fault::RedisForgets => {
                self.redis().kill();
                self.redis().forget(500 + random.below(20_000));
                moment(500, random);
                self.redis().restart();
            }
            Fault::RedisStopped => {
                self.redis().stop();
                moment(3000, random);
                self.redis().go_on();
            }
            Fault::SubscribersCut => drop(self.redis().command(&["CLIENT", "KILL", "TYPE", "pubsub"])),
            Fault::OthersCut => drop(self.redis().command(&["CLIENT", "KILL", "TYPE", "normal"])),
            Fault::BusSwallows => {
                let bus = self.bus.expect("it goes through a proxy");
                bus.swallow();
                moment(2000, random);
                bus.let_through();
            }
            Fault::Promotion => self.redis().promote(),
            Fault::PromotionForgets => self.redis().promote_behind(|| {
                self.goes_on();
            }),
            Fault::ShardKilled => {
                let primaries = self.redis().primaries();
                self.redis().fail_over(primaries[random.index(primaries.len())]);
            }
        }
    }

    fn redis(&self) -> &Redis {
        self.redis.expect("there is a Redis")
    }

    /// Wait until writers get answers, and more than those that were on their way.
    pub(crate) fn goes_on(&self) -> Duration {
        let begin = Instant::now();
        let before = self.world.tally.acknowledged.load(Ordering::Relaxed);
        while self.world.tally.acknowledged.load(Ordering::Relaxed) < before + 200 {
            if begin.elapsed() > HUNG {
                panic!("writers get no answers\n{}", self.world.fleet.log());
            }
            thread::sleep(Duration::from_millis(10));
        }
        begin.elapsed()
    }
}
