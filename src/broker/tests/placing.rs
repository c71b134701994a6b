//! A node comes to know where a model stands, and lets go of it: whatever happens in between, nothing is lost and nothing comes
//! twice, and nobody has to look for that where the store stands.

use super::{
    lagging::Lagging,
    truth::{Truth, model},
};
use crate::{
    broker::{
        Broker, ConnectionKey, Framing, Hub, Parts, Progress,
        door::{Gap, Stand},
        hub::Scope,
        model::Model,
        test_support::{Wire, parts},
    },
    bus::faulty::Faulty,
    random::Random,
    store::Retention,
};
use backsync_protocol::{Epoch, Position, Revision};
use serde_json::{Value, json};
use std::{
    cell::RefCell,
    num::NonZeroU64,
    rc::Rc,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::task::{LocalSet, yield_now};

struct Node {
    bus: Arc<Faulty>,
    store: Arc<Lagging>,
    broker: Broker,
    hub: Rc<RefCell<Hub>>,
    key: ConnectionKey,
    wire: Rc<Wire>,
}

/// Two nodes over one store, and a bus that loses nothing. Time stands still: nobody looks where the store stands.
struct World {
    bus: Arc<Faulty>,
    random: Random,
    here: Node,
    there: Node,
}

impl Node {
    fn over(truth: &Arc<Mutex<Truth>>, bus: &Arc<Faulty>) -> Self {
        let store = Lagging::new(truth.clone());
        let broker = Broker::new(Parts { bus: bus.clone(), ..parts(store.clone()) });
        let hub = Hub::new(broker.clone(), 0);
        let wire = Rc::new(Wire::default());
        let key = hub.borrow_mut().open(Framing::WebSocket, wire.clone());
        Self { bus: bus.clone(), store, broker, hub, key, wire }
    }

    fn send(&self, method: &str, message: Value) {
        let mut message = message;
        (message["id"], message["event"]) = (json!(1), json!(format!("{}:{method}", model())));
        assert_eq!(self.hub.borrow_mut().receive(self.key, &message.to_string()), Progress::Taken);
    }

    fn model(&self) -> Arc<Model> {
        self.broker.model("M").unwrap()
    }

    /// Let go of the model, if nobody has use for it, however long ago that was.
    fn let_go(&self) {
        self.broker.let_go();
        self.broker.let_go();
    }

    fn is_followed(&self) -> bool {
        self.bus.is_followed(self.broker.origin(), &model())
    }

    /// Ids of the records that it was told since this was last asked, by replies and by pushes.
    fn told(&self) -> Vec<String> {
        let messages = self.wire.take();
        let records = messages.iter().flat_map(|message| match &message["data"] {
            Value::Array(records) => records.clone(),
            record => vec![record.clone()],
        });
        let mut ids: Vec<_> = records.filter_map(|record| Some(record["id"].as_str()?.to_owned())).collect();
        ids.sort();
        ids
    }
}

impl World {
    fn new() -> Self {
        let truth = Arc::new(Mutex::new(Truth::new(true, Retention::default(), usize::MAX, false)));
        let (bus, random) = (Arc::new(Faulty::faithful()), Random::seeded(1));
        let [here, there] = [0, 1].map(|_| Node::over(&truth, &bus));
        Self { bus, random, here, there }
    }

    /// Somebody here listens, and has left again when this is over.
    async fn listen_for_a_while(&mut self) {
        self.here.send("read", json!({}));
        self.settle().await;
        self.here.send("unsubscribe", json!({}));
        self.settle().await;
    }

    /// One thing goes on: the bus does what it was asked or brings what it has, or the store of this node works, or answers.
    async fn step(&mut self, at: usize) {
        match at % 2 {
            0 => drop(self.bus.step(&mut self.random)),
            _ => drop(self.here.store.step(&mut self.random)),
        }
        yield_now().await;
        self.here.hub.borrow_mut().flush();
    }

    /// The other node writes, and the bus has not brought it yet.
    async fn write_there(&mut self, id: &str) {
        self.there.send("upsert", json!({"data": {"id": id}}));
        for _ in 0..10 {
            self.there.store.step(&mut self.random);
            yield_now().await;
        }
    }

    async fn settle(&mut self) {
        for _ in 0..50 {
            while self.bus.step(&mut self.random) {}
            for node in [&self.here, &self.there] {
                while node.store.step(&mut self.random) {}
                yield_now().await;
                node.hub.borrow_mut().flush();
            }
        }
    }
}

fn run(test: impl AsyncFnOnce(World)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let mut world = World::new();
        // The other node has the model placed.
        world.there.send("read", json!({}));
        world.settle().await;
        test(world).await;
    });
}

