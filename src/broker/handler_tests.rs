//! Handlers, over a store that answers at once and over one that takes a moment.

use super::{Broker, Caller, ConnectionKey, Framing, Handler, Hub, Limits, ModelRules, Parts, Progress, Sink, Step};
use crate::{
    auth::{AllowAll, NoTokens},
    bus::Local,
    store::{Answer, Change, Commit, Few, Memory, Outcome, Owned, Read, Snapshot, Store, StoreError},
};
use backsync_protocol::{
    ConflictPolicy, ErrorCode, Filter, ModelName, Position, Query, Record, RecordId, RecordInput, Revision,
};
use serde_json::{Value, json};
use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    io::{self, IoSlice},
    rc::Rc,
    sync::{Arc, Mutex},
};
use tokio::{
    sync::Notify,
    task::{LocalSet, yield_now},
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
    fn changes(&self, model: &ModelName, after: Revision, limit: usize) -> Answer<Option<Vec<Change>>> {
        later(self.0.changes(model, after, limit))
    }
    fn position(&self, model: &ModelName) -> Answer<Position> {
        later(self.0.position(model))
    }
    fn owned(&self) -> Answer<Vec<Owned>> {
        later(self.0.owned())
    }
    fn close(&self) -> Answer<()> {
        Answer::Ready(Some(Err(StoreError::Closed)))
    }
}

#[derive(Default)]
struct Wire {
    bytes: RefCell<Vec<u8>>,
    resumed: Cell<bool>,
}

impl Sink for Wire {
    fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.bytes.borrow_mut().extend(slices.iter().flat_map(|slice| slice.iter()));
        Ok(slices.iter().map(|slice| slice.len()).sum())
    }
    fn blocked(&self) {}
    fn resume(&self) {
        self.resumed.set(true);
    }
    fn ended(&self) {}
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
        let bytes = std::mem::take(&mut *self.wire.bytes.borrow_mut());
        let (mut messages, mut at) = (Vec::new(), 0);
        while at < bytes.len() {
            assert_eq!(bytes[at], 0x81);
            let (start, length) = match bytes[at + 1] {
                126 => (at + 4, usize::from(u16::from_be_bytes([bytes[at + 2], bytes[at + 3]]))),
                length => (at + 2, usize::from(length)),
            };
            messages.push(serde_json::from_slice(&bytes[start..start + length]).unwrap());
            at = start + length;
        }
        messages
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
}

