//! Nodes that hear of each other by a real Redis, and let go of what nobody listens to.

use crate::{
    broker::{
        Broker, ConnectionKey, Framing, Hub, Parts, Progress,
        test_support::{Wire, parts},
    },
    bus,
    real_redis::{Options, Redis, Reply},
    store::{Retention, two_over_redis},
};
use serde_json::{Value, json};
use std::{
    cell::RefCell,
    rc::Rc,
    time::{Duration, Instant},
};
use tokio::task::LocalSet;

/// After so long a test is taken for hung.
const HUNG: Duration = Duration::from_secs(60);

/// How many nodes are subscribed to a channel that begins so.
fn subscribers(redis: &Redis, begin: &str) -> i64 {
    let of = |node: &crate::real_redis::Node, kind: &str| {
        let Reply::List(channels) = node.command(&["PUBSUB", &format!("{kind}CHANNELS"), &format!("{begin}*")]) else {
            unreachable!("a list of channels")
        };
        let count = |channel: &Reply| {
            let Reply::List(counts) = node.command(&["PUBSUB", &format!("{kind}NUMSUB"), channel.as_text().unwrap()])
            else {
                unreachable!("channels and numbers")
            };
            counts[1].as_number().unwrap()
        };
        channels.iter().map(count).sum::<i64>()
    };
    let kind = if redis.nodes().count() > 1 { "SHARD" } else { "" };
    redis.nodes().map(|(_, node)| of(node, kind)).sum()
}

struct Node {
    broker: Broker,
    hub: Rc<RefCell<Hub>>,
}

impl Node {
    fn let_go(&self) {
        self.broker.let_go();
        self.broker.let_go();
    }

    fn listener(&self) -> (ConnectionKey, Rc<Wire>) {
        let (wire, mut hub) = (Rc::new(Wire::default()), self.hub.borrow_mut());
        let key = hub.open(Framing::WebSocket, wire.clone());
        assert_eq!(hub.receive(key, r#"{"id":1,"event":"M:read"}"#), Progress::Taken);
        hub.flush();
        (key, wire)
    }

    async fn upsert(&self, id: &str) {
        self.broker.upsert("M", &json!({"id": id})).await.unwrap();
    }

    async fn until<T>(&self, what: &str, mut found: impl FnMut() -> Option<T>) -> T {
        let begin = Instant::now();
        loop {
            self.hub.borrow_mut().flush();
            if let Some(found) = found() {
                return found;
            }
            assert!(begin.elapsed() < HUNG, "{what}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The next message.
    async fn told(&self, wire: &Wire) -> Value {
        let told = self.until("nothing is told", || Some(wire.take()).filter(|told| !told.is_empty())).await;
        assert_eq!(told.len(), 1, "{told:?}");
        told[0]["data"].clone()
    }
}

/// Nobody looks where the store stands: all that is heard comes by the bus.
fn a_channel_is_left_and_subscribed_to_again(redis: &Redis, url: &str) {
    let stores = two_over_redis(Retention::default());
    let [here, there] = stores.map(|store| {
        let broker = Broker::new(Parts { bus: bus::over_redis(url), ..parts(store) });
        Node { hub: Hub::new(broker.clone(), 0), broker }
    });
    let prefix = "unfollowed:{M}:M:changes";
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let count = async |expected| {
            let is_so = || (subscribers(redis, prefix) == expected).then_some(());
            here.until(&format!("{expected} are subscribed"), is_so).await;
        };
        let (key, wire) = here.listener();
        assert_eq!(here.told(&wire).await, json!([]));
        count(1).await;
        there.upsert("a").await;
        assert_eq!(here.told(&wire).await["id"], "a");
        count(2).await;
        here.let_go();
        here.hub.borrow_mut().remove(key);
        here.broker.let_go();
        there.let_go();
        // Who listened until now may come back.
        count(1).await;
        here.broker.let_go();
        count(0).await;
        there.upsert("b").await;
        count(1).await;
        let (_, wire) = here.listener();
        let told = here.told(&wire).await;
        assert_eq!(told.as_array().unwrap().iter().map(|record| &record["id"]).collect::<Vec<_>>(), ["a", "b"]);
        count(2).await;
        there.upsert("c").await;
        assert_eq!(here.told(&wire).await["id"], "c");
        there.let_go();
        count(1).await;
        here.upsert("d").await;
        assert_eq!(here.told(&wire).await["id"], "d");
    });
}

#[test]
fn what_nobody_listens_to_is_left_and_who_listens_again_misses_nothing() {
    let redis = Redis::start(Options::single().append("no"));
    a_channel_is_left_and_subscribed_to_again(&redis, &format!("{}?prefix=unfollowed", redis.url()));
}

#[test]
fn what_nobody_listens_to_is_left_in_a_cluster_too() {
    let redis = Redis::start(Options::cluster());
    a_channel_is_left_and_subscribed_to_again(&redis, &format!("{}?prefix=unfollowed", redis.url()));
}
