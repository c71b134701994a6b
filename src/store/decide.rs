//! What a write does to the record it finds: the one place where conflicts are decided, for every store.
//!
//! Pure: a store gives what it found, and carries out the verdict in the same atomic step.

use super::{Millis, Operation, Owner, Rejection, Terms};
use backsync_protocol::{ConflictPolicy, Record, RecordInput, Revision, Side, conflict};
use std::borrow::Cow;

/// So far ahead of this clock may a writer's be, in milliseconds.
const SKEW: Millis = 5_000;

/// A record's stored text is no JSON object: it was damaged.
#[derive(Debug, thiserror::Error)]
#[error("a stored record is damaged: {0}")]
pub(super) struct Damaged(#[from] serde_json::Error);

/// What a store has under an id.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Found<'a> {
    /// The record.
    pub(super) record: Option<&'a Record>,
    /// Who it belongs to.
    pub(super) owner: Option<&'a Owner>,
    /// Where there is no record any more: when it was deleted, by the clock of who did, where that was said.
    pub(super) buried: Option<Millis>,
}

/// What to do.
#[derive(Debug)]
pub(super) enum Verdict<'a> {
    /// Store this, with this time. The operation's owner, if it has one, is the record's from now on.
    Set(Cow<'a, RecordInput>, Option<Millis>),
    /// Remove the record, and remember this time.
    Remove(Option<Millis>),
    /// Leave everything as it is.
    Keep,
    /// The record is as it is wanted, and the operation's owner is its owner from now on.
    Claim,
    /// Refuse the whole commit.
    Reject(Rejection),
}

/// Decide about an operation. `base` looks up the record as it was at a revision, where that is still known.
pub(super) fn operation<'a, E: From<Damaged>>(
    operation: &'a Operation,
    found: Found<'_>,
    now: Millis,
    base: impl FnOnce(Revision) -> Result<Option<Record>, E>,
) -> Result<Verdict<'a>, E> {
    Ok(match operation {
        Operation::Upsert { record, replace, terms } => upsert(record, *replace, terms, found, now, base)?,
        Operation::Delete { terms, .. } => delete(terms, found, now),
        Operation::Adopt { owner, from, .. } => adopt(owner, from, found),
        Operation::Restore { record, .. } if found.record.is_none() => Verdict::Set(Cow::Borrowed(record), None),
        Operation::Restore { owner, from, .. } => adopt(owner, from, found),
        Operation::Release { owner, .. } if found.owner == Some(owner) => delete(&Terms::default(), found, now),
        Operation::Release { .. } => Verdict::Keep,
    })
}

fn upsert<'a, E: From<Damaged>>(
    record: &'a RecordInput,
    replace: bool,
    terms: &Terms,
    found: Found<'_>,
    now: Millis,
    base: impl FnOnce(Revision) -> Result<Option<Record>, E>,
) -> Result<Verdict<'a>, E> {
    if is_foreign(terms, found) {
        return Ok(Verdict::Reject(Rejection::NotOwner));
    }
    let at = terms.last_change.unwrap_or(now).min(now.saturating_add(SKEW));
    let latest = terms.policy == ConflictPolicy::LatestWins;
    let Some(stored) = found.record else {
        // A base of 0 says that there is no such record, and so it is.
        let base = terms.base.filter(|base| base.0 > 0);
        return Ok(match (terms.policy, base, terms.prefer) {
            (ConflictPolicy::LatestWins, ..) if found.buried.is_some_and(|buried| at <= buried) => Verdict::Keep,
            (ConflictPolicy::Merge, Some(_), Some(Side::Server)) => Verdict::Keep,
            (ConflictPolicy::ServerWins, Some(_), _) | (ConflictPolicy::Merge, Some(_), None) => conflict(None),
            _ => Verdict::Set(Cow::Borrowed(record), latest.then_some(at)),
        });
    };
    let edited_elsewhere = terms.base.is_some_and(|base| base != stored.revision());
    let written = stored.last_change();
    let last_change = (latest || written.is_some()).then_some(at);
    let is_claimed = terms.owner.is_some() && terms.owner.as_ref() != found.owner;
    let unchanged = if is_claimed { Verdict::Claim } else { Verdict::Keep };
    match terms.policy {
        ConflictPolicy::ServerWins if edited_elsewhere => return Ok(conflict(Some(stored))),
        ConflictPolicy::LatestWins if written.is_some_and(|written| at <= written) => return Ok(Verdict::Keep),
        ConflictPolicy::Merge if edited_elsewhere => {
            let base = terms.base.map_or(Ok(None), base)?;
            let merged =
                conflict::merge(record, base.as_ref(), stored, replace, terms.prefer).map_err(Damaged::from)?;
            return Ok(if !merged.conflicts.is_empty() {
                Verdict::Reject(Rejection::Conflict { record: Some(stored.clone()), properties: merged.conflicts })
            } else if merged.record.over(stored, true).map_err(Damaged::from)?.is_some() {
                Verdict::Set(Cow::Owned(merged.record), last_change)
            } else {
                unchanged
            });
        }
        _ => {}
    }
    Ok(match record.over(stored, replace).map_err(Damaged::from)? {
        Some(result) => Verdict::Set(result, last_change),
        // The same again, but later: who edited in between must not win.
        None if latest => Verdict::Set(Cow::Owned(RecordInput::again(stored).map_err(Damaged::from)?), last_change),
        None => unchanged,
    })
}

