//! A client that listens: to several models at once, on one connection that it renews, each from where it was.

use crate::{
    connection::Next,
    random::Random,
    world::{Link, Look, World, count, position},
};
use backsync_protocol::Position;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{Mutex, atomic::Ordering},
    thread,
    time::{Duration, Instant},
};

/// What of a model somebody listens to: all of it, or what has this value at this attribute.
pub(crate) struct Listening {
    pub(crate) model: &'static str,
    pub(crate) filter: Option<(&'static str, Value)>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// What each record looks like.
    records: BTreeMap<String, Look>,
    /// As it came.
    position: Option<String>,
    /// Parsed; of the last message that had one.
    at: Option<Position>,
    /// What its pushes are marked with.
    mark: Value,
    /// Something was told in short since the last position: the next one may be anywhere behind that.
    in_short: bool,
    is_live: bool,
    ask_at: Option<Instant>,
}

impl Listening {
    pub(crate) fn to(model: &'static str) -> Self {
        Self { model, filter: None, known: Mutex::default() }
    }

    pub(crate) fn matching(model: &'static str, attribute: &'static str, value: Value) -> Self {
        Self { filter: Some((attribute, value)), ..Self::to(model) }
    }

    pub(crate) fn wants(&self, record: &Value) -> bool {
        self.filter.as_ref().is_none_or(|(attribute, value)| record[*attribute] == *value)
    }

    /// What each record looks like to this one now.
    pub(crate) fn records(&self) -> BTreeMap<String, Look> {
        self.known.lock().unwrap().records.clone()
    }

    pub(crate) fn has(&self, id: &str) -> bool {
        self.known.lock().unwrap().records.contains_key(id)
    }

    pub(crate) fn is_live(&self) -> bool {
        self.known.lock().unwrap().is_live
    }

    /// Ask from where it was.
    pub(crate) fn ask(&self, link: &mut Link<'_>, id: &str) {
        let mut known = self.known.lock().unwrap();
        (known.is_live, known.ask_at) = (false, None);
        let mut data = json!({"since": known.position});
        if let Some((attribute, value)) = &self.filter {
            data["where"] = json!({*attribute: value});
        }
        link.send(&json!({"id": id, "event": format!("{}:read", self.model), "data": data}).to_string());
    }

    pub(crate) fn ask_again(&self, link: &mut Link<'_>, id: &str) {
        let is_due = self.known.lock().unwrap().ask_at.is_some_and(|at| at <= Instant::now());
        if is_due {
            self.ask(link, id);
        }
    }

    /// The answer to its question.
    pub(crate) fn answered(&self, world: &World, reply: &Value) {
        let mut known = self.known.lock().unwrap();
        if reply["error"]["retry"] == true {
            count(&world.tally.put_off);
            known.ask_at = Some(Instant::now() + Duration::from_millis(50));
            return;
        }
        if !reply["data"].is_array() {
            return world.wrong(format!("a read was answered with {reply}"));
        }
        if reply["reset"] == true {
            count(&world.tally.resets);
        }
        if reply["reset"] == true || known.position.is_none() {
            known.records.clear();
        }
        for id in reply["deleted"].as_array().into_iter().flatten() {
            known.records.remove(id.as_str().unwrap());
        }
        known.put_all(&reply["data"]);
        known.mark = reply["filter"].clone();
        (known.is_live, known.in_short) = (true, false);
        known.goes_to(reply);
    }

    /// A push of its model, which may be another's.
    pub(crate) fn pushed(&self, world: &World, method: &str, push: &Value) {
        let mut known = self.known.lock().unwrap();
        if !known.is_live || push["filter"] != known.mark {
            return;
        }
        count(&world.tally.pushes);
        let data = &push["data"];
        let at = position(push);
        if let Some(at) = at
            && method != "reset"
        {
            if push["left"] != true && !known.in_short {
                world.told(self.model, at, method, data);
            }
            if let Some(last) = known.at.filter(|last| last.epoch == at.epoch && !known.in_short) {
                // Who hears all of it hears every number.
                let is_next = at.revision == last.revision.next();
                let is_fine = is_next || (self.filter.is_some() && at.revision > last.revision);
                if !is_fine {
                    world.wrong(format!("{} after {last} came {push}", self.model));
                }
            }
        }
        match method {
            "upsert" => known.put(data),
            "delete" => drop(known.records.remove(data["id"].as_str().unwrap())),
            "reset" => {
                count(&world.tally.resets);
                known.records.clear();
                known.put_all(data);
            }
            _ => world.wrong(format!("not a push: {push}")),
        }
        known.in_short = at.is_none();
        known.goes_to(push);
    }
}

impl Known {
    fn put(&mut self, record: &Value) {
        self.records.insert(record["id"].as_str().unwrap().to_owned(), Look::of(record));
    }

    fn put_all(&mut self, records: &Value) {
        records.as_array().into_iter().flatten().for_each(|record| self.put(record));
    }

    fn goes_to(&mut self, message: &Value) {
        if let Some(at) = position(message) {
            self.at = Some(at);
            self.position = message["position"].as_str().map(str::to_owned);
        }
    }
}

/// Listen until all is over.
pub(crate) fn listen(world: &World, name: &str, node: usize, listenings: &[Listening], seed: u64) {
    let (mut random, mut node) = (Random::seeded(seed), node);
    let mut link = None;
    while !world.is_over.load(Ordering::Relaxed) {
        let Some(open) = &mut link else {
            link = world.connect(node, name);
            match &mut link {
                Some(link) => {
                    listenings.iter().enumerate().for_each(|(at, listening)| listening.ask(link, &at.to_string()));
                }
                None => thread::sleep(Duration::from_millis(random.below(100))),
            }
            continue;
        };
        listenings.iter().enumerate().for_each(|(at, listening)| listening.ask_again(open, &at.to_string()));
        match open.next() {
            Next::Message(message) => take(world, listenings, &message),
            Next::Nothing => {}
            Next::Lost => {
                link = None;
                // A node that comes back finds clients on it, and those that are left do as well.
                node = random.index(world.fleet.len());
            }
        }
    }
}

fn take(world: &World, listenings: &[Listening], message: &Value) {
    if let Some(id) = message["id"].as_str() {
        let at: usize = id.parse().unwrap();
        return listenings[at].answered(world, message);
    }
    let Some((model, method)) = message["event"].as_str().and_then(|event| event.split_once(':')) else {
        return world.wrong(format!("not a message: {message}"));
    };
    for listening in listenings.iter().filter(|listening| listening.model == model) {
        listening.pushed(world, method, message);
    }
}