impl Node {
    fn new(store: impl Store, handler: impl Handler) -> Self {
        let name = |name| ModelName::parse(name).unwrap();
        let rules = |policy, ephemeral| ModelRules { policy, ephemeral, group: Some("g".into()), ..Default::default() };
        let handler: Arc<dyn Handler> = Arc::new(handler);
        let broker = Broker::new(Parts {
            store: Arc::new(store),
            bus: Arc::new(Local::default()),
            policy: Arc::new(AllowAll),
            authenticator: Arc::new(NoTokens),
            limits: Limits::default(),
            rules: HashMap::from([
                (name("M"), rules(ConflictPolicy::ServerWins, false)),
                (name("N"), rules(ConflictPolicy::ClientWins, false)),
                (name("Here"), rules(ConflictPolicy::ClientWins, true)),
            ]),
            handlers: HashMap::from([(name("M"), handler.clone()), (name("Here"), handler)]),
            clock: || 0,
            workers: 1,
            linger: 0,
            heartbeat: 25_000,
        });
        let hub = Hub::new(broker.clone(), 0);
        tokio::task::spawn_local(Hub::run(hub.clone()));
        Self { broker, hub }
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

#[test]
fn a_write_is_changed_refused_or_answered() {
    with(
        || Careful,
        async |node: Node| {
            let (writer, listener) = (node.open(), node.open());
            listener.send(json!({"id": 0, "event": "M:read"}));
            listener.only().await;
            writer.send(json!({"id": 1, "event": "M:upsert", "data": {"id": "a", "n": 1}}));
            assert_eq!(writer.only().await["data"], json!({"id": "a", "n": 1, "by": "somebody, false", "_rev": 1}));
            assert_eq!(listener.only().await["data"]["by"], "somebody, false");
            writer.send(json!({"id": 2, "event": "M:upsert", "data": {"id": "b", "n": 100}}));
            let refused = writer.only().await;
            assert_eq!((code(&refused), &refused["error"]["message"]), ("invalid_data", &json!("100 is too much")));
            writer.send(json!({"id": 3, "event": "M:upsert", "data": {"id": "b", "n": 50}}));
            assert_eq!(writer.only().await["data"], json!({"id": "b", "n": 50, "answered": true, "_rev": 0}));
            writer.send(
                json!({"id": 4, "event": "M:upsert", "data": {"id": "kept", "n": 4}, "options": {"replace": true}}),
            );
            assert_eq!(writer.only().await["data"]["by"], "somebody, true");
            for (id, outcome) in [("kept", Some("forbidden")), ("elsewhere", None), ("a", None)] {
                writer.send(json!({"id": 5, "event": "M:delete", "data": {"id": id}}));
                let reply = writer.only().await;
                assert_eq!(reply.get("error").map(|_| code(&reply)), outcome, "{id}");
            }
            assert_eq!(listener.seen().await.len(), 2, "an upsert and a deletion");
            assert_eq!(node.stored().await, [("kept".to_owned(), json!(4))]);
        },
    );
}

#[test]
fn of_a_batch_all_is_done_or_nothing_and_the_element_is_named() {
    with(
        || Careful,
        async |node: Node| {
            let peer = node.open();
            let records = |last: u64| json!([{"id": "a", "n": 1}, {"id": "b", "n": 50}, {"id": "c", "n": last}]);
            peer.send(json!({"id": 1, "event": "M:upsert", "data": records(200)}));
            let refused = peer.only().await;
            assert_eq!((code(&refused), &refused["error"]["element"]), ("invalid_data", &json!(2)));
            assert_eq!(node.stored().await, []);
            peer.send(json!({"id": 2, "event": "M:upsert", "data": records(3)}));
            let data = peer.only().await["data"].clone();
            let ids = |data: &Value| data.as_array().unwrap().iter().map(|r| r["id"].clone()).collect::<Vec<_>>();
            assert_eq!((ids(&data), &data[1]["answered"]), (vec![json!("a"), json!("b"), json!("c")], &json!(true)));
            // The store sees two operations; what it refuses is told by what was sent.
            let stale = json!([{"id": "x", "n": 50}, {"id": "y", "n": 50}, {"id": "c", "n": 9, "_rev": 0}]);
            peer.send(json!({"id": 3, "event": "M:upsert", "data": stale}));
            let conflict = peer.only().await;
            assert_eq!((code(&conflict), &conflict["error"]["element"]), ("conflict", &json!(2)));

            let entry = |event: &str, data: Value| json!({"event": event, "data": data});
            let batch = |last: Value| json!([entry("N:upsert", json!({"id": "n"})), entry("M:upsert", last)]);
            peer.send(json!({"id": 4, "event": "$batch:commit", "data": batch(json!({"id": "d", "n": 300}))}));
            let refused = peer.only().await;
            assert_eq!((code(&refused), &refused["error"]["element"]), ("invalid_data", &json!(1)));
            assert_eq!(node.broker.read("N", Query::default()).await.unwrap(), []);
            let last = json!([{"id": "d", "n": 50}, {"id": "e", "n": 5}]);
            peer.send(json!({"id": 5, "event": "$batch:commit", "data": batch(last)}));
            let done = peer.only().await;
            assert_eq!(done["data"][0]["data"]["id"], "n");
            assert_eq!((&done["data"][1]["data"][0]["_rev"], &done["data"][1]["data"][1]["n"]), (&json!(0), &json!(5)));
            let stored: Vec<String> = node.stored().await.into_iter().map(|(id, _)| id).collect();
            assert_eq!(stored, ["a", "c", "e"]);
        },
    );
}

#[test]
fn replies_keep_their_order_also_behind_a_refusal() {
    with(
        || Careful,
        async |node: Node| {
            let peer = node.open();
            // Those of one model follow each other without waiting; the fourth may have to.
            for (id, n) in [(1, 1), (2, 500), (3, 2)] {
                let message = json!({"id": id, "event": "M:upsert", "data": {"id": "a", "n": n}});
                while peer.offer(&message) == Progress::Later {
                    yield_now().await;
                }
            }
            let ids: Vec<Value> = peer.seen().await.iter().map(|reply| reply["id"].clone()).collect();
            assert_eq!(ids, [1, 2, 3]);
        },
    );
}

/// Whose a record is, is said by the id's beginning; everybody sees their own.
struct Owners(Arc<Mutex<Vec<String>>>);

impl Handler for Owners {
    fn read(&self, caller: &Caller, query: Query) -> Step<Query, Vec<Record>> {
        self.0.lock().unwrap().push(caller.method().unwrap().name().to_owned());
        let Some(client) = caller.client() else {
            return Step::reject(ErrorCode::Forbidden, "say who you are");
        };
        Filter::try_from(&json!({"owner": client})).and_then(|own| Ok(Step::Continue(query.narrow(&own)?))).into()
    }
}

#[test]
fn a_narrowed_read_shows_and_hears_a_part() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    with(
        || Owners(asked.clone()),
        async |node: Node| {
            let (me, stranger) = (node.open(), node.open());
            me.hub.borrow_mut().name_client(me.key, "me").unwrap();
            stranger.send(json!({"id": 1, "event": "M:subscribe"}));
            assert_eq!(code(&stranger.only().await), "forbidden");
            let save = |id: &str, owner: &str| node.broker.upsert("M", &json!({"id": id, "owner": owner, "n": 1}));
            save("a", "me").await.unwrap();
            save("b", "you").await.unwrap();
            me.send(json!({"id": 1, "event": "M:read", "data": {"where": {"n": 1}}}));
            let read = me.only().await;
            assert_eq!((read["data"].as_array().unwrap().len(), &read["data"][0]["id"]), (1, &json!("a")));
            me.send(json!({"id": 2, "event": "M:read", "data": {"id": "b"}}));
            assert_eq!(code(&me.only().await), "not_found");
            save("c", "you").await.unwrap();
            save("d", "me").await.unwrap();
            let push = me.only().await;
            assert_eq!((&push["data"]["id"], &push["filter"]), (&json!("d"), &read["filter"]));
            me.send(json!({"id": 3, "event": "M:unsubscribe", "data": {"where": {"n": 1}}}));
            assert_eq!(me.only().await["data"], json!({}));
            save("e", "me").await.unwrap();
            assert_eq!(me.seen().await, Vec::<Value>::new());
            assert_eq!(stranger.seen().await, Vec::<Value>::new());
            let asked = std::mem::take(&mut *asked.lock().unwrap());
            assert_eq!(asked, ["subscribe", "read", "read", "unsubscribe"]);
        },
    );
}

/// Answers reads by itself when it is told to.
struct Computed(Arc<Notify>);

impl Handler for Computed {
    fn read(&self, caller: &Caller, _: Query) -> Step<Query, Vec<Record>> {
        let (go, broker) = (self.0.clone(), caller.broker().clone());
        Step::try_later(async move {
            let records = broker.read("N", Query::default()).await?;
            go.notified().await;
            let count = super::record_of(&json!({"id": "count", "n": records.len()}))?;
            Ok(Step::Answer(vec![Record::unstored(&count)]))
        })
    }
}

#[test]
fn an_answered_read_listens_and_misses_nothing_that_happened_meanwhile() {
    let go = Arc::new(Notify::new());
    with(
        || Computed(go.clone()),
        async |node: Node| {
            let peer = node.open();
            node.broker.upsert("N", &json!({"id": "x"})).await.unwrap();
            node.broker.upsert("M", &json!({"id": "count", "n": 0})).await.unwrap();
            peer.send(json!({"id": 1, "event": "M:read"}));
            assert_eq!(peer.seen().await, Vec::<Value>::new());
            node.broker.upsert("M", &json!({"id": "count", "n": 7})).await.unwrap();
            go.notify_one();
            let seen = peer.seen().await;
            assert_eq!(seen.len(), 2, "{seen:#?}");
            assert_eq!(seen[0]["data"], json!([{"id": "count", "n": 1, "_rev": 0}]));
            assert_eq!((&seen[1]["event"], &seen[1]["data"]["n"]), (&json!("M:upsert"), &json!(7)));
            node.broker.delete("M", "count").await.unwrap();
            assert_eq!(peer.only().await["event"], "M:delete");
            // Who comes back with a position is told that this is everything.
            go.notify_one();
            peer.send(json!({"id": 2, "event": "M:read", "data": {"since": seen[1]["position"]}}));
            let again = peer.only().await;
            assert_eq!((&again["reset"], &again["data"][0]["n"]), (&json!(true), &json!(1)));
            go.notify_one();
            peer.send(json!({"id": 3, "event": "M:read", "data": {"id": "count"}, "options": {"listen": false}}));
            assert_eq!(peer.only().await["data"], json!({"id": "count", "n": 1, "_rev": 0}));
        },
    );
}

/// Everything waits for a sign; counts what it is asked.
struct Slow {
    go: Arc<Notify>,
    asked: Arc<Mutex<usize>>,
}

impl Slow {
    fn wait<I: Send + 'static, O: 'static>(&self, input: I) -> Step<I, O> {
        *self.asked.lock().unwrap() += 1;
        let go = self.go.clone();
        Step::later(async move {
            go.notified().await;
            // A step may be followed by another.
            Step::later(async move { Step::Continue(input) })
        })
    }
}

impl Handler for Slow {
    fn read(&self, _: &Caller, query: Query) -> Step<Query, Vec<Record>> {
        self.wait(query)
    }
    fn upsert(&self, _: &Caller, record: RecordInput) -> Step<RecordInput, Record> {
        self.wait(record)
    }
}

#[test]
fn while_a_handler_thinks_only_its_connection_waits() {
    let (go, asked) = (Arc::new(Notify::new()), Arc::new(Mutex::new(0)));
    with(
        || Slow { go: go.clone(), asked: asked.clone() },
        async |node: Node| {
            let (peer, other) = (node.open(), node.open());
            peer.send(json!({"id": 1, "event": "M:upsert", "data": {"id": "a", "n": 1}}));
            let next = json!({"id": 2, "event": "N:upsert", "data": {"id": "b"}});
            assert_eq!(peer.offer(&next), Progress::Later);
            assert_eq!(peer.offer(&json!({"id": 2, "event": "no event"})), Progress::Later, "refusals wait, too");
            other.send(json!({"id": 1, "event": "N:upsert", "data": {"id": "c"}}));
            assert_eq!(other.only().await["data"]["id"], "c");
            assert_eq!(peer.seen().await, Vec::<Value>::new());
            assert!(!peer.wire.resumed.get());
            go.notify_one();
            assert_eq!(peer.only().await["id"], 1);
            assert!(peer.wire.resumed.take());
            peer.send(next);
            assert_eq!(peer.only().await["id"], 2);
            peer.send(json!({"id": 3, "event": "M:read"}));
            assert_eq!(peer.offer(&json!({"id": 4, "event": "M:read"})), Progress::Later);
            go.notify_one();
            assert_eq!(peer.only().await["data"][0]["n"], 1);
            assert_eq!(std::mem::take(&mut *asked.lock().unwrap()), 2, "each request is asked about once");
        },
    );
}

#[test]
fn a_connection_that_goes_while_a_handler_thinks_harms_nothing() {
    let go = Arc::new(Notify::new());
    with(
        || Slow { go: go.clone(), asked: Arc::default() },
        async |node: Node| {
            for (event, data) in [
                ("M:upsert", json!({"id": "a", "n": 1})),
                ("Here:upsert", json!({"id": "a", "n": 1})),
                ("M:read", Value::Null),
                ("M:unsubscribe", json!({"where": {"n": 1}})),
            ] {
                let peer = node.open();
                peer.send(json!({"id": 1, "event": event, "data": data}));
                peer.close();
                go.notify_one();
                assert_eq!(peer.seen().await, Vec::<Value>::new());
            }
            assert_eq!(node.stored().await, [("a".to_owned(), json!(1))], "a write that was sent is done");
            let here = node.broker.read("Here", Query::default()).await.unwrap();
            assert_eq!(here, [], "but not if its owner is gone");
            let peer = node.open();
            peer.send(json!({"id": 1, "event": "N:read"}));
            assert_eq!(peer.only().await["data"], json!([]));
        },
    );
}

/// Fails in every way there is.
struct Broken;

impl Handler for Broken {
    fn read(&self, _: &Caller, query: Query) -> Step<Query, Vec<Record>> {
        assert!(query.limit.is_none(), "a read with a limit");
        Step::Continue(query)
    }
    fn upsert(&self, _: &Caller, record: RecordInput) -> Step<RecordInput, Record> {
        match record.get("fail").as_ref().and_then(Value::as_str) {
            Some("now") => panic!("at once"),
            Some("later") => Step::later(async {
                yield_now().await;
                std::panic::panic_any(7)
            }),
            _ => Step::Continue(record),
        }
    }
    fn changed(&self, _: &Caller, _: &Change) {
        panic!("after the fact");
    }
    fn on_open(&self, _: &Caller) {
        panic!("at the door");
    }
}

#[test]
fn a_handler_that_panics_fails_its_request_and_no_other() {
    with(
        || Broken,
        async |node: Node| {
            let peer = node.open();
            node.hub.borrow_mut().announce(peer.key);
            for fail in ["now", "later"] {
                let records = json!([{"id": "a", "n": 1}, {"id": "b", "fail": fail}]);
                peer.send(json!({"id": 1, "event": "M:upsert", "data": records}));
                let refused = peer.only().await;
                assert_eq!((code(&refused), &refused["error"]["element"]), ("internal", &json!(1)));
                assert!(!refused.to_string().contains("at once"), "what is internal stays in the log");
            }
            assert_eq!(node.stored().await, []);
            peer.send(json!({"id": 2, "event": "M:read", "data": {"limit": 1}}));
            assert_eq!(code(&peer.only().await), "internal");
            peer.send(json!({"id": 3, "event": "M:read"}));
            assert_eq!(peer.only().await["data"], json!([]));
            peer.send(json!({"id": 4, "event": "M:upsert", "data": [{"id": "a", "n": 1}, {"id": "b"}]}));
            let seen = peer.seen().await;
            assert_eq!(seen.len(), 3, "two pushes and the reply: {seen:#?}");
            assert_eq!(node.stored().await.len(), 2);
        },
    );
}

/// Keeps a history in another model.
#[derive(Default)]
struct Historian(Arc<Mutex<Vec<String>>>);

impl Handler for Historian {
    fn changed(&self, caller: &Caller, change: &Change) {
        let kind = format!("{:?} {}", change.kind, change.record.id());
        // Begun with the call; nobody waits for it.
        drop(caller.broker().upsert("History", &json!({"what": kind})));
        drop(caller.broker().upsert("M", &json!({"id": "last", "what": kind})));
    }
    fn on_open(&self, caller: &Caller) {
        self.0.lock().unwrap().push(format!("{} opened {}", caller.client().unwrap_or("nobody"), caller.model()));
    }
    fn on_close(&self, caller: &Caller) {
        self.0.lock().unwrap().push(format!("{} closed {}", caller.client().unwrap_or("nobody"), caller.model()));
    }
}

#[test]
fn what_clients_changed_is_told_and_the_servers_own_writes_are_not() {
    with(Historian::default, async |node: Node| {
        let (peer, listener) = (node.open(), node.open());
        listener.send(json!({"id": 1, "event": "History:subscribe"}));
        listener.only().await;
        node.broker.upsert("M", &json!({"id": "own"})).await.unwrap();
        peer.send(json!({"id": 1, "event": "M:upsert", "data": {"id": "a"}}));
        peer.only().await;
        peer.send(json!({"id": 2, "event": "M:delete", "data": {"id": "nothing there"}}));
        peer.only().await;
        let entries = json!([{"event": "N:upsert", "data": {"id": "n"}}, {"event": "M:upsert", "data": [{"id": "b"}, {"id": "a", "n": 1}]}, {"event": "M:delete", "data": {"id": "b"}}]);
        peer.send(json!({"id": 3, "event": "$batch:commit", "data": entries}));
        peer.only().await;
        let heard: Vec<Value> = listener.seen().await.iter().map(|push| push["data"]["what"].clone()).collect();
        assert_eq!(heard, ["Insert a", "Insert b", "Update a", "Delete b"]);
        let last = node.broker.read_one("M", "last").await.unwrap().unwrap();
        assert_eq!(last.get("what"), Some(json!("Delete b")));
    });
}

#[test]
fn handlers_are_told_who_comes_and_goes_once() {
    let told = Arc::new(Mutex::new(Vec::new()));
    with(
        || Historian(told.clone()),
        async |node: Node| {
            let (peer, silent) = (node.open(), node.open());
            node.hub.borrow_mut().name_client(peer.key, "me").unwrap();
            for _ in 0..2 {
                node.hub.borrow_mut().announce(peer.key);
            }
            peer.close();
            peer.close();
            silent.close();
            let mut told = std::mem::take(&mut *told.lock().unwrap());
            told.sort();
            assert_eq!(told, ["me closed Here", "me closed M", "me opened Here", "me opened M"]);
        },
    );
}

/// Gives every write another number.
#[derive(Default)]
struct Counting(Mutex<u64>);

impl Handler for Counting {
    fn upsert(&self, _: &Caller, mut record: RecordInput) -> Step<RecordInput, Record> {
        let mut count = self.0.lock().unwrap();
        *count += 1;
        record.set("n", *count);
        Step::Continue(record)
    }
}

#[test]
fn a_write_that_is_sent_again_has_its_first_outcome() {
    with(Counting::default, async |node: Node| {
        let write = json!({"id": "w", "event": "M:upsert", "data": {"id": "a"}});
        for _ in 0..2 {
            let peer = node.open();
            node.hub.borrow_mut().name_client(peer.key, "me").unwrap();
            peer.send(write.clone());
            assert_eq!(peer.only().await["data"]["n"], 1);
            peer.close();
        }
        assert_eq!(node.stored().await, [("a".to_owned(), json!(1))]);
    });
}

#[test]
fn the_servers_own_code_writes_as_anybody_and_is_heard() {
    with(
        || Careful,
        async |node: Node| {
            let listener = node.open();
            listener.send(json!({"id": 1, "event": "M:read"}));
            listener.only().await;
            let broker = &node.broker;
            let made = broker.upsert("M", &json!({"n": 1000, "x": 1})).await.unwrap();
            let id = made.id().to_owned();
            assert_eq!(made.get("by"), None, "no handler is asked");
            broker.upsert("M", &json!({"id": id, "n": 2})).await.unwrap();
            let replaced = broker.replace("M", &json!({"id": id, "n": 3})).await.unwrap();
            assert_eq!(replaced.json(), format!(r#"{{"id":"{id}","n":3,"_rev":3}}"#));
            let stale = json!({"id": id, "n": 4, "_rev": 1});
            assert_eq!(broker.upsert("M", &stale).await.unwrap_err().code, ErrorCode::Conflict);
            let both = broker.upsert_all("M", [json!({"id": "b", "n": 5}), json!({"id": "c", "n": 6})]).await.unwrap();
            assert_eq!(numbers(&both), [("b".to_owned(), json!(5)), ("c".to_owned(), json!(6))]);
            assert!(broker.upsert_all("M", [json!({"id": "d"}), json!(7)]).await.is_err());
            broker.delete("M", "b").await.unwrap();
            broker.delete("M", "not there").await.unwrap();
            let query = Query::try_from(&json!({"where": {"n": {"$gt": 3}}})).unwrap();
            assert_eq!(numbers(&broker.read("M", query).await.unwrap()), [("c".to_owned(), json!(6))]);
            assert_eq!(broker.read_one("M", "b").await.unwrap(), None);
            assert_eq!(broker.upsert("no name", &json!({})).await.unwrap_err().code, ErrorCode::InvalidModel);
            let heard: Vec<Value> = listener.seen().await.iter().map(|push| push["event"].clone()).collect();
            assert_eq!(heard, ["M:upsert", "M:upsert", "M:upsert", "M:upsert", "M:upsert", "M:delete"]);
        },
    );
}

#[test]
fn a_read_without_a_reply_listens_without_repeating() {
    with(
        || Careful,
        async |node: Node| {
            let (quiet, writer) = (node.open(), node.open());
            for model in ["M", "N"] {
                quiet.send(json!({"event": format!("{model}:read")}));
                writer.send(json!({"event": format!("{model}:upsert"), "data": {"id": "a", "n": 1}}));
                writer.seen().await;
                writer.send(json!({"event": format!("{model}:upsert"), "data": {"id": "a", "n": 2}}));
                let numbers: Vec<Value> = quiet.seen().await.iter().map(|push| push["data"]["n"].clone()).collect();
                assert!(numbers == [1, 2] || numbers == [2], "{model}: {numbers:?}");
            }
        },
    );
}
