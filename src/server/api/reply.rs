//! A reply of the broker's, as HTTP takes it apart.

use super::exchange::ending;
use backsync_protocol::{ErrorCode, ErrorObject};
use bytes::Bytes;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::{collections::BTreeMap, ops::Range};

/// A reply that is no error.
#[derive(Debug)]
pub(super) struct Reply {
    text: Bytes,
    data: Range<usize>,
    /// Where the model stood.
    pub(super) position: Option<String>,
    /// Where models that references led to stood.
    pub(super) positions: BTreeMap<String, String>,
    /// Whether what was written is new.
    pub(super) is_created: bool,
    /// Of a write of several records: its first and its last change.
    pub(super) changed: Option<(u64, u64)>,
    /// What is gone since, as JSON text.
    pub(super) deleted: Option<String>,
    /// Whether it is everything in the place of what changed.
    pub(super) is_reset: bool,
    /// Where the next page begins, if there is one; that may not be sayable.
    pub(super) next: Option<Option<String>>,
}

#[derive(Deserialize)]
struct Parts<'a> {
    #[serde(default)]
    event: String,
    #[serde(borrow)]
    data: &'a RawValue,
    position: Option<String>,
    error: Option<ErrorObject>,
    #[serde(default)]
    positions: BTreeMap<String, String>,
    #[serde(default)]
    created: bool,
    changed: Option<(u64, u64)>,
    #[serde(borrow)]
    deleted: Option<&'a RawValue>,
    #[serde(default)]
    reset: bool,
    #[serde(default, deserialize_with = "there")]
    next: Option<Option<String>>,
}

/// A member that is there, if only as `null`.
fn there<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(value).map(Some)
}

/// What a record says of itself.
#[derive(Debug, Deserialize)]
pub(super) struct Stamp {
    pub(super) id: String,
    #[serde(rename = "_rev")]
    pub(super) revision: Option<u64>,
}

impl Reply {
    /// Take one apart.
    ///
    /// # Errors
    /// The error that it tells, or that the server goes.
    pub(super) fn parse(text: Bytes) -> Result<Self, ErrorObject> {
        let parts: Result<Parts<'_>, _> = serde_json::from_slice(&text);
        let parts = parts.map_err(|cause| {
            tracing::error!(error = %cause, "a reply is not understood");
            ErrorObject::new(ErrorCode::Internal, "the server does not understand itself")
        })?;
        if let Some(error) = parts.error {
            return Err(error);
        }
        if parts.event == "$session:close" {
            return Err(ending());
        }
        let start = parts.data.get().as_ptr() as usize - text.as_ptr() as usize;
        let data = start..start + parts.data.get().len();
        let Parts { position, positions, created, changed, reset, next, .. } = parts;
        let deleted = parts.deleted.map(|deleted| deleted.get().to_owned());
        Ok(Self { data, position, positions, is_created: created, changed, deleted, is_reset: reset, next, text })
    }

    /// Its `data`, as JSON text.
    pub(super) fn data(&self) -> &str {
        std::str::from_utf8(&self.text[self.data.clone()]).expect("messages are text")
    }

    /// The same, without a copy.
    pub(super) fn into_data(self) -> Bytes {
        self.text.slice(self.data)
    }

    /// The elements of `data` that is an array, as JSON text.
    pub(super) fn elements(&self) -> Option<impl Iterator<Item = Bytes>> {
        let elements: Vec<&RawValue> = serde_json::from_str(self.data()).ok()?;
        Some(elements.into_iter().map(|element| self.text.slice_ref(element.get().as_bytes())))
    }

    /// Of `data` that is one record: its name and revision.
    pub(super) fn stamp(&self) -> Option<Stamp> {
        serde_json::from_str(self.data()).ok()
    }
}
