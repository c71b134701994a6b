//! Handlers, over a store that answers at once and over one that takes a moment.

mod faults;
mod reads;
mod writes;

use super::{
    Broker, Caller, ConnectionKey, Framing, Handler, Hub, ModelRules, Parts, Progress, Step,
    test_support::{Wire, parts},
};
use crate::store::{
    Answer, Change, Commit, Few, Lease, Memory, Millis, Nodes, Outcome, Owned, Page, Read, Snapshot, Store, StoreError,
};
use backsync_protocol::{ConflictPolicy, ErrorCode, Filter, ModelName, Position, Query, Record, RecordId, RecordInput};
use serde_json::{Value, json};
use std::{
    cell::RefCell,
    collections::HashMap,
    rc::Rc,
    sync::{Arc, Mutex},
};
use tokio::{
    sync::Notify,
    task::{JoinHandle, LocalSet, yield_now},
};

/// Does what it is asked at once, and says so later.
#[derive(Default)]
struct Unhurried(Memory);

fn later<T: Send + 'static>(answer: Answer<T>) -> Answer<T> {
    Answer::later(async {
        for _ in 0..5 {
            yield_now().await;
        }
        answer.await
    })
}

impl Store for Unhurried {
    fn commit(&self, commits: Few<Commit>) -> Answer<Few<Outcome>> {
        later(self.0.commit(commits))
    }
    fn read(&self, model: &ModelName, read: Read) -> Answer<Snapshot> {
        later(self.0.read(model, read))
    }
    fn changes(&self, model: &ModelName, after: Position, limit: usize) -> Answer<Option<Page>> {
        later(self.0.changes(model, after, limit))
    }
    fn positions(&self, models: &[ModelName]) -> Answer<Vec<Position>> {
        later(self.0.positions(models))
    }
    fn is_shared(&self) -> bool {
        false
    }
    fn owned(&self) -> Answer<Vec<Owned>> {
        later(self.0.owned())
    }
    fn renew(&self, lease: Lease, now: Millis) -> Answer<Nodes> {
        later(self.0.renew(lease, now))
    }
    fn close(&self) -> Answer<()> {
        Answer::Ready(Some(Err(StoreError::Closed)))
    }
}

/// A connection as its client sees it.
#[derive(Clone)]
struct Peer {
    hub: Rc<RefCell<Hub>>,
    key: ConnectionKey,
    wire: Rc<Wire>,
}

impl Peer {
    fn send(&self, message: Value) {
        assert_eq!(self.offer(&message), Progress::Taken, "{message}");
    }

    fn offer(&self, message: &Value) -> Progress {
        let progress = self.hub.borrow_mut().receive(self.key, &message.to_string());
        self.hub.borrow_mut().flush();
        progress
    }

    /// What has come, once nothing moves any more.
    async fn seen(&self) -> Vec<Value> {
        for _ in 0..100 {
            yield_now().await;
        }
        self.hub.borrow_mut().flush();
        self.wire.take()
    }

    /// The only thing that has come.
    async fn only(&self) -> Value {
        let mut seen = self.seen().await;
        assert_eq!(seen.len(), 1, "{seen:#?}");
        seen.remove(0)
    }

    fn close(&self) {
        self.hub.borrow_mut().remove(self.key);
    }
}

fn code(message: &Value) -> &str {
    message["error"]["code"].as_str().unwrap_or_else(|| panic!("no failure: {message}"))
}

/// Records by id, and their numbers.
fn numbers(records: &[Record]) -> Vec<(String, Value)> {
    records.iter().map(|record| (record.id().to_owned(), record.get("n").unwrap_or_default())).collect()
}

struct Node {
    broker: Broker,
    hub: Rc<RefCell<Hub>>,
    /// Delivers what comes in by itself.
    delivery: JoinHandle<()>,
}

impl Node {
    fn new(store: impl Store, handler: impl Handler) -> Self {
        let name = |name| ModelName::parse(name).unwrap();
        let rules = |policy, ephemeral| ModelRules { policy, ephemeral, group: Some("g".into()), ..Default::default() };
        let handler: Arc<dyn Handler> = Arc::new(handler);
        let broker = Broker::new(Parts {
            rules: HashMap::from([
                (name("M"), rules(ConflictPolicy::ServerWins, false)),
                (name("N"), rules(ConflictPolicy::ClientWins, false)),
                (name("Here"), rules(ConflictPolicy::ClientWins, true)),
            ]),
            handlers: HashMap::from([(name("M"), handler.clone()), (name("Here"), handler)]),
            ..parts(Arc::new(store))
        });
        let hub = Hub::new(broker.clone(), 0);
        let delivery = tokio::task::spawn_local(Hub::run(hub.clone()));
        Self { broker, hub, delivery }
    }

    fn open(&self) -> Peer {
        let wire = Rc::new(Wire::default());
        let key = self.hub.borrow_mut().open(Framing::WebSocket, wire.clone());
        Peer { hub: self.hub.clone(), key, wire }
    }

    async fn stored(&self) -> Vec<(String, Value)> {
        numbers(&self.broker.read("M", Query::default()).await.unwrap())
    }
}

/// Run something with a node that has this handler for `M` and `Here`, over each store.
fn with<H: Handler, F: Future<Output = ()>>(handler: impl Fn() -> H, test: impl Fn(Node) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    LocalSet::new().block_on(&runtime, async { test(Node::new(Memory::default(), handler())).await });
    LocalSet::new().block_on(&runtime, async { test(Node::new(Unhurried::default(), handler())).await });
}

/// Small whole numbers only, and a mark on what goes in.
struct Careful;

impl Handler for Careful {
    fn upsert(&self, caller: &Caller, mut record: RecordInput) -> Step<RecordInput, Record> {
        match record.get("n").and_then(|n| n.as_u64()) {
            Some(n @ 100..) => Step::reject(ErrorCode::InvalidData, format!("{n} is too much")),
            Some(50) => {
                record.set("answered", true);
                Step::Answer(Record::unstored(&record))
            }
            _ => {
                record.set("by", format!("{}, {:?}", caller.client().unwrap_or("somebody"), caller.replaces()));
                Step::Continue(record)
            }
        }
    }

    fn delete(&self, _: &Caller, id: RecordId) -> Step<RecordId, ()> {
        match id.as_str() {
            "kept" => Step::reject(ErrorCode::Forbidden, "this one stays"),
            "elsewhere" => Step::Answer(()),
            _ => Step::Continue(id),
        }
    }
}
