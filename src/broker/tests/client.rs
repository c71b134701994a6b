//! A client that checks everything it is told.

use crate::{
    broker::{ConnectionKey, test_support::Wire},
    random::Random,
};
use backsync_protocol::Position;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, VecDeque},
    rc::Rc,
};

/// A client that checks everything it is told.
pub(super) struct Client {
    pub(super) hub: usize,
    pub(super) key: ConnectionKey,
    pub(super) wire: Rc<Wire>,
    pub(super) to_send: VecDeque<Ask>,
    /// Sent, and not yet answered.
    pub(super) sent: VecDeque<(usize, Ask)>,
    pub(super) next: usize,
    /// What it listens to, by the name of the filter, and what it knows of it.
    pub(super) views: BTreeMap<Option<String>, View>,
    /// Views of a connection that was lost, to be restored.
    pub(super) lost: Vec<View>,
}

#[derive(Clone)]
pub(super) struct View {
    pub(super) filter: Option<Value>,
    pub(super) records: BTreeMap<String, Value>,
    pub(super) position: Position,
}

/// What a client does.
#[derive(Clone)]
pub(super) enum Ask {
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
    pub(super) fn message(&self, id: usize) -> String {
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
    pub(super) fn take_in(&mut self, context: &str) {
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

pub(super) fn something(random: &mut Random) -> Ask {
    let record = |random: &mut Random| json!({"id": format!("r{}", random.index(4)), "n": random.index(3)});
    let filter = |random: &mut Random| match random.index(4) {
        0 => json!({"n": {"$gt": 0}}),
        n => json!({"n": n - 1}),
    };
    match random.index(14) {
        0 => Ask::Read(None),
        1 | 2 => Ask::Read(Some(filter(random))),
        3 => Ask::Unsubscribe(None),
        4 => Ask::Unsubscribe(Some(filter(random))),
        5 => Ask::Reconnect,
        6 | 7 => Ask::Write("delete", json!({"id": format!("r{}", random.index(4))})),
        8 => Ask::Write("upsert", json!([record(random), record(random)])),
        _ => Ask::Write("upsert", record(random)),
    }
}
