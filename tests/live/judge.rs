//! What has to be so when everything is quiet.

use crate::{
    connection::Connection,
    listener::Listening,
    presence::MODEL,
    server::HUNG,
    world::{Look, World, position},
    writer::Written,
};
use backsync_protocol::Position;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    thread,
    time::{Duration, Instant},
};

/// A model as a node reads it.
struct Truth {
    records: Vec<Value>,
    position: Position,
}

fn read(world: &World, node: usize, model: &str) -> Truth {
    let begin = Instant::now();
    loop {
        let request = json!({"id": 1, "event": format!("{model}:read"), "options": {"listen": false}});
        let connection = Connection::open(world.fleet.address(node), "judge");
        if let Some(Value::Object(reply)) = connection.and_then(|mut connection| connection.ask(&request))
            && let Some(Value::Array(records)) = reply.get("data")
        {
            let position = position(&Value::Object(reply.clone())).unwrap();
            return Truth { records: records.clone(), position };
        }
        assert!(begin.elapsed() < HUNG, "node {node} does not answer");
        thread::sleep(Duration::from_millis(50));
    }
}

/// Wait until something is so, for as long as is reasonable since `begin`.
fn until(world: &World, begin: Instant, what: &str, mut is_so: impl FnMut() -> Result<(), String>) {
    while let Err(problem) = is_so() {
        if begin.elapsed() > HUNG {
            world.wrong(format!("{what}: {problem}"));
            break;
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// Only these are present, on each node; how long that took.
pub(crate) fn no_ghosts(world: &World, present: usize) -> Duration {
    let present: BTreeSet<String> = (0..present).map(|number| format!("regular{number}")).collect();
    let begin = Instant::now();
    until(world, begin, "who is present", || {
        for node in 0..world.fleet.len() {
            let users = read(world, node, MODEL).records;
            let users: BTreeSet<String> = users.iter().map(|user| user["id"].as_str().unwrap().to_owned()).collect();
            if users != present {
                return Err(format!("{users:?}, as node {node} has it"));
            }
        }
        Ok(())
    });
    begin.elapsed()
}

/// All nodes read the same, and every listener knows just that; how long it took.
pub(crate) fn all_agree(world: &World, listenings: &[Vec<Listening>]) -> Duration {
    let begin = Instant::now();
    let models: BTreeSet<&str> = listenings.iter().flatten().map(|listening| listening.model).collect();
    for model in models {
        let truth = read(world, 0, model);
        for node in 1..world.fleet.len() {
            let other = read(world, node, model);
            if (&other.records, other.position) != (&truth.records, truth.position) {
                let differ = differences(&looks(&other.records), &looks(&truth.records));
                world.wrong(format!(
                    "node {node} reads {model} at {}, node 0 at {}: {differ}",
                    other.position, truth.position
                ));
            }
        }
        for (number, of) in listenings.iter().enumerate() {
            for listening in of.iter().filter(|listening| listening.model == model) {
                let wanted = looks(truth.records.iter().filter(|record| listening.wants(record)));
                let who = format!("listener {number} to {model} {:?}", listening.filter);
                until(world, begin, &who, || {
                    let known = listening.records();
                    if known == wanted { Ok(()) } else { Err(differences(&known, &wanted)) }
                });
            }
        }
    }
    begin.elapsed()
}

fn looks<'a>(records: impl IntoIterator<Item = &'a Value>) -> BTreeMap<String, Look> {
    records.into_iter().map(|record| (record["id"].as_str().unwrap().to_owned(), Look::of(record))).collect()
}

/// The first few records that are not as they should be.
fn differences(known: &BTreeMap<String, Look>, wanted: &BTreeMap<String, Look>) -> String {
    let ids: BTreeSet<&String> = known.keys().chain(wanted.keys()).collect();
    let differ: Vec<_> = ids.into_iter().filter(|id| known.get(*id) != wanted.get(*id)).collect();
    let describe = |id: &&String| format!("{id} as {:?} instead of {:?}", known.get(*id), wanted.get(*id));
    let first: Vec<String> = differ.iter().take(3).map(describe).collect();
    format!("{} of {} records: {}", differ.len(), wanted.len(), first.join(", "))
}

/// What was written is there once and whole. Where something may have been forgotten, it is counted: acknowledged writes in
/// histories that ended.
pub(crate) fn once_or_forgotten(world: &World, all: &[Written], may_forget: bool) -> usize {
    let truth = read(world, 0, "Line");
    let mut found: BTreeMap<(&str, u64), BTreeSet<&str>> = BTreeMap::new();
    for record in &truth.records {
        let key = (record["writer"].as_str().unwrap(), record["n"].as_u64().unwrap());
        found.entry(key).or_default().insert(record["id"].as_str().unwrap());
    }
    let mut forgotten = 0;
    for written in all {
        for (n, lines) in &written.lines {
            let acknowledged: BTreeSet<&str> = lines.ids.iter().map(String::as_str).collect();
            match found.remove(&(written.name.as_str(), *n)) {
                // What was forgotten and sent once more has new ids.
                Some(there) if there == acknowledged || (may_forget && there.len() == acknowledged.len()) => {}
                Some(there) => world.wrong(format!(
                    "write {n} of {} was acknowledged as {acknowledged:?} and is there as {there:?}",
                    written.name
                )),
                None if may_forget && lines.position.epoch != truth.position.epoch => forgotten += 1,
                None => world.wrong(format!(
                    "write {n} of {} was acknowledged at {} and is not there at {}",
                    written.name, lines.position, truth.position
                )),
            }
        }
    }
    for ((writer, n), ids) in found {
        world.wrong(format!("write {n} of {writer} was never acknowledged, and {} lines of it are there", ids.len()));
    }
    let items = read(world, 0, "Item").records;
    let items: BTreeMap<&str, u64> =
        items.iter().map(|item| (item["id"].as_str().unwrap(), item["n"].as_u64().unwrap())).collect();
    for (id, n) in all.iter().flat_map(|written| &written.items) {
        if items.get(id.as_str()).copied() != *n && !may_forget {
            world.wrong(format!("{id} is {:?} and was written as {n:?} last", items.get(id.as_str())));
        }
    }
    forgotten
}
