//! The broker over a store that takes its time: whatever is answered when, every listener sees an exact segment of the log.
//!
//! Two hubs, some connections that come and go, listen to everything or with filters and resume where they were, and a store whose work and whose answers are let through one by one, all driven by a seeded
//! random choice in one thread.

use super::{Broker, ConnectionKey, Framing, Hub, Limits, Parts, Progress, Sink};
use crate::{
    auth::{AllowAll, NoTokens},
    bus::Local,
    store::{Answer, Change, Commit, Few, Memory, Outcome, Owned, Read, Retention, Snapshot, Store},
};
use backsync_protocol::{Filter, FilterLimits, ModelName, Position, Revision};
use serde_json::{Value, json};
use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, HashMap, VecDeque},
    io::{self, IoSlice},
    rc::Rc,
    sync::{Arc, Mutex},
};
use tokio::{sync::oneshot, task::LocalSet};

/// A step that the store has still to take: do the work, or hand out the answer.
type Step = Box<dyn FnOnce() -> Option<Step2> + Send>;
type Step2 = Box<dyn FnOnce() + Send>;

/// Work is done in the order of the calls, as a writer does it; answers come in any order.
#[derive(Default)]
struct Lagging {
    memory: Arc<Memory>,
    work: Mutex<VecDeque<Step>>,
    answers: Mutex<Vec<Step2>>,
}

impl Lagging {
    fn later<T: Send + 'static>(&self, ask: impl FnOnce(&Memory) -> Answer<T> + Send + 'static) -> Answer<T> {
        let (sender, answer) = oneshot::channel();
        let memory = self.memory.clone();
        self.work.lock().unwrap().push_back(Box::new(move || {
            let Answer::Ready(Some(done)) = ask(&memory) else { unreachable!("memory never waits") };
            Some(Box::new(move || drop(sender.send(done))))
        }));
        Answer::later(async move { answer.await.expect("every call is answered") })
    }

    fn is_idle(&self) -> bool {
        self.work.lock().unwrap().is_empty() && self.answers.lock().unwrap().is_empty()
    }

    /// Take one of the steps there are; false where there is none.
    fn step(&self, random: &mut Random) -> bool {
        let (work, answers) = (self.work.lock().unwrap().len(), self.answers.lock().unwrap().len());
        if work + answers == 0 {
            return false;
        }
        if random.below(work.min(1) + answers) < work.min(1) {
            let step = self.work.lock().unwrap().pop_front().unwrap();
            self.answers.lock().unwrap().extend(step());
        } else {
            let answer = self.answers.lock().unwrap().swap_remove(random.below(answers));
            answer();
        }
        true
    }
}

impl Store for Lagging {
    fn commit(&self, commits: Few<Commit>) -> Answer<Few<Outcome>> {
        self.later(move |memory| memory.commit(commits))
    }

    fn read(&self, model: &ModelName, read: Read) -> Answer<Snapshot> {
        let model = model.clone();
        self.later(move |memory| memory.read(&model, read))
    }

    fn changes(&self, model: &ModelName, after: Revision, limit: usize) -> Answer<Option<Vec<Change>>> {
        let model = model.clone();
        self.later(move |memory| memory.changes(&model, after, limit))
    }

    fn position(&self, model: &ModelName) -> Answer<Position> {
        let model = model.clone();
        self.later(move |memory| memory.position(&model))
    }

    fn owned(&self) -> Answer<Vec<Owned>> {
        self.later(Memory::owned)
    }

    fn close(&self) -> Answer<()> {
        Answer::ready(())
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }
}

#[derive(Default)]
struct Wire(RefCell<Vec<u8>>, Cell<bool>);

impl Sink for Wire {
    fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if self.1.get() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.0.borrow_mut().extend(slices.iter().flat_map(|slice| slice.iter()));
        Ok(slices.iter().map(|slice| slice.len()).sum())
    }
    fn blocked(&self) {}
    fn resume(&self) {}
    fn ended(&self) {}
}

impl Wire {
    fn take(&self) -> Vec<Value> {
        let bytes = std::mem::take(&mut *self.0.borrow_mut());
        let (mut messages, mut at) = (Vec::new(), 0);
        while at < bytes.len() {
            assert_eq!(bytes[at], 0x81);
            let (start, length) = match bytes[at + 1] {
                126 => (at + 4, usize::from(u16::from_be_bytes([bytes[at + 2], bytes[at + 3]]))),
                127 => {
                    (at + 10, usize::try_from(u64::from_be_bytes(bytes[at + 2..at + 10].try_into().unwrap())).unwrap())
                }
                length => (at + 2, usize::from(length)),
            };
            messages.push(serde_json::from_slice(&bytes[start..start + length]).unwrap());
            at = start + length;
        }
        messages
    }
}

