//! The feed under a hail of writes and looks, on two nodes over one store that takes its time, by a clock of whole milliseconds that
//! stands still, jumps and steps back.
//!
//! Everything is driven by a seeded random choice in one thread; `docs/testing.md` says how to try more seeds, and one again.

mod slow;

use super::FeedError;
use crate::{
    broker::{Broker, Parts, methods, test_support::parts},
    random::{Random, each_seed},
    store::{
        ChangeKind, Done, Memory, Millis, Operation, Retention, Sqlite, SqliteOptions, Store, Terms, two_over_redis,
    },
};
use backsync_protocol::{ModelName, Record, RecordId, RecordInput};
use serde_json::{Value, json};
use slow::Slow;
use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, HashMap, HashSet},
    path::Path,
    rc::Rc,
    sync::Arc,
};
use tempfile::TempDir;
use tokio::task::{LocalSet, yield_now};

thread_local! {
    static NOW: Cell<Millis> = const { Cell::new(0) };
}

fn model() -> ModelName {
    ModelName::parse("M").unwrap()
}

/// Records by id: of each the number that its last write bore, which no other write had.
type Records = BTreeMap<String, u64>;

/// What was written, and what was answered.
#[derive(Default)]
struct Journal {
    /// What happened to which record, by revision: the number that it has, none where it went.
    changes: BTreeMap<u64, (String, Option<u64>)>,
    /// All changes up to here were answered.
    acknowledged: u64,
    writes: u64,
    /// What a client of the feed had after an answer, and the revision that was acknowledged before it asked.
    known: Vec<(Records, u64)>,
    /// The number of a record, its time as it was told, and how many batches had been dated when that was asked for.
    told: Vec<(u64, Millis, usize)>,
    /// Batches: the numbers in each, and its time.
    batches: Vec<(HashSet<u64>, Millis)>,
}

struct World {
    nodes: Vec<Broker>,
    journal: RefCell<Journal>,
    random: RefCell<Random>,
    /// Whether what became of deleted records is forgotten soon.
    is_forgetful: bool,
}

/// A client of the feed, or none yet.
#[derive(Debug, Clone, Default)]
struct Client {
    since: Millis,
    records: Records,
}

fn number_of(record: &Record) -> u64 {
    serde_json::from_str::<Value>(record.json()).unwrap()["n"].as_u64().unwrap()
}

impl World {
    /// Two nodes, each with its way to the store.
    fn new(seed: u64, stores: &[Arc<dyn Store>; 2], is_forgetful: bool) -> Rc<Self> {
        let node = |number: usize| {
            let random = Random::seeded(seed * 2 + number as u64);
            let store = Arc::new(Slow::new(stores[number].clone(), random));
            Broker::new(Parts { clock: || NOW.get(), ..parts(store) })
        };
        let nodes = vec![node(0), node(1)];
        Rc::new(Self { nodes, journal: RefCell::default(), random: RefCell::new(Random::seeded(seed)), is_forgetful })
    }

    fn below(&self, bound: u64) -> u64 {
        self.random.borrow_mut().below(bound)
    }

    fn node(&self) -> &Broker {
        &self.nodes[self.random.borrow_mut().index(self.nodes.len())]
    }

    async fn pause(&self) {
        for _ in 0..self.below(12) {
            yield_now().await;
        }
    }

    fn operation(&self) -> Operation {
        let id = format!("r{}", self.below(6));
        if self.below(3) == 0 {
            return Operation::Delete { id: RecordId::parse(&id).unwrap(), terms: Terms::default() };
        }
        let mut journal = self.journal.borrow_mut();
        journal.writes += 1;
        let record = json!({"id": id, "n": journal.writes}).to_string();
        let record = RecordInput::parse(serde_json::from_str(&record).unwrap(), || unreachable!()).unwrap();
        methods::upsert(record, false, Terms::default())
    }

    async fn write(&self, operations: u64) -> Done {
        let operations = (0..operations).map(|_| self.operation()).collect();
        let done = self.node().write(&model(), operations).await.unwrap();
        let mut journal = self.journal.borrow_mut();
        for change in &done.changes {
            let number = matches!(change.kind, ChangeKind::Insert | ChangeKind::Update);
            let number = number.then(|| number_of(&change.record));
            journal.changes.insert(change.revision.0, (change.record.id().to_owned(), number));
        }
        journal.acknowledged = journal.acknowledged.max(done.position.revision.0);
        done
    }

