//! A client that checks everything it is told.

use super::truth::{Records, Truth};
use crate::{
    broker::{ConnectionKey, test_support::Wire},
    random::Random,
};
use backsync_protocol::Position;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    rc::Rc,
};

/// A client that checks everything it is told.
pub(super) struct Client {
    /// Its name; without one it does not repeat what was lost.
    pub(super) name: Option<String>,
    pub(super) node: usize,
    pub(super) hub: usize,
    pub(super) key: ConnectionKey,
    pub(super) wire: Rc<Wire>,
    pub(super) to_send: VecDeque<Ask>,
    /// Sent, and not yet answered, each with how often the store had been put back.
    sent: VecDeque<(usize, Ask, usize)>,
    next: usize,
    /// What it listens to, by the name of the filter, and what it knows of it.
    views: BTreeMap<Option<String>, View>,
    /// What it was told of its writes.
    outcomes: HashMap<usize, Value>,
    /// The server has closed the connection.
    pub(super) is_closed: bool,
}

#[derive(Clone)]
pub(super) struct View {
    filter: Option<Value>,
    records: Records,
    position: Position,
    /// It is being told what it missed: only the last push says where that is.
    is_in_between: bool,
}

/// What a client does.
#[derive(Clone)]
pub(super) enum Ask {
    /// Say who it is.
    Open(String),
    /// Read the whole model, or what matches.
    Read(Option<Value>),
    /// Hear no more of anything, or of what matches.
    Unsubscribe(Option<Value>),
    Write(Write),
    /// Lose the connection, and come back.
    Reconnect,
    /// Go on from what it knew.
    Resume(View),
}

#[derive(Clone)]
pub(super) struct Write {
    method: &'static str,
    data: Value,
    /// The message it was sent as before.
    sent_as: Option<usize>,
}