/// A client that checks everything it is told.
struct Client {
    hub: usize,
    key: ConnectionKey,
    wire: Rc<Wire>,
    to_send: VecDeque<Ask>,
    /// Sent, and not yet answered.
    sent: VecDeque<(usize, Ask)>,
    next: usize,
    /// What it listens to, by the name of the filter, and what it knows of it.
    views: BTreeMap<Option<String>, View>,
    /// Views of a connection that was lost, to be restored.
    lost: Vec<View>,
}

#[derive(Clone)]
struct View {
    filter: Option<Value>,
    records: BTreeMap<String, Value>,
    position: Position,
}

/// What a client does.
#[derive(Clone)]
enum Ask {
    /// Read the whole model, or what matches.
    Read(Option<Value>),
    /// Hear no more of anything, or of what matches.
    Unsubscribe(Option<Value>),
    Write(&'static str, Value),
    /// Lose the connection, and come back.
    Reconnect,
    /// Go on from what it knew.
    Resume(View),
}

impl Ask {
    fn message(&self, id: usize) -> String {
        let query = |filter: &Option<Value>| filter.as_ref().map_or(json!(null), |filter| json!({"where": filter}));
        match self {
            Self::Read(filter) => json!({"id": id, "event": "M:read", "data": query(filter)}),
            Self::Unsubscribe(filter) => json!({"id": id, "event": "M:unsubscribe", "data": query(filter)}),
            Self::Write(method, data) => json!({"id": id, "event": format!("M:{method}"), "data": data}),
            Self::Resume(View { filter, position, .. }) => {
                let (event, since) = (["M:read", "M:subscribe"][id % 2], position.to_string());
                json!({"id": id, "event": event, "data": {"where": filter, "since": since}})
            }
            Self::Reconnect => unreachable!("it is not sent"),
        }
        .to_string()
    }
}

fn by_id(records: &Value) -> impl Iterator<Item = (String, Value)> {
    let records = records.as_array().unwrap().iter();
    records.map(|record| (record["id"].as_str().unwrap().to_owned(), record.clone()))
}

impl Client {
    fn take_in(&mut self, context: &str) {
        for message in self.wire.take() {
            let position: Option<Position> = message["position"].as_str().map(|position| position.parse().unwrap());
            assert!(message.get("error").is_none(), "{context}: {message}");
            if message.get("id").is_none() {
                self.pushed(&message, position.unwrap(), context);
            } else {
                let (id, ask) = self.sent.pop_front().expect("an answer to something");
                assert_eq!(message["id"], json!(id), "{context}: replies come in order");
                self.answered(ask, &message, position, context);
            }
        }
    }

    fn pushed(&mut self, message: &Value, position: Position, context: &str) {
        let filter = message["filter"].as_str().map(str::to_owned);
        let view = self.views.get_mut(&filter).unwrap_or_else(|| panic!("{context}: unasked {message}"));
        let (last, now) = (view.position.revision, position.revision);
        assert!(now > last, "{context}: a repeat: {message}");
        assert!(filter.is_some() || now == last.next(), "{context}: a hole before {message}");
        view.position = position;
        let id = message["data"]["id"].as_str().unwrap().to_owned();
        if message["event"] == "M:upsert" {
            let before = view.records.insert(id, message["data"].clone());
            assert_ne!(before.as_ref(), Some(&message["data"]), "{context}: told twice");
        } else {
            assert!(view.records.remove(&id).is_some(), "{context}: what leaves was inside: {message}");
        }
    }

