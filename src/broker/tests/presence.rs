//! Whoever dies, is stopped or goes elsewhere: who is here has its records, and who is not has none for long.
//!
//! Two or three nodes over one store; named clients that come, write, go, and come back elsewhere, with connections that
//! are dead before anybody notices. Nodes are killed and started anew, or stopped for longer than their leases, in the midst of
//! their work. A node does what is due when it is due, but for one that is stopped; what several do at one time is in any order.

mod judge;
mod node;
mod trouble;

use crate::{
    broker::{
        Broker, ConnectionKey, Framing, Hub, ModelRules, Parts, Progress,
        test_support::{Wire, parts},
    },
    bus::Local,
    random::{Random, each_seed},
    store::{Answer, Memory, Millis, Owned, Store},
};
use backsync_protocol::ModelName;
use node::{Node, Way};
use serde_json::json;
use std::{
    cell::{Cell, RefCell},
    collections::{BTreeSet, HashMap},
    rc::Rc,
    sync::{Arc, Mutex},
};
use tokio::task::LocalSet;

const LEASE: Millis = 15_000;
/// A node looks at what the store has so often, or more.
const LOOKS: Millis = LEASE / 3;
const BEGIN: Millis = 1_000_000;

thread_local! {
    static NOW: Cell<Millis> = const { Cell::new(BEGIN) };
}

#[derive(Default)]
struct Client {
    /// Its connections, by node; it sends by the last, and nobody has noticed yet that the others are dead.
    connections: Vec<(usize, ConnectionKey)>,
    /// Whether it can send.
    is_here: bool,
    /// Records that it has written and has to have.
    records: BTreeSet<String>,
    /// Those that it has deleted.
    deleted: BTreeSet<String>,
    /// Whether something of it may be on its way: a write, or what another node held of it.
    is_unsettled: bool,
    /// Whether a node that has a connection of it was stopped in the midst of something: that is done when it wakes, and may
    /// undo what the client did elsewhere meanwhile.
    is_doubtful: bool,
    /// When it had its last connection, as far as any node knew.
    left: Millis,
    /// When the node that it came to last lost it, which holds its records; others may not have noticed yet that it left.
    lost: Option<Millis>,
    /// When it came, or was last disturbed.
    came: Millis,
}

struct World {
    context: String,
    random: Random,
    memory: Arc<Memory>,
    bus: Arc<Local>,
    linger: Millis,
    nodes: Vec<Node>,
    clients: Vec<Client>,
    /// When nodes were started, killed, stopped and woken.
    troubles: Vec<Millis>,
    /// When, and how long after its start, each incarnation was killed.
    killed: HashMap<Arc<str>, (Millis, Millis)>,
}

