//! Whoever dies, is stopped or goes elsewhere: who is here has its records, and who is not has none for long.
//!
//! Two or three nodes over one store; named clients that come, write, go, and come back elsewhere, with connections that
//! are dead before anybody notices. Nodes are killed and started anew, or stopped for longer than their leases, in the midst of
//! their work. A node does what is due when it is due, but for one that is stopped; what several do at one time is in any order.

use crate::{
    broker::{
        Broker, ConnectionKey, Framing, Hub, ModelRules, Parts, Progress,
        sweep::Sweep,
        test_support::{Wire, parts},
    },
    bus::Local,
    random::{Random, each_seed},
    store::{Answer, Commit, Few, Lease, Memory, Millis, Nodes, Outcome, Owned, Page, Read, Snapshot, Store},
};
use backsync_protocol::{ModelName, Position};
use serde_json::json;
use std::{
    cell::{Cell, RefCell},
    collections::{BTreeSet, HashMap, VecDeque},
    future::pending,
    rc::Rc,
    sync::{Arc, Mutex},
};
use tokio::{sync::oneshot, task::LocalSet};

const LEASE: Millis = 15_000;
/// A node looks at what the store has so often, or more.
const LOOKS: Millis = LEASE / 3;
const BEGIN: Millis = 1_000_000;

thread_local! {
    static NOW: Cell<Millis> = const { Cell::new(BEGIN) };
}

type Step = Box<dyn FnOnce() -> Hand + Send>;
type Hand = Box<dyn FnOnce() + Send>;

/// A node's way to the store, which all share: work is done in the order of the calls, answers come in any order, and both are
/// let through one by one.
struct Way {
    memory: Arc<Memory>,
    state: Mutex<(VecDeque<Step>, Vec<Hand>)>,
}

impl Way {
    fn later<T: Send + 'static>(&self, ask: impl FnOnce(&Memory) -> Answer<T> + Send + 'static) -> Answer<T> {
        let (sender, answer) = oneshot::channel();
        let memory = self.memory.clone();
        self.state.lock().unwrap().0.push_back(Box::new(move || {
            let Answer::Ready(Some(done)) = ask(&memory) else { unreachable!("memory never waits") };
            Box::new(move || drop(sender.send(done)))
        }));
        Answer::later(async move {
            match answer.await {
                Ok(answer) => answer,
                // Who asked is no more.
                Err(_) => pending().await,
            }
        })
    }

    fn is_idle(&self) -> bool {
        let state = self.state.lock().unwrap();
        state.0.is_empty() && state.1.is_empty()
    }

    /// Take one of the steps there are; false where there is none.
    fn step(&self, random: &mut Random) -> bool {
        let mut state = self.state.lock().unwrap();
        let (work, answers) = (state.0.len().min(1), state.1.len());
        if work + answers == 0 {
            return false;
        }
        if random.index(work + answers) < work {
            let step = state.0.pop_front().expect("there is work");
            let answer = step();
            state.1.push(answer);
        } else {
            let answer = state.1.swap_remove(random.index(answers));
            drop(state);
            answer();
        }
        true
    }

    /// The node dies: some of what it asked for is still done, and nobody is told.
    fn cut(&self, random: &mut Random) {
        let (work, _) = std::mem::take(&mut *self.state.lock().unwrap());
        let done = random.index(work.len() + 1);
        work.into_iter().take(done).for_each(|step| drop(step()));
    }
}

impl Store for Way {
    fn commit(&self, commits: Few<Commit>) -> Answer<Few<Outcome>> {
        self.later(move |memory| memory.commit(commits))
    }
    fn read(&self, model: &ModelName, read: Read) -> Answer<Snapshot> {
        let model = model.clone();
        self.later(move |memory| memory.read(&model, read))
    }
    fn changes(&self, model: &ModelName, after: Position, limit: usize) -> Answer<Option<Page>> {
        let model = model.clone();
        self.later(move |memory| memory.changes(&model, after, limit))
    }
    fn positions(&self, models: &[ModelName]) -> Answer<Vec<Position>> {
        let models = models.to_vec();
        self.later(move |memory| memory.positions(&models))
    }
    fn owned(&self) -> Answer<Vec<Owned>> {
        self.later(Memory::owned)
    }
    fn renew(&self, lease: Lease, _: Millis) -> Answer<Nodes> {
        // The store's clock decides.
        self.later(move |memory| memory.renew(lease, NOW.get()))
    }
    fn is_shared(&self) -> bool {
        true
    }
    fn close(&self) -> Answer<()> {
        Answer::ready(())
    }
}

