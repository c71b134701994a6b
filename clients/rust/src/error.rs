//! What can go wrong, named by what the caller can do.

use backsync_protocol::ErrorCode;
use serde::{Deserialize, de::IntoDeserializer};
use std::sync::Arc;

/// Why a request has no reply.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The server answered that it did not do it.
    #[error(transparent)]
    Refused(ServerError),
    /// The connection was lost after the request was sent and before its reply: whether it took effect is not known.
    /// Only with [`Retry::Fail`](crate::Retry::Fail).
    #[error("connection lost before the reply; whether the request took effect is not known")]
    ConnectionLost,
    /// The server takes no message of this size. It did not take effect.
    #[error("the request has {bytes} bytes, more than the server takes in one message; send it in smaller pieces")]
    TooLarge {
        /// The size of the whole message.
        bytes: usize,
    },
    /// This client has ended; only a new one can go on. Whether the request took effect is not known if it was sent.
    #[error(transparent)]
    Ended(#[from] End),
    /// The data, or the options, cannot be written as JSON. Nothing was sent.
    #[error("the request cannot be written as JSON: {0}")]
    Encode(#[source] serde_json::Error),
    /// The reply is not of the shape that was asked for.
    #[error("the reply is not of the expected shape: {0}")]
    Decode(#[source] serde_json::Error),
    /// Another subscription of this client listens to the model. Clone its events, or connect another client.
    #[error("model '{model}' is listened to by this client already; one subscription a model")]
    AlreadyListening {
        /// The model.
        model: String,
    },
}

/// The `error` of a failed reply or of `$session:error`. The code stays text: a newer server may know more of them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, thiserror::Error)]
#[error("{message} ({code})")]
pub struct ServerError {
    /// For programs, such as `not_found`.
    pub code: String,
    /// For people.
    #[serde(default)]
    pub message: String,
    /// Whether the same request may succeed later.
    #[serde(default)]
    pub retry: bool,
}

impl ServerError {
    /// The code, where this version knows it.
    pub fn known_code(&self) -> Option<ErrorCode> {
        let text: serde::de::value::StrDeserializer<'_, serde::de::value::Error> =
            self.code.as_str().into_deserializer();
        ErrorCode::deserialize(text).ok()
    }
}

/// Why a client is over.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum End {
    /// [`Client::close`](crate::Client::close).
    #[error("this client was closed")]
    Closed,
    /// The server closed the connection and asked not to come back.
    #[error("the server ended the session: {reason} ({code})")]
    ByServer {
        /// For programs.
        code: String,
        /// For people.
        reason: String,
    },
    /// There was no connection for [`ClientOptions::give_up_after`](crate::ClientOptions::give_up_after), or the server
    /// refused the first one for good.
    #[error("gave up connecting: {0}")]
    GaveUp(#[source] ConnectError),
}

/// Why there is no connection.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The address cannot be one.
    #[error("'{url}' is no server address: {reason}")]
    InvalidUrl {
        /// As it was given.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// Something answered, and it is no backsync WebSocket: a wrong path, or a missing right.
    #[error("'{url}' answered with HTTP status {status} instead of opening a WebSocket")]
    Refused {
        /// The address.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// Nothing answered, or not in time, or not WebSocket.
    #[error("cannot connect to '{url}': {cause}")]
    Unreachable {
        /// The address.
        url: String,
        /// What the system said.
        #[source]
        cause: Arc<dyn std::error::Error + Send + Sync>,
    },
}

impl ConnectError {
    /// Whether trying again as it is has no sense: the address or a right is wrong. A status that a proxy gives while
    /// its server is away does not count.
    pub(crate) fn is_final(&self) -> bool {
        match self {
            Self::InvalidUrl { .. } => true,
            Self::Refused { status, .. } => (400..500).contains(status) && !matches!(status, 408 | 425 | 429),
            Self::Unreachable { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_a_newer_server_are_kept() {
        let parse = |text| serde_json::from_str::<ServerError>(text).unwrap();
        let known = parse(r#"{"code":"store_full","message":"no room","retry":true}"#);
        assert_eq!(known.known_code(), Some(ErrorCode::StoreFull));
        let newer = parse(r#"{"code":"conflict","message":"older","retry":false,"record":{}}"#);
        assert_eq!((newer.known_code(), newer.to_string()), (None, "older (conflict)".to_owned()));
    }
}