fn delete(terms: &Terms, found: Found<'_>, now: Millis) -> Verdict<'static> {
    let Some(stored) = found.record else { return Verdict::Keep };
    if is_foreign(terms, found) {
        return Verdict::Reject(Rejection::NotOwner);
    }
    let at = terms.last_change.unwrap_or(now).min(now.saturating_add(SKEW));
    let written = stored.last_change();
    let edited_elsewhere = terms.base.is_some_and(|base| base != stored.revision());
    match (terms.policy, terms.prefer) {
        (ConflictPolicy::LatestWins, _) if written.is_some_and(|written| at <= written) => Verdict::Keep,
        (ConflictPolicy::ServerWins, _) | (ConflictPolicy::Merge, None) if edited_elsewhere => conflict(Some(stored)),
        (ConflictPolicy::Merge, Some(Side::Server)) if edited_elsewhere => Verdict::Keep,
        (policy, _) => Verdict::Remove((policy == ConflictPolicy::LatestWins || written.is_some()).then_some(at)),
    }
}

fn adopt(owner: &Owner, from: &str, found: Found<'_>) -> Verdict<'static> {
    match found.owner {
        Some(known) if known.session == owner.session && *known.node == *from => Verdict::Claim,
        _ => Verdict::Keep,
    }
}

fn is_foreign(terms: &Terms, found: Found<'_>) -> bool {
    let (me, owner) = (terms.owner.as_ref(), found.owner);
    me.zip(owner).is_some_and(|(me, owner)| me.session != owner.session)
}

fn conflict(record: Option<&Record>) -> Verdict<'static> {
    Verdict::Reject(Rejection::Conflict { record: record.cloned(), properties: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use backsync_protocol::RecordId;

    fn input(text: &str) -> RecordInput {
        RecordInput::parse(serde_json::from_str(text).unwrap(), || RecordId::parse("made").unwrap()).unwrap()
    }

    fn terms(policy: ConflictPolicy, base: u64) -> Terms {
        Terms { policy, base: Some(Revision(base)), ..Terms::default() }
    }

    #[test]
    fn a_base_is_looked_up_only_where_it_decides() {
        let stored = Record::new(&input(r#"{"id":"a","x":1}"#), Revision(2), None);
        let is_asked = |terms: &Terms, record| {
            let (mut asked, input) = (false, input(r#"{"id":"a","x":2}"#));
            let found = Found { record, ..Found::default() };
            let base = |_| {
                asked = true;
                Ok::<_, Damaged>(None)
            };
            upsert(&input, false, terms, found, 0, base).unwrap();
            asked
        };
        for policy in ConflictPolicy::ALL {
            let is_merge = policy == ConflictPolicy::Merge;
            assert_eq!(is_asked(&terms(policy, 1), Some(&stored)), is_merge, "{policy:?}");
            assert!(!is_asked(&terms(policy, 2), Some(&stored)), "{policy:?}");
            assert!(!is_asked(&terms(policy, 1), None), "{policy:?}");
            assert!(!is_asked(&Terms { base: None, ..terms(policy, 0) }, Some(&stored)), "{policy:?}");
        }
    }

    #[test]
    fn a_damaged_record_is_an_error_and_no_panic() {
        let damaged = Record::restore("a", r#"{"id":"a","x":}"#, Revision(2)).unwrap();
        let good = Record::new(&input(r#"{"id":"a","y":1}"#), Revision(2), None);
        let (input, merge) = (input(r#"{"id":"a","y":2}"#), terms(ConflictPolicy::Merge, 1));
        let of = |record, terms: &Terms, base: Option<&Record>| {
            let found = Found { record: Some(record), ..Found::default() };
            upsert::<Damaged>(&input, false, terms, found, 0, |_| Ok(base.cloned())).is_err()
        };
        assert!(of(&damaged, &Terms::default(), None));
        assert!(of(&damaged, &merge, Some(&good)));
        assert!(of(&good, &merge, Some(&damaged)));
        assert!(!of(&good, &merge, Some(&good)));
    }

    #[test]
    fn there_is_a_last_millisecond() {
        let terms = Terms { policy: ConflictPolicy::LatestWins, last_change: Some(Millis::MAX), ..Terms::default() };
        let input = input(r#"{"id":"a"}"#);
        let verdict = upsert::<Damaged>(&input, false, &terms, Found::default(), Millis::MAX - 1, |_| Ok(None));
        assert!(matches!(verdict, Ok(Verdict::Set(_, Some(Millis::MAX)))), "{verdict:?}");
    }
}
