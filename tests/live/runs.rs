//! Writers, listeners and people who are present, on several nodes, while one thing after another goes wrong.
//!
//! A run is some seconds long; `BACKSYNC_FAULTS_S` says how many, and `BACKSYNC_SEED` in which order. `faults.sh` makes a long one.

use crate::{
    faults::{Fault, Scene},
    fleet::Fleet,
    judge,
    listener::{Listening, listen},
    presence::{MODEL, Regular, guests},
    proxy::Proxy,
    random::Random,
    redis::{Options, Redis},
    server::Setup,
    world::World,
    writer::{Writer, Written},
};
use serde_json::json;
use std::{
    collections::BTreeMap,
    env,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

struct Run<'a> {
    name: &'static str,
    setups: Vec<Setup>,
    redis: Option<&'a Redis>,
    bus: Option<&'a Proxy>,
    faults: &'a [Fault],
    /// Whether what was acknowledged may be forgotten.
    may_forget: bool,
}

fn number(variable: &str, otherwise: u64) -> u64 {
    env::var(variable).map_or(otherwise, |text| text.parse().unwrap())
}

fn with_models(setup: Setup) -> Setup {
    setup
        .set("models.Line.group", "book")
        .set("models.Counter.group", "book")
        .set(&format!("models.{MODEL}.ephemeral"), true)
        .set("presence.linger_s", 1)
}

/// What the listeners of one connection hear.
fn listenings() -> [Vec<Listening>; 2] {
    let whole = ["Line", "Counter", "Item", MODEL].map(Listening::to);
    let parts =
        [Listening::matching("Line", "writer", json!("writer0")), Listening::matching("Item", "odd", json!(true))];
    [whole.into(), parts.into()]
}

impl Run<'_> {
    fn play(self) {
        let (seconds, seed) = (number("BACKSYNC_FAULTS_S", 12), number("BACKSYNC_SEED", 1));
        let nodes = self.setups.len();
        let world = World::new(Fleet::start(self.setups.iter().cloned().map(with_models)));
        let scene = Scene { world: &world, redis: self.redis, bus: self.bus };
        let heard: Vec<Vec<Listening>> = (0..nodes).flat_map(|_| listenings()).collect();
        let mut random = Random::seeded(seed);
        let mut counts: BTreeMap<Fault, (usize, Duration)> = BTreeMap::new();
        let (world, heard) = (&world, &heard);
        thread::scope(|scope| {
            // Also where this thread gives up, or nobody would ever go home.
            let _evening = Evening(world);
            let seeded = |of: usize| seed.wrapping_mul(1000) + of as u64;
            for (number, listenings) in heard.iter().enumerate() {
                let name = format!("listener{number}");
                scope.spawn(move || listen(world, &name, number % nodes, listenings, seeded(number)));
            }
            for number in 0..nodes {
                scope.spawn(move || Regular::new(world, number, seeded(100 + number)).stay());
            }
            let guests: Vec<_> =
                (0..nodes).map(|number| scope.spawn(move || guests(world, number, seeded(200 + number)))).collect();
            let writers: Vec<_> = (0..nodes + 1)
                .map(|number| scope.spawn(move || Writer::new(world, number, seeded(300 + number)).run()))
                .collect();
            scene.goes_on();
            let begin = Instant::now();
            let mut next: Vec<Fault> = Vec::new();
            while begin.elapsed() < Duration::from_secs(seconds) || !next.is_empty() {
                if next.is_empty() {
                    next = self.faults.to_vec();
                }
                let fault = next.swap_remove(random.index(next.len()));
                scene.play(fault, &mut random);
                let took = scene.goes_on();
                let count = counts.entry(fault).or_default();
                *count = (count.0 + 1, count.1.max(took));
            }
            world.is_evening.store(true, Ordering::Relaxed);
            guests.into_iter().for_each(|guest| guest.join().unwrap());
            let written: Vec<Written> = writers.into_iter().map(|writer| writer.join().unwrap()).collect();
            let without_ghosts = judge::no_ghosts(world, nodes);
            let agreed = judge::all_agree(world, heard);
            let forgotten = judge::once_or_forgotten(world, &written, self.may_forget);
            let table = Table { run: &self, world, counts: &counts, written: &written, forgotten };
            table.print(seed, begin.elapsed(), without_ghosts, agreed);
        });
        self.judge(world);
    }

    fn judge(&self, world: &World) {
        let tally = |of: &AtomicUsize| of.load(Ordering::Relaxed);
        if !self.may_forget && tally(&world.tally.resets) > 0 {
            world.wrong("listeners were told everything anew though nothing was forgotten".to_owned());
        }
        if tally(&world.tally.dropped) > 0 {
            world.wrong("connections ended though their nodes were there".to_owned());
        }
        let wrong = world.everything_wrong();
        let first = &wrong[..wrong.len().min(20)];
        assert!(wrong.is_empty(), "{} things are wrong, such as {first:#?}\n{}", wrong.len(), world.fleet.log());
    }
}

