//! Whatever goes wrong, every listener sees the log as it is, and who writes is told what was done.
//!
//! One node or two over one store, each with two hubs; connections that come and go, listen to everything or with filters,
//! resume where they were and repeat what was not answered. The store's work and answers are let through one by one; the bus
//! loses, repeats and reorders; clocks step; nodes die and start anew; the store is put back to an earlier state. All of it
//! is driven by a seeded random choice in one thread. `docs/testing.md` says how to try more seeds, and one again.

use super::{
    client::{Ask, Client},
    lagging::Lagging,
    truth::{Truth, model},
};
use crate::{
    broker::{
        Broker, ConnectionKey, Framing, Hub, ModelRules, Parts, Progress,
        test_support::{Wire, parts},
    },
    bus::faulty::Faulty,
    random::Random,
    store::{Bounds, Millis, Retention},
};
use backsync_protocol::ConflictPolicy;
use serde_json::json;
use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    env,
    num::{NonZeroU32, NonZeroU64},
    rc::Rc,
    sync::{Arc, Mutex},
};
use tokio::task::LocalSet;

const HOUR: Millis = 60 * 60 * 1000;

/// When nothing has moved for so many rounds, nothing moves by itself any more.
const STILL: usize = 200;

/// After so many of them, what chance left lying is delivered.
const FLUSH: usize = 10;

thread_local! {
    static NOW: Cell<Millis> = const { Cell::new(0) };
}

struct Node {
    store: Arc<Lagging>,
    hubs: [Rc<RefCell<Hub>>; 2],
}

struct World {
    context: String,
    random: Random,
    truth: Arc<Mutex<Truth>>,
    bus: Arc<Faulty>,
    is_reliable: bool,
    /// Whether a node may lack what others did until somebody writes: the bus lost it, or they died before they told.
    needs_write: bool,
    rules: ModelRules,
    nodes: Vec<Node>,
    clients: Vec<Client>,
}

fn start(truth: &Arc<Mutex<Truth>>, bus: &Arc<Faulty>, rules: &ModelRules) -> Node {
    let store = Lagging::new(truth.clone());
    let broker = Broker::new(Parts {
        workers: 2,
        bus: bus.clone(),
        rules: HashMap::from([(model(), rules.clone())]),
        clock: || NOW.get(),
        ..parts(store.clone())
    });
    let hubs = [Hub::new(broker.clone(), 0), Hub::new(broker, 1)];
    Node { store, hubs }
}

