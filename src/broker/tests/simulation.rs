//! Whatever goes wrong, every listener sees the log as it is, and who writes is told what was done.
//!
//! One to three nodes over one store, each with two hubs; connections that come and go, listen to everything or with filters,
//! resume where they were and repeat what was not answered. The store's work and answers are let through one by one, and fail
//! now and then; the bus loses, repeats and reorders, is cut and comes back, or is dead for good; clocks step; some read slowly;
//! nodes die and start anew, and let go of what nobody listens to; the store is put back to an earlier state, under nodes that run
//! on. All of it is driven by a seeded random choice in one thread, time too. `docs/testing.md` says how to try more seeds, and one
//! again.

use super::{
    client::{Ask, Client},
    lagging::Lagging,
    truth::{Truth, model},
};
use crate::{
    broker::{
        Broker, ConnectionKey, Framing, Hub, Limits, ModelRules, Parts, Progress,
        test_support::{Wire, parts},
    },
    bus::faulty::Faulty,
    random::{Random, each_seed},
    store::{Bounds, Millis, Retention},
};
use backsync_protocol::ConflictPolicy;
use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    num::{NonZeroU32, NonZeroU64},
    rc::Rc,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::task::{JoinHandle, LocalSet, yield_now};

const HOUR: Millis = 60 * 60 * 1000;

/// When no client has come further for so many rounds, all that is on its way is let through.
const STILL: usize = 100;

/// So often the time then goes on, for whoever looks at the store now and then, and tries again after a failure.
const TICKS: usize = 20;
const TICK: Duration = Duration::from_millis(600);

thread_local! {
    static NOW: Cell<Millis> = const { Cell::new(0) };
}

struct Node {
    store: Arc<Lagging>,
    hubs: [Rc<RefCell<Hub>>; 2],
    watch: JoinHandle<()>,
}

struct World {
    context: String,
    random: Random,
    truth: Arc<Mutex<Truth>>,
    bus: Arc<Faulty>,
    /// Whether the bus comes back when it was cut.
    has_bus: bool,
    /// Whether the store fails now and then.
    is_failing: bool,
    /// Whether some read slowly.
    are_slow: bool,
    /// Whether all that happens is told by the bus: it loses nothing, no node dies, no store fails, and nobody looks where it stands.
    is_told: bool,
    rules: ModelRules,
    nodes: Vec<Node>,
    clients: Vec<Client>,
}

