//! Who wins where a write was made from another state than the one it finds.

use super::*;
use backsync_protocol::ConflictPolicy::{ClientWins, LatestWins, Merge, ServerWins};

/// Under a policy, by one who knew the record at a revision.
fn from(policy: ConflictPolicy, base: u64) -> Terms {
    Terms { base: Some(Revision(base)), ..under(policy) }
}

/// The later edit wins, and this one is of that time.
fn edited(last_change: Millis) -> Terms {
    Terms { last_change: Some(last_change), ..under(LatestWins) }
}

async fn is_untouched(store: &Arc<dyn Store>, head: u64) {
    assert_eq!(store.position(&model("M")).await.unwrap().revision, Revision(head));
    assert_eq!(log(store, head).await.unwrap(), []);
}

pub(crate) async fn the_client_wins_whatever_it_knew(store: Arc<dyn Store>) {
    commit(&store, vec![upsert(r#"{"id":"a","x":1}"#)]).await;
    commit(&store, vec![upsert(r#"{"id":"a","x":2}"#)]).await;
    commit(&store, vec![on(&from(ClientWins, 1), upsert(r#"{"id":"a","x":3}"#))]).await;
    commit(&store, vec![on(&from(ClientWins, 9), upsert(r#"{"id":"a","y":4}"#))]).await;
    assert_eq!(all(&store).await, [r#"{"id":"a","x":3,"y":4,"_rev":4}"#]);
    commit(&store, vec![on(&from(ClientWins, 1), delete("a"))]).await;
    commit(&store, vec![on(&from(ClientWins, 4), upsert(r#"{"id":"a","x":5}"#))]).await;
    assert_eq!(all(&store).await, [r#"{"id":"a","x":5,"_rev":6}"#]);
}

pub(crate) async fn where_the_server_wins_a_write_from_the_present_state_is_done(store: Arc<dyn Store>) {
    commit(&store, vec![on(&under(ServerWins), upsert(r#"{"id":"a","x":1}"#))]).await;
    commit(&store, vec![on(&from(ServerWins, 1), upsert(r#"{"id":"a","x":2}"#))]).await;
    // Who does not say what was known makes no condition.
    commit(&store, vec![on(&under(ServerWins), replace(r#"{"id":"a","y":3}"#))]).await;
    assert_eq!(all(&store).await, [r#"{"id":"a","y":3,"_rev":3}"#]);
    let deleted = commit(&store, vec![on(&from(ServerWins, 3), delete("a"))]).await;
    assert_eq!(numbers(&deleted.changes), [4]);
    let again = commit(&store, vec![on(&from(ServerWins, 3), delete("a"))]).await;
    assert_eq!((again.records.as_slice(), again.changes.len()), ([None].as_slice(), 0));
}

pub(crate) async fn where_the_server_wins_a_write_from_another_state_is_refused(store: Arc<dyn Store>) {
    commit(&store, vec![upsert(r#"{"id":"a","x":1}"#)]).await;
    commit(&store, vec![upsert(r#"{"id":"b"}"#), upsert(r#"{"id":"a","x":2}"#)]).await;
    let present = read(&store, Read::default()).await.records[0].clone();
    assert_eq!(present.json(), r#"{"id":"a","x":2,"_rev":3}"#);
    for base in [0, 1, 2, 4, 99] {
        for operation in [upsert(r#"{"id":"a","z":9}"#), replace(r#"{"id":"a","z":9}"#), delete("a")] {
            let refused = Step::of([on(&from(ServerWins, base), operation)]).rejected(&store).await;
            let why = Rejection::Conflict { record: Some(present.clone()), properties: Vec::new() };
            assert_eq!(refused, Rejected { part: 0, operation: 0, why }, "{base}");
        }
    }
    is_untouched(&store, 3).await;
    assert_eq!(all(&store).await, [present.json(), r#"{"id":"b","_rev":2}"#]);
}

pub(crate) async fn where_the_server_wins_what_was_deleted_is_not_written(store: Arc<dyn Store>) {
    commit(&store, vec![upsert(r#"{"id":"a"}"#), delete("a")]).await;
    for record in ["a", "never"] {
        let operation = on(&from(ServerWins, 1), upsert(&format!(r#"{{"id":"{record}","x":1}}"#)));
        let why = Rejection::Conflict { record: None, properties: Vec::new() };
        assert_eq!(Step::of([operation]).rejected(&store).await.why, why);
    }
    is_untouched(&store, 2).await;
    commit(&store, vec![on(&under(ServerWins), upsert(r#"{"id":"a","x":1}"#))]).await;
    assert_eq!(all(&store).await, [r#"{"id":"a","x":1,"_rev":3}"#]);
}

pub(crate) async fn a_base_of_0_inserts_where_there_is_nothing(store: Arc<dyn Store>) {
    for policy in [ServerWins, Merge] {
        let id = format!("{policy:?}");
        let operation = || on(&from(policy, 0), upsert(&format!(r#"{{"id":"{id}","x":1}}"#)));
        let inserted = commit(&store, vec![operation()]).await;
        assert_eq!(inserted.changes[0].kind, crate::store::ChangeKind::Insert, "{policy:?}");
        // Also where there was something once.
        commit(&store, vec![delete(&id)]).await;
        commit(&store, vec![operation()]).await;
    }
    let present = read(&store, Read::default()).await.records[0].clone();
    let again = Step::of([on(&from(ServerWins, 0), upsert(r#"{"id":"ServerWins","x":2}"#))]).rejected(&store).await;
    assert_eq!(again.why, Rejection::Conflict { record: Some(present), properties: Vec::new() });
}

pub(crate) async fn the_later_edit_wins(store: Arc<dyn Store>) {
    commit(&store, vec![on(&edited(1000), upsert(r#"{"id":"a","x":1}"#))]).await;
    let winner = r#"{"id":"a","x":1,"_lastChange":1000,"_rev":1}"#;
    assert_eq!(all(&store).await, [winner]);
    for time in [0, 999, 1000] {
        for operation in [upsert(r#"{"id":"a","x":2}"#), replace(r#"{"id":"a","y":2}"#), delete("a")] {
            let lost = commit(&store, vec![on(&edited(time), operation)]).await;
            assert_eq!(lost.records[0].as_ref().map(Record::json), Some(winner), "{time}");
            assert_eq!((lost.changes.len(), lost.position.revision), (0, Revision(1)), "{time}");
        }
    }
    is_untouched(&store, 1).await;
    let won = commit(&store, vec![on(&edited(1001), upsert(r#"{"id":"a","y":2}"#))]).await;
    assert_eq!(won.changes[0].record.json(), r#"{"id":"a","x":1,"y":2,"_lastChange":1001,"_rev":2}"#);
    // The base has no say in it.
    let terms = Terms { base: Some(Revision(1)), ..edited(1002) };
    let won = commit(&store, vec![on(&terms, replace(r#"{"id":"a","z":3}"#))]).await;
    assert_eq!(won.records[0].as_ref().unwrap().json(), r#"{"id":"a","z":3,"_lastChange":1002,"_rev":3}"#);
}

pub(crate) async fn the_same_content_edited_later_is_a_change(store: Arc<dyn Store>) {
    commit(&store, vec![on(&edited(1000), upsert(r#"{"id":"a","x":1}"#))]).await;
    let later = commit(&store, vec![on(&edited(2000), upsert(r#"{"id":"a"}"#))]).await;
    assert_eq!(later.changes[0].record.json(), r#"{"id":"a","x":1,"_lastChange":2000,"_rev":2}"#);
    let later = commit(&store, vec![on(&edited(3000), replace(r#"{"id":"a","x":1}"#))]).await;
    assert_eq!(later.changes[0].record.json(), r#"{"id":"a","x":1,"_lastChange":3000,"_rev":3}"#);
    let between = commit(&store, vec![on(&edited(2500), upsert(r#"{"id":"a","x":2}"#))]).await;
    assert_eq!(between.changes.len(), 0);
    assert_eq!(all(&store).await, [r#"{"id":"a","x":1,"_lastChange":3000,"_rev":3}"#]);
}

pub(crate) async fn a_clock_that_is_ahead_wins_by_five_seconds_at_the_most(store: Arc<dyn Store>) {
    let write = async |now, last_change, record: &str| {
        let step = Step::of([on(&edited(last_change), upsert(record))]).at(now);
        step.done(&store).await.records[0].as_ref().unwrap().last_change()
    };
    assert_eq!(write(NOW, NOW + 3_600_000, r#"{"id":"a","x":1}"#).await, Some(NOW + 5000));
    assert_eq!(write(NOW, NOW + 4999, r#"{"id":"b","x":1}"#).await, Some(NOW + 4999));
    assert_eq!(write(NOW, u64::MAX, r#"{"id":"a","x":2}"#).await, Some(NOW + 5000), "it is equal");
    assert_eq!(write(NOW + 1, u64::MAX, r#"{"id":"a","x":3}"#).await, Some(NOW + 5001));
    let records = [
        format!(r#"{{"id":"a","x":3,"_lastChange":{},"_rev":3}}"#, NOW + 5001),
        format!(r#"{{"id":"b","x":1,"_lastChange":{},"_rev":2}}"#, NOW + 4999),
    ];
    assert_eq!(all(&store).await, records);
    // A deletion too: remembered with its own time, nothing could be written for as long.
    Step::of([on(&edited(u64::MAX), delete("b"))]).at(NOW + 10).done(&store).await;
    Step::of([on(&edited(NOW + 5011), upsert(r#"{"id":"b"}"#))]).at(NOW + 11).done(&store).await;
    assert_eq!(all(&store).await[1], format!(r#"{{"id":"b","_lastChange":{},"_rev":5}}"#, NOW + 5011));
}

pub(crate) async fn who_does_not_say_when_edited_now(store: Arc<dyn Store>) {
    let edit = |x: u32| on(&under(LatestWins), upsert(&format!(r#"{{"id":"a","x":{x}}}"#)));
    Step::of([edit(1)]).at(NOW).done(&store).await;
    Step::of([edit(2)]).at(NOW - 1).done(&store).await;
    Step::of([edit(3)]).at(NOW).done(&store).await;
    assert_eq!(all(&store).await, [format!(r#"{{"id":"a","x":1,"_lastChange":{NOW},"_rev":1}}"#)]);
    Step::of([edit(4)]).at(NOW + 1).done(&store).await;
    assert_eq!(all(&store).await, [format!(r#"{{"id":"a","x":4,"_lastChange":{},"_rev":2}}"#, NOW + 1)]);
}

pub(crate) async fn a_record_bears_its_time_once_it_has_one(store: Arc<dyn Store>) {
    let timed = Terms { last_change: Some(7000), ..Terms::default() };
    commit(&store, vec![on(&timed, upsert(r#"{"id":"a","x":1}"#))]).await;
    commit(&store, vec![on(&timed, upsert(r#"{"id":"a","x":2}"#))]).await;
    assert_eq!(all(&store).await, [r#"{"id":"a","x":2,"_rev":2}"#], "nobody decided by time");
    // Against a record without a time every edit is the later one.
    commit(&store, vec![on(&edited(5), upsert(r#"{"id":"a","x":3}"#))]).await;
    assert_eq!(all(&store).await, [r#"{"id":"a","x":3,"_lastChange":5,"_rev":3}"#]);
    commit(&store, vec![on(&timed, upsert(r#"{"id":"a","x":4}"#))]).await;
    assert_eq!(all(&store).await, [r#"{"id":"a","x":4,"_lastChange":7000,"_rev":4}"#]);
    let same = commit(&store, vec![upsert(r#"{"id":"a","x":4}"#)]).await;
    assert_eq!(same.changes.len(), 0);
    commit(&store, vec![replace(r#"{"id":"a"}"#)]).await;
    assert_eq!(all(&store).await, [format!(r#"{{"id":"a","_lastChange":{NOW},"_rev":5}}"#)]);
    commit(&store, vec![delete("a"), upsert(r#"{"id":"a"}"#)]).await;
    assert_eq!(all(&store).await, [r#"{"id":"a","_rev":7}"#], "it is another record");
}

pub(crate) async fn an_older_edit_does_not_bring_back_what_was_deleted(store: Arc<dyn Store>) {
    let edit = |time| on(&edited(time), upsert(r#"{"id":"a","x":1}"#));
    commit(&store, vec![edit(1000), on(&edited(2000), delete("a"))]).await;
    for time in [1500, 2000] {
        let lost = commit(&store, vec![edit(time)]).await;
        assert_eq!((lost.records.as_slice(), lost.changes.len()), ([None].as_slice(), 0), "{time}");
    }
    is_untouched(&store, 2).await;
    let won = commit(&store, vec![edit(2001)]).await;
    assert_eq!(numbers(&won.changes), [3]);
    // Without a time of its own, the deletion of a record that bears one is of now.
    commit(&store, vec![delete("a")]).await;
    assert_eq!(commit(&store, vec![edit(NOW)]).await.changes.len(), 0);
    assert_eq!(numbers(&commit(&store, vec![edit(NOW + 1)]).await.changes), [5]);
}

pub(crate) async fn deletions_within_a_batch_count_as_those_before_it(store: Arc<dyn Store>) {
    let edit = |time| on(&edited(time), upsert(r#"{"id":"a","x":1}"#));
    let done = commit(&store, vec![edit(1000), on(&edited(2000), delete("a")), edit(1500), edit(2500)]).await;
    let there: Vec<_> = done.records.iter().map(Option::is_some).collect();
    assert_eq!((there, numbers(&done.changes)), (vec![true, false, false, true], vec![1, 2, 3]));
    // One that was taken back never was.
    let refused = Step::of([on(&edited(9000), delete("a")), on(&from(ServerWins, 1), upsert(r#"{"id":"b"}"#))]);
    refused.rejected(&store).await;
    commit(&store, vec![delete("x"), on(&edited(2600), delete("a"))]).await;
    assert_eq!(numbers(&commit(&store, vec![edit(2700)]).await.changes), [5]);
}

pub(crate) async fn a_deletion_that_is_older_than_the_edit_loses(store: Arc<dyn Store>) {
    commit(&store, vec![on(&edited(1000), upsert(r#"{"id":"a"}"#)), upsert(r#"{"id":"b"}"#)]).await;
    for time in [999, 1000] {
        let lost = commit(&store, vec![on(&edited(time), delete("a"))]).await;
        assert_eq!(lost.records[0].as_ref().unwrap().json(), r#"{"id":"a","_lastChange":1000,"_rev":1}"#);
        assert_eq!(lost.changes.len(), 0);
    }
    let won = commit(&store, vec![on(&edited(1001), delete("a")), on(&edited(1), delete("b"))]).await;
    assert_eq!(numbers(&won.changes), [3, 4]);
    assert_eq!(all(&store).await, [""; 0]);
}

pub(crate) async fn the_last_of_several_deletions_counts(store: Arc<dyn Store>) {
    let edit = |time| on(&edited(time), upsert(r#"{"id":"a"}"#));
    commit(&store, vec![edit(1000), on(&edited(9000), delete("a"))]).await;
    // With the first forgotten, the second is not.
    let others = async |from: usize, count: usize| {
        for id in (from..from + count).map(|n| n.to_string()) {
            commit(&store, vec![upsert(&format!(r#"{{"id":"{id}"}}"#)), delete(&id)]).await;
        }
    };
    others(0, RETENTION.tombstones / 2).await;
    commit(&store, vec![edit(9001), on(&edited(9500), delete("a"))]).await;
    others(1000, RETENTION.tombstones / 2 + 5).await;
    assert_eq!(commit(&store, vec![edit(9400)]).await.changes.len(), 0);
    assert_eq!(commit(&store, vec![edit(9501)]).await.changes.len(), 1);
}