    fn answered(&mut self, ask: Ask, message: &Value, position: Option<Position>, context: &str) {
        let name = message["filter"].as_str().map(str::to_owned);
        match ask {
            Ask::Read(filter) => {
                if let Some(view) = self.views.get(&name) {
                    let revision = position.unwrap().revision;
                    assert!(view.position.revision <= revision, "{context}: a read goes back in time");
                }
                let records = by_id(&message["data"]).collect();
                self.views.insert(name, View { filter, records, position: position.unwrap() });
            }
            Ask::Resume(mut view) => {
                if message["reset"] == true {
                    view.records.clear();
                }
                for id in message["deleted"].as_array().into_iter().flatten() {
                    view.records.remove(id.as_str().unwrap());
                }
                view.records.extend(by_id(&message["data"]));
                view.position = position.unwrap();
                self.views.insert(name, view);
            }
            Ask::Unsubscribe(None) => self.views.clear(),
            Ask::Unsubscribe(filter) => self.views.retain(|_, view| view.filter != filter),
            Ask::Write(..) => {
                if let Some(view) = self.views.get(&None) {
                    assert_eq!(position, Some(view.position), "{context}: a reply stands right behind its push");
                }
            }
            Ask::Reconnect => unreachable!("it is not sent"),
        }
    }
}

fn something(random: &mut Random) -> Ask {
    let record = |random: &mut Random| json!({"id": format!("r{}", random.below(4)), "n": random.below(3)});
    let filter = |random: &mut Random| match random.below(4) {
        0 => json!({"n": {"$gt": 0}}),
        n => json!({"n": n - 1}),
    };
    match random.below(14) {
        0 => Ask::Read(None),
        1 | 2 => Ask::Read(Some(filter(random))),
        3 => Ask::Unsubscribe(None),
        4 => Ask::Unsubscribe(Some(filter(random))),
        5 => Ask::Reconnect,
        6 | 7 => Ask::Write("delete", json!({"id": format!("r{}", random.below(4))})),
        8 => Ask::Write("upsert", json!([record(random), record(random)])),
        _ => Ask::Write("upsert", record(random)),
    }
}

fn broker(store: Arc<dyn Store>, limits: Limits) -> Broker {
    Broker::new(Parts {
        store,
        bus: Arc::new(Local::default()),
        policy: Arc::new(AllowAll),
        authenticator: Arc::new(NoTokens),
        limits,
        rules: HashMap::new(),
        handlers: HashMap::new(),
        clock: || 0,
        workers: 2,
        linger: 0,
        heartbeat: 25_000,
    })
}

async fn run(seed: u64) {
    let context = format!("seed {seed}");
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    // Little is kept, so that who comes back meets every kind of answer.
    let retention = Retention { log_entries: 6, tombstones: 2, ..Retention::default() };
    let memory = Arc::new(Memory::new(if seed.is_multiple_of(3) { retention } else { Retention::default() }));
    let store = Arc::new(Lagging { memory, ..Lagging::default() });
    let broker = broker(store.clone(), Limits::default());
    let hubs = [Hub::new(broker.clone(), 0), Hub::new(broker, 1)];
    let connect = |hub: usize| {
        let wire = Rc::new(Wire::default());
        (hubs[hub].borrow_mut().open(Framing::WebSocket, wire.clone()), wire)
    };
    let mut clients: Vec<Client> = (0..4)
        .map(|n| {
            let (key, wire) = connect(n % 2);
            let to_send = (0..14).map(|_| something(&mut random)).collect();
            let (sent, views, lost) = Default::default();
            Client { hub: n % 2, key, wire, to_send, sent, next: 0, views, lost }
        })
        .collect();
    let mut quiet = 0;
    loop {
        let sending: Vec<usize> = (0..clients.len()).filter(|n| !clients[*n].to_send.is_empty()).collect();
        let moved = match random.below(4) {
            0 | 1 if !sending.is_empty() => {
                let client = &mut clients[sending[random.below(sending.len())]];
                if let Ask::Reconnect = client.to_send[0] {
                    hubs[client.hub].borrow_mut().remove(client.key);
                    // What was on its way to it is lost, also resumptions that were.
                    client.sent.drain(..).for_each(|(_, ask)| {
                        if let Ask::Resume(view) = ask {
                            client.lost.push(view);
                        }
                    });
                    client.lost.extend(std::mem::take(&mut client.views).into_values());
                    (client.key, client.wire) = connect(client.hub);
                    client.to_send.pop_front();
                    let later = std::mem::take(&mut client.to_send).into_iter();
                    let later = later.filter_map(|ask| match ask {
                        Ask::Resume(view) => {
                            client.lost.push(view);
                            None
                        }
                        other => Some(other),
                    });
                    let later: Vec<Ask> = later.collect();
                    // The same was perhaps restored twice; the newer view is as good.
                    let mut restored: Vec<View> = Vec::new();
                    for view in client.lost.drain(..) {
                        match restored.iter_mut().find(|known| known.filter == view.filter) {
                            Some(known) if known.position.revision < view.position.revision => *known = view,
                            Some(_) => {}
                            None => restored.push(view),
                        }
                    }
                    client.to_send = restored.into_iter().map(Ask::Resume).chain(later).collect();
                } else {
                    let text = client.to_send[0].message(client.next);
                    if hubs[client.hub].borrow_mut().receive(client.key, &text) == Progress::Taken {
                        client.sent.push_back((client.next, client.to_send.pop_front().unwrap()));
                        client.next += 1;
                    }
                }
                true
            }
            2 => {
                hubs[random.below(2)].borrow_mut().flush();
                !sending.is_empty()
            }
            _ => store.step(&mut random),
        };
        tokio::task::yield_now().await;
        clients.iter_mut().for_each(|client| client.take_in(&context));
        let all_answered = clients.iter().all(|client| client.to_send.is_empty() && client.sent.is_empty());
        // Writes of lost connections are done too; who answers may ask again.
        quiet = if !moved && all_answered && store.is_idle() { quiet + 1 } else { 0 };
        if quiet > 3 {
            break;
        }
    }
    hubs.iter().for_each(|hub| hub.borrow_mut().flush());
    let model = ModelName::parse("M").unwrap();
    for client in &mut clients {
        client.take_in(&context);
        for view in client.views.values() {
            let filter = view.filter.as_ref().map(|filter| {
                let text = filter.to_string();
                Filter::parse(serde_json::from_str(&text).unwrap(), &FilterLimits::default()).unwrap()
            });
            let truth = store.memory.read(&model, Read { filter, ..Read::default() }).await.unwrap();
            let truth = truth.records.iter().map(|r| (r.id().to_owned(), serde_json::from_str(r.json()).unwrap()));
            let truth: BTreeMap<String, Value> = truth.collect();
            assert_eq!(view.records, truth, "{context}: at rest a listener's view is the store's");
        }
    }
}

#[test]
fn listeners_see_exact_segments_of_the_log_however_slow_the_store_is() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for seed in 0..2000 {
        LocalSet::new().block_on(&runtime, run(seed));
    }
}

