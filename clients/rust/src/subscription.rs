//! What a listener hears.

use crate::{client::Client, error::ServerError};
use futures_util::Stream;
use serde_json::value::RawValue;
use std::{
    pin::Pin,
    task::{Context, Poll},
};
use tokio::sync::mpsc;

/// A change of a model, or of the connection to it. Records are JSON objects with `id` and `_rev`; positions are opaque.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// The whole model as it is now, in insertion order; it takes the place of all that was heard before. The first
    /// event of [`Client::listen`], and again after each reconnect.
    Snapshot {
        /// All records.
        records: Vec<Box<RawValue>>,
        /// Where the model stands.
        position: Option<String>,
    },
    /// A record was inserted or changed.
    Upsert {
        /// All of it, after the change.
        record: Box<RawValue>,
        /// Where the model stands.
        position: Option<String>,
    },
    /// A record was removed.
    Delete {
        /// Its last state.
        record: Box<RawValue>,
        /// Where the model stands.
        position: Option<String>,
    },
    /// The server starts the model anew; as [`Event::Snapshot`], without a reconnect.
    Reset {
        /// All records.
        records: Vec<Box<RawValue>>,
        /// Where the model stands.
        position: Option<String>,
    },
    /// The connection is lost; changes are missed from here on.
    Disconnected,
    /// Listening again. With [`Client::listen`] a snapshot follows; with [`Client::subscribe`] what happened meanwhile
    /// stays unheard.
    Reconnected,
    /// The server does not let this client listen. The last event.
    Failed(ServerError),
}

/// The events of one model, in order. It keeps the client alive; when it is dropped the listening ends.
///
/// A slow reader is waited for: when [`ClientOptions::event_buffer`](crate::ClientOptions::event_buffer) events wait
/// here, the client stops reading its socket, and so nobody's replies arrive either. Who awaits a request between two
/// events of the same client must therefore not let the buffer fill; use a second client for that. A server that finds
/// the client too slow closes the connection, which ends in a reconnect and a fresh [`Event::Snapshot`].
#[derive(Debug)]
pub struct Subscription {
    pub(crate) events: mpsc::Receiver<Event>,
    pub(crate) model: String,
    pub(crate) client: Client,
}

impl Subscription {
    /// The next event; `None` when the client has ended, or after [`Event::Failed`].
    ///
    /// Cancel safe: no event is lost.
    pub async fn next(&mut self) -> Option<Event> {
        self.events.recv().await
    }

    /// The next event, if it is here already.
    pub fn try_next(&mut self) -> Option<Event> {
        self.events.try_recv().ok()
    }

    /// The model.
    pub fn model(&self) -> &str {
        &self.model
    }
}

impl Stream for Subscription {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.events.poll_recv(cx)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.events.close();
        self.client.forget_listeners();
    }
}
