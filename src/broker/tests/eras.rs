//! What it takes to tell listeners that the store's history took another course, and to wait for what is late.

use crate::{
    broker::{
        Broker, ConnectionKey, Framing, Hub, Parts, Progress, record_of,
        test_support::{Wire, parts},
    },
    bus::{Publication, Receiver, faulty::Faulty},
    random::Random,
    store::{
        Answer, Bounds, Commit, Done, Few, Lease, Memory, Millis, Nodes, Operation, Outcome, Owned, Page, Part, Read,
        Snapshot, Store, Terms,
    },
};
use backsync_protocol::{ModelName, Position};
use serde_json::{Value, json};
use std::{
    cell::RefCell,
    mem::take,
    rc::Rc,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::task::{LocalSet, yield_now};

/// A store that others write to, and that can become another one. It counts what it is asked.
#[derive(Default)]
struct Watched(Mutex<State>);

#[derive(Default)]
struct State {
    memory: Memory,
    reads: Vec<Read>,
    pages: usize,
}

impl Watched {
    /// Somebody else writes a record.
    fn write(&self, record: &Value) -> Done {
        let (record, terms) = (record_of(record).unwrap(), Terms::default());
        let operations = [Operation::Upsert { record, replace: false, terms }].into_iter().collect();
        let part = Part { model: ModelName::parse("M").unwrap(), bounds: Bounds::default(), operations };
        let commit = Commit { parts: vec![part], transaction: None, now: 0 };
        let Answer::Ready(Some(Ok(mut outcomes))) = self.commit([commit].into_iter().collect()) else { unreachable!() };
        outcomes.remove(0).unwrap().parts.remove(0)
    }

    fn begin_anew(&self) {
        self.0.lock().unwrap().memory = Memory::default();
    }

    fn reads(&self) -> Vec<Read> {
        take(&mut self.0.lock().unwrap().reads)
    }

    fn pages(&self) -> usize {
        take(&mut self.0.lock().unwrap().pages)
    }
}

impl Store for Watched {
    fn commit(&self, commits: Few<Commit>) -> Answer<Few<Outcome>> {
        self.0.lock().unwrap().memory.commit(commits)
    }
    fn read(&self, model: &ModelName, read: Read) -> Answer<Snapshot> {
        let mut state = self.0.lock().unwrap();
        state.reads.push(read.clone());
        state.memory.read(model, read)
    }
    fn changes(&self, model: &ModelName, after: Position, limit: usize) -> Answer<Option<Page>> {
        let mut state = self.0.lock().unwrap();
        state.pages += 1;
        state.memory.changes(model, after, limit)
    }
    fn positions(&self, models: &[ModelName]) -> Answer<Vec<Position>> {
        self.0.lock().unwrap().memory.positions(models)
    }
    fn is_shared(&self) -> bool {
        true
    }
    fn owned(&self) -> Answer<Vec<Owned>> {
        self.0.lock().unwrap().memory.owned()
    }
    fn renew(&self, lease: Lease, now: Millis) -> Answer<Nodes> {
        self.0.lock().unwrap().memory.renew(lease, now)
    }
    fn close(&self) -> Answer<()> {
        self.0.lock().unwrap().memory.close()
    }
}

struct Node {
    store: Arc<Watched>,
    bus: Arc<Faulty>,
    broker: Broker,
    hub: Rc<RefCell<Hub>>,
}

impl Node {
    fn over(bus: Faulty) -> Self {
        let (store, bus) = (Arc::new(Watched::default()), Arc::new(bus));
        // Nothing comes of the bus but what a test gives the node.
        bus.cut();
        let broker = Broker::new(Parts { bus: bus.clone(), ..parts(store.clone()) });
        let hub = Hub::new(broker.clone(), 0);
        Self { store, bus, broker, hub }
    }

    fn listener(&self, data: &Value) -> (ConnectionKey, Rc<Wire>) {
        let wire = Rc::new(Wire::default());
        let mut hub = self.hub.borrow_mut();
        let key = hub.open(Framing::WebSocket, wire.clone());
        let message = json!({"id": 0, "event": "M:read", "data": data}).to_string();
        assert_eq!(hub.receive(key, &message), Progress::Taken);
        hub.flush();
        assert_eq!(wire.take().len(), 1);
        (key, wire)
    }

    fn hears(&self, done: &Done) {
        let (model, epoch) = (ModelName::parse("M").unwrap(), done.position.epoch);
        self.broker.0.receive(Publication { model, epoch, changes: done.changes.as_slice().into() });
    }

    async fn settle(&self) {
        for _ in 0..20 {
            yield_now().await;
        }
        self.hub.borrow_mut().flush();
    }
}

fn run(test: impl AsyncFnOnce(Node)) {
    run_over(Faulty::default(), test);
}

fn run_over(bus: Faulty, test: impl AsyncFnOnce(Node)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    LocalSet::new().block_on(&runtime, async { test(Node::over(bus)).await });
}

#[test]
fn many_listeners_are_told_anew_by_one_question_for_each_part() {
    run(async |node: Node| {
        node.store.write(&json!({"id": "a", "n": 1}));
        let parts = [json!({}), json!({"where": {"n": 1}}), json!({"ids": ["a"]})];
        let listeners: Vec<_> = (0..300).map(|n| node.listener(&parts[n % 3])).collect();
        node.store.begin_anew();
        node.store.write(&json!({"id": "b", "n": 1}));
        node.store.reads();
        node.broker.look().await.unwrap();
        node.settle().await;
        assert_eq!((node.store.pages(), node.bus.mended()), (0, 0), "it may be on its way");
        node.broker.look().await.unwrap();
        node.settle().await;
        assert_eq!((node.store.reads().len(), node.bus.mended()), (3, 1));
        let told: [&[&str]; 3] = [&["b"], &["b"], &[]];
        for (n, (_, wire)) in listeners.iter().enumerate() {
            let messages = wire.take();
            assert_eq!((messages.len(), &messages[0]["event"]), (1, &json!("M:reset")), "{messages:?}");
            let ids: Vec<_> = messages[0]["data"].as_array().unwrap().iter().map(|r| r["id"].clone()).collect();
            assert_eq!(ids, told[n % 3]);
        }
        // They go on from there.
        node.hears(&node.store.write(&json!({"id": "a", "n": 1})));
        node.settle().await;
        assert!(listeners.iter().all(|(_, wire)| wire.take().len() == 1));
    });
}

#[test]
fn who_goes_before_all_are_told_is_not_missed() {
    run(async |node: Node| {
        let listeners: Vec<_> = (0..3).map(|_| node.listener(&json!({}))).collect();
        node.store.begin_anew();
        for _ in 0..2 {
            node.broker.look().await.unwrap();
        }
        node.hub.borrow_mut().remove(listeners[1].0);
        node.settle().await;
        for (_, wire) in [&listeners[0], &listeners[2]] {
            assert_eq!(wire.take()[0]["event"], "M:reset");
        }
        assert_eq!(listeners[1].1.take(), Vec::<Value>::new());
    });
}

#[test]
fn what_is_probably_on_its_way_is_waited_for_before_the_log_is_read() {
    run(what_is_early_is_waited_for);
}

#[test]
fn it_is_waited_for_too_where_the_store_tells_of_commits() {
    run_over(Faulty::of_the_store(), what_is_early_is_waited_for);
}

#[test]
fn the_broker_tells_others_only_what_the_store_does_not() {
    for (bus, is_told) in [(Faulty::default(), true), (Faulty::of_the_store(), false)] {
        run_over(bus, async |node: Node| {
            let other = Broker::new(Parts { bus: node.bus.clone(), ..parts(node.store.clone()) });
            // Both have the model placed, with a bus that is cut, and nobody waits for it.
            for broker in [&node.broker, &other] {
                broker.upsert("M", &json!({"id": "a", "n": 1})).await.unwrap();
            }
            node.bus.come_back();
            node.broker.upsert("M", &json!({"id": "a", "n": 2})).await.unwrap();
            assert_eq!(node.bus.step(&mut Random::seeded(1)), is_told);
        });
    }
}

async fn what_is_early_is_waited_for(node: Node) {
    // Somebody who may write, too.
    let other = Broker::new(Parts { bus: node.bus.clone(), ..parts(node.store.clone()) });
    let (_, wire) = node.listener(&json!({}));
    let [first, second, third, fourth] = [1, 2, 3, 4].map(|n| node.store.write(&json!({"id": "a", "n": n})));
    node.hears(&second);
    node.settle().await;
    node.hears(&first);
    tokio::time::advance(Duration::from_millis(60)).await;
    node.settle().await;
    assert_eq!((wire.take().len(), node.store.pages()), (2, 0));
    node.hears(&fourth);
    node.settle().await;
    tokio::time::advance(Duration::from_millis(40)).await;
    node.settle().await;
    assert_eq!((wire.take().len(), node.store.pages()), (0, 0));
    tokio::time::advance(Duration::from_millis(20)).await;
    node.settle().await;
    assert_eq!((wire.take().len(), node.store.pages()), (2, 1));
    node.hears(&third);
    // What is known to be is not waited for.
    let fifth = node.store.write(&json!({"id": "a", "n": 5}));
    node.broker.0.stands(&ModelName::parse("M").unwrap(), fifth.position);
    node.settle().await;
    assert_eq!((wire.take().len(), node.store.pages()), (1, 1));
    // The bus was away.
    node.store.write(&json!({"id": "a", "n": 6}));
    node.bus.come_back();
    node.settle().await;
    assert_eq!((wire.take().len(), node.store.pages()), (1, 1));
    drop(other);
}