#[test]
fn what_others_tell_while_the_store_is_asked_where_a_model_stands_is_not_lost() {
    run(async |mut world: World| {
        world.here.send("read", json!({}));
        world.step(0).await;
        assert!(world.here.is_followed(), "the node hears of the model from now on");
        assert!(
            world.here.store.step(&mut world.random),
            "the store says where the model stands, and is not heard yet"
        );
        world.write_there("a").await;
        world.settle().await;
        assert_eq!(world.here.told(), ["a"]);
    });
}

#[test]
fn what_nobody_has_use_for_is_let_go_of_after_a_while() {
    run(async |mut world: World| {
        world.here.send("read", json!({}));
        world.settle().await;
        world.here.let_go();
        world.settle().await;
        assert!(world.here.is_followed(), "somebody listens");
        world.here.send("unsubscribe", json!({}));
        world.settle().await;
        world.here.broker.let_go();
        world.settle().await;
        assert!(world.here.is_followed(), "who comes back soon finds all as it was");
        world.here.broker.let_go();
        world.settle().await;
        assert!(!world.here.is_followed());
        world.write_there("a").await;
        assert_eq!(world.here.told(), [""; 0]);
        world.here.send("read", json!({}));
        world.settle().await;
        assert!(world.here.is_followed());
        assert_eq!(world.here.told(), ["a"]);
        world.write_there("b").await;
        world.settle().await;
        assert_eq!(world.here.told(), ["b"]);
        // Who writes has use for it, too.
        world.here.send("unsubscribe", json!({}));
        world.settle().await;
        for n in 0..5 {
            world.here.broker.let_go();
            world.here.send("upsert", json!({"data": {"id": "c", "n": n}}));
            world.settle().await;
            assert!(world.here.is_followed());
        }
    });
}

#[test]
fn a_node_that_watches_lets_go_by_itself_a_minute_or_two_after_the_last_use() {
    run(async |mut world: World| {
        world.here.send("read", json!({"options": {"listen": false}}));
        world.settle().await;
        let watch = tokio::spawn(world.here.broker.clone().watch());
        let begin = tokio::time::Instant::now();
        while world.here.is_followed() {
            tokio::time::advance(Duration::from_millis(100)).await;
            world.settle().await;
            assert!(begin.elapsed() < Duration::from_secs(150));
        }
        assert!(begin.elapsed() > Duration::from_secs(60));
        watch.abort();
    });
}

#[test]
fn who_begins_to_listen_while_a_model_is_let_go_of_misses_nothing_and_hears_nothing_twice() {
    // Let go of before, and at every moment of the read; with and without a history before that.
    for moment in 0..40 {
        let (steps, was_there, was_let_go) = (moment / 4, moment % 2 == 0, moment / 2 % 2 == 0);
        run(async |mut world: World| {
            if was_there {
                world.listen_for_a_while().await;
            }
            world.write_there("a").await;
            if was_let_go {
                world.here.let_go();
            }
            world.here.told();
            world.here.send("read", json!({}));
            for at in 0..steps {
                world.step(at).await;
            }
            world.here.let_go();
            world.write_there("b").await;
            world.here.let_go();
            world.settle().await;
            world.write_there("c").await;
            world.settle().await;
            assert_eq!(world.here.told(), ["a", "b", "c"], "after {steps} steps, {was_there}, {was_let_go}");
            assert!(world.here.is_followed());
        });
    }
}

