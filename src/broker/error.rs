//! The one place where causes become wire codes. What is internal stays in the log.

use crate::{auth::Denied, store::StoreError};
use backsync_protocol::{ErrorCode, ErrorObject};

/// What a client is told of a store's failure.
pub(crate) fn of_store(cause: &StoreError) -> ErrorObject {
    match cause {
        StoreError::Full => ErrorObject::new(
            ErrorCode::StoreFull,
            "the store is full; nothing was changed; reads and deletions still work, try again when there is room",
        ),
        StoreError::Unavailable(_) => ErrorObject::new(
            ErrorCode::StoreUnavailable,
            "the store does not answer; whether this was done is not known; send it again with the same record ids",
        ),
        StoreError::Closed => ErrorObject::new(ErrorCode::ShuttingDown, "the server is shutting down; connect again"),
    }
}

/// What a client is told by a policy.
pub(crate) fn of_policy(denied: Denied) -> ErrorObject {
    ErrorObject::new(ErrorCode::Forbidden, denied.reason)
}

/// More was asked than a limit allows.
pub(crate) fn limit(what: &str, limit: usize) -> ErrorObject {
    ErrorObject::new(ErrorCode::LimitExceeded, format!("{what}; the limit is {limit}"))
}
