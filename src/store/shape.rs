//! Which of the records that match a read are answered, in which order, and where the next page begins: for every store alike.

use super::{Read, Selection};
use backsync_protocol::{Cursor, Record, Revision, Sort};

/// A record, and the revision of its insertion.
pub(super) type Placed = (Revision, Record);

/// Of the records that match, in the order of their insertion, so many are enough.
pub(super) fn enough(read: &Read) -> usize {
    match (&read.sort, read.limit) {
        // One more shows that there is more.
        (None, Some(limit)) => limit.saturating_add(read.skip).saturating_add(1),
        // Sorting needs all that match, whatever is left out afterwards.
        _ => usize::MAX,
    }
}

/// Of records that match, in the order of their insertion or of the ids that were asked for: those that are answered, and where
/// they end if there are more.
pub(super) fn shape(mut records: Vec<Placed>, read: &Read) -> (Vec<Record>, Option<Cursor>) {
    if let Some(after) = &read.after {
        records.retain(|(inserted, record)| after.is_before(read.sort.as_ref(), *inserted, record.json()));
    }
    if let Some(sort) = &read.sort {
        sort.apply(&mut records, |(_, record)| record.json());
    }
    let count = records.len().saturating_sub(read.skip);
    let limit = read.limit.unwrap_or(usize::MAX);
    let last = read.skip.saturating_add(limit).checked_sub(1).filter(|_| limit > 0 && count > limit);
    let next = last.filter(|_| read.selection == Selection::All).map(|last| {
        let (inserted, record) = &records[last];
        let keys = read.sort.as_ref().map_or_else(Vec::new, |sort: &Sort| sort.keys(record.json()));
        Cursor { inserted: *inserted, keys }
    });
    (records.into_iter().skip(read.skip).take(limit).map(|(_, record)| record).collect(), next)
}
