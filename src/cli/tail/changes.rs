//! From the events of a subscription to what is new for somebody who has seen everything up to now: pure.
//!
//! Keeps the id and a fingerprint of each record that the model has, and nothing of those that it has no more. A
//! fingerprint is of the record's whole text, its revision included: so it tells changes apart in one history, and across
//! histories too (a server that was restarted begins a new one, mostly with the same records).

use crate::cli::output::json_for_terminal;
use backsync_client::Event;
use backsync_protocol::{json, json::Members};
use serde_json::value::RawValue;
use std::{
    collections::HashMap,
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
    mem,
};

/// One thing to print.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) id: String,
    /// The record as JSON; of a deletion that nobody saw, only its id.
    pub(super) data: Box<RawValue>,
    pub(super) deleted: bool,
    position: Option<String>,
}

impl Change {
    /// `{"event","data","position"}` on one line.
    pub(super) fn write_json(&self, model: &str, out: &mut String) {
        let method = if self.deleted { "delete" } else { "upsert" };
        let mut line = format!("{{\"event\":\"{model}:{method}\",\"data\":");
        json::append_one_line(self.data.get(), &mut line);
        if let Some(position) = &self.position {
            line.push_str(",\"position\":");
            json::append_string(position, &mut line);
        }
        line.push('}');
        out.push_str(&json_for_terminal(&line));
        out.push('\n');
    }
}

/// What was seen.
#[derive(Debug)]
pub(super) struct Changes {
    /// How many records of the first snapshot to show.
    first: Option<usize>,
    /// Fingerprints by id.
    seen: HashMap<String, u64>,
}

impl Changes {
    pub(super) fn new(first: usize) -> Self {
        Self { first: Some(first), seen: HashMap::new() }
    }

    /// What this event brings that was not seen.
    pub(super) fn of(&mut self, event: Event) -> Vec<Change> {
        match event {
            Event::Snapshot { records, position } | Event::Reset { records, position } => self.whole(records, position),
            Event::Upsert { record, position } => self.upsert(record, position).into_iter().collect(),
            Event::Delete { record, position } => {
                let (id, _) = identity(&record);
                self.seen.remove(&id);
                vec![Change { id, data: record, deleted: true, position }]
            }
            _ => Vec::new(),
        }
    }

    fn upsert(&mut self, data: Box<RawValue>, position: Option<String>) -> Option<Change> {
        let (id, _) = identity(&data);
        let print = fingerprint(&data);
        let seen = self.seen.insert(id.clone(), print);
        (seen != Some(print)).then_some(Change { id, data, deleted: false, position })
    }

    /// Compare with the whole model. What is gone comes first, then what is new, in the order in which it changed.
    fn whole(&mut self, records: Vec<Box<RawValue>>, position: Option<String>) -> Vec<Change> {
        let mut before = mem::take(&mut self.seen);
        let mut new = Vec::new();
        for data in records {
            let (id, revision) = identity(&data);
            let (seen, print) = (before.remove(&id), fingerprint(&data));
            self.seen.insert(id.clone(), print);
            if seen != Some(print) {
                new.push((revision, Change { id, data, deleted: false, position: position.clone() }));
            }
        }
        match self.first.take() {
            Some(first) => {
                let skipped = new.len().saturating_sub(first);
                new.drain(..skipped);
            }
            None => new.sort_by_key(|(revision, _)| *revision),
        }
        let mut gone: Vec<String> = before.into_keys().collect();
        gone.sort_unstable();
        let gone = gone.into_iter().map(|id| Change {
            data: serde_json::value::to_raw_value(&HashMap::from([("id", &id)])).expect("an id is text"),
            id,
            deleted: true,
            position: position.clone(),
        });
        gone.chain(new.into_iter().map(|(_, change)| change)).collect()
    }
}

fn fingerprint(record: &RawValue) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(record.get())
}

fn identity(record: &RawValue) -> (String, u64) {
    let Ok(members) = Members::parse(record.get()) else { return Default::default() };
    let id = members.find("id").map(|id| json::string(id).unwrap_or(id.get().into()).into_owned());
    let revision = members.find("_rev").and_then(|revision| revision.get().parse().ok());
    (id.unwrap_or_default(), revision.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(id: &str, revision: u64) -> Box<RawValue> {
        RawValue::from_string(format!(r#"{{"id":"{id}","_rev":{revision}}}"#)).unwrap()
    }

    fn snapshot(records: &[(&str, u64)], epoch: u64) -> Event {
        let records = records.iter().map(|(id, revision)| record(id, *revision)).collect();
        Event::Snapshot { records, position: Some(format!("{epoch:016x}.9")) }
    }

    fn upsert(id: &str, revision: u64) -> Event {
        Event::Upsert { record: record(id, revision), position: None }
    }

    fn shown(changes: &mut Changes, event: Event) -> String {
        let changes = changes.of(event);
        let name = |change: &Change| format!("{}{}", if change.deleted { "-" } else { "" }, change.id);
        changes.iter().map(name).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn it_begins_with_the_last_records_and_goes_on_live() {
        let mut changes = Changes::new(2);
        assert_eq!(shown(&mut changes, snapshot(&[("a", 1), ("b", 2), ("c", 3)], 1)), "b c");
        assert_eq!(shown(&mut changes, upsert("d", 4)), "d");
        assert_eq!(shown(&mut changes, upsert("d", 4)), "");
        assert_eq!(shown(&mut changes, upsert("a", 5)), "a");
        assert_eq!(shown(&mut changes, Event::Delete { record: record("a", 6), position: None }), "-a");
    }

    #[test]
    fn after_a_lost_connection_only_what_is_new_is_shown_in_the_order_of_the_changes() {
        let mut changes = Changes::new(1);
        assert_eq!(shown(&mut changes, snapshot(&[("a", 1), ("b", 2), ("c", 3)], 1)), "c");
        let again = snapshot(&[("a", 7), ("c", 3), ("d", 5), ("e", 6)], 1);
        assert_eq!(shown(&mut changes, again), "-b d e a");
        assert_eq!(shown(&mut changes, Event::Disconnected), "");
        assert_eq!(shown(&mut changes, snapshot(&[("a", 7), ("c", 3), ("d", 5), ("e", 6)], 1)), "");
    }

    #[test]
    fn a_new_history_brings_what_is_different_in_it() {
        let mut changes = Changes::new(9);
        assert_eq!(shown(&mut changes, snapshot(&[("a", 1), ("b", 2), ("c", 3)], 1)), "a b c");
        assert_eq!(shown(&mut changes, snapshot(&[("a", 1), ("c", 2)], 2)), "-b c");
    }

    #[test]
    fn a_change_is_one_line_of_json() {
        let data = RawValue::from_string("{\"id\":\"a\",\n \"m\":\"\u{9b}\"}".to_owned()).unwrap();
        let change = Change { id: "a".into(), data, deleted: false, position: Some("p".into()) };
        let mut out = String::new();
        change.write_json("A", &mut out);
        assert_eq!(out, "{\"event\":\"A:upsert\",\"data\":{\"id\":\"a\",\"m\":\"\\u009b\"},\"position\":\"p\"}\n");
    }
}
