//! The broker over a store that takes its time: whatever is answered when, every listener sees an exact segment of the log.
//!
//! Two hubs, some connections, and a store whose work and whose answers are let through one by one, all driven by a seeded
//! random choice in one thread.

use super::{Broker, ConnectionKey, Framing, Hub, Limits, Parts, Progress, Sink};
use crate::{
    auth::AllowAll,
    bus::Local,
    store::{Answer, Bounds, Change, Commit, Committed, Memory, Selection, Snapshot, Store},
};
use backsync_protocol::{ModelName, Position, Revision};
use serde_json::{Value, json};
use std::{
    cell::RefCell,
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
    fn commit(&self, model: &ModelName, commits: Vec<Commit>, bounds: Bounds) -> Answer<Vec<Committed>> {
        let model = model.clone();
        self.later(move |memory| memory.commit(&model, commits, bounds))
    }

    fn read(&self, model: &ModelName, selection: Selection) -> Answer<Snapshot> {
        let model = model.clone();
        self.later(move |memory| memory.read(&model, selection))
    }

    fn changes(&self, model: &ModelName, after: Revision, limit: usize) -> Answer<Option<Vec<Change>>> {
        let model = model.clone();
        self.later(move |memory| memory.changes(&model, after, limit))
    }

    fn position(&self, model: &ModelName) -> Answer<Position> {
        let model = model.clone();
        self.later(move |memory| memory.position(&model))
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
struct Wire(RefCell<Vec<u8>>);

impl Sink for Wire {
    fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
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
    to_send: VecDeque<Value>,
    sent: usize,
    answered: usize,
    /// While it listens to the whole: what it knows, and up to which revision.
    view: Option<(BTreeMap<String, Value>, u64)>,
}

impl Client {
    fn take_in(&mut self, context: &str) {
        for message in self.wire.take() {
            let revision = message["position"].as_str().map(|p| p.parse::<Position>().unwrap().revision.0);
            let event = message["event"].as_str().unwrap();
            assert!(message.get("error").is_none(), "{context}: {message}");
            if message.get("id").is_none() {
                let (records, seen) = self.view.as_mut().unwrap_or_else(|| panic!("{context}: unasked {message}"));
                assert_eq!(revision, Some(*seen + 1), "{context}: a hole or a repeat before {message}");
                *seen += 1;
                let id = message["data"]["id"].as_str().unwrap().to_owned();
                if event == "M:upsert" {
                    records.insert(id, message["data"].clone())
                } else {
                    records.remove(&id)
                };
                continue;
            }
            assert_eq!(message["id"], json!(self.answered), "{context}: replies come in order");
            self.answered += 1;
            match event {
                "M:read" => {
                    let records = message["data"].as_array().unwrap();
                    let by_id =
                        records.iter().map(|record| (record["id"].as_str().unwrap().to_owned(), record.clone()));
                    if let Some((_, seen)) = &self.view {
                        assert!(*seen <= revision.unwrap(), "{context}: a read goes back in time");
                    }
                    self.view = Some((by_id.collect(), revision.unwrap()));
                }
                "M:unsubscribe" => self.view = None,
                _ => {
                    if let Some((_, seen)) = &self.view {
                        assert_eq!(revision, Some(*seen), "{context}: a reply stands right behind its push");
                    }
                }
            }
        }
    }
}

fn request(random: &mut Random, id: usize) -> Value {
    let record = |random: &mut Random| json!({"id": format!("r{}", random.below(4)), "n": random.below(3)});
    match random.below(10) {
        0 | 1 => json!({"id": id, "event": "M:read"}),
        2 => json!({"id": id, "event": "M:unsubscribe"}),
        3 | 4 => json!({"id": id, "event": "M:delete", "data": {"id": format!("r{}", random.below(4))}}),
        5 => json!({"id": id, "event": "M:upsert", "data": [record(random), record(random)]}),
        _ => json!({"id": id, "event": "M:upsert", "data": record(random)}),
    }
}

async fn run(seed: u64) {
    let context = format!("seed {seed}");
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let store = Arc::new(Lagging::default());
    let broker = Broker::new(Parts {
        store: store.clone(),
        bus: Arc::new(Local::default()),
        policy: Arc::new(AllowAll),
        limits: Limits::default(),
        bounds: HashMap::new(),
        workers: 2,
    });
    let hubs = [Hub::new(broker.clone(), 0), Hub::new(broker, 1)];
    let mut clients: Vec<Client> = (0..4)
        .map(|n| {
            let (wire, hub) = (Rc::new(Wire::default()), n % 2);
            let key = hubs[hub].borrow_mut().open(Framing::WebSocket, wire.clone());
            Client { hub, key, wire, to_send: VecDeque::new(), sent: 0, answered: 0, view: None }
        })
        .collect();
    for client in &mut clients {
        client.to_send = (0..12).map(|id| request(&mut random, id)).collect();
    }
    loop {
        let sending: Vec<usize> = (0..clients.len()).filter(|n| !clients[*n].to_send.is_empty()).collect();
        let moved = match random.below(4) {
            0 | 1 if !sending.is_empty() => {
                let client = &mut clients[sending[random.below(sending.len())]];
                let text = client.to_send[0].to_string();
                if hubs[client.hub].borrow_mut().receive(client.key, &text) == Progress::Taken {
                    client.to_send.pop_front();
                    client.sent += 1;
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
        let all_answered = clients.iter().all(|client| client.to_send.is_empty() && client.answered == client.sent);
        if !moved && all_answered {
            break;
        }
    }
    hubs.iter().for_each(|hub| hub.borrow_mut().flush());
    let model = ModelName::parse("M").unwrap();
    let truth = store.memory.read(&model, Selection::All).await.unwrap();
    let truth: BTreeMap<String, Value> =
        truth.records.iter().map(|r| (r.id.to_string(), serde_json::from_str(&r.json).unwrap())).collect();
    for client in &mut clients {
        client.take_in(&context);
        if let Some((view, _)) = &client.view {
            assert_eq!(*view, truth, "{context}: at rest a listener's view is the store's");
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
