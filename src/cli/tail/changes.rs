//! From the events of a subscription to what is new for somebody who has seen everything up to now: pure.
//!
//! Events bring nothing twice but where the server begins anew. For that case a fingerprint of each record that was seen is
//! kept, and what comes is compared with them.

use super::seen::Seen;
use crate::cli::output::json_for_terminal;
use backsync_client::Event;
use backsync_protocol::{json, json::Members};
use serde_json::value::RawValue;
use std::{collections::HashMap, mem};

/// One thing to print.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) id: String,
    /// The record as JSON; of a deletion that nobody saw, only its id.
    pub(super) data: Box<RawValue>,
    pub(super) deleted: bool,
    /// It only no longer matches.
    left: bool,
    position: Option<String>,
}

impl Change {
    /// `{"event","data","position"}` on one line.
    pub(super) fn write_json(&self, model: &str, out: &mut String) {
        let method = if self.deleted { "delete" } else { "upsert" };
        let mut line = format!("{{\"event\":\"{model}:{method}\",\"data\":");
        json::append_one_line(self.data.get(), &mut line);
        if self.left {
            line.push_str(",\"left\":true");
        }
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
    seen: Seen,
}

impl Changes {
    pub(super) fn new(first: usize) -> Self {
        Self { first: Some(first), seen: Seen::default() }
    }

    /// What this event brings that was not seen.
    pub(super) fn of(&mut self, event: Event) -> Vec<Change> {
        match event {
            Event::Reset { records, max_records, position } => {
                let changes = self.whole(records, position);
                self.seen.bound(max_records);
                changes
            }
            Event::Reconnected { max_records } => {
                self.seen.bound(max_records);
                Vec::new()
            }
            Event::Upsert { record, position } => self.upsert(record, position).into_iter().collect(),
            Event::Delete { id, record, left, position } => {
                // Of what was missed there may be deletions of records that came and went meanwhile.
                let is_known = self.seen.remove(&id).is_some() || record.is_some();
                let data = record.unwrap_or_else(|| only(&id));
                if is_known { vec![Change { id, data, deleted: true, left, position }] } else { Vec::new() }
            }
            _ => Vec::new(),
        }
    }

    fn upsert(&mut self, data: Box<RawValue>, position: Option<String>) -> Option<Change> {
        let (id, _) = identity(&data);
        let is_new = self.seen.insert(&id, &data);
        is_new.then_some(Change { id, data, deleted: false, left: false, position })
    }

    /// Compare with all records. What is gone comes first, then what is new, in the order in which it changed.
    fn whole(&mut self, records: Vec<Box<RawValue>>, position: Option<String>) -> Vec<Change> {
        let mut before = mem::take(&mut self.seen);
        let mut new = Vec::new();
        for data in records {
            let (id, revision) = identity(&data);
            self.seen.insert(&id, &data);
            if before.remove(&id) != self.seen.fingerprint(&id) {
                new.push((revision, Change { id, data, deleted: false, left: false, position: position.clone() }));
            }
        }
        match self.first.take() {
            Some(first) => {
                let skipped = new.len().saturating_sub(first);
                new.drain(..skipped);
            }
            None => new.sort_by_key(|(revision, _)| *revision),
        }
        let gone = before.into_ids().map(|id| Change {
            data: only(&id),
            id: id.to_string(),
            deleted: true,
            left: false,
            position: position.clone(),
        });
        gone.chain(new.into_iter().map(|(_, change)| change)).collect()
    }
}

/// All that is known of a record that is gone.
fn only(id: &str) -> Box<RawValue> {
    serde_json::value::to_raw_value(&HashMap::from([("id", id)])).expect("an id is text")
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

    fn reset(records: &[(&str, u64)], max_records: Option<usize>) -> Event {
        let records = records.iter().map(|(id, revision)| record(id, *revision)).collect();
        Event::Reset { records, max_records, position: None }
    }

    fn upsert(id: &str, revision: u64) -> Event {
        Event::Upsert { record: record(id, revision), position: None }
    }

    fn delete(id: &str, record: Option<Box<RawValue>>) -> Event {
        Event::Delete { id: id.to_owned(), record, left: false, position: None }
    }

    fn shown(changes: &mut Changes, event: Event) -> String {
        let changes = changes.of(event);
        let name = |change: &Change| format!("{}{}", if change.deleted { "-" } else { "" }, change.id);
        changes.iter().map(name).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn it_begins_with_the_last_records_and_goes_on_live() {
        let mut changes = Changes::new(2);
        assert_eq!(shown(&mut changes, reset(&[("a", 1), ("b", 2), ("c", 3)], None)), "b c");
        assert_eq!(shown(&mut changes, upsert("d", 4)), "d");
        assert_eq!(shown(&mut changes, upsert("a", 5)), "a");
        assert_eq!(shown(&mut changes, delete("a", Some(record("a", 5)))), "-a");
    }

    #[test]
    fn after_a_lost_connection_what_was_missed_is_shown_deletions_too() {
        let mut changes = Changes::new(1);
        assert_eq!(shown(&mut changes, reset(&[("a", 1), ("b", 2)], None)), "b");
        assert_eq!(shown(&mut changes, Event::Disconnected), "");
        assert_eq!(shown(&mut changes, Event::Reconnected { max_records: None }), "");
        assert_eq!(shown(&mut changes, delete("a", None)), "-a");
        assert_eq!(shown(&mut changes, delete("came and went", None)), "");
        assert_eq!(shown(&mut changes, upsert("c", 7)), "c");
    }

    #[test]
    fn a_new_history_brings_what_is_different_in_it_in_the_order_of_the_changes() {
        let mut changes = Changes::new(9);
        assert_eq!(shown(&mut changes, reset(&[("a", 1), ("b", 2), ("c", 3)], None)), "a b c");
        let again = reset(&[("a", 7), ("c", 3), ("d", 5), ("e", 6)], None);
        assert_eq!(shown(&mut changes, again), "-b d e a");
        assert_eq!(shown(&mut changes, reset(&[("a", 7), ("c", 3), ("d", 5), ("e", 6)], None)), "");
    }

    #[test]
    fn what_a_bounded_model_has_let_go_is_not_missed() {
        let mut changes = Changes::new(9);
        assert_eq!(shown(&mut changes, reset(&[("a", 1), ("b", 2)], Some(2))), "a b");
        assert_eq!(shown(&mut changes, upsert("c", 3)), "c");
        assert_eq!(shown(&mut changes, reset(&[("b", 2), ("c", 3)], Some(2))), "");
        // The server tells of it after a reconnect all the same.
        assert_eq!(shown(&mut changes, delete("a", None)), "");
    }

    #[test]
    fn a_change_is_one_line_of_json() {
        let data = RawValue::from_string("{\"id\":\"a\",\n \"m\":\"\u{9b}\"}".to_owned()).unwrap();
        let change = Change { id: "a".into(), data, deleted: false, left: false, position: Some("p".into()) };
        let mut out = String::new();
        change.write_json("A", &mut out);
        assert_eq!(out, "{\"event\":\"A:upsert\",\"data\":{\"id\":\"a\",\"m\":\"\\u009b\"},\"position\":\"p\"}\n");
        let left = Change { id: "a".into(), data: only("a"), deleted: true, left: true, position: None };
        out.clear();
        left.write_json("A", &mut out);
        assert_eq!(out, "{\"event\":\"A:delete\",\"data\":{\"id\":\"a\"},\"left\":true}\n");
    }
}