fn open(hub: &Rc<RefCell<Hub>>) -> (ConnectionKey, Rc<Wire>) {
    let wire = Rc::new(Wire::default());
    (hub.borrow_mut().open(Framing::WebSocket, wire.clone()), wire)
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random::seeded(seed);
        // Little is kept, so that who comes back, and a node that was cut off, meets every kind of answer.
        let little = Retention { log_entries: 6, tombstones: 2, tombstone_age: HOUR, ..Retention::default() };
        let count = random.pick(&[1, 1, 2, 2, 3]);
        let is_short = random.one_in(2);
        let retention = if is_short { little } else { Retention::default() };
        let bounds = Bounds {
            max_records: NonZeroU32::new(random.pick(&[0, 0, 0, 2])),
            max_age: NonZeroU64::new(random.pick(&[0, 0, 0, HOUR])),
        };
        let policy = random.pick(&[ConflictPolicy::ClientWins, ConflictPolicy::LatestWins]);
        let rules = ModelRules { bounds, policy, push_evictions: true, ..ModelRules::default() };
        let most = bounds.max_records.map_or(usize::MAX, |most| most.get() as usize);
        let is_told = random.one_in(4);
        let (is_failing, are_slow) = (random.one_in(4) && !is_told, random.one_in(4));
        let is_shared = count > 1 || random.one_in(2);
        let is_rough = (is_short && is_shared) || is_failing || are_slow;
        let truth = Arc::new(Mutex::new(Truth::new(is_shared, retention, most, is_rough)));
        let (bus, has_bus) =
            (if is_told { Faulty::faithful() } else { Faulty::default() }, !random.one_in(6) || is_told);
        let bus = Arc::new(bus);
        let (nodes, clients) = Default::default();
        let context = format!("seed {seed}");
        let mut world =
            Self { context, random, truth, bus, has_bus, is_failing, are_slow, is_told, rules, nodes, clients };
        if !has_bus {
            world.bus.cut();
        }
        world.nodes = (0..count).map(|_| world.start()).collect();
        world.clients = (0..4_usize)
            .map(|n| {
                let (node, hub) = (n / 2 % count, n % 2);
                let name = (n > 0).then(|| format!("c{n}"));
                let mut client = Client::new(name, &mut world.random, open(&world.nodes[node].hubs[hub]));
                (client.node, client.hub) = (node, hub);
                client
            })
            .collect();
        world
    }

    fn start(&self) -> Node {
        let store = Lagging::new(self.truth.clone());
        store.fail(self.is_failing);
        let queue_bytes = if self.are_slow { 300 } else { Limits::default().queue_bytes };
        let broker = Broker::new(Parts {
            workers: 2,
            bus: self.bus.clone(),
            limits: Limits { queue_bytes, ..Limits::default() },
            rules: HashMap::from([(model(), self.rules.clone())]),
            clock: || NOW.get(),
            ..parts(store.clone())
        });
        let watch = tokio::spawn(broker.clone().watch());
        if self.is_told {
            watch.abort();
        }
        Node { store, hubs: [Hub::new(broker.clone(), 0), Hub::new(broker, 1)], watch }
    }

    /// One thing happens somewhere.
    async fn step(&mut self) -> bool {
        let sending: Vec<usize> = (0..self.clients.len()).filter(|n| !self.clients[*n].to_send.is_empty()).collect();
        let (node, is_busy) = (self.random.index(self.nodes.len()), !sending.is_empty());
        match self.random.below(66) {
            64.. => self.let_go(node),
            0 if is_busy => NOW.set(self.random.below(8 * HOUR)),
            1 if is_busy && !self.is_told && self.random.one_in(3) => self.die(node),
            2 if is_busy && !self.is_told && self.random.one_in(4) => self.roll_back(),
            3 if is_busy && !self.is_told && self.has_bus => match self.random.one_in(2) {
                true => self.bus.cut(),
                false => self.bus.come_back(),
            },
            4 | 5 if is_busy && self.are_slow => {
                let at = self.random.index(self.clients.len());
                self.dawdle(at);
            }
            6 | 7 => tokio::time::advance(Duration::from_millis(self.random.pick(&[10, 60, 600]))).await,
            8..26 if is_busy => {
                let at = sending[self.random.index(sending.len())];
                return self.send(at);
            }
            26..40 => self.nodes[node].hubs[self.random.index(2)].borrow_mut().flush(),
            40..48 => drop(self.bus.step(&mut self.random)),
            _ => drop(self.nodes[node].store.step(&mut self.random)),
        }
        false
    }

    fn send(&mut self, at: usize) -> bool {
        let forks = self.truth.lock().unwrap().forks();
        let client = &mut self.clients[at];
        if let Ask::Reconnect = client.to_send[0] {
            client.to_send.pop_front();
            self.lose(at);
            return true;
        }
        let hub = &self.nodes[client.node].hubs[client.hub];
        let taken = hub.borrow_mut().receive(client.key, &client.message()) == Progress::Taken;
        if taken {
            client.sent(&mut self.random, forks);
        }
        taken
    }

    /// A client reads no more, or no more than a little, or again.
    fn dawdle(&mut self, at: usize) {
        let is_slow = self.random.one_in(2);
        let client = &self.clients[at];
        client.wire.is_full.set(is_slow);
        client.wire.room.set(self.random.index(300));
        if !is_slow {
            self.nodes[client.node].hubs[client.hub].borrow_mut().unblocked(client.key);
        }
    }

    fn lose(&mut self, at: usize) {
        let client = &self.clients[at];
        self.nodes[client.node].hubs[client.hub].borrow_mut().remove(client.key);
        self.come_back(at);
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
        self.nodes[node].store.cut(&mut self.random);
        self.nodes[node].watch.abort();
        self.nodes[node] = self.start();
        for at in 0..self.clients.len() {
            if self.clients[at].node == node {
                self.come_back(at);
            }
        }
    }

    /// The store is put back to an earlier state. Some who work with it start anew, and all where it is theirs alone.
    fn roll_back(&mut self) {
        let (commits, is_shared) = {
            let truth = self.truth.lock().unwrap();
            (truth.commits(), truth.is_shared())
        };
        let kept = commits - self.random.index(commits.min(8) + 1);
        self.truth.lock().unwrap().roll_back(kept);
        self.clients.iter_mut().for_each(Client::forget_outcomes);
        for node in 0..self.nodes.len() {
            if !is_shared || self.random.one_in(4) {
                self.die(node);
            }
        }
    }

    /// A node lets go of what nobody has had use for, for however long.
    fn let_go(&mut self, node: usize) {
        let broker = self.nodes[node].hubs[0].borrow().broker.clone();
        for _ in 0..1 + self.random.index(2) {
            broker.let_go();
        }
    }

    /// Nodes that know where delivery begins hear of what others do. When everybody has gone, they do so no more.
    fn end(&mut self) {
        let brokers: Vec<Broker> = self.nodes.iter().map(|node| node.hubs[0].borrow().broker.clone()).collect();
        let is_followed = |world: &Self, broker: &Broker| world.bus.is_followed(broker.origin(), &model());
        for broker in &brokers {
            let is_placed = broker.known_model("M").is_some_and(|model| model.is_placed());
            assert!(!is_placed || is_followed(self, broker), "{}: what is placed is followed", self.context);
        }
        for client in &self.clients {
            self.nodes[client.node].hubs[client.hub].borrow_mut().remove(client.key);
        }
        brokers.iter().chain(&brokers).for_each(Broker::let_go);
        while self.bus.step(&mut self.random) {}
        assert!(!brokers.iter().any(|broker| is_followed(self, broker)), "{}: all is let go of", self.context);
    }

    fn flush(&self) {
        self.nodes.iter().flat_map(|node| &node.hubs).for_each(|hub| hub.borrow_mut().flush());
    }

    /// Nothing fails any more, and all that is on its way is let through, but what the bus loses. Answers whether a client has
    /// come further.
    async fn settle(&mut self) -> bool {
        let mut has_moved = false;
        for node in &self.nodes {
            node.store.fail(false);
        }
        for at in 0..self.clients.len() {
            let client = &self.clients[at];
            client.wire.is_full.set(false);
            self.nodes[client.node].hubs[client.hub].borrow_mut().unblocked(client.key);
        }
        for _ in 0..TICKS {
            tokio::time::advance(TICK).await;
            for _ in 0..3 {
                yield_now().await;
            }
            loop {
                let mut is_moving = self.bus.step(&mut self.random);
                for node in &self.nodes {
                    is_moving |= node.store.step(&mut self.random);
                }
                yield_now().await;
                self.flush();
                let is_heard = self.take_in();
                has_moved |= is_heard;
                if !is_moving && !is_heard {
                    break;
                }
            }
        }
        for node in &self.nodes {
            node.store.fail(self.is_failing);
        }
        has_moved
    }

    fn take_in(&mut self) -> bool {
        let mut has_moved = false;
        for at in 0..self.clients.len() {
            has_moved |= self.clients[at].take_in(&self.truth.lock().unwrap(), &self.context);
            if self.clients[at].is_closed {
                self.lose(at);
            }
        }
        has_moved
    }
}

async fn run(seed: u64) {
    NOW.set(4 * HOUR);
    let mut world = World::new(seed);
    let mut still = 0;
    while !world.clients.iter().all(Client::is_done) {
        let has_sent = world.step().await;
        yield_now().await;
        still = if world.take_in() | has_sent { 0 } else { still + 1 };
        if still > STILL {
            let context = world.context.clone();
            assert!(world.settle().await || world.sends_something(), "{context}: somebody waits for ever");
            still = 0;
        }
    }
    world.settle().await;
    let context = world.context.clone();
    assert!(world.clients.iter().all(Client::is_done), "{context}: nobody has more to say");
    for client in &world.clients {
        client.is_up_to_date(&world.truth.lock().unwrap(), &context);
    }
    world.end();
    world.nodes.iter().for_each(|node| node.watch.abort());
}

impl World {
    /// Whether somebody can send what it has to send.
    fn sends_something(&mut self) -> bool {
        (0..self.clients.len()).any(|at| !self.clients[at].to_send.is_empty() && self.send(at))
    }
}

#[test]
fn every_listener_sees_the_log_as_it_is_whatever_goes_wrong() {
    each_seed("simulation", 2000, |seed| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        LocalSet::new().block_on(&runtime, run(seed));
    });
}