/// Ends the day.
struct Evening<'a>(&'a World);

impl Drop for Evening<'_> {
    fn drop(&mut self) {
        self.0.is_evening.store(true, Ordering::Relaxed);
        self.0.is_over.store(true, Ordering::Relaxed);
    }
}

struct Table<'a> {
    run: &'a Run<'a>,
    world: &'a World,
    counts: &'a BTreeMap<Fault, (usize, Duration)>,
    written: &'a [Written],
    forgotten: usize,
}

impl Table<'_> {
    fn print(&self, seed: u64, took: Duration, without_ghosts: Duration, agreed: Duration) {
        let tally = &self.world.tally;
        let lines: usize = self.written.iter().map(|written| written.lines.len()).sum();
        let mut rows: Vec<(String, String)> = self
            .counts
            .iter()
            .map(|(fault, (count, longest))| {
                (fault.to_string(), format!("{count}, writers went on within {longest:.1?}"))
            })
            .collect();
        let mut row = |name: &str, value: String| rows.push((name.to_owned(), value));
        let number = |of: &AtomicUsize| of.load(Ordering::Relaxed).to_string();
        row("writes acknowledged", number(&tally.acknowledged));
        row("of these, in one go with lines", lines.to_string());
        row("longest time without an acknowledgement", format!("{:.1?}", tally.longest_silence()));
        row("conflicts", number(&tally.conflicts));
        row("writes repeated", number(&tally.repeated));
        row("requests put off", number(&tally.put_off));
        row("acknowledged and forgotten", self.forgotten.to_string());
        row("histories of Line", self.world.histories("Line").to_string());
        row("pushes", number(&tally.pushes));
        row("listeners told everything anew", number(&tally.resets));
        row("connections", number(&tally.connections));
        row("of these, guests", number(&tally.guests));
        row("connections dropped by a node that was there", number(&tally.dropped));
        row("only those present are present after", format!("{without_ghosts:.1?}"));
        row("all agree after", format!("{agreed:.1?}"));
        row("wrong", self.world.everything_wrong().len().to_string());
        let mut table = format!("{}, seed {seed}, {took:.0?}\n", self.run.name);
        rows.iter().for_each(|(name, value)| table += &format!("  {name:<46} {value}\n"));
        println!("{table}");
    }
}

#[test]
fn one_node_with_its_own_database_loses_and_doubles_nothing() {
    let run = Run {
        name: "one node, SQLite",
        setups: vec![Setup::sqlite()],
        redis: None,
        bus: None,
        faults: &[Fault::NodeKilled],
        may_forget: false,
    };
    run.play();
}

fn over(redis: &Redis, bus: &str) -> Vec<Setup> {
    (0..3).map(|_| Setup::over(redis.url()).set("bus.url", bus)).collect()
}

const OF_ONE_REDIS: [Fault; 6] = [
    Fault::NodeKilled,
    Fault::RedisKilled,
    Fault::RedisStopped,
    Fault::SubscribersCut,
    Fault::OthersCut,
    Fault::BusSwallows,
];

#[test]
fn over_one_redis_that_keeps_everything_nothing_is_lost_or_doubled() {
    let redis = Redis::start(Options::single().append("always"));
    let bus = Proxy::to(redis.port());
    let run = Run {
        name: "three nodes, one Redis, always",
        setups: over(&redis, &format!("redis://{}/0", bus.address())),
        redis: Some(&redis),
        bus: Some(&bus),
        faults: &OF_ONE_REDIS,
        may_forget: false,
    };
    run.play();
}

#[test]
fn what_one_redis_forgets_is_forgotten_by_all_and_nothing_is_doubled() {
    let redis = Redis::start(Options::single().append("everysec"));
    let bus = Proxy::to(redis.port());
    let run = Run {
        name: "three nodes, one Redis, everysec",
        setups: over(&redis, &format!("redis://{}/0", bus.address())),
        redis: Some(&redis),
        bus: Some(&bus),
        faults: &[&OF_ONE_REDIS[..], &[Fault::RedisForgets]].concat(),
        may_forget: true,
    };
    run.play();
}

#[test]
fn what_a_promoted_replica_never_heard_is_forgotten_by_all_and_nothing_is_doubled() {
    let redis = Redis::start(Options::sentinel());
    let run = Run {
        name: "three nodes, Sentinel",
        setups: over(&redis, redis.url()),
        redis: Some(&redis),
        bus: None,
        faults: &[Fault::NodeKilled, Fault::Promotion, Fault::PromotionForgets],
        may_forget: true,
    };
    run.play();
}

#[test]
fn a_cluster_whose_primaries_die_doubles_nothing() {
    let redis = Redis::start(Options::cluster());
    let run = Run {
        name: "three nodes, Cluster",
        setups: over(&redis, redis.url()),
        redis: Some(&redis),
        bus: None,
        faults: &[Fault::NodeKilled, Fault::ShardKilled],
        may_forget: true,
    };
    run.play();
}