impl Ask {
    fn message(&self, id: usize) -> String {
        let query = |filter: &Option<Value>| filter.as_ref().map_or(json!(null), |filter| json!({"where": filter}));
        match self {
            Self::Open(name) => json!({"id": id, "event": "$session:open", "data": {"client": name}}),
            Self::Read(filter) => json!({"id": id, "event": "M:read", "data": query(filter)}),
            Self::Unsubscribe(filter) => json!({"id": id, "event": "M:unsubscribe", "data": query(filter)}),
            Self::Write(Write { method, data, .. }) => {
                json!({"id": id, "event": format!("M:{method}"), "data": data})
            }
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
    pub(super) fn new(name: Option<String>, random: &mut Random, (key, wire): (ConnectionKey, Rc<Wire>)) -> Self {
        let open = name.clone().map(Ask::Open);
        let to_send = open.into_iter().chain((0..14).map(|_| something(random))).collect();
        let (sent, views, outcomes) = Default::default();
        Self { name, node: 0, hub: 0, key, wire, to_send, sent, next: 0, views, outcomes, is_closed: false }
    }

    /// What it asks next, as a message; [`Self::sent`] has to follow where it was taken.
    pub(super) fn message(&self) -> String {
        let id = match &self.to_send[0] {
            Ask::Write(Write { sent_as: Some(id), .. }) => *id,
            _ => self.next,
        };
        self.to_send[0].message(id)
    }

    /// The message was taken. Now and then it is sent once more.
    pub(super) fn sent(&mut self, random: &mut Random, forks: usize) {
        let ask = self.to_send.pop_front().expect("something was sent");
        let mut id = self.next;
        self.next += 1;
        if let Ask::Write(write) = &ask {
            id = write.sent_as.unwrap_or(id);
            if self.name.is_some() && random.one_in(6) {
                self.to_send.push_front(Ask::Write(Write { sent_as: Some(id), ..write.clone() }));
            }
        }
        self.sent.push_back((id, ask, forks));
    }

    /// It came back with a new connection: it says who it is, goes on where it was, and repeats what was not answered.
    pub(super) fn come_back(&mut self, (key, wire): (ConnectionKey, Rc<Wire>)) {
        (self.key, self.wire, self.is_closed) = (key, wire, false);
        let mut views: Vec<View> = std::mem::take(&mut self.views).into_values().collect();
        let (mut writes, mut later) = (VecDeque::new(), VecDeque::new());
        for (id, ask, _) in self.sent.drain(..) {
            match ask {
                Ask::Resume(view) => views.push(view),
                Ask::Write(write) if self.name.is_some() => {
                    writes.push_back(Ask::Write(Write { sent_as: Some(id), ..write }));
                }
                _ => {}
            }
        }
        for ask in std::mem::take(&mut self.to_send) {
            match ask {
                Ask::Resume(view) => views.push(view),
                Ask::Open(_) => {}
                other => later.push_back(other),
            }
        }
        // The same was perhaps to be restored twice; the first is what it knows.
        let mut restored: Vec<View> = Vec::new();
        for view in views {
            if restored.iter().all(|known| known.filter != view.filter) {
                restored.push(view);
            }
        }
        let open = self.name.clone().map(Ask::Open);
        // What was told in part is of no position.
        let restore = |view: View| if view.is_in_between { Ask::Read(view.filter) } else { Ask::Resume(view) };
        let asks = open.into_iter().chain(restored.into_iter().map(restore));
        self.to_send = asks.chain(writes).chain(later).collect();
    }

    /// What was done was undone: what it was told may not hold.
    pub(super) fn forget_outcomes(&mut self) {
        self.outcomes.clear();
    }

    pub(super) fn is_done(&self) -> bool {
        self.to_send.is_empty() && self.sent.is_empty()
    }

    /// Read what has come; false where nothing has.
    pub(super) fn take_in(&mut self, truth: &Truth, context: &str) -> bool {
        let messages = self.wire.take();
        for message in &messages {
            let position: Option<Position> = message["position"].as_str().map(|position| position.parse().unwrap());
            if message["event"] == "$session:close" {
                assert!(truth.may_forget(), "{context}: nobody is slow: {message}");
                self.is_closed = true;
                continue;
            }
            if let Some(error) = message.get("error") {
                assert!(error["code"] == "store_unavailable" && truth.may_forget(), "{context}: {message}");
                let (id, ask, _) = self.sent.pop_front().expect("an answer to something");
                assert_eq!(message["id"], json!(id), "{context}: replies come in order");
                self.ask_again(id, ask);
                continue;
            }
            let name = message["filter"].as_str().map(str::to_owned);
            if message.get("id").is_none() {
                self.pushed(message, &name, position, truth, context);
            } else {
                let (id, ask, forks) = self.sent.pop_front().expect("an answer to something");
                assert_eq!(message["id"], json!(id), "{context}: replies come in order");
                self.answered((id, ask), message, &name, (position, forks), truth, context);
            }
            if let Some(view) = self.views.get(&name).filter(|view| !view.is_in_between) {
                let was = truth.at(view.position, view.filter.as_ref(), context);
                assert_eq!(view.records, was, "{context}: what is seen at {} is what was: {message}", view.position);
            }
        }
        !messages.is_empty()
    }

    /// The store did not answer: who can repeat it safely does.
    fn ask_again(&mut self, id: usize, ask: Ask) {
        match ask {
            Ask::Write(_) if self.name.is_none() => {}
            Ask::Write(write) => self.to_send.push_front(Ask::Write(Write { sent_as: Some(id), ..write })),
            ask => self.to_send.push_front(ask),
        }
    }

    fn pushed(
        &mut self,
        message: &Value,
        name: &Option<String>,
        position: Option<Position>,
        truth: &Truth,
        context: &str,
    ) {
        let view = self.views.get_mut(name).unwrap_or_else(|| panic!("{context}: unasked {message}"));
        // Who may be told in short is not told every change.
        let in_short = truth.may_forget();
        assert!(in_short || position.is_some(), "{context}: nothing was missed: {message}");
        view.is_in_between = position.is_none();
        if let Some(position) = position {
            let (last, now) = (view.position.revision, position.revision);
            if in_short {
                let is_another = position.epoch != view.position.epoch;
                assert!(is_another || now >= last, "{context}: back in time: {message}");
            } else {
                assert_eq!(position.epoch, view.position.epoch, "{context}: another history: {message}");
                assert!(now > last, "{context}: a repeat: {message}");
                assert!(name.is_some() || now == last.next(), "{context}: a hole before {message}");
            }
            view.position = position;
        }
        if message["event"] == "M:reset" {
            assert!(in_short, "{context}: nothing was missed: {message}");
            view.records = by_id(&message["data"]).collect();
            return;
        }
        let id = message["data"]["id"].as_str().unwrap().to_owned();
        if message["event"] == "M:upsert" {
            let before = view.records.insert(id, message["data"].clone());
            assert!(in_short || before.as_ref() != Some(&message["data"]), "{context}: told twice");
        } else {
            let was_inside = view.records.remove(&id).is_some();
            // What comes from the log does not say what was before it.
            let may_not_know = (in_short || message["left"] == true) && message["data"] == json!({"id": id});
            assert!(was_inside || may_not_know, "{context}: what leaves was inside: {message}");
        }
    }

    fn answered(
        &mut self,
        (id, ask): (usize, Ask),
        message: &Value,
        name: &Option<String>,
        (position, forks): (Option<Position>, usize),
        truth: &Truth,
        context: &str,
    ) {
        match ask {
            Ask::Open(_) => {}
            Ask::Read(filter) => {
                let position = position.unwrap();
                if let Some(view) = self.views.get(name).filter(|view| view.position.epoch == position.epoch) {
                    assert!(view.position.revision <= position.revision, "{context}: a read goes back in time");
                }
                let records = by_id(&message["data"]).collect();
                self.views.insert(name.clone(), View { filter, records, position, is_in_between: false });
            }
            Ask::Resume(mut view) => {
                let (was, now) = (view.position, position.unwrap());
                if message["reset"] == true {
                    view.records.clear();
                } else {
                    let is_same = was.epoch == now.epoch || truth.forks() > 0;
                    assert!(is_same, "{context}: another history is told from its beginning");
                    assert!(was.revision <= now.revision, "{context}: a resumption goes back in time");
                }
                for id in message["deleted"].as_array().into_iter().flatten() {
                    view.records.remove(id.as_str().unwrap());
                }
                view.records.extend(by_id(&message["data"]));
                view.position = now;
                self.views.insert(name.clone(), view);
            }
            Ask::Unsubscribe(None) => self.views.clear(),
            Ask::Unsubscribe(filter) => self.views.retain(|_, view| view.filter != filter),
            Ask::Write(write) => {
                // Who is told what was missed may have the reply before that.
                let is_first = write.sent_as.is_none() && !truth.may_forget();
                if let Some(view) = self.views.get(&None).filter(|_| is_first) {
                    let position = position.unwrap();
                    assert!(position.revision <= view.position.revision, "{context}: a reply before its push");
                    // The bus, or a look at the log, may have brought what was written after it.
                    let is_right_behind = position == view.position || truth.is_shared();
                    assert!(is_right_behind, "{context}: a reply stands right behind its push: {message}");
                }
                let data = &message["data"];
                if data.get("_rev").is_some() {
                    assert!(truth.has_logged(data), "{context}: acknowledged, and not in the log: {message}");
                }
                // What was done before the store was put back may have been undone, and done once more.
                if forks == truth.forks() {
                    let first = self.outcomes.entry(id).or_insert_with(|| data.clone());
                    assert_eq!(first, data, "{context}: a repeated write has its first outcome");
                }
            }
            Ask::Reconnect => unreachable!("it is not sent"),
        }
    }

    /// At rest everybody knows what is.
    pub(super) fn is_up_to_date(&self, truth: &Truth, context: &str) {
        for view in self.views.values() {
            let now = truth.at(truth.head(), view.filter.as_ref(), context);
            assert_eq!(view.records, now, "{context}: at rest a listener's view is the store's");
        }
    }
}

fn something(random: &mut Random) -> Ask {
    let record = |random: &mut Random| json!({"id": format!("r{}", random.below(4)), "n": random.below(3)});
    let filter = |random: &mut Random| match random.below(4) {
        0 => json!({"n": {"$gt": 0}}),
        n => json!({"n": n - 1}),
    };
    let write = |method, data| Ask::Write(Write { method, data, sent_as: None });
    match random.below(14) {
        0 => Ask::Read(None),
        1 | 2 => Ask::Read(Some(filter(random))),
        3 => Ask::Unsubscribe(None),
        4 => Ask::Unsubscribe(Some(filter(random))),
        5 => Ask::Reconnect,
        6 | 7 => write("delete", json!({"id": format!("r{}", random.below(4))})),
        8 => write("upsert", json!([record(random), record(random)])),
        _ => write("upsert", record(random)),
    }
}
