//! Records that belong to a session.

use super::*;
use crate::store::ChangeKind;
use backsync_protocol::ConflictPolicy::{LatestWins, ServerWins};
use std::num::NonZeroU32;

/// Written for a session that the node `n1` holds.
fn mine(session: &str, operation: Operation) -> Operation {
    held("n1", session, operation)
}

fn held(node: &str, session: &str, operation: Operation) -> Operation {
    on(&Terms { owner: Some(owner(session, node)), ..Terms::default() }, operation)
}

async fn owned(store: &Arc<dyn Store>) -> Vec<(String, String, String)> {
    let owned = store.owned().await.unwrap();
    let mut owned: Vec<_> =
        owned.iter().map(|o| (o.model.to_string(), o.id.to_string(), o.owner.session.to_string())).collect();
    owned.sort();
    owned
}

/// The records of the model `M` that belong to somebody, as `id session node`.
async fn holders(store: &Arc<dyn Store>) -> Vec<String> {
    let owned = store.owned().await.unwrap();
    let mut owned: Vec<_> = owned.iter().map(|o| format!("{} {} {}", o.id, o.owner.session, o.owner.node)).collect();
    owned.sort();
    owned
}

fn of(model: &str, id: &str, owner: &str) -> (String, String, String) {
    (model.to_owned(), id.to_owned(), owner.to_owned())
}

