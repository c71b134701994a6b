//! The error object of failed replies and of `$session:error`.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Every code that a client may meet; `PROTOCOL.md` lists them with their meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The text is not JSON, or not an object.
    InvalidMessage,
    /// A binary frame: messages are text.
    BinaryMessage,
    /// `id` is neither a string nor a number.
    InvalidId,
    /// `event` is absent, no string, or not `Model:method`.
    InvalidEvent,
    /// The model's name is not allowed.
    InvalidModel,
    /// The model is fine, the method does not exist.
    UnknownMethod,
    /// `data` is not what the method takes.
    InvalidData,
    /// A `where` is no filter, or a larger one than is allowed.
    InvalidFilter,
    /// `options`, or one of its members, is not what the method takes.
    InvalidOptions,
    /// A member of `options` or of a query that does not exist.
    UnknownMember,
    /// Arrays and objects nest deeper than the limit.
    TooDeep,
    /// More than a limit allows: records in a batch, listeners, models, bytes.
    LimitExceeded,
    /// No record has this id.
    NotFound,
    /// A rule forbids it, or the record belongs to another session.
    Forbidden,
    /// The record is not as the writer knew it.
    Conflict,
    /// The request's id was used for another write before.
    TransactionReused,
    /// The store has no room left; reads and deletions still work.
    StoreFull,
    /// The store cannot answer just now; whether a write was done is not known.
    StoreUnavailable,
    /// The server is shutting down.
    ShuttingDown,
    /// A fault of the server.
    Internal,
}

impl ErrorCode {
    /// Whether the same request may succeed later.
    pub const fn retry(self) -> bool {
        matches!(self, Self::StoreFull | Self::StoreUnavailable | Self::ShuttingDown)
    }
}

/// `{"code", "message", "retry"}`, and what else there is to say about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct ErrorObject {
    /// For programs.
    pub code: ErrorCode,
    /// For people: what was wrong and what would be right.
    pub message: String,
    /// Whether the same request may succeed later.
    pub retry: bool,
    /// Of a batch: which element was refused, counted from 0.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub element: Option<usize>,
    /// Of a conflict: the record as it is; the outer `None` where it is no conflict, `null` where the record was deleted.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub record: Option<ErrorRecord>,
    /// Of a conflict by attribute: their names.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub properties: Option<Vec<String>>,
}

/// A record's JSON, or `null`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ErrorRecord(Box<RawValue>);

impl ErrorRecord {
    /// From text.
    ///
    /// # Errors
    /// Where it is no JSON.
    pub fn parse(json: &str) -> Result<Self, serde_json::Error> {
        RawValue::from_string(json.to_owned()).map(Self)
    }

    /// The text.
    pub fn get(&self) -> &str {
        self.0.get()
    }
}

impl PartialEq for ErrorRecord {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl Eq for ErrorRecord {}

impl ErrorObject {
    /// An error whose `retry` is the code's.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry: code.retry(), element: None, record: None, properties: None }
    }

    /// What nests deeper than `depth`.
    pub(crate) fn too_deep(depth: usize) -> Self {
        Self::new(ErrorCode::TooDeep, format!("arrays and objects nest deeper than {depth}"))
    }

    /// The same, of one element of a batch.
    #[must_use]
    pub fn of_element(self, element: usize) -> Self {
        Self { message: format!("element {element} of the batch: {}", self.message), element: Some(element), ..self }
    }
}
