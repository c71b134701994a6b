//! What every store has to hold to, as tests that each of them runs.

pub(crate) mod batches;
pub(crate) mod bounds;
pub(crate) mod conflicts;
pub(crate) mod leases;
pub(crate) mod merging;
pub(crate) mod owners;
pub(crate) mod random;
pub(crate) mod reading;
pub(crate) mod records;
pub(crate) mod since;
pub(crate) mod transactions;

use super::{
    Bounds, Change, Commit, Done, Few, Lease, Millis, Nodes, Operation, Outcome, Owner, Page, Part, Read, Rejected,
    Rejection, Retention, Snapshot, Store, StoreError, Terms, Transaction,
};
use backsync_protocol::{ConflictPolicy, ModelName, Position, Record, RecordId, RecordInput, Revision};
use smallvec::smallvec;
use std::{
    future::Future,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

/// A store to be tried; it lives as long as its fixture.
pub(crate) trait Fixture {
    /// How many random histories to try: fewer where a commit takes long.
    const SEEDS: u64 = 10;

    /// Open a fresh, empty store.
    fn open(&self, retention: Retention) -> Arc<dyn Store>;
}

/// What the store of every case keeps. Little, and of each another amount, so that a case can tell what made it forget.
pub(crate) const RETENTION: Retention = Retention {
    log_entries: 100,
    tombstones: 50,
    tombstone_age: 60 * 60 * 1000,
    outcomes: 40,
    outcome_age: 10 * 60 * 1000,
};

/// So many commits are beyond everything in [`RETENTION`], also for a store that forgets in larger pieces.
pub(crate) const PLENTY: u64 = 2500;

/// When a commit happens if nothing else is said.
pub(crate) const NOW: Millis = 1_700_000_000_000;

/// Make a test of every case for one fixture.
macro_rules! conformance {
    ($fixture:expr) => {
        #[test]
        fn whatever_happens_the_outcome_is_that_of_the_rules() {
            $crate::store::conformance::random::run(|| $fixture);
        }

        $crate::store::conformance::conformance!(@ $fixture;
            records {
                records_come_back_in_insertion_order,
                an_upsert_merges_and_a_replace_does_not,
                what_changes_nothing_is_not_numbered,
                deleting_gives_the_last_state_and_nothing_twice,
                revisions_are_contiguous_over_batches,
                a_batch_is_one_position,
                commits_of_one_call_see_each_other,
                the_log_is_what_happened,
                the_log_is_what_happened_wherever_records_stand_by_now,
                a_trimmed_log_says_so,
                the_log_after_a_position_of_another_history_is_none,
                where_several_models_stand_is_told_in_their_order,
                models_do_not_see_each_other,
                text_survives_unharmed,
                commits_of_many_threads_are_in_one_order,
            }
            reading {
                only_what_matches_is_read,
                the_order_may_be_chosen,
                some_are_left_out_at_both_ends,
                pages_go_on_where_the_last_one_ended,
                pages_are_stable_while_records_change,
                an_update_tells_what_was_before,
                a_closed_store_says_so,
            }
            conflicts {
                the_client_wins_whatever_it_knew,
                where_the_server_wins_a_write_from_the_present_state_is_done,
                where_the_server_wins_a_write_from_another_state_is_refused,
                where_the_server_wins_what_was_deleted_is_not_written,
                a_base_of_0_inserts_where_there_is_nothing,
                the_later_edit_wins,
                the_same_content_edited_later_is_a_change,
                a_clock_that_is_ahead_wins_by_five_seconds_at_the_most,
                who_does_not_say_when_edited_now,
                a_record_bears_its_time_once_it_has_one,
                an_older_edit_does_not_bring_back_what_was_deleted,
                deletions_within_a_batch_count_as_those_before_it,
                a_deletion_that_is_older_than_the_edit_loses,
                the_last_of_several_deletions_counts,
            }
            merging {
                a_merge_keeps_what_only_one_side_changed,
                a_merge_tells_what_both_sides_changed,
                a_merge_takes_the_side_it_prefers,
                a_merged_replacement_takes_away_what_only_it_removed,
                without_its_base_a_merge_refuses_every_difference,
                the_base_of_a_merge_may_be_of_the_same_batch,
                an_edit_of_what_was_deleted_is_decided_by_preference,
                a_deletion_of_what_was_edited_is_decided_by_preference,
            }
            owners {
                only_its_owner_changes_a_record,
                who_makes_no_claim_leaves_the_owner,
                who_writes_what_is_there_already_gets_it,
                what_is_owned_is_listed_until_it_is_gone,
                a_refused_batch_leaves_everything_its_owner,
                an_owner_is_asked_before_anything_else,
                what_its_session_writes_moves_to_the_writers_node,
                a_node_adopts_what_is_its_sessions,
                what_is_gone_is_restored_and_what_is_there_is_adopted,
                only_what_this_node_holds_is_released,
                a_refused_batch_leaves_everything_where_it_was_held,
            }
            leases {
                whose_lease_holds_is_alive,
                a_lease_that_ran_out_never_revives,
                what_was_never_begun_has_run_out,
                a_renewed_lease_holds_from_then_on,
            }
            batches {
                a_batch_refused_in_the_middle_leaves_nothing,
                a_part_that_is_refused_undoes_the_others,
                a_refused_commit_does_not_touch_those_beside_it,
                a_record_may_be_written_several_times_in_a_batch,
                what_a_batch_inserts_it_may_delete,
                each_part_has_its_own_position,
                a_large_batch_is_taken_back_whole,
                ids_that_need_escapes_are_ids_like_any,
                commits_that_name_models_in_another_order_do_not_wait_for_each_other,
            }
            transactions {
                a_repeated_write_is_not_done_again,
                a_repeated_batch_is_not_done_again,
                a_repeated_commit_to_several_models_is_not_done_again,
                a_repeated_deletion_is_not_done_again,
                a_repeated_write_that_changed_nothing_still_does_not,
                a_refusal_is_repeated_though_it_would_be_done_now,
                another_write_under_the_same_name_is_refused,
                a_repetition_may_stand_in_the_same_call,
                each_client_has_names_of_its_own,
                outcomes_are_forgotten_when_there_are_many,
                large_outcomes_count_for_more,
                outcomes_are_forgotten_with_time,
                repetitions_of_many_threads_are_done_once,
            }
            bounds {
                the_oldest_go_where_a_model_is_bounded,
                a_batch_larger_than_its_model_leaves_its_last_records,
                only_what_is_said_with_a_commit_bounds_its_model,
                a_part_without_operations_evicts,
                what_is_too_old_goes_with_the_next_commit,
                both_bounds_hold,
                who_was_away_learns_of_evictions,
                what_was_evicted_may_come_back,
            }
            since {
                nothing_became_of_what_nobody_changed,
                the_log_tells_what_became_of_the_records,
                the_tombstones_tell_it_when_the_log_does_not,
                beyond_the_tombstones_it_is_everything,
                tombstones_go_with_time,
                who_was_never_here_is_given_everything,
                a_position_of_one_model_is_none_of_another,
                what_no_longer_matches_counts_as_deleted,
                of_some_ids_only_these_are_told,
                a_position_between_the_changes_of_a_commit_is_one,
            }
        );
    };
    (@ $fixture:expr; $($topic:ident { $($case:ident),* $(,)? })*) => {
        $($(
            #[test]
            fn $case() {
                $crate::store::conformance::run(&$fixture, $crate::store::conformance::$topic::$case);
            }
        )*)*
    };
}
pub(crate) use conformance;

/// Run one case on a fresh store.
pub(crate) fn run<F: Fixture, T: Future<Output = ()>>(fixture: &F, case: impl FnOnce(Arc<dyn Store>) -> T) {
    block_on(case(fixture.open(RETENTION)));
}

pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

pub(crate) fn model(name: &str) -> ModelName {
    ModelName::parse(name).unwrap()
}

pub(crate) fn id(text: &str) -> RecordId {
    RecordId::parse(text).unwrap()
}

pub(crate) fn upsert(json: &str) -> Operation {
    let record = RecordInput::parse(serde_json::from_str(json).unwrap(), || panic!("no id: {json}")).unwrap();
    Operation::Upsert { record, replace: false, terms: Terms::default() }
}

pub(crate) fn replace(json: &str) -> Operation {
    match upsert(json) {
        Operation::Upsert { record, terms, .. } => Operation::Upsert { record, replace: true, terms },
        _ => unreachable!("an upsert"),
    }
}

pub(crate) fn delete(record: &str) -> Operation {
    Operation::Delete { id: id(record), terms: Terms::default() }
}

/// The same on other terms.
pub(crate) fn on(terms: &Terms, operation: Operation) -> Operation {
    let terms = terms.clone();
    match operation {
        Operation::Upsert { record, replace, .. } => Operation::Upsert { record, replace, terms },
        Operation::Delete { id, .. } => Operation::Delete { id, terms },
        without_terms => without_terms,
    }
}

pub(crate) fn owner(session: &str, node: &str) -> Owner {
    Owner { session: session.into(), node: node.into() }
}

pub(crate) fn adopt(record: &str, owner: Owner, from: &str) -> Operation {
    Operation::Adopt { id: id(record), owner, from: from.into() }
}

pub(crate) fn release(record: &str, owner: Owner) -> Operation {
    Operation::Release { id: id(record), owner }
}

pub(crate) fn restore(json: &str, owner: Owner, from: &str) -> Operation {
    match upsert(json) {
        Operation::Upsert { record, .. } => Operation::Restore { record, owner, from: from.into() },
        _ => unreachable!("an upsert"),
    }
}

pub(crate) fn under(policy: ConflictPolicy) -> Terms {
    Terms { policy, ..Terms::default() }
}

/// A commit that is put together piece by piece.
#[derive(Debug, Clone)]
pub(crate) struct Step(pub(crate) Commit);

impl Step {
    /// One part, for the model `M`.
    pub(crate) fn of(operations: impl IntoIterator<Item = Operation>) -> Self {
        Self(Commit { parts: Vec::new(), transaction: None, now: NOW }).and("M", operations)
    }

    /// One part, for another model.
    pub(crate) fn to(name: &str, operations: impl IntoIterator<Item = Operation>) -> Self {
        Self(Commit { parts: Vec::new(), transaction: None, now: NOW }).and(name, operations)
    }

    /// One more part.
    pub(crate) fn and(mut self, name: &str, operations: impl IntoIterator<Item = Operation>) -> Self {
        let operations = operations.into_iter().collect();
        self.0.parts.push(Part { model: model(name), bounds: Bounds::default(), operations });
        self
    }

    /// Bound the last part's model.
    pub(crate) fn bounded(mut self, bounds: Bounds) -> Self {
        self.0.parts.last_mut().expect("there is always a part").bounds = bounds;
        self
    }

    pub(crate) fn at(mut self, now: Millis) -> Self {
        self.0.now = now;
        self
    }

    /// As a transaction, with a digest of the parts that are there.
    pub(crate) fn once(mut self, client: &str, id: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        format!("{:?}", self.0.parts).hash(&mut hasher);
        let digest = u128::from(hasher.finish()).to_be_bytes();
        self.0.transaction = Some(Box::new(Transaction { client: client.into(), id: id.into(), digest }));
        self
    }

    pub(crate) async fn commit(self, store: &Arc<dyn Store>) -> Outcome {
        store.commit(smallvec![self.0]).await.unwrap().pop().unwrap()
    }

    /// What became of every part.
    pub(crate) async fn parts(self, store: &Arc<dyn Store>) -> Vec<Done> {
        self.commit(store).await.expect("a commit that holds").parts
    }

    /// What became of the only part.
    pub(crate) async fn done(self, store: &Arc<dyn Store>) -> Done {
        let mut parts = self.parts(store).await;
        assert_eq!(parts.len(), 1);
        parts.remove(0)
    }

    pub(crate) async fn rejected(self, store: &Arc<dyn Store>) -> Rejected {
        *self.commit(store).await.expect_err("a commit that is refused")
    }
}

/// Commit to the model `M`.
pub(crate) async fn commit(store: &Arc<dyn Store>, operations: Vec<Operation>) -> Done {
    Step::of(operations).done(store).await
}

/// So many changes of the model `M`, all of one record.
pub(crate) async fn fill(store: &Arc<dyn Store>, changes: u64) {
    let first = store.position(&model("M")).await.unwrap().revision.0;
    let write = |n| upsert(&format!(r#"{{"id":"filler","n":{n}}}"#));
    let numbers: Vec<u64> = (first..first + changes).collect();
    let commits = numbers.chunks(100).map(|numbers| Step::of(numbers.iter().map(write)).0);
    for outcome in store.commit(commits.collect()).await.unwrap() {
        outcome.unwrap();
    }
}

/// Read the model `M`.
pub(crate) async fn read(store: &Arc<dyn Store>, read: Read) -> Snapshot {
    store.read(&model("M"), read).await.unwrap()
}

/// The records of the model `M`.
pub(crate) async fn all(store: &Arc<dyn Store>) -> Vec<String> {
    json(&read(store, Read::default()).await)
}

/// The changes of the model `M`.
pub(crate) async fn log(store: &Arc<dyn Store>, after: u64) -> Option<Vec<Change>> {
    let position = store.position(&model("M")).await.unwrap();
    let after = Position { revision: Revision(after), ..position };
    let page = store.changes(&model("M"), after, usize::MAX).await.unwrap()?;
    assert_eq!(page.position, position);
    Some(page.changes)
}

pub(crate) fn json(snapshot: &Snapshot) -> Vec<String> {
    snapshot.records.iter().map(|record| record.json().to_owned()).collect()
}

pub(crate) fn ids(snapshot: &Snapshot) -> Vec<&str> {
    snapshot.records.iter().map(|record| record.id()).collect()
}

pub(crate) fn numbers(changes: &[Change]) -> Vec<u64> {
    changes.iter().map(|change| change.revision.0).collect()
}