struct Node {
    way: Arc<Way>,
    broker: Broker,
    hub: Rc<RefCell<Hub>>,
    /// Empty while a turn is taken.
    sweep: Rc<RefCell<Option<Sweep>>>,
    started: Millis,
    /// Since when nothing of it moves, and until when.
    stopped: Option<(Millis, Millis)>,
    /// When it last went on.
    woken: Option<Millis>,
}

impl Node {
    /// Something of it happens, if there is anything to do.
    fn step(&self, random: &mut Random) -> bool {
        let mut sweep = self.sweep.borrow_mut();
        let is_due = sweep.as_ref().and_then(|sweep| self.broker.next_turn(sweep)).is_some_and(|at| at <= NOW.get());
        if is_due && (random.one_in(2) || self.way.is_idle()) {
            let (broker, mut taken, back) = (self.broker.clone(), sweep.take().unwrap(), self.sweep.clone());
            tokio::task::spawn_local(async move {
                broker.turn(&mut taken).await;
                *back.borrow_mut() = Some(taken);
            });
            return true;
        }
        let is_turning = sweep.is_none();
        drop(sweep);
        self.hub.borrow_mut().flush();
        self.way.step(random) || is_turning
    }

    fn incarnation(&self) -> Arc<str> {
        self.broker.presence().node().clone()
    }
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
        let client = &mut self.clients[at];
        let Some((node, key)) = client.connections.last().copied().filter(|_| client.is_here) else { return };
        if self.nodes[node].stopped.is_some() {
            return;
        }
        let method = if is_delete { "delete" } else { "upsert" };
        let message = json!({"id": self.random.below(1 << 40), "event": format!("P:{method}"), "data": {"id": id}});
        if self.nodes[node].hub.borrow_mut().receive(key, &message.to_string()) == Progress::Taken {
            client.is_unsettled = true;
            let (to, from) = if is_delete {
                (&mut client.deleted, &mut client.records)
            } else {
                (&mut client.records, &mut client.deleted)
            };
            from.remove(&id);
            to.insert(id);
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
        let client = &mut self.clients[at];
        let (node, key) = client.connections.remove(0);
        self.nodes[node].hub.borrow_mut().remove(key);
        client.came = NOW.get();
        if client.is_unsettled && self.linger == 0 {
            // It may go before it is adopted.
            client.records.clear();
        }
        if client.connections.is_empty() {
            (client.is_here, client.left) = (false, NOW.get());
            client.lost.get_or_insert(NOW.get());
        }
    }

    fn kill(&mut self, node: usize) {
        if self.nodes[node].stopped.is_none() && self.running().len() < 2 {
            return;
        }
        let dead = &self.nodes[node];
        let last_seen = dead.stopped.map_or(NOW.get(), |(since, _)| since);
        self.killed.insert(dead.incarnation(), (last_seen, last_seen - dead.started));
        let is_waking = dead.woken == Some(NOW.get());
        dead.way.cut(&mut self.random);
        for client in &mut self.clients {
            let had = client.connections.len();
            if client.connections.last().is_some_and(|(at, _)| *at == node) {
                client.lost.get_or_insert(last_seen);
            }
            client.is_here &= client.connections.last().is_some_and(|(at, _)| *at != node);
            client.connections.retain(|(at, _)| *at != node);
            if client.connections.len() < had {
                client.left = last_seen;
                // What others have let go of is not there again at once.
                client.is_unsettled |= is_waking;
                if std::mem::take(&mut client.is_unsettled) {
                    client.records.clear();
                    client.deleted.clear();
                }
            }
        }
        self.nodes[node] = self.start();
        self.troubles.push(NOW.get());
    }

