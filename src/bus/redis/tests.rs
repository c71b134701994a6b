//! The bus of `redis://` over a real Redis.

use super::*;
use crate::{
    link,
    random::Random,
    real_redis::{self, Options, Reply},
};
use std::time::Instant;

/// A bus over a real Redis, of a node that has a name of its own.
pub(crate) fn over_redis(url: &str) -> Arc<dyn Bus> {
    let node = uuid::Uuid::new_v4().to_string();
    Arc::new(Redis::new(link::open::open(&url.parse().unwrap()).unwrap(), &node, HashMap::new(), false))
}

struct Deaf;
impl Receiver for Deaf {
    fn receive(&self, _: Publication) {}
    fn stands(&self, _: &ModelName, _: Position) {}
    fn doubt(&self) {}
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn what_is_asked_while_redis_is_told_something_else_comes_after_that() {
    let redis = real_redis::Redis::start(Options::single().append("no"));
    let bus = Redis::new(link::open::open(&redis.url().parse().unwrap()).unwrap(), "node", HashMap::new(), false);
    let of = Origin::new(0);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut connection = bus.0.link.subscriber(|_| Ok::<(), SendError>(())).await.unwrap();
        // Done, then under way, and what is asked meanwhile: to follow, to follow no more, and to mend.
        let cases = [
            ("", "f", "u"),
            ("", "f", "uf"),
            ("", "f", "ufu"),
            ("f", "u", "f"),
            ("f", "u", "fu"),
            ("f", "m", "u"),
            ("f", "m", "uf"),
            ("f", "m", "f"),
            ("f", "uf", "u"),
            ("f", "uf", "uf"),
        ];
        for (n, (before, under_way, meanwhile)) in cases.into_iter().enumerate() {
            let model = ModelName::parse(&format!("M{n}")).unwrap();
            let ask = |what: &str| {
                for what in what.chars() {
                    match what {
                        'f' => drop(bus.follow(of, &model)),
                        'u' => bus.unfollow(of, &model),
                        _ => bus.mend(of, &model),
                    }
                }
            };
            ask(before);
            bus.0.subscribe(&mut connection).await.unwrap();
            ask(under_way);
            {
                let mut under_way = std::pin::pin!(bus.0.subscribe(&mut connection));
                tokio::select! {
                    biased;
                    _ = &mut under_way => panic!("it takes a while"),
                    () = std::future::ready(()) => {}
                }
                ask(meanwhile);
                under_way.await.unwrap();
            }
            let channel = String::from_utf8(bus.0.channel(&model)).unwrap();
            let Reply::List(counts) = redis.command(&["PUBSUB", "NUMSUB", &channel]) else { unreachable!() };
            let is_wanted = i64::from(!meanwhile.ends_with('u'));
            assert_eq!(counts[1].as_number(), Some(is_wanted), "{before}, {under_way}, then {meanwhile}");
        }
    });
}

#[test]
fn what_was_asked_last_holds_whatever_is_under_way_and_when_the_connection_is_made_anew() {
    let redis = real_redis::Redis::start(Options::single().append("no"));
    let link = link::open::open(&redis.url().parse().unwrap()).unwrap();
    let bus = Redis::new(link, "node", HashMap::new(), false);
    let receiver: Arc<dyn Receiver> = Arc::new(Deaf);
    let of = bus.attach(Arc::downgrade(&receiver));
    let model = |name: String| ModelName::parse(&name).unwrap();
    let models: Vec<ModelName> = (0..5).map(|n| model(format!("M{n}"))).collect();
    let channel = |model: &ModelName| String::from_utf8(bus.0.channel(model)).unwrap();
    let is_subscribed = |model: &ModelName| {
        let Reply::List(counts) = redis.command(&["PUBSUB", "NUMSUB", &channel(model)]) else { unreachable!() };
        counts[1].as_number() == Some(1)
    };
    let (mut random, mut wanted) = (Random::seeded(1), [false; 5]);
    for round in 0..50 {
        for _ in 0..random.below(100) {
            let at = random.index(5);
            wanted[at] = random.one_in(2);
            match wanted[at] {
                true => drop(bus.follow(of, &models[at])),
                false => bus.unfollow(of, &models[at]),
            }
            if random.one_in(4) {
                bus.mend(of, &models[random.index(5)]);
            }
            std::thread::sleep(Duration::from_micros(random.pick(&[0, 0, 0, 20, 200])));
        }
        if round % 5 == 0 {
            redis.command(&["CLIENT", "KILL", "TYPE", "pubsub"]);
        }
        until("all is taken up", || {
            let Channels { followed, left } = &*bus.0.channels();
            left.is_empty() && followed.values().all(|channel| channel.is_confirmed)
        });
        // What was under way before this is done when this is.
        let last = model(format!("Last{round}"));
        drop(bus.follow(of, &last));
        until("it is followed", || is_subscribed(&last));
        let are: Vec<bool> = models.iter().map(is_subscribed).collect();
        assert_eq!(are, wanted, "round {round}");
        bus.unfollow(of, &last);
    }
    // What a connection subscribes to by itself is left when something comes of it.
    drop(bus.follow(of, &models[0]));
    until("it is followed", || is_subscribed(&models[0]));
    bus.0.channels().followed.remove(&bus.0.channel(&models[0]));
    redis.command(&["PUBLISH", &channel(&models[0]), "news"]);
    until("it is left", || !is_subscribed(&models[0]));
}

#[test]
fn there_may_be_others_whoever_tells_of_commits() {
    let url = real_redis::Redis::shared().database().parse().unwrap();
    for store_publishes in [false, true] {
        let bus = Redis::new(link::open::open(&url).unwrap(), "node", HashMap::new(), store_publishes);
        let of = Origin::new(0);
        assert_eq!((bus.has_others(of), bus.carries_commits(of)), (true, !store_publishes));
    }
}
