//! A transaction takes effect once, and its repetitions get the outcome of that.

use super::*;
use crate::store::Committed;
use backsync_protocol::ConflictPolicy::ServerWins;

/// The first outcome, as a repetition is to get it.
fn repeated(outcome: Outcome) -> Outcome {
    let without_changes = |part| Done { changes: Few::new(), ..part };
    outcome.map(|committed| Committed { parts: committed.parts.into_iter().map(without_changes).collect() })
}

async fn heads(store: &Arc<dyn Store>) -> [u64; 2] {
    let mut heads = [0; 2];
    for (head, name) in heads.iter_mut().zip(["M", "N"]) {
        *head = store.position(&model(name)).await.unwrap().revision.0;
    }
    heads
}

/// Commit it, then others, then it again.
async fn is_repeated(store: &Arc<dyn Store>, step: Step, others: Vec<Step>) -> Outcome {
    let step = step.once("me", "1");
    let first = step.clone().commit(store).await;
    for other in others {
        other.parts(store).await;
    }
    let (heads_before, records, log_before) = (heads(store).await, all(store).await, log(store, 0).await);
    for _ in 0..2 {
        assert_eq!(step.clone().commit(store).await, repeated(first.clone()));
    }
    assert_eq!((heads(store).await, all(store).await, log(store, 0).await), (heads_before, records, log_before));
    first
}

async fn is_reused(store: &Arc<dyn Store>, step: Step) {
    let reused = Rejected { part: 0, operation: 0, why: Rejection::TransactionReused };
    assert_eq!(step.rejected(store).await, reused);
}