    fn stop(&mut self, node: usize) {
        if self.nodes[node].stopped.is_some() || self.running().len() < 2 {
            return;
        }
        // Who is dead elsewhere could be taken for the one that is here.
        let is_elsewhere = |client: &Client| client.connections.len() > 1;
        if (0..self.clients.len()).any(|at| is_elsewhere(&self.clients[at]) && self.is_with_stopped(at)) {
            return;
        }
        for at in 0..self.clients.len() {
            while is_elsewhere(&self.clients[at]) {
                self.lose(at);
            }
        }
        let is_idle = self.is_idle(node);
        for client in &mut self.clients {
            if client.connections.iter().any(|(at, _)| *at == node) {
                client.is_doubtful |= !is_idle;
                if client.is_unsettled {
                    client.records.clear();
                    client.deleted.clear();
                }
            }
        }
        self.nodes[node].stopped = Some((NOW.get(), NOW.get() + self.random.below(3 * LEASE)));
        self.troubles.push(NOW.get());
    }

    fn wake(&mut self, node: usize) {
        (self.nodes[node].stopped, self.nodes[node].woken) = (None, Some(NOW.get()));
        self.troubles.push(NOW.get());
        for client in &mut self.clients {
            // For all it knows, who has gone elsewhere is still here, and has not deleted anything.
            let is_elsewhere = !client.is_here || client.connections.last().is_some_and(|(at, _)| *at != node);
            if is_elsewhere && client.connections.iter().any(|(at, _)| *at == node) {
                client.deleted.clear();
            }
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

    /// What holds whenever nothing is on its way.
    fn check(&self) {
        let (now, owned) = (NOW.get(), self.owned());
        let trouble = *self.troubles.last().unwrap();
        for (at, client) in self.clients.iter().enumerate() {
            let context = format!("{}, {} ms: client {at}", self.context, now - BEGIN);
            let mine: Vec<_> = owned.iter().filter(|owned| *owned.owner.session == session(at)).collect();
            if let Some((node, _)) = client.connections.last() {
                let is_quiet = now >= trouble.max(client.came) + LEASE + 2 * LOOKS;
                // A node that was stopped needs no more than its turn; others may need a lease to know it for dead.
                if client.is_here && is_quiet && self.nodes[*node].stopped.is_none() {
                    let ids: BTreeSet<String> = mine.iter().map(|owned| owned.id.to_string()).collect();
                    assert!(ids.is_superset(&client.records), "{context}: {ids:?}, {:?}", client.records);
                    let is_alone = client.connections.len() == 1;
                    assert!(!is_alone || ids.is_disjoint(&client.deleted), "{context}: {ids:?}, {:?}", client.deleted);
                }
                continue;
            }
            for Owned { id, owner, .. } in mine {
                let holder = self.nodes.iter().find(|node| node.incarnation() == owner.node);
                let limit = match (holder, self.killed.get(&owner.node)) {
                    (Some(Node { stopped: None, .. }), _) => client.left.max(trouble) + self.linger + LOOKS,
                    // The others knew it, and nothing else happened since.
                    (None, Some((killed, lived))) if *lived > LOOKS && self.was_quiet_before(*killed) => {
                        killed + LEASE + LOOKS + self.linger.saturating_sub(LEASE)
                    }
                    _ => client.left.max(trouble) + LEASE + 2 * LOOKS + self.linger.max(LOOKS),
                };
                assert!(now <= limit, "{context}: {id} of {owner} is {} ms late", now - limit);
            }
        }
    }

    /// Whether this was the last trouble, and the others had been at work for long enough.
    fn was_quiet_before(&self, trouble: Millis) -> bool {
        match self.troubles.as_slice() {
            [.., before, last] => {
                *last == trouble && before + LOOKS < trouble && self.running().len() == self.nodes.len()
            }
            _ => false,
        }
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