    /// Write as a client of the feed does.
    async fn post(&self) {
        let done = self.write(self.below(4)).await;
        let broker = self.node();
        let batch = done.changes.first().zip(done.changes.last()).map(|(first, last)| (first.revision, last.revision));
        let now = broker.date(&broker.model("M").unwrap(), batch).await.unwrap();
        let written = done.changes.iter().filter(|change| change.kind != ChangeKind::Delete);
        let numbers = written.map(|change| number_of(&change.record)).collect();
        self.journal.borrow_mut().batches.push((numbers, now));
    }

    async fn look(&self, client: &mut Client) {
        let (acknowledged, batches) = {
            let journal = self.journal.borrow();
            (journal.acknowledged, journal.batches.len())
        };
        let mut update = match self.node().updates("M", client.since).await {
            Ok(update) => update,
            Err(FeedError::Gone(why)) => {
                assert!(self.is_forgetful && client.since != 0, "{why}");
                *client = Client::default();
                return;
            }
            Err(error) => panic!("{error}"),
        };
        let (mut json, mut is_news) = (String::new(), false);
        while update.append_next(&mut json) {
            let told: Value = serde_json::from_str(&std::mem::take(&mut json)).unwrap();
            let id = told["id"].as_str().unwrap().to_owned();
            is_news = true;
            if told["_removed"] == true {
                assert_ne!(client.since, 0, "who has nothing is told of nothing that went");
                client.records.remove(&id);
                continue;
            }
            let (number, time) = (told["n"].as_u64().unwrap(), told["_lastChange"].as_u64().unwrap());
            assert!(time > client.since && time <= update.now, "{} < {time} <= {}", client.since, update.now);
            assert_ne!(client.records.insert(id, number), Some(number), "nothing is told twice");
            self.journal.borrow_mut().told.push((number, time, batches));
        }
        assert!(update.now > client.since || (update.now == client.since && !is_news));
        client.since = update.now;
        self.journal.borrow_mut().known.push((client.records.clone(), acknowledged));
    }

    /// Hold everything that was told to what was written.
    fn judge(&self) {
        let journal = self.journal.borrow();
        let mut states = vec![Records::new()];
        for (revision, (id, number)) in &journal.changes {
            assert_eq!(*revision, states.len() as u64);
            let mut state = states.last().unwrap().clone();
            match number {
                Some(number) => drop(state.insert(id.clone(), *number)),
                None => drop(state.remove(id)),
            }
            states.push(state);
        }
        for (records, acknowledged) in &journal.known {
            let later = &states[usize::try_from(*acknowledged).unwrap()..];
            assert!(later.contains(records), "{records:?} was so at no revision from {acknowledged} on");
        }
        let times: HashMap<Millis, usize> =
            journal.batches.iter().enumerate().map(|(at, (_, time))| (*time, at)).collect();
        for (number, time, dated) in &journal.told {
            if let Some(batch) = times.get(time) {
                assert!(journal.batches[*batch].0.contains(number), "nothing else has the time of a batch");
            }
            let batch = journal.batches[..*dated].iter().find(|(numbers, _)| numbers.contains(number));
            assert!(batch.is_none_or(|(_, own)| own == time), "what a batch wrote has its time");
        }
    }