/// So many transactions of one record each, in one call.
async fn others(store: &Arc<dyn Store>, count: u64, now: Millis) {
    let other = |n| Step::of([upsert(r#"{"id":"other"}"#)]).at(now).once("other", &format!("{now} {n}")).0;
    store.commit((0..count).map(other).collect()).await.unwrap();
}

pub(crate) async fn a_repeated_write_is_not_done_again(store: Arc<dyn Store>) {
    let others = vec![Step::of([upsert(r#"{"id":"a","x":2}"#), upsert(r#"{"id":"b"}"#)])];
    let first = is_repeated(&store, Step::of([upsert(r#"{"id":"a","x":1}"#)]), others).await.unwrap();
    assert_eq!((numbers(&first.parts[0].changes), first.parts[0].position.revision), (vec![1], Revision(1)));
    assert_eq!(all(&store).await, [r#"{"id":"a","x":2,"_rev":2}"#, r#"{"id":"b","_rev":3}"#]);
}

pub(crate) async fn a_repeated_batch_is_not_done_again(store: Arc<dyn Store>) {
    commit(&store, vec![upsert(r#"{"id":"gone"}"#)]).await;
    let operations = [
        upsert(r#"{"id":"a"}"#),
        delete("gone"),
        upsert(r#"{"id":"a","x":1}"#),
        delete("never"),
        upsert(r#"{"id":"a"}"#),
    ];
    is_repeated(&store, Step::of(operations), vec![Step::of([delete("a"), upsert(r#"{"id":"gone"}"#)])]).await.unwrap();
    assert_eq!(all(&store).await, [r#"{"id":"gone","_rev":6}"#]);
}

pub(crate) async fn a_repeated_commit_to_several_models_is_not_done_again(store: Arc<dyn Store>) {
    let step = Step::of([upsert(r#"{"id":"a"}"#)]).and("N", [upsert(r#"{"id":"n"}"#), delete("n")]).and("O", []);
    let others = vec![Step::of([delete("a")]).and("N", [upsert(r#"{"id":"n"}"#)])];
    let first = is_repeated(&store, step, others).await.unwrap();
    assert_eq!(first.parts.iter().map(|part| part.position.revision.0).collect::<Vec<_>>(), [1, 2, 0]);
    assert_eq!(heads(&store).await, [2, 3]);
}

pub(crate) async fn a_repeated_deletion_is_not_done_again(store: Arc<dyn Store>) {
    commit(&store, vec![upsert(r#"{"id":"a"}"#)]).await;
    let others = vec![Step::of([upsert(r#"{"id":"a","new":true}"#)])];
    is_repeated(&store, Step::of([delete("a")]), others).await.unwrap();
    assert_eq!(all(&store).await, [r#"{"id":"a","new":true,"_rev":3}"#]);
}

pub(crate) async fn a_repeated_write_that_changed_nothing_still_does_not(store: Arc<dyn Store>) {
    commit(&store, vec![upsert(r#"{"id":"a","x":1}"#)]).await;
    let others = vec![Step::of([upsert(r#"{"id":"a","x":2}"#)])];
    is_repeated(&store, Step::of([upsert(r#"{"id":"a","x":1}"#), delete("b")]), others).await.unwrap();
}

pub(crate) async fn a_refusal_is_repeated_though_it_would_be_done_now(store: Arc<dyn Store>) {
    commit(&store, vec![upsert(r#"{"id":"a","x":1}"#), upsert(r#"{"id":"b"}"#)]).await;
    let from = |base| Terms { base: Some(Revision(base)), ..under(ServerWins) };
    let conflict = Step::of([upsert(r#"{"id":"b","x":1}"#)]).and("N", [on(&from(3), upsert(r#"{"id":"a"}"#))]);
    let others = vec![Step::to("N", [upsert(r#"{"id":"x"}"#), upsert(r#"{"id":"x","y":1}"#), upsert(r#"{"id":"a"}"#)])];
    let refused = is_repeated(&store, conflict, others).await.unwrap_err();
    assert_eq!((refused.part, refused.operation), (1, 0));

    // With the record as it was then.
    let step = Step::of([on(&from(3), upsert(r#"{"id":"a","x":9}"#))]).once("me", "2");
    let first = step.clone().commit(&store).await;
    let Rejection::Conflict { record: Some(record), .. } = &first.as_ref().unwrap_err().why else {
        panic!("{first:?}")
    };
    assert_eq!(record.json(), r#"{"id":"a","x":1,"_rev":1}"#);
    commit(&store, vec![upsert(r#"{"id":"a","x":2}"#)]).await;
    assert_eq!(step.clone().commit(&store).await, first);
    commit(&store, vec![delete("a")]).await;
    assert_eq!(step.commit(&store).await, first);
    assert_eq!(heads(&store).await[0], 4);
}

pub(crate) async fn another_write_under_the_same_name_is_refused(store: Arc<dyn Store>) {
    let step = Step::of([upsert(r#"{"id":"a","x":1}"#)]).once("me", "1");
    let first = step.clone().commit(&store).await;
    is_reused(&store, Step::of([upsert(r#"{"id":"a","x":2}"#)]).once("me", "1")).await;
    is_reused(&store, Step::to("N", [delete("n")]).once("me", "1")).await;
    assert_eq!(heads(&store).await, [1, 0]);
    assert_eq!(step.commit(&store).await, repeated(first), "that did not take the name");
    // A refused one holds its name too.
    let terms = Terms { base: Some(Revision(9)), ..under(ServerWins) };
    Step::of([on(&terms, delete("a"))]).once("me", "2").rejected(&store).await;
    is_reused(&store, Step::of([delete("a")]).once("me", "2")).await;
}

pub(crate) async fn a_repetition_may_stand_in_the_same_call(store: Arc<dyn Store>) {
    let insert = || Step::of([upsert(r#"{"id":"a","x":1}"#)]).once("me", "1");
    let commits = smallvec![
        insert().0,
        Step::of([upsert(r#"{"id":"a","x":2}"#)]).0,
        insert().0,
        Step::of([upsert(r#"{"id":"b"}"#)]).once("me", "1").0,
        Step::of([upsert(r#"{"id":"b"}"#)]).once("me", "2").0,
    ];
    let outcomes = store.commit(commits).await.unwrap();
    assert_eq!(outcomes[2], repeated(outcomes[0].clone()));
    assert_eq!(outcomes[3].as_ref().unwrap_err().why, Rejection::TransactionReused);
    assert_eq!(all(&store).await, [r#"{"id":"a","x":2,"_rev":2}"#, r#"{"id":"b","_rev":3}"#]);
}

pub(crate) async fn each_client_has_names_of_its_own(store: Arc<dyn Store>) {
    let write = |client: &str, id: &str, x: u32| {
        Step::of([upsert(&format!(r#"{{"id":"a","x":{x}}}"#))]).once(client, id).done(&store)
    };
    let names =
        [("me", "1"), ("you", "1"), ("me", "2"), ("me1", ""), ("", "me1"), ("m", "e1"), ("ME", "1"), ("me", "1 ")];
    for (x, (client, id)) in (0..).zip(names) {
        assert_eq!(write(client, id, x).await.changes.len(), 1, "{client} {id}");
    }
    for (x, (client, id)) in (0..).zip(names) {
        assert_eq!(write(client, id, x).await.changes.len(), 0, "{client} {id}");
    }
}

pub(crate) async fn outcomes_are_forgotten_when_there_are_many(store: Arc<dyn Store>) {
    let counter = |x: u32| Step::of([upsert(&format!(r#"{{"id":"a","x":{x}}}"#))]);
    let first = counter(1).once("me", "1").commit(&store).await;
    counter(2).done(&store).await;
    others(&store, RETENTION.outcomes as u64 / 2, NOW).await;
    assert_eq!(counter(1).once("me", "1").commit(&store).await, repeated(first));
    others(&store, PLENTY, NOW + 1).await;
    assert_eq!(counter(1).once("me", "1").done(&store).await.changes.len(), 1);
    // The name is free, also for something else.
    others(&store, PLENTY, NOW + 2).await;
    assert_eq!(counter(3).once("me", "1").done(&store).await.changes.len(), 1);
}

pub(crate) async fn large_outcomes_count_for_more(store: Arc<dyn Store>) {
    let many = || (0..RETENTION.outcomes / 4).map(|n| upsert(&format!(r#"{{"id":"{n}"}}"#)));
    let counter = |x: u32| Step::of([upsert(&format!(r#"{{"id":"a","x":{x}}}"#))]);
    counter(1).once("me", "1").done(&store).await;
    counter(2).done(&store).await;
    Step::of(many()).once("me", "many").done(&store).await;
    assert_eq!(counter(1).once("me", "1").done(&store).await.changes.len(), 0);
    for n in 0..5 {
        Step::of(many()).once("me", &format!("more {n}")).done(&store).await;
    }
    assert_eq!(counter(1).once("me", "1").done(&store).await.changes.len(), 1);
}

pub(crate) async fn outcomes_are_forgotten_with_time(store: Arc<dyn Store>) {
    let counter = |x: u32| Step::of([upsert(&format!(r#"{{"id":"a","x":{x}}}"#))]);
    counter(1).once("me", "1").done(&store).await;
    counter(2).done(&store).await;
    let (still, over) = (NOW + RETENTION.outcome_age, NOW + RETENTION.outcome_age + 1);
    others(&store, 1, still).await;
    assert_eq!(counter(1).at(still).once("me", "1").done(&store).await.changes.len(), 0);
    others(&store, 1, over).await;
    assert_eq!(counter(1).at(over).once("me", "1").done(&store).await.changes.len(), 1);
    assert_eq!(counter(1).at(over).once("me", "1").done(&store).await.changes.len(), 0);
}

pub(crate) async fn repetitions_of_many_threads_are_done_once(store: Arc<dyn Store>) {
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let store = &store;
            scope.spawn(move || {
                block_on(async {
                    for n in 0..20 {
                        let write = || [upsert(&format!(r#"{{"id":"a","n":{n}}}"#))];
                        let step = Step::of(write()).and("N", write()).once("me", &n.to_string());
                        let parts = step.parts(store).await;
                        assert_eq!(parts[0].records, parts[1].records);
                        assert_eq!(parts[0].position.revision, Revision(n + 1));
                    }
                });
            });
        }
    });
    assert_eq!(heads(&store).await, [20, 20]);
    let kept: Vec<_> = log(&store, 0).await.unwrap().iter().map(|change| change.record.json().to_owned()).collect();
    let expected: Vec<_> = (0..20).map(|n| format!(r#"{{"id":"a","n":{n},"_rev":{}}}"#, n + 1)).collect();
    assert_eq!(kept, expected);
}
