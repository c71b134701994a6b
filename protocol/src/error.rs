//! The error object of failed replies and of `$session:error`.

use serde::{Deserialize, Serialize};

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
    /// `options`, or one of its members, is not what the method takes.
    InvalidOptions,
    /// A member of `options` or of a query that does not exist.
    UnknownMember,
    /// A member that the protocol knows and this server does not offer yet.
    Unsupported,
    /// Arrays and objects nest deeper than the limit.
    TooDeep,
    /// More than a limit allows: records in a batch, listeners, models, bytes.
    LimitExceeded,
    /// No record has this id.
    NotFound,
    /// A rule forbids it.
    Forbidden,
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

/// `{"code", "message", "retry"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct ErrorObject {
    /// For programs.
    pub code: ErrorCode,
    /// For people: what was wrong and what would be right.
    pub message: String,
    /// Whether the same request may succeed later.
    pub retry: bool,
}

impl ErrorObject {
    /// An error whose `retry` is the code's.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry: code.retry() }
    }
}
