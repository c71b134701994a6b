//! Records that belong to a session.

use super::*;
use backsync_protocol::ConflictPolicy::{LatestWins, ServerWins};
use std::num::NonZeroU32;

fn mine(session: &str, operation: Operation) -> Operation {
    on(&Terms { owner: Some(session.into()), ..Terms::default() }, operation)
}

async fn owned(store: &Arc<dyn Store>) -> Vec<(String, String, String)> {
    let owned = store.owned().await.unwrap();
    let mut owned: Vec<_> =
        owned.iter().map(|o| (o.model.to_string(), o.id.to_string(), o.owner.to_string())).collect();
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
    let late = Terms { last_change: Some(NOW - 1), owner: Some("s2".into()), ..under(LatestWins) };
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
    let terms = Terms { base: Some(Revision(9)), owner: Some("s2".into()), ..under(ServerWins) };
    for operation in [upsert(r#"{"id":"a","x":1}"#), delete("a")] {
        assert_eq!(Step::of([on(&terms, operation)]).rejected(&store).await.why, Rejection::NotOwner);
    }
    // Of what is not there, nobody is.
    let gone = commit(&store, vec![mine("s2", delete("never"))]).await;
    assert_eq!((gone.records.as_slice(), gone.changes.len()), ([None].as_slice(), 0));
}
