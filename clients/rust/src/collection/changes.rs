//! What becomes of a collection, for whoever wants to hear of it.

use super::feed::Shared;
use crate::error::ServerError;
use futures_util::Stream;
use serde_json::value::RawValue;
use std::{
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::sync::mpsc;

/// A change of a [`Collection`](super::Collection). Ids and records are shared, not copied.
#[derive(Debug)]
#[non_exhaustive]
pub enum Change<T> {
    /// All records as they are, in the order of their insertion; they take the place of all that was heard before. The first
    /// change that is heard, and later where the server could not say what changed, or where this reader was too slow.
    Reset {
        /// All of them, with their ids.
        records: Vec<(Arc<str>, Arc<T>)>,
    },
    /// A record is new, or one that could not be read can be now. It is the last in the order where it is new.
    Insert {
        /// Its id.
        id: Arc<str>,
        /// All of it.
        record: Arc<T>,
    },
    /// A record is another.
    Update {
        /// Its id.
        id: Arc<str>,
        /// All of it, after the change.
        record: Arc<T>,
        /// And before.
        before: Arc<T>,
    },
    /// A record is gone: deleted, no longer matching, or beyond the bound of the model.
    Remove {
        /// Its id.
        id: Arc<str>,
        /// As it last was.
        record: Arc<T>,
        /// It is still there, and no longer matches the filter; `false` where that is not known.
        left: bool,
    },
    /// A record cannot be read as a `T`. If it could be before, it is no longer in the collection. Everything else goes on.
    Invalid {
        /// Its id; `None` for what is not even a record.
        id: Option<Arc<str>>,
        /// What came.
        json: Arc<RawValue>,
        /// What is wrong with it.
        error: Arc<serde_json::Error>,
    },
    /// The connection is lost; the records stay as they last were.
    Disconnected,
    /// The connection is back. What was missed follows.
    Reconnected,
    /// The server does not let this client listen any more. The last change; who was too slow for it finds it in
    /// [`Collection::failure`](super::Collection::failure).
    Failed(ServerError),
}

impl<T> Clone for Change<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Reset { records } => Self::Reset { records: records.clone() },
            Self::Insert { id, record } => Self::Insert { id: id.clone(), record: record.clone() },
            Self::Update { id, record, before } => {
                Self::Update { id: id.clone(), record: record.clone(), before: before.clone() }
            }
            Self::Remove { id, record, left } => Self::Remove { id: id.clone(), record: record.clone(), left: *left },
            Self::Invalid { id, json, error } => {
                Self::Invalid { id: id.clone(), json: json.clone(), error: error.clone() }
            }
            Self::Disconnected => Self::Disconnected,
            Self::Reconnected => Self::Reconnected,
            Self::Failed(error) => Self::Failed(error.clone()),
        }
    }
}

/// The changes of a collection, in order, beginning with a [`Change::Reset`].
///
/// A slow reader delays nobody: where its buffer is full it misses changes, and when it has read what is in it, gets a
/// [`Change::Reset`] in their place.
#[derive(Debug)]
pub struct Changes<T> {
    pub(super) changes: mpsc::Receiver<Change<T>>,
    pub(super) number: u64,
    pub(super) shared: Arc<Shared<T>>,
}

impl<T> Changes<T> {
    /// The next change; `None` when the collection or the client has ended, or after [`Change::Failed`].
    ///
    /// Cancel safe: no change is lost.
    pub async fn next(&mut self) -> Option<Change<T>> {
        poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Change<T>>> {
        let polled = self.changes.poll_recv(cx);
        if let Poll::Ready(Some(_)) = &polled {
            return polled;
        }
        // Whoever sends holds the lock, so nothing comes between the look at the buffer and the reset.
        match self.shared.lock().catch_up(self.number, &self.changes) {
            Some(reset) => Poll::Ready(Some(reset)),
            None => polled,
        }
    }
}

impl<T> Stream for Changes<T> {
    type Item = Change<T>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Change<T>>> {
        self.poll(cx)
    }
}

impl<T> Unpin for Changes<T> {}
