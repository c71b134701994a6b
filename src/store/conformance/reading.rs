//! Which records are read, and in what order.

use super::*;
use crate::store::Selection;
use backsync_protocol::{Filter, FilterLimits, Sort};

fn filter(json: &str) -> Option<Filter> {
    Some(Filter::parse(serde_json::from_str(json).unwrap(), &FilterLimits::default()).unwrap())
}

fn sort(json: &str) -> Option<Sort> {
    Some(Sort::parse(serde_json::from_str(json).unwrap()).unwrap())
}

fn chosen(ids: &[&str]) -> Selection {
    Selection::Ids(ids.iter().map(|text| id(text)).collect())
}

async fn people(store: &Arc<dyn Store>) {
    let people = [("d", 30, "x"), ("a", 20, "y"), ("c", 30, "y"), ("e", 10, "x"), ("b", 20, "x")];
    let people = people.map(|(id, age, room)| upsert(&format!(r#"{{"id":"{id}","age":{age},"room":"{room}"}}"#)));
    commit(store, people.to_vec()).await;
}

async fn found(store: &Arc<dyn Store>, query: Read) -> String {
    let found = read(store, query).await;
    assert_eq!((found.deleted.len(), found.reset), (0, false));
    assert_eq!(found.position, store.position(&model("M")).await.unwrap());
    ids(&found).concat()
}

pub(crate) async fn only_what_matches_is_read(store: Arc<dyn Store>) {
    people(&store).await;
    let of = |selection, json| found(&store, Read { selection, filter: filter(json), ..Read::default() });
    assert_eq!(of(Selection::All, r#"{"room":"x"}"#).await, "deb");
    assert_eq!(of(Selection::All, r#"{"room":"x","age":{"$gte":20}}"#).await, "db");
    assert_eq!(of(Selection::All, r#"{"id":{"$in":["a","b","z"]}}"#).await, "ab");
    assert_eq!(of(Selection::All, r#"{"no":1}"#).await, "");
    assert_eq!(of(chosen(&["b", "a", "z", "d"]), r#"{"room":"x"}"#).await, "bd");
    assert_eq!(of(chosen(&[]), "{}").await, "");
    commit(&store, vec![upsert(r#"{"id":"e","room":"y"}"#), delete("d")]).await;
    assert_eq!(of(Selection::All, r#"{"room":"x"}"#).await, "b");
}

pub(crate) async fn the_order_may_be_chosen(store: Arc<dyn Store>) {
    people(&store).await;
    let of = |selection, json| found(&store, Read { selection, sort: sort(json), ..Read::default() });
    assert_eq!(of(Selection::All, r#""id""#).await, "abcde");
    assert_eq!(of(Selection::All, r#""-id""#).await, "edcba");
    assert_eq!(of(Selection::All, r#""age""#).await, "eabdc", "equals in the order of insertion");
    assert_eq!(of(Selection::All, r#"["-age","id"]"#).await, "cdabe");
    assert_eq!(of(chosen(&["c", "b", "a", "d"]), r#""age""#).await, "bacd", "equals in the order of the ids");
}

pub(crate) async fn some_are_left_out_at_both_ends(store: Arc<dyn Store>) {
    people(&store).await;
    let cut = |skip, limit| Read { skip, limit, ..Read::default() };
    for (skip, limit, expected) in [
        (0, Some(2), "da"),
        (1, Some(2), "ac"),
        (3, None, "eb"),
        (4, Some(9), "b"),
        (5, None, ""),
        (9, Some(1), ""),
        (0, Some(0), ""),
        (usize::MAX, Some(usize::MAX), ""),
    ] {
        assert_eq!(found(&store, cut(skip, limit)).await, expected, "{skip} {limit:?}");
    }
    // Among those that match, and after they were ordered.
    let query = Read { filter: filter(r#"{"age":{"$gt":10}}"#), ..cut(1, Some(2)) };
    assert_eq!(found(&store, query.clone()).await, "ac");
    assert_eq!(found(&store, Read { sort: sort(r#""id""#), ..query.clone() }).await, "bc");
    let query = Read { selection: chosen(&["b", "e", "z", "c", "d"]), ..query };
    assert_eq!(found(&store, query.clone()).await, "cd");
    assert_eq!(found(&store, Read { sort: sort(r#"["age","id"]"#), ..query }).await, "cd");
}

/// Page after page, with something done between them.
async fn paged(store: &Arc<dyn Store>, query: Read, between: impl AsyncFn(usize)) -> String {
    let (mut pages, mut after) = (Vec::new(), None);
    loop {
        let page = read(store, Read { after, limit: Some(2), ..query.clone() }).await;
        pages.push(ids(&page).concat());
        after = Some(match page.next {
            None => return pages.join(" "),
            // As it goes over the wire.
            Some(next) => next.to_string().parse().unwrap(),
        });
        between(pages.len()).await;
    }
}

pub(crate) async fn pages_go_on_where_the_last_one_ended(store: Arc<dyn Store>) {
    people(&store).await;
    let nothing = async |_| {};
    assert_eq!(paged(&store, Read::default(), nothing).await, "da ce b");
    let sorted = |json| Read { sort: sort(json), ..Read::default() };
    assert_eq!(paged(&store, sorted(r#""age""#), nothing).await, "ea bd c");
    assert_eq!(paged(&store, sorted(r#"["-room","no","-id"]"#), nothing).await, "ca ed b");
    let some = Read { filter: filter(r#"{"age":{"$gt":10}}"#), ..Read::default() };
    assert_eq!(paged(&store, some, nothing).await, "da cb");
    let skipping = Read { skip: 1, ..Read::default() };
    assert_eq!(paged(&store, skipping, nothing).await, "ac b", "with each page anew");
    let exactly = read(&store, Read { limit: Some(5), ..Read::default() }).await;
    assert_eq!((exactly.records.len(), exactly.next), (5, None));
    let ids = read(&store, Read { selection: chosen(&["a", "b"]), limit: Some(1), ..Read::default() }).await;
    assert_eq!(ids.next, None);
}

pub(crate) async fn pages_are_stable_while_records_change(store: Arc<dyn Store>) {
    people(&store).await;
    // The record that a page ended with goes; others move nowhere by changing; what is new comes at the end.
    let change = async |page| match page {
        1 => {
            commit(&store, vec![delete("a"), delete("d"), upsert(r#"{"id":"c","age":1}"#)]).await;
            commit(&store, vec![upsert(r#"{"id":"d","age":5}"#), upsert(r#"{"id":"f"}"#)]).await;
        }
        _ => drop(commit(&store, vec![delete("e")]).await),
    };
    assert_eq!(paged(&store, Read::default(), change).await, "da ce bd f");
    let change = async |page| {
        if page == 1 {
            commit(&store, vec![delete("c"), upsert(r#"{"id":"g","age":7}"#)]).await;
        }
    };
    // By now it is f without an age, c, d, g, b.
    assert_eq!(paged(&store, Read { sort: sort(r#""age""#), ..Read::default() }, change).await, "fc dg b");
}

pub(crate) async fn an_update_tells_what_was_before(store: Arc<dyn Store>) {
    let inserted = commit(&store, vec![upsert(r#"{"id":"a","x":1}"#)]).await;
    let updated = commit(&store, vec![upsert(r#"{"id":"a","x":2}"#)]).await;
    let deleted = commit(&store, vec![delete("a")]).await;
    let before = [&inserted, &updated, &deleted].map(|done| done.changes[0].before.clone());
    assert_eq!(before, [None, inserted.records[0].clone(), None]);
    assert!(log(&store, 0).await.unwrap().iter().all(|change| change.before.is_none()));
}

pub(crate) async fn a_closed_store_says_so(store: Arc<dyn Store>) {
    let position = commit(&store, vec![upsert(r#"{"id":"a"}"#)]).await.position;
    store.close().await.unwrap();
    let name = model("M");
    let is_closed = |error| matches!(error, Some(StoreError::Closed));
    assert!(is_closed(store.commit(smallvec![Step::of([delete("a")]).0]).await.err()));
    assert!(is_closed(store.read(&name, Read::default()).await.err()));
    assert!(is_closed(store.changes(&name, position, 1).await.err()));
    assert!(is_closed(store.positions(&[name]).await.err()));
    assert!(is_closed(store.owned().await.err()));
    assert!(is_closed(store.renew(Lease { node: "n1".into(), is_new: true, duration: 1 }, NOW).await.err()));
}