#[test]
fn what_is_written_while_a_model_is_let_go_of_is_answered_in_order_behind_what_others_did() {
    // At every moment of the writes, the last three of which are one step; with and without a history before that, and somebody who
    // has the model placed anew while outcomes wait.
    for moment in 0..80 {
        let (steps, was_there, is_read) = (moment / 4, moment % 2 == 0, moment / 2 % 2 == 0);
        run(async |mut world: World| {
            if was_there {
                world.listen_for_a_while().await;
                world.here.told();
            }
            world.here.send("upsert", json!({"data": {"id": "a"}}));
            world.here.send("upsert", json!({"data": {"id": "b"}}));
            world.here.send("upsert", json!({"data": {"id": "a", "_rev": 9}, "options": {"policy": "server-wins"}}));
            world.here.send("upsert", json!({"data": {"id": "c"}}));
            for at in 0..steps {
                world.step(at).await;
            }
            world.here.let_go();
            while is_read && world.bus.step(&mut world.random) {}
            world.write_there("d").await;
            world.settle().await;
            let mut reader = world.here.hub.borrow_mut().open(Framing::WebSocket, Rc::new(Wire::default()));
            if is_read {
                std::mem::swap(&mut world.here.key, &mut reader);
                world.here.send("read", json!({"options": {"listen": false}}));
                std::mem::swap(&mut world.here.key, &mut reader);
                world.settle().await;
            }
            // What nobody tells the node is read when it does not come by itself.
            tokio::time::advance(Duration::from_millis(60)).await;
            world.settle().await;
            let told = world.here.wire.take();
            let told: Vec<_> = told.iter().map(|reply| (&reply["data"]["id"], &reply["error"]["code"])).collect();
            let none = Value::Null;
            let [a, b, c] = ["a", "b", "c"].map(Value::from);
            let expected = [(&a, &none), (&b, &none), (&none, &json!("conflict")), (&c, &none)];
            assert_eq!(told, expected, "after {steps} steps, {was_there}, {is_read}");
            world.here.send("read", json!({}));
            world.settle().await;
            assert_eq!(world.here.told(), ["a", "b", "c", "d"]);
        });
    }
}

#[test]
fn a_publication_that_comes_after_a_model_was_let_go_of_does_no_harm() {
    run(async |mut world: World| {
        world.here.send("read", json!({}));
        world.settle().await;
        world.write_there("a").await;
        world.here.send("unsubscribe", json!({}));
        world.here.let_go();
        world.here.told();
        assert!(!world.here.model().is_placed());
        // The publication is on its way; that the model is followed no more, too.
        world.settle().await;
        world.here.send("read", json!({}));
        world.settle().await;
        world.write_there("b").await;
        world.settle().await;
        assert_eq!(world.here.told(), ["a", "b"]);
    });
}

#[test]
fn who_begins_to_listen_in_the_moment_in_which_a_model_is_let_go_of_is_found_by_the_next_look() {
    run(async |mut world: World| {
        world.here.send("read", json!({"options": {"listen": false}}));
        world.settle().await;
        let (model, key) = (world.here.model(), world.here.key);
        assert!(model.is_ready(), "a worker has seen that");
        world.here.let_go();
        world.settle().await;
        world.here.hub.borrow_mut().pause(key, &model);
        world.write_there("a").await;
        world.settle().await;
        let look = {
            let broker = world.here.broker.clone();
            tokio::spawn(async move { broker.look().await.unwrap() })
        };
        world.settle().await;
        assert!(look.is_finished() && world.here.is_followed());
        world.write_there("b").await;
        world.settle().await;
        let held = world.here.hub.borrow_mut().unpause(key, &model, Scope::default());
        assert_eq!(held.len(), 2, "{held:?}");
    });
}

#[test]
fn only_where_a_model_stood_since_it_is_followed_says_where_delivery_begins() {
    run(async |world: World| {
        let (model, node) = (world.here.model(), &world.here);
        let at = |epoch: u64, revision| Position {
            epoch: Epoch(NonZeroU64::new(epoch).unwrap()),
            revision: Revision(revision),
        };
        let listen = |listening| model.interest(0, Framing::WebSocket, listening);
        model.follow(|| ());
        node.let_go();
        assert_eq!((model.place(at(1, 5)), model.is_placed()), (None, false), "it was let go of since");
        // Somebody else has it followed by now, but the store had been asked before.
        model.follow(|| ());
        assert_eq!((model.place(at(1, 5)), model.is_placed()), (None, true));
        assert_eq!(listen(true), Stand { era: 0, position: at(1, 5) });
        assert_eq!(model.place(at(1, 7)), Some(Gap::Missing), "what was between the two is read");
        assert_eq!(model.next_gap(), Some(at(1, 5)));
        // What nobody hears is not read from the log,
        listen(false);
        node.let_go();
        model.follow(|| ());
        model.place(at(1, 90));
        assert_eq!((listen(true), model.next_gap()), (Stand { era: 0, position: at(1, 90) }, None));
        // unless somebody told of it meanwhile, or it is of another history.
        listen(false);
        node.let_go();
        assert!(model.hear_early());
        model.follow(|| ());
        assert_eq!(model.place(at(1, 95)), Some(Gap::Missing));
        assert_eq!((model.next_gap(), model.next_gap()), (Some(at(1, 95)), None));
        assert_eq!(model.place(at(2, 3)), Some(Gap::Missing));
        assert_eq!(listen(true), Stand { era: 1, position: at(2, 3) });
    });
}
