//! The one place where causes become wire codes. What is internal stays in the log.

use super::inbox::Failure;
use crate::{
    auth::Denied,
    store::{Rejected, Rejection, StoreError},
};
use backsync_protocol::{ErrorCode, ErrorObject, error::ErrorRecord};

/// What a client is told of a write that was not done. `element` says which element of a batch it was, if it was one.
pub(crate) fn of_failure(failure: &Failure, element: Option<&dyn Fn(&Rejected) -> usize>) -> ErrorObject {
    let rejected = match failure {
        Failure::Store(cause) => return of_store(cause),
        Failure::Rejected(rejected) => rejected,
    };
    let error = match &rejected.why {
        Rejection::Conflict { record, properties } => {
            let state = match (record, properties.as_slice()) {
                (None, _) => "the record was deleted meanwhile".to_owned(),
                (Some(_), []) => "the record was changed meanwhile".to_owned(),
                (Some(_), names) => format!("both sides changed {}", names.join(", ")),
            };
            let message = format!("{state}; error.record has it as it is, write again from that");
            let json = record.as_ref().map_or("null", |record| record.json());
            ErrorObject {
                record: ErrorRecord::parse(json).ok(),
                properties: (!properties.is_empty()).then(|| properties.clone()),
                ..ErrorObject::new(ErrorCode::Conflict, message)
            }
        }
        Rejection::NotOwner => ErrorObject::new(
            ErrorCode::Forbidden,
            "the record belongs to another session, and only its owner may change it; write one of your own",
        ),
        Rejection::TransactionReused => {
            return ErrorObject::new(
                ErrorCode::TransactionReused,
                "this client has sent another write under this id before; every write has an id of its own",
            );
        }
    };
    match element {
        Some(element) => error.of_element(element(rejected)),
        None => error,
    }
}

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

/// What a client is told where a handler did not decide.
pub(crate) fn of_handler(what: &str) -> ErrorObject {
    ErrorObject::new(ErrorCode::Internal, what)
}

/// More was asked than a limit allows.
pub(crate) fn limit(what: &str, limit: usize) -> ErrorObject {
    ErrorObject::new(ErrorCode::LimitExceeded, format!("{what}; the limit is {limit}"))
}