#[test]
fn who_reads_too_slowly_is_told_what_it_missed_or_why_it_is_let_go() {
    let broker = broker(Arc::new(Memory::default()), Limits { queue_bytes: 2000, ..Limits::default() });
    let hub = Hub::new(broker, 0);
    let open = || {
        let wire = Rc::new(Wire::default());
        (hub.borrow_mut().open(Framing::WebSocket, wire.clone()), wire)
    };
    let send = |key, text: &str| {
        assert_eq!(hub.borrow_mut().receive(key, text), Progress::Taken);
        hub.borrow_mut().flush();
    };
    let ((writer, _), (reader, slow), (other, stalled)) = (open(), open(), open());
    for (key, wire) in [(reader, &slow), (other, &stalled)] {
        send(key, r#"{"id":1,"event":"M:subscribe"}"#);
        send(key, r#"{"id":2,"event":"M:subscribe","data":{"where":{"n":{"$gt":90}}}}"#);
        assert_eq!(wire.take().len(), 2);
        wire.1.set(true);
    }
    for n in 0..100 {
        send(writer, &format!(r#"{{"event":"M:upsert","data":{{"id":"r{}","n":{n}}}}}"#, n % 2));
    }
    // Its requests wait; nothing more is kept for it.
    assert_eq!(hub.borrow_mut().receive(reader, r#"{"id":3,"event":"M:read"}"#), Progress::Later);
    slow.1.set(false);
    hub.borrow_mut().unblocked(reader);
    let told = slow.take();
    assert!(told.len() < 40, "{} messages", told.len());
    let last = |filtered: bool| {
        let of = told.iter().filter(|push| push.get("filter").is_some() == filtered);
        let states = of.map(|push| (push["data"]["id"].clone(), push["data"]["n"].clone()));
        states.collect::<HashMap<_, _>>()
    };
    let end = HashMap::from([(json!("r0"), json!(98)), (json!("r1"), json!(99))]);
    assert_eq!((last(false), last(true)), (end.clone(), end));
    send(writer, r#"{"event":"M:delete","data":{"id":"r1"}}"#);
    let told = slow.take();
    assert_eq!(told.iter().map(|push| push["event"].as_str().unwrap()).collect::<Vec<_>>(), ["M:delete"; 2]);
    // The other one takes nothing: two heartbeats later it is ended, and what it can still take says why.
    for _ in 0..2 {
        hub.borrow_mut().heartbeat(0, 1, u8::MAX);
    }
    stalled.1.set(false);
    hub.borrow_mut().unblocked(other);
    let bytes = std::mem::take(&mut *stalled.0.borrow_mut());
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.contains(r#""code":"slow_consumer""#) && !text.contains("\"n\":99"), "{text}");
}