fn conflict() -> Operation {
    on(&Terms { base: Some(Revision(99)), ..under(ServerWins) }, upsert(r#"{"id":"conflict"}"#))
}

pub(crate) async fn only_its_owner_changes_a_record(store: Arc<dyn Store>) {
    commit(&store, vec![mine("s1", upsert(r#"{"id":"a","x":1}"#))]).await;
    for operation in
        [upsert(r#"{"id":"a","x":2}"#), upsert(r#"{"id":"a","x":1}"#), replace(r#"{"id":"a"}"#), delete("a")]
    {
        let refused = Step::of([mine("s2", operation)]).rejected(&store).await;
        assert_eq!(refused, Rejected { part: 0, operation: 0, why: Rejection::NotOwner });
    }
    assert_eq!(all(&store).await, [r#"{"id":"a","x":1,"_rev":1}"#]);
    assert_eq!(owned(&store).await, [of("M", "a", "s1")]);
    commit(&store, vec![mine("s1", upsert(r#"{"id":"a","x":3}"#))]).await;
    commit(&store, vec![mine("s1", delete("a")), mine("s2", upsert(r#"{"id":"a"}"#))]).await;
    assert_eq!(
        (all(&store).await, owned(&store).await),
        (vec![r#"{"id":"a","_rev":4}"#.into()], vec![of("M", "a", "s2")])
    );
}

pub(crate) async fn who_makes_no_claim_leaves_the_owner(store: Arc<dyn Store>) {
    commit(&store, vec![mine("s1", upsert(r#"{"id":"a"}"#)), upsert(r#"{"id":"b"}"#)]).await;
    commit(&store, vec![upsert(r#"{"id":"a","x":1}"#), replace(r#"{"id":"a","x":2}"#)]).await;
    assert_eq!(owned(&store).await, [of("M", "a", "s1")]);
    // What belongs to nobody can be claimed.
    commit(&store, vec![mine("s2", upsert(r#"{"id":"b","x":1}"#))]).await;
    assert_eq!(owned(&store).await, [of("M", "a", "s1"), of("M", "b", "s2")]);
    commit(&store, vec![delete("a"), upsert(r#"{"id":"a"}"#)]).await;
    assert_eq!(owned(&store).await, [of("M", "b", "s2")]);
}

pub(crate) async fn who_writes_what_is_there_already_gets_it(store: Arc<dyn Store>) {
    commit(&store, vec![upsert(r#"{"id":"a","x":1}"#), upsert(r#"{"id":"b"}"#)]).await;
    let same = commit(&store, vec![mine("s1", upsert(r#"{"id":"a","x":1}"#))]).await;
    assert_eq!((same.changes.len(), same.position.revision), (0, Revision(2)), "nothing changed");
    assert_eq!(owned(&store).await, [of("M", "a", "s1")]);
    let foreign = Step::of([mine("s2", upsert(r#"{"id":"a","x":1}"#))]).rejected(&store).await;
    assert_eq!(foreign.why, Rejection::NotOwner);
    // Who is refused, or too late, has written nothing.
    Step::of([mine("s2", upsert(r#"{"id":"b"}"#)), conflict()]).rejected(&store).await;
    commit(&store, vec![on(&Terms { last_change: Some(NOW), ..under(LatestWins) }, upsert(r#"{"id":"c"}"#))]).await;
    let late = Terms { last_change: Some(NOW - 1), owner: Some(owner("s2", "n1")), ..under(LatestWins) };
    commit(&store, vec![on(&late, upsert(r#"{"id":"c"}"#))]).await;
    assert_eq!(owned(&store).await, [of("M", "a", "s1")]);
}

pub(crate) async fn what_is_owned_is_listed_until_it_is_gone(store: Arc<dyn Store>) {
    assert_eq!(owned(&store).await, []);
    Step::of([mine("s1", upsert(r#"{"id":"q\"\\"}"#)), mine("s2", upsert(r#"{"id":"b"}"#)), upsert(r#"{"id":"c"}"#)])
        .and("N", [mine("s1", upsert(r#"{"id":"b"}"#))])
        .parts(&store)
        .await;
    assert_eq!(owned(&store).await, [of("M", "b", "s2"), of("M", "q\"\\", "s1"), of("N", "b", "s1")]);
    Step::to("N", [delete("b")]).done(&store).await;
    assert_eq!(owned(&store).await, [of("M", "b", "s2"), of("M", "q\"\\", "s1")]);
    let bounds = Bounds { max_records: NonZeroU32::new(2), max_age: None };
    Step::of([]).bounded(bounds).done(&store).await;
    assert_eq!(owned(&store).await, [of("M", "b", "s2")]);
}

pub(crate) async fn a_refused_batch_leaves_everything_its_owner(store: Arc<dyn Store>) {
    commit(&store, vec![mine("s1", upsert(r#"{"id":"a"}"#)), upsert(r#"{"id":"b"}"#)]).await;
    commit(&store, vec![mine("s1", upsert(r#"{"id":"c"}"#))]).await;
    let operations = [
        mine("s1", delete("c")),
        mine("s1", upsert(r#"{"id":"a","x":1}"#)),
        mine("s1", delete("a")),
        mine("s2", upsert(r#"{"id":"a"}"#)),
        mine("s2", upsert(r#"{"id":"b","x":1}"#)),
        mine("s2", upsert(r#"{"id":"d"}"#)),
        conflict(),
    ];
    assert_eq!(Step::of(operations).rejected(&store).await.operation, 6);
    assert_eq!(owned(&store).await, [of("M", "a", "s1"), of("M", "c", "s1")]);
    assert_eq!(all(&store).await, [r#"{"id":"a","_rev":1}"#, r#"{"id":"b","_rev":2}"#, r#"{"id":"c","_rev":3}"#]);
    commit(&store, vec![mine("s3", upsert(r#"{"id":"b","x":1}"#))]).await;
    assert_eq!(owned(&store).await, [of("M", "a", "s1"), of("M", "b", "s3"), of("M", "c", "s1")]);
}

pub(crate) async fn an_owner_is_asked_before_anything_else(store: Arc<dyn Store>) {
    commit(&store, vec![mine("s1", upsert(r#"{"id":"a"}"#))]).await;
    let terms = Terms { base: Some(Revision(9)), owner: Some(owner("s2", "n1")), ..under(ServerWins) };
    for operation in [upsert(r#"{"id":"a","x":1}"#), delete("a")] {
        assert_eq!(Step::of([on(&terms, operation)]).rejected(&store).await.why, Rejection::NotOwner);
    }
    // Of what is not there, nobody is.
    let gone = commit(&store, vec![mine("s2", delete("never"))]).await;
    assert_eq!((gone.records.as_slice(), gone.changes.len()), ([None].as_slice(), 0));
}

pub(crate) async fn what_its_session_writes_moves_to_the_writers_node(store: Arc<dyn Store>) {
    commit(&store, vec![mine("s1", upsert(r#"{"id":"a","x":1}"#)), mine("s1", upsert(r#"{"id":"b"}"#))]).await;
    assert_eq!(holders(&store).await, ["a s1 n1", "b s1 n1"]);
    commit(&store, vec![held("n2", "s1", upsert(r#"{"id":"a","x":2}"#))]).await;
    assert_eq!(holders(&store).await, ["a s1 n2", "b s1 n1"]);
    // Also where nothing else changes.
    let same = commit(&store, vec![held("n2", "s1", replace(r#"{"id":"b"}"#))]).await;
    assert_eq!((same.changes.len(), same.position.revision), (0, Revision(3)));
    assert_eq!(holders(&store).await, ["a s1 n2", "b s1 n2"]);
    // Who is too late has written nothing, and other sessions nothing at all, whatever their node.
    commit(&store, vec![on(&under(LatestWins), held("n2", "s1", upsert(r#"{"id":"a","x":3}"#)))]).await;
    let late = Terms { last_change: Some(NOW - 1), owner: Some(owner("s1", "n3")), ..under(LatestWins) };
    commit(&store, vec![on(&late, upsert(r#"{"id":"a","x":4}"#))]).await;
    let foreign = Step::of([held("n2", "s2", upsert(r#"{"id":"a","x":3}"#))]).rejected(&store).await;
    assert_eq!(foreign.why, Rejection::NotOwner);
    // Nor who names no owner.
    commit(&store, vec![upsert(r#"{"id":"b","x":9}"#)]).await;
    assert_eq!(holders(&store).await, ["a s1 n2", "b s1 n2"]);
    commit(&store, vec![held("n3", "s1", delete("a"))]).await;
    assert_eq!(holders(&store).await, ["b s1 n2"]);
}

pub(crate) async fn a_node_adopts_what_is_its_sessions(store: Arc<dyn Store>) {
    commit(&store, vec![mine("s1", upsert(r#"{"id":"a"}"#)), mine("s2", upsert(r#"{"id":"b"}"#))]).await;
    commit(&store, vec![upsert(r#"{"id":"c"}"#)]).await;
    let of_all = |to, from| ["a", "b", "c", "none"].map(|id| adopt(id, owner("s1", to), from)).to_vec();
    let done = commit(&store, of_all("n2", "n1")).await;
    let records: Vec<_> = done.records.iter().map(|record| record.as_ref().map(|record| record.id())).collect();
    assert_eq!(records, [Some("a"), Some("b"), Some("c"), None]);
    assert_eq!((done.changes.len(), done.position.revision), (0, Revision(3)), "it is not numbered");
    assert_eq!(holders(&store).await, ["a s1 n2", "b s2 n1"]);
    commit(&store, of_all("n3", "n1")).await;
    assert_eq!(holders(&store).await, ["a s1 n2", "b s2 n1"], "it is not there any more");
    commit(&store, of_all("n3", "n2")).await;
    assert_eq!(holders(&store).await, ["a s1 n3", "b s2 n1"]);
}

pub(crate) async fn what_is_gone_is_restored_and_what_is_there_is_adopted(store: Arc<dyn Store>) {
    commit(&store, vec![mine("s1", upsert(r#"{"id":"a","x":2}"#)), mine("s2", upsert(r#"{"id":"b"}"#))]).await;
    commit(&store, vec![upsert(r#"{"id":"c"}"#), mine("s1", upsert(r#"{"id":"d"}"#)), delete("d")]).await;
    commit(&store, vec![held("n3", "s1", upsert(r#"{"id":"f"}"#))]).await;
    let of_all = ["a", "b", "c", "d", "e", "f"];
    let of_all = of_all.map(|id| restore(&format!(r#"{{"id":"{id}","x":1}}"#), owner("s1", "n2"), "n1"));
    let done = commit(&store, of_all.to_vec()).await;
    let inserted: Vec<_> = done.changes.iter().map(|change| (change.kind, change.record.json())).collect();
    let [d, e] = [r#"{"id":"d","x":1,"_rev":7}"#, r#"{"id":"e","x":1,"_rev":8}"#];
    assert_eq!(inserted, [(ChangeKind::Insert, d), (ChangeKind::Insert, e)]);
    assert_eq!(holders(&store).await, ["a s1 n2", "b s2 n1", "d s1 n2", "e s1 n2", "f s1 n3"]);
    let [a, b, c] = [r#"{"id":"a","x":2,"_rev":1}"#, r#"{"id":"b","_rev":2}"#, r#"{"id":"c","_rev":3}"#];
    assert_eq!(all(&store).await, [a, b, c, r#"{"id":"f","_rev":6}"#, d, e]);
}

pub(crate) async fn only_what_this_node_holds_is_released(store: Arc<dyn Store>) {
    let held_by_n1 = ["a", "b", "c"].map(|id| mine("s1", upsert(&format!(r#"{{"id":"{id}"}}"#))));
    commit(&store, held_by_n1.to_vec()).await;
    commit(
        &store,
        vec![adopt("b", owner("s1", "n2"), "n1"), mine("s2", upsert(r#"{"id":"d"}"#)), upsert(r#"{"id":"e"}"#)],
    )
    .await;
    let of_all = ["a", "b", "d", "e", "none"].map(|id| release(id, owner("s1", "n1"))).to_vec();
    let done = commit(&store, of_all.clone()).await;
    let gone: Vec<_> = done.changes.iter().map(|change| (change.kind, change.record.id())).collect();
    assert_eq!(gone, [(ChangeKind::Delete, "a")]);
    let left: Vec<_> = done.records.iter().map(|record| record.as_ref().map(|record| record.id())).collect();
    assert_eq!(left, [None, Some("b"), Some("d"), Some("e"), None]);
    let again = commit(&store, of_all).await;
    assert_eq!((again.changes.len(), again.position), (0, done.position), "it is done once");
    assert_eq!(holders(&store).await, ["b s1 n2", "c s1 n1", "d s2 n1"]);
}

pub(crate) async fn a_refused_batch_leaves_everything_where_it_was_held(store: Arc<dyn Store>) {
    commit(&store, vec![mine("s1", upsert(r#"{"id":"a"}"#)), mine("s1", upsert(r#"{"id":"b"}"#))]).await;
    let operations = [
        adopt("a", owner("s1", "n2"), "n1"),
        held("n2", "s1", upsert(r#"{"id":"b","x":1}"#)),
        release("b", owner("s1", "n2")),
        restore(r#"{"id":"b"}"#, owner("s2", "n2"), "n1"),
        restore(r#"{"id":"c"}"#, owner("s2", "n2"), "n1"),
        conflict(),
    ];
    assert_eq!(Step::of(operations).rejected(&store).await.operation, 5);
    assert_eq!(holders(&store).await, ["a s1 n1", "b s1 n1"]);
    assert_eq!(all(&store).await, [r#"{"id":"a","_rev":1}"#, r#"{"id":"b","_rev":2}"#]);
}