    async fn hammer(self: Rc<Self>) {
        let local = LocalSet::new();
        let clients: Vec<_> = (0..4)
            .map(|_| {
                let world = self.clone();
                local.spawn_local(async move {
                    let mut client = Client::default();
                    for _ in 0..world.below(12) + 3 {
                        world.pause().await;
                        world.look(&mut client).await;
                    }
                    client
                })
            })
            .collect();
        for writer in 0..5 {
            let world = self.clone();
            local.spawn_local(async move {
                for _ in 0..10 {
                    world.pause().await;
                    match writer {
                        0 | 1 => world.post().await,
                        _ => drop(world.write(world.below(3) + 1).await),
                    }
                }
            });
        }
        let world = self.clone();
        local.spawn_local(async move {
            for _ in 0..200 {
                let now = NOW.get();
                NOW.set(match world.below(12) {
                    0 => now + 1,
                    1 => now.saturating_sub(7),
                    2 => now + 20,
                    _ => now,
                });
                yield_now().await;
            }
        });
        local.await;
        let mut last = None;
        for client in clients {
            let mut client = client.await.unwrap();
            // Who has to begin anew does.
            self.look(&mut client).await;
            self.look(&mut client).await;
            let state = last.get_or_insert_with(|| client.records.clone());
            assert_eq!(*state, client.records);
        }
        let store = self.nodes[0].read("M", Default::default()).await.unwrap();
        let store: Records = store.iter().map(|record| (record.id().to_owned(), number_of(record))).collect();
        assert_eq!(last, Some(store));
        self.judge();
    }
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

fn hammer(seed: u64, open: impl FnOnce(Retention) -> [Arc<dyn Store>; 2]) {
    let is_forgetful = seed.is_multiple_of(3);
    let little = Retention { log_entries: 8, tombstones: 4, ..Retention::default() };
    let stores = open(if is_forgetful { little } else { Retention::default() });
    NOW.set(1_000);
    block_on(async {
        World::new(seed, &stores, is_forgetful).hammer().await;
        stores[0].close().await.unwrap();
    });
}

#[test]
fn no_change_is_lost_or_told_twice_by_the_feed() {
    each_seed("feed", 300, |seed| hammer(seed, |retention| both(Arc::new(Memory::new(retention)))));
}

/// The same for two nodes.
fn both(store: Arc<dyn Store>) -> [Arc<dyn Store>; 2] {
    [store.clone(), store]
}

fn open(directory: &Path, retention: Retention) -> Arc<dyn Store> {
    Arc::new(Sqlite::open(directory, SqliteOptions { retention, ..SqliteOptions::default() }).unwrap())
}

#[test]
fn the_feed_of_a_database_is_as_exact() {
    each_seed("feed", 6, |seed| {
        let data = TempDir::new().unwrap();
        hammer(seed, |retention| both(open(data.path(), retention)));
    });
}

#[test]
fn the_feed_of_nodes_over_one_redis_is_as_exact() {
    each_seed("feed", 12, |seed| hammer(seed, two_over_redis));
}

/// A broker over a store that was opened (again), and something written to it.
async fn written(store: &Arc<dyn Store>, number: u64) -> Broker {
    let broker = Broker::new(Parts { clock: || NOW.get(), ..parts(store.clone()) });
    broker.upsert("M", &json!({"id": "a", "n": number})).await.unwrap();
    broker
}

async fn now(broker: &Broker, since: Millis) -> Option<Millis> {
    match broker.updates("M", since).await {
        Ok(update) => Some(update.now),
        Err(FeedError::Gone(_)) => None,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn times_hold_when_the_database_is_opened_again_but_not_those_of_what_was_taken_back() {
    NOW.set(1_000);
    let (data, copy) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    block_on(async {
        let store = open(data.path(), Retention::default());
        let broker = written(&store, 1).await;
        let first = now(&broker, 0).await.unwrap();
        store.close().await.unwrap();
        drop((broker, store));
        for file in std::fs::read_dir(data.path()).unwrap().map(|file| file.unwrap()) {
            std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
        }

        let store = open(data.path(), Retention::default());
        let broker = written(&store, 2).await;
        let second = now(&broker, first).await.expect("it is the same history");
        store.close().await.unwrap();

        let store = open(copy.path(), Retention::default());
        let broker = written(&store, 3).await;
        NOW.set(2_000);
        assert_eq!(now(&broker, second).await, None, "what this client has was taken back");
        let third = now(&broker, first).await.expect("this is known");
        assert!(third > second);
        assert_eq!(now(&broker, second).await, None, "and it stays so");
        store.close().await.unwrap();
    });
}

#[test]
fn a_time_that_is_none_of_this_server_is_gone() {
    NOW.set(1_000);
    block_on(async {
        let store: Arc<dyn Store> = Arc::new(Memory::default());
        let broker = written(&store, 1).await;
        assert_eq!(now(&broker, 500).await, None, "nobody had looked yet");
        assert_eq!(now(&broker, 0).await, Some(1_000));
        assert_eq!(now(&broker, 1_500).await, None, "it is to come");
        NOW.set(1_700);
        assert_eq!(now(&broker, 1_500).await, Some(1_700), "it has come, and nothing happened");
        assert_eq!(now(&broker, 999).await, None);
    });
}

#[test]
fn who_looks_at_what_stands_still_leaves_no_marks() {
    NOW.set(1_000);
    block_on(async {
        let store: Arc<dyn Store> = Arc::new(Memory::default());
        let broker = written(&store, 1).await;
        let model = broker.model("M").unwrap();
        let mut since = 0;
        for round in 0..5 {
            NOW.set(1_000 + 10 * round);
            since = now(&broker, since).await.unwrap();
            let posted = broker.date(&model, None).await.unwrap();
            assert!(posted > since || round > 0);
        }
        let marks = store.position(&model.name.beside("feed")).await.unwrap();
        assert_eq!(marks.revision.0, 2, "one for the change, and one for those who change nothing");
    });
}
