//! A reply of the broker's, as HTTP takes it apart.

use super::exchange::ending;
use backsync_protocol::{
    ErrorCode, ErrorObject,
    json::{self, Members, Raw},
};
use bytes::Bytes;
use serde::Deserialize;
use std::{borrow::Cow, collections::BTreeMap, error::Error, ops::Range};

/// A reply that is no error.
#[derive(Debug, Default)]
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
        Self::read(&text).unwrap_or_else(|cause| {
            tracing::error!(error = %cause, "a reply is not understood");
            Err(ErrorObject::new(ErrorCode::Internal, "the server does not understand itself"))
        })
    }

    fn read(text: &Bytes) -> Result<Result<Self, ErrorObject>, Box<dyn Error>> {
        let members = Members::parse(std::str::from_utf8(text)?)?;
        let string = |value: Raw<'_>| json::string(value).map(Cow::into_owned);
        let (mut reply, mut data) = (Self { text: text.clone(), ..Self::default() }, None);
        for (name, value) in &members.0 {
            let get = value.get();
            match name.as_ref() {
                "event" if get == "\"$session:close\"" => return Ok(Err(ending())),
                "error" => return Ok(Err(serde_json::from_str(get)?)),
                "data" => data = Some(get),
                "position" => reply.position = string(*value),
                "positions" => reply.positions = serde_json::from_str(get)?,
                "created" => reply.is_created = get == "true",
                "changed" => reply.changed = serde_json::from_str(get)?,
                "deleted" => reply.deleted = Some(get.to_owned()),
                "reset" => reply.is_reset = get == "true",
                "next" => reply.next = Some(string(*value)),
                _ => {}
            }
        }
        let data = data.ok_or("it has no data")?;
        let start = data.as_ptr() as usize - text.as_ptr() as usize;
        reply.data = start..start + data.len();
        Ok(Ok(reply))
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
    pub(super) fn elements(&self) -> Result<impl Iterator<Item = Bytes>, serde_json::Error> {
        let elements = json::array(self.data())?;
        Ok(elements.into_iter().map(|element| self.text.slice_ref(element.get().as_bytes())))
    }

    /// Of `data` that is one record: its name and revision.
    pub(super) fn stamp(&self) -> Option<Stamp> {
        serde_json::from_str(self.data()).ok()
    }
}
