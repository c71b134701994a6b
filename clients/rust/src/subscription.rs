//! What a listener hears.

use crate::{client::Client, error::ServerError};
use futures_util::Stream;
use serde_json::value::RawValue;
use std::{
    pin::Pin,
    task::{Context, Poll},
};
use tokio::sync::mpsc;

/// A change of a model, or of the connection to it. Records are JSON objects with `id` and `_rev`.
///
/// A position names the place in the model's history behind the event; it is opaque, and good for
/// [`Listen::since`](crate::Listen::since). After a reconnect what was missed comes as one step, whose last event alone has a
/// position: somebody who keeps positions never keeps one that is ahead of what was heard.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// All records as they are now, in insertion order; they take the place of all that was heard before. The first event of
    /// [`Client::listen`], and later only where the server can no longer say what changed meanwhile.
    Reset {
        /// All of them.
        records: Vec<Box<RawValue>>,
        /// How many records the model may have; with one more the oldest goes, perhaps without a word.
        max_records: Option<usize>,
        /// Where the model stands.
        position: Option<String>,
    },
    /// A record was inserted or changed, or came to match the filter.
    Upsert {
        /// All of it, after the change.
        record: Box<RawValue>,
        /// Where the model stands.
        position: Option<String>,
    },
    /// A record is gone, or no longer matches the filter. After a reconnect there may be some that were never heard of.
    Delete {
        /// Its id.
        id: String,
        /// Its last state, as far as it is known; `None` after a reconnect.
        record: Option<Box<RawValue>>,
        /// It is still there, and no longer matches; after a reconnect always `false`, since it is not known then.
        left: bool,
        /// Where the model stands.
        position: Option<String>,
    },
    /// The connection is lost. What happens meanwhile is heard after it is back.
    Disconnected,
    /// Listening again. What was missed follows.
    Reconnected {
        /// As in [`Event::Reset`].
        max_records: Option<usize>,
    },
    /// The server does not let this client listen. The last event.
    Failed(ServerError),
}

/// The events of one model, or of a part of it, in order: no change is left out or comes twice. It keeps the client alive;
/// when it is dropped the listening ends.
///
/// A slow reader is waited for: when [`ClientOptions::event_buffer`](crate::ClientOptions::event_buffer) events wait
/// here, the client stops reading its socket, and so nobody's replies arrive either. Who awaits a request between two
/// events of the same client must therefore not let the buffer fill; use a second client for that, or a
/// [`Collection`](crate::Collection). A server that finds the client too slow closes the connection; after the reconnect what
/// was missed comes.
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

    /// The same, for who polls.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.events.poll_recv(cx)
    }

    /// The model.
    pub fn model(&self) -> &str {
        &self.model
    }
}

impl Stream for Subscription {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.poll(cx)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.events.close();
        self.client.forget_listeners();
    }
}