fn open(hub: &Rc<RefCell<Hub>>) -> (ConnectionKey, Rc<Wire>) {
    let wire = Rc::new(Wire::default());
    (hub.borrow_mut().open(Framing::WebSocket, wire.clone()), wire)
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random::seeded(seed);
        // Little is kept, so that who comes back meets every kind of answer. Two nodes need what they have to catch up with.
        let little = Retention { log_entries: 6, tombstones: 2, tombstone_age: HOUR, ..Retention::default() };
        let has_two = random.one_in(2);
        let retention = if !has_two && random.one_in(2) { little } else { Retention::default() };
        let bounds = Bounds {
            max_records: NonZeroU32::new(random.pick(&[0, 0, 0, 2])),
            max_age: NonZeroU64::new(random.pick(&[0, 0, 0, HOUR])),
        };
        let policy = random.pick(&[ConflictPolicy::ClientWins, ConflictPolicy::LatestWins]);
        let rules = ModelRules { bounds, policy, push_evictions: true, ..ModelRules::default() };
        let most = bounds.max_records.map_or(usize::MAX, |most| most.get() as usize);
        let truth = Arc::new(Mutex::new(Truth::new(1 + usize::from(has_two), retention, most)));
        let bus = Arc::new(Faulty::default());
        let nodes: Vec<Node> = (0..1 + usize::from(has_two)).map(|_| start(&truth, &bus, &rules)).collect();
        let clients = (0..4_usize).map(|n| {
            let (node, hub) = (n / 2 % nodes.len(), n % 2);
            let name = (n > 0).then(|| format!("c{n}"));
            let mut client = Client::new(name, &mut random, open(&nodes[node].hubs[hub]));
            (client.node, client.hub) = (node, hub);
            client
        });
        let clients = clients.collect();
        let (context, is_reliable, needs_write) = (format!("seed {seed}"), !has_two, has_two);
        Self { context, random, truth, bus, is_reliable, needs_write, rules, nodes, clients }
    }

    /// One thing happens somewhere. Answers whether it made a difference.
    fn step(&mut self) -> bool {
        let sending: Vec<usize> = (0..self.clients.len()).filter(|n| !self.clients[*n].to_send.is_empty()).collect();
        let node = self.random.index(self.nodes.len());
        match self.random.below(64) {
            0 if !sending.is_empty() => {
                NOW.set(self.random.below(8 * HOUR));
                false
            }
            1 if !sending.is_empty() && self.random.one_in(3) => {
                self.die(node);
                true
            }
            2 if !sending.is_empty() && self.random.one_in(6) => {
                self.roll_back();
                true
            }
            3..24 if !sending.is_empty() => {
                let at = sending[self.random.index(sending.len())];
                self.send(at)
            }
            24..40 => {
                let hub = self.random.index(2);
                self.nodes[node].hubs[hub].borrow_mut().flush();
                false
            }
            40..48 => self.bus.step(&mut self.random, self.is_reliable),
            _ => self.nodes[node].store.step(&mut self.random),
        }
    }

    fn send(&mut self, at: usize) -> bool {
        let client = &mut self.clients[at];
        if let Ask::Reconnect = client.to_send[0] {
            client.to_send.pop_front();
            self.nodes[client.node].hubs[client.hub].borrow_mut().remove(client.key);
            self.come_back(at);
            return true;
        }
        let hub = &self.nodes[client.node].hubs[client.hub];
        let taken = hub.borrow_mut().receive(client.key, &client.message()) == Progress::Taken;
        if taken {
            client.sent(&mut self.random);
        }
        taken
    }

    /// A client comes back, perhaps to another node.
    fn come_back(&mut self, at: usize) {
        let (node, hub) = (self.random.index(self.nodes.len()), self.random.index(2));
        let client = &mut self.clients[at];
        (client.node, client.hub) = (node, hub);
        client.come_back(open(&self.nodes[node].hubs[hub]));
    }

    /// A node dies, with what it had begun, and starts anew.
    fn die(&mut self, node: usize) {
        self.needs_write = self.nodes.len() > 1;
        self.nodes[node].store.cut(&mut self.random);
        self.nodes[node] = start(&self.truth, &self.bus, &self.rules);
        for at in 0..self.clients.len() {
            if self.clients[at].node == node {
                self.come_back(at);
            }
        }
    }

    /// The store is put back to an earlier state; whoever worked with it starts anew.
    fn roll_back(&mut self) {
        for node in &self.nodes {
            node.store.cut(&mut self.random);
        }
        let commits = self.truth.lock().unwrap().commits();
        let kept = self.random.index(commits + 1);
        self.truth.lock().unwrap().roll_back(kept);
        self.clients.iter_mut().for_each(Client::forget_outcomes);
        for node in 0..self.nodes.len() {
            self.die(node);
        }
    }

    /// The bus works again, and somebody writes on each node: that is all it takes to make good what the bus lost.
    fn heal(&mut self) {
        (self.is_reliable, self.needs_write) = (true, false);
        for (n, node) in self.nodes.iter().enumerate() {
            let mut hub = node.hubs[0].borrow_mut();
            let key = hub.open(Framing::WebSocket, Rc::new(Wire::default()));
            let write =
                json!({"event": "M:upsert", "data": {"id": format!("node {n}"), "n": self.random.below(1 << 30)}});
            assert_eq!(hub.receive(key, &write.to_string()), Progress::Taken);
        }
    }

    fn flush(&self) {
        self.nodes.iter().flat_map(|node| &node.hubs).for_each(|hub| hub.borrow_mut().flush());
    }

    fn is_idle(&self) -> bool {
        self.bus.is_idle() && self.nodes.iter().all(|node| node.store.is_idle())
    }

    fn take_in(&mut self) -> bool {
        let truth = self.truth.lock().unwrap();
        let mut has_moved = false;
        for client in &mut self.clients {
            has_moved |= client.take_in(&truth, &self.context);
        }
        has_moved
    }
}

async fn run(seed: u64) {
    NOW.set(4 * HOUR);
    let mut world = World::new(seed);
    let mut still = 0;
    loop {
        let moved = world.step();
        tokio::task::yield_now().await;
        let moved = world.take_in() | moved | !world.is_idle();
        still = if moved { 0 } else { still + 1 };
        if still % FLUSH == FLUSH - 1 {
            world.flush();
        }
        let is_done = world.clients.iter().all(Client::is_done);
        // Who waits for ever waits for more than a few rounds.
        if still > if is_done { STILL / 10 } else { STILL } {
            if !world.needs_write {
                break;
            }
            world.heal();
            still = 0;
        }
    }
    let context = world.context.clone();
    assert!(world.clients.iter().all(Client::is_done), "{context}: somebody waits for ever");
    world.flush();
    world.take_in();
    for client in &world.clients {
        client.is_up_to_date(&world.truth.lock().unwrap(), &context);
    }
}

/// Names the seed, whatever fails.
struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("to see it again: BACKSYNC_SEED={} cargo test --lib simulation", self.0);
        }
    }
}

#[test]
fn every_listener_sees_the_log_as_it_is_whatever_goes_wrong() {
    let number = |name| env::var(name).ok().map(|value| value.parse::<u64>().expect("a seed is a whole number"));
    let (first, count) = (number("BACKSYNC_SEED"), number("BACKSYNC_SEEDS"));
    let count = count.unwrap_or(if first.is_some() { 1 } else { 2000 });
    let first = first.unwrap_or(0);
    for seed in first..first + count {
        let _named = Named(seed);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        LocalSet::new().block_on(&runtime, run(seed));
    }
}
