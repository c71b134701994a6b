//! What the server answered, or will.

use crate::{
    client::Status,
    error::{ClientError, End},
};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use std::{
    pin::Pin,
    task::{Context, Poll},
};
use tokio::sync::{oneshot, watch};

pub(crate) type Answer = Result<Reply, ClientError>;

/// What the server answered.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The result: what it is depends on the method.
    pub data: Box<RawValue>,
    /// Where the model stands; opaque.
    pub position: Option<String>,
    /// Of a read that its limit cut off: where the next page begins, for its `after`; opaque.
    pub next: Option<String>,
}

impl Reply {
    /// The result as a value of `T`.
    ///
    /// # Errors
    /// [`ClientError::Decode`] where it is of another shape.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        serde_json::from_str(self.data.get()).map_err(ClientError::Decode)
    }
}

/// A request that is on its way: a future of its reply. Dropping it gives the request up: it is not repeated after a
/// lost connection, and not sent if it was not yet; if it was, it may have taken effect.
#[derive(Debug)]
#[must_use = "a request whose reply nobody awaits is given up"]
pub struct PendingReply {
    pub(crate) answer: oneshot::Receiver<Answer>,
    pub(crate) status: watch::Receiver<Status>,
}

impl Future for PendingReply {
    type Output = Answer;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answer> {
        Pin::new(&mut self.answer).poll(cx).map(|answer| answer.unwrap_or_else(|_| Err(ended(&self.status))))
    }
}

/// Why a client that says nothing more is over.
pub(crate) fn ended(status: &watch::Receiver<Status>) -> ClientError {
    match &*status.borrow() {
        Status::Ended(end) => ClientError::Ended(end.clone()),
        Status::Connecting { .. } | Status::Connected => ClientError::Ended(End::Closed),
    }
}
