//! What has to be known of a record without knowing its type.

use backsync_protocol::{json, json::Members};
use serde_json::value::RawValue;

/// Its id, and the revision at which it last changed; `None` for what is no record.
pub(crate) fn identity(record: &RawValue) -> Option<(String, Option<u64>)> {
    let members = Members::parse(record.get()).ok()?;
    let id = members.find("id")?;
    let id = json::string(id).map_or_else(|| id.get().to_owned(), Into::into);
    Some((id, members.find("_rev").and_then(|revision| revision.get().parse().ok())))
}

/// Its id.
pub(crate) fn id_of(record: &RawValue) -> Option<String> {
    identity(record).map(|(id, _)| id)
}
