//! What a caller may choose.

use crate::{error::ServerError, naming::ClientName};
use serde_json::value::RawValue;
use std::{fmt, sync::Arc, time::Duration};

/// How a client behaves. The defaults suit a program that shall outlive restarts of its server.
#[derive(Clone)]
pub struct ClientOptions {
    /// What the client is called on the server. Default: a random name.
    pub name: ClientName,
    /// What [`Client::connect`](crate::Client::connect) does where the server is not there.
    pub initial: Initial,
    /// Requests that are sent and not answered yet; who starts one more waits. Default 64.
    pub max_outstanding: usize,
    /// Events that wait for the reader of one subscription. Where they are full, the socket is not read until it has
    /// read on: nothing is lost or skipped, and replies wait too. Default 1024.
    pub event_buffer: usize,
    /// What happens to a request whose reply was lost, unless it says itself. Default [`Retry::Repeat`].
    pub retry: Retry,
    /// The longest wait before the first attempt to reconnect; it doubles with each. Default 100 ms.
    pub backoff_base: Duration,
    /// The longest wait between two attempts. Default 10 s.
    pub backoff_max: Duration,
    /// End the client when there was no connection for so long. Default: never.
    pub give_up_after: Option<Duration>,
    /// The longest time for one attempt to connect. Default 10 s.
    pub connect_timeout: Duration,
    /// Send a ping when nothing came for so long. Default 15 s.
    pub ping_after: Duration,
    /// Take the connection for lost when nothing came for so long, no pong either. Default 40 s.
    pub idle_timeout: Duration,
    /// The largest message that is accepted, in bytes; a read of a large model is one message. Default 256 MiB.
    pub max_message_bytes: usize,
    /// Hears of each `$session:error`: a message that the server could not answer. It must return at once.
    pub on_session_error: Option<Arc<dyn Fn(ServerError) + Send + Sync>>,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            name: ClientName::Random,
            initial: Initial::FailFast,
            max_outstanding: 64,
            event_buffer: 1024,
            retry: Retry::Repeat,
            backoff_base: Duration::from_millis(100),
            backoff_max: Duration::from_secs(10),
            give_up_after: None,
            connect_timeout: Duration::from_secs(10),
            ping_after: Duration::from_secs(15),
            idle_timeout: Duration::from_secs(40),
            max_message_bytes: 256 << 20,
            on_session_error: None,
        }
    }
}

impl fmt::Debug for ClientOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientOptions")
            .field("name", &self.name)
            .field("initial", &self.initial)
            .field("max_outstanding", &self.max_outstanding)
            .field("event_buffer", &self.event_buffer)
            .field("retry", &self.retry)
            .field("give_up_after", &self.give_up_after)
            .finish_non_exhaustive()
    }
}

/// What to do where the first attempt to connect fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Initial {
    /// Say so at once: likely the address is wrong.
    #[default]
    FailFast,
    /// Go on trying in the background; requests wait meanwhile.
    KeepTrying,
}

/// What happens to a request that was sent and whose reply was lost with the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Retry {
    /// It is sent again after the reconnect: in the original order, behind what restores the listening, under its old id and
    /// with the same text. A server that knows the client's [`name`](ClientOptions::name) answers a write that it has done
    /// already with the first outcome, and does not do it again: it takes effect once, an upsert without `id` too.
    ///
    /// That holds as long as the server remembers outcomes: by default the last 100,000 written records of all clients,
    /// for a day, and as durably as the records themselves. Beyond that, and for a client without a name, it may take effect
    /// twice: then an upsert without `id` makes a second record, and others may overwrite what somebody changed between.
    #[default]
    Repeat,
    /// It ends with [`ClientError::ConnectionLost`](crate::ClientError::ConnectionLost).
    Fail,
}

/// What one request may ask for.
#[derive(Debug, Clone, Default)]
pub struct RequestOptions {
    /// The `options` member of the message, as the protocol describes them for each method.
    pub wire: Option<Box<RawValue>>,
    /// Instead of [`ClientOptions::retry`].
    pub retry: Option<Retry>,
    /// Instead of an id that no other request has: so that a program with a [name](ClientName::Named) which asks the same again in
    /// another life has a write done once. No two requests that wait may have the same.
    pub id: Option<String>,
}

impl RequestOptions {
    /// With these `options` on the wire.
    ///
    /// # Errors
    /// What `serde_json` says where they cannot be written.
    pub fn wire(options: &impl serde::Serialize) -> Result<Self, serde_json::Error> {
        Ok(Self { wire: Some(serde_json::value::to_raw_value(options)?), ..Self::default() })
    }
}
