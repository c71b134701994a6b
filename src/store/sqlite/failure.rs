//! What went wrong inside, and how it looks outside.

use crate::store::{StoreError, decide::Damaged};
use rusqlite::{Error, ErrorCode, types::Type};
use std::sync::Arc;

/// What a column holds cannot have been written by us.
pub(super) fn damaged(column: usize, why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::FromSqlConversionFailure(column, Type::Text, why.into())
}

impl From<Damaged> for Error {
    fn from(why: Damaged) -> Self {
        damaged(1, why)
    }
}

/// Whether there was no room: for another page, or on the disk.
pub(super) fn is_full(error: &Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
}

/// Whether it may be the fault of one call alone: it needs too much room, or what it needs is damaged.
pub(super) fn may_be_of_one(error: &Error) -> bool {
    is_full(error)
        || error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt)
        || matches!(error, Error::FromSqlConversionFailure(..) | Error::InvalidColumnType(..))
}

/// For each of those who asked, the same cause.
pub(super) fn outside(error: &Arc<Error>) -> StoreError {
    if is_full(error) { StoreError::Full } else { StoreError::Unavailable(Box::new(error.clone())) }
}

/// The thread that should answer is gone: it panicked.
pub(super) fn gone() -> StoreError {
    StoreError::Unavailable("the store's thread has ended".into())
}
