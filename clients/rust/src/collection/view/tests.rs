use super::*;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
struct Number {
    n: u32,
}

fn record(id: &str, n: i64) -> Box<RawValue> {
    RawValue::from_string(format!(r#"{{"id":"{id}","n":{n},"_rev":{}}}"#, n + 100)).unwrap()
}

fn reset(ids: &[&str], max_records: Option<usize>) -> Event {
    Event::Reset { records: ids.iter().map(|id| record(id, 0)).collect(), max_records, position: None }
}

fn upsert(id: &str, n: i64, last: bool) -> Event {
    Event::Upsert { record: record(id, n), position: last.then(|| "p".to_owned()) }
}

fn delete(id: &str, left: bool) -> Event {
    Event::Delete { id: id.to_owned(), record: None, left, position: None }
}

/// What an event means, written short.
fn told(view: &mut View<Number>, event: Event) -> String {
    let mut changes = Vec::new();
    view.apply(event, &mut changes);
    let text = |change: Change<Number>| match change {
        Change::Reset { records } => format!("reset {}", records.len()),
        Change::Insert { id, record } => format!("insert {id} {}", record.n),
        Change::Update { id, record, before } => format!("update {id} {} {}", before.n, record.n),
        Change::Remove { id, left, .. } => format!("remove {id}{}", if left { " left" } else { "" }),
        Change::Invalid { id, .. } => format!("invalid {}", id.as_deref().unwrap_or("?")),
        Change::Disconnected => "disconnected".to_owned(),
        Change::Reconnected => "reconnected".to_owned(),
        Change::Failed(error) => format!("failed {}", error.code),
    };
    changes.into_iter().map(text).collect::<Vec<_>>().join(", ")
}

fn order(view: &View<Number>) -> String {
    let ids: Vec<&str> = view.records().map(|(id, _)| &**id).collect();
    assert_eq!(ids.len(), view.len());
    ids.join(" ")
}

#[test]
fn records_keep_their_place_until_they_are_gone() {
    let mut view = View::default();
    assert_eq!(told(&mut view, reset(&["b", "a"], None)), "reset 2");
    assert_eq!(told(&mut view, upsert("c", 1, true)), "insert c 1");
    assert_eq!(told(&mut view, upsert("b", 2, true)), "update b 0 2");
    assert_eq!((order(&view).as_str(), view.revision("b"), view.find("b").unwrap().n), ("b a c", Some(102), 2));
    assert_eq!(told(&mut view, delete("b", true)), "remove b left");
    assert_eq!(told(&mut view, delete("b", false)), "");
    assert_eq!(told(&mut view, upsert("b", 3, true)), "insert b 3");
    assert_eq!(order(&view), "a c b");
    assert_eq!(told(&mut view, reset(&["x"], None)), "reset 1");
    assert_eq!(order(&view), "x");
}

#[test]
fn a_bounded_model_lets_its_oldest_go() {
    let mut view = View::default();
    told(&mut view, reset(&["a", "b"], Some(2)));
    assert_eq!(told(&mut view, upsert("c", 1, true)), "insert c 1, remove a");
    assert_eq!(told(&mut view, upsert("b", 1, true)), "update b 0 1");
    // The operator has set another bound meanwhile.
    assert_eq!(told(&mut view, Event::Reconnected { max_records: Some(1) }), "reconnected, remove b");
    assert_eq!(order(&view), "c");
}

#[test]
fn what_cannot_be_read_is_told_and_harms_nothing() {
    let mut view = View::default();
    let strange = RawValue::from_string("7".to_owned()).unwrap();
    let records = vec![record("a", 1), record("b", -1), strange, record("c", 1)];
    let begin = Event::Reset { records, max_records: Some(3), position: None };
    assert_eq!(told(&mut view, begin), "reset 2, invalid b, invalid ?");
    assert_eq!((view.len(), view.unreadable(), view.find("b").is_none()), (2, 1, true));
    assert_eq!(told(&mut view, upsert("a", -1, true)), "invalid a");
    assert_eq!((view.len(), view.unreadable()), (1, 2));
    // It counts for the bound, and comes back to its place.
    assert_eq!(told(&mut view, upsert("d", 4, true)), "insert d 4");
    assert_eq!(told(&mut view, upsert("b", 5, true)), "insert b 5");
    assert_eq!(order(&view), "b c d");
}

#[test]
fn what_was_inserted_again_while_away_is_last_where_it_shows() {
    let mut view = View::default();
    told(&mut view, reset(&["a", "b", "c", "d"], None));
    told(&mut view, Event::Disconnected);
    assert!(!view.live);
    told(&mut view, Event::Reconnected { max_records: None });
    // On the server: a was deleted and inserted again before e, d was changed.
    assert_eq!(told(&mut view, upsert("d", 1, false)), "update d 0 1");
    assert_eq!(told(&mut view, upsert("a", 1, false)), "update a 0 1");
    assert_eq!(told(&mut view, upsert("e", 1, true)), "insert e 1");
    assert_eq!(order(&view), "b c d a e");
    // Live, each change stands for itself.
    assert_eq!(told(&mut view, upsert("b", 1, true)), "update b 0 1");
    assert_eq!(order(&view), "b c d a e");
}