fn session(client: usize) -> String {
    format!("client c{client}")
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random::seeded(seed);
        let (memory, bus) = (Arc::new(Memory::default()), Arc::new(Local::default()));
        let linger = random.pick(&[0, 6_000, 10_000, 20_000]);
        let clients = (0..3).map(|_| Client::default()).collect();
        let count = 2 + random.index(2);
        let (context, nodes) = (format!("seed {seed}"), Vec::new());
        let (troubles, killed) = (vec![BEGIN], HashMap::new());
        let mut world = Self { context, random, memory, bus, linger, nodes, clients, troubles, killed };
        world.nodes = (0..count).map(|_| world.start()).collect();
        world
    }

    fn start(&self) -> Node {
        let way = Arc::new(Way { memory: self.memory.clone(), state: Mutex::default() });
        let rules = ModelRules { ephemeral: true, ..ModelRules::default() };
        let broker = Broker::new(Parts {
            bus: self.bus.clone(),
            rules: HashMap::from([(ModelName::parse("P").unwrap(), rules)]),
            clock: || NOW.get(),
            linger: self.linger,
            lease: LEASE,
            ..parts(way.clone())
        });
        let (hub, sweep) = (Hub::new(broker.clone(), 0), Rc::new(RefCell::new(Some(broker.begin_sweep()))));
        Node { way, broker, hub, sweep, started: NOW.get(), stopped: None, woken: None }
    }

    fn running(&self) -> Vec<usize> {
        (0..self.nodes.len()).filter(|at| self.nodes[*at].stopped.is_none()).collect()
    }

    /// Somebody does something.
    fn act(&mut self) {
        let at = self.random.index(self.clients.len());
        let node = self.random.index(self.nodes.len());
        match self.random.below(16) {
            0..3 => self.come(at),
            3..8 => self.write(at),
            8 => self.leave(at),
            9 => self.clients[at].is_here = false,
            10..12 => self.notice(at),
            12 => self.kill(node),
            13 => self.stop(node),
            _ => {}
        }
    }

    /// A client connects, perhaps to another node, and perhaps before anybody notices that it has left the one before.
    fn come(&mut self, at: usize) {
        let running = self.running();
        let node = self.random.pick(&running);
        let client = &self.clients[at];
        // One at a time: who comes and goes faster than a node adopts is not told of.
        let is_busy =
            client.connections.iter().any(|(node, _)| self.nodes[*node].stopped.is_none() && !self.is_idle(*node));
        if is_busy || client.is_unsettled {
            return;
        }
        // A node that is dead may have renewed its lease a while before.
        let lasts = LEASE - LOOKS;
        let stopped = client.connections.last().and_then(|(node, _)| self.nodes[*node].stopped);
        let is_late = client.lost.is_some_and(|lost| NOW.get() >= lost + self.linger.min(lasts))
            || stopped.is_some_and(|(since, _)| NOW.get() >= since + lasts);
        let key = {
            let mut hub = self.nodes[node].hub.borrow_mut();
            let key = hub.open(Framing::WebSocket, Rc::new(Wire::default()));
            hub.name_client(key, &format!("c{at}")).unwrap();
            key
        };
        let client = &mut self.clients[at];
        if is_late || client.is_doubtful {
            client.records.clear();
        }
        client.connections.push((node, key));
        (client.is_here, client.came, client.lost) = (true, NOW.get(), None);
        client.is_unsettled = true;
    }

    fn write(&mut self, at: usize) {
        let id = format!("c{at}-{}", self.random.below(3));
        let is_delete = self.random.one_in(4);
        let waking: Vec<usize> = (0..self.nodes.len()).filter(|at| self.is_waking(*at)).collect();
        let client = &mut self.clients[at];
        let Some((node, key)) = client.connections.last().copied().filter(|_| client.is_here) else { return };
        if self.nodes[node].stopped.is_some() {
            return;
        }
        // A node that wakes writes again what was its client's when it was stopped.
        let is_held_elsewhere = client.connections.iter().any(|(at, _)| *at != node && waking.contains(at));
        let method = if is_delete { "delete" } else { "upsert" };
        let message = json!({"id": self.random.below(1 << 40), "event": format!("P:{method}"), "data": {"id": id}});
        let mut hub = self.nodes[node].hub.borrow_mut();
        let progress = hub.receive(key, &message.to_string());
        // A node that is stopped is not stopped between the two.
        hub.flush();
        drop(hub);
        if progress == Progress::Taken {
            client.is_unsettled = true;
            let (to, from) = if is_delete {
                (&mut client.deleted, &mut client.records)
            } else {
                (&mut client.records, &mut client.deleted)
            };
            from.remove(&id);
            if !(client.is_doubtful || is_delete && is_held_elsewhere) {
                to.insert(id);
            }
        }
    }

    /// A client goes, and all who had connections of it know.
    fn leave(&mut self, at: usize) {
        if !self.is_with_stopped(at) {
            while !self.clients[at].connections.is_empty() {
                self.lose(at);
            }
        }
    }

    /// Whether nodes have connections of a client that will not notice anything.
    fn is_with_stopped(&self, at: usize) -> bool {
        self.clients[at].connections.iter().any(|(node, _)| self.nodes[*node].stopped.is_some())
    }

    /// A node notices that a connection is dead.
    fn notice(&mut self, at: usize) {
        let client = &self.clients[at];
        if client.connections.len() > usize::from(client.is_here) && !self.is_with_stopped(at) {
            self.lose(at);
        }
    }

    fn lose(&mut self, at: usize) {
        let (node, key) = self.clients[at].connections.remove(0);
        let (is_waking, incarnation, owned) = (self.is_waking(node), self.nodes[node].incarnation(), self.owned());
        self.nodes[node].hub.borrow_mut().remove(key);
        let client = &mut self.clients[at];
        client.came = NOW.get();
        if is_waking || client.is_unsettled {
            // Others may have let go of its records, or may do so before it comes back, as this node has not adopted them yet.
            let is_held = |id: &String| owned.iter().any(|of| of.id.as_str() == id && of.owner.node == incarnation);
            client.records.retain(|id| !is_waking && self.linger > 0 && is_held(id));
        }
        if client.connections.is_empty() {
            (client.is_here, client.left) = (false, NOW.get());
            client.lost.get_or_insert(NOW.get());
        }
    }

    fn is_idle(&self, node: usize) -> bool {
        let Node { way, sweep, broker, .. } = &self.nodes[node];
        let next = sweep.borrow().as_ref().map(|sweep| broker.next_turn(sweep));
        way.is_idle() && next.is_some_and(|next| next.is_none_or(|at| at > NOW.get()))
    }

    /// Let some of what there is to do be done.
    async fn work(&mut self, most: usize) {
        let mut still = 0;
        for _ in 0..most {
            let running = self.running();
            let node = self.random.pick(&running);
            let moved = self.nodes[node].step(&mut self.random);
            tokio::task::yield_now().await;
            still = if moved { 0 } else { still + 1 };
            if still > 30 && running.iter().all(|node| self.is_idle(*node)) {
                for client in &mut self.clients {
                    let is_stopped = |(node, _): &(usize, _)| self.nodes[*node].stopped.is_some();
                    client.is_unsettled &= client.connections.last().is_some_and(is_stopped);
                    client.is_doubtful &= client.connections.iter().any(is_stopped);
                }
                return;
            }
        }
    }

    /// Time goes by, and nobody is late.
    async fn wait(&mut self, until: Millis) {
        loop {
            self.work(usize::MAX).await;
            self.check();
            if NOW.get() >= until {
                return;
            }
            self.advance(until);
        }
    }

    /// Time goes by until the next thing is due.
    fn advance(&mut self, until: Millis) {
        let due = self.running().into_iter().filter_map(|node| {
            let Node { broker, sweep, .. } = &self.nodes[node];
            broker.next_turn(sweep.borrow().as_ref().expect("nobody is at work"))
        });
        let wakes = self.nodes.iter().filter_map(|node| Some(node.stopped?.1));
        NOW.set(due.chain(wakes).chain([until]).min().unwrap_or(until).max(NOW.get() + 1));
        for at in 0..self.nodes.len() {
            if self.nodes[at].stopped.is_some_and(|(_, until)| until <= NOW.get()) {
                self.wake(at);
            }
        }
    }

    fn owned(&self) -> Vec<Owned> {
        let Answer::Ready(Some(Ok(owned))) = self.memory.owned() else { unreachable!("memory never waits") };
        owned
    }
}

async fn run(seed: u64) {
    NOW.set(BEGIN);
    let mut world = World::new(seed);
    for _ in 0..60 {
        for _ in 0..world.random.below(5) {
            world.act();
            let most = world.random.index(12);
            world.work(most).await;
        }
        let for_long = world.random.pick(&[1, 100, 1000, LOOKS, LEASE, 2 * LEASE]);
        let until = NOW.get() + world.random.below(for_long) + 1;
        world.wait(until).await;
        if world.random.one_in(2) {
            // What comes next comes in the midst of what is due.
            world.advance(NOW.get() + LOOKS);
            let most = world.random.index(12);
            world.work(most).await;
        }
    }
    let quiet = 5 * LEASE + world.linger;
    world.wait(NOW.get() + quiet).await;
    for at in 0..world.clients.len() {
        world.leave(at);
    }
    world.wait(NOW.get() + quiet).await;
    assert_eq!(world.owned(), [], "{}", world.context);
}

#[test]
fn who_is_here_has_its_records_and_who_is_not_has_none_whatever_becomes_of_nodes() {
    each_seed("who_is_here", 2000, |seed| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        LocalSet::new().block_on(&runtime, run(seed));
    });
}
