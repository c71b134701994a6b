//! What can go wrong, named by what the caller can do.

use backsync_protocol::{ErrorCode, error::ErrorRecord};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, IntoDeserializer},
};
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
    /// Another subscription or collection of this client listens to the same records. Share it, or connect another client.
    #[error("model '{model}' is listened to by this client already, with the same filter or ids")]
    AlreadyListening {
        /// The model.
        model: String,
    },
}

/// The `error` of a failed reply or of `$session:error`. The code stays text: a newer server may know more of them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, thiserror::Error)]
#[error("{message} ({code})")]
#[non_exhaustive]
pub struct ServerError {
    /// For programs, such as `not_found`.
    pub code: String,
    /// For people.
    #[serde(default)]
    pub message: String,
    /// Whether the same request may succeed later.
    #[serde(default)]
    pub retry: bool,
    /// Of a batch: which element was refused, counted from 0.
    #[serde(default)]
    pub element: Option<usize>,
    /// Of a conflict: the record as it is, JSON `null` where it was deleted; see [`Self::current`].
    #[serde(default, deserialize_with = "given")]
    pub record: Option<ErrorRecord>,
    /// Of a conflict that was found by merging: the attributes that both sides changed.
    #[serde(default)]
    pub properties: Vec<String>,
}

/// `null` is a value here.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<ErrorRecord>, D::Error> {
    ErrorRecord::deserialize(deserializer).map(Some)
}

impl ServerError {
    /// An error that says no more than this.
    pub fn new(code: impl Into<String>, message: impl Into<String>, retry: bool) -> Self {
        let (code, message) = (code.into(), message.into());
        Self { code, message, retry, element: None, record: None, properties: Vec::new() }
    }

    /// The server answered with what the protocol does not know.
    pub(crate) fn broken(message: String) -> Self {
        Self::new("internal", message, false)
    }

    /// The code, where this version knows it.
    pub fn known_code(&self) -> Option<ErrorCode> {
        let text: serde::de::value::StrDeserializer<'_, serde::de::value::Error> =
            self.code.as_str().into_deserializer();
        ErrorCode::deserialize(text).ok()
    }

    /// Whether a write was refused because the record is not as the writer knew it.
    pub fn is_conflict(&self) -> bool {
        self.known_code() == Some(ErrorCode::Conflict)
    }

    /// Of a conflict: the record as it is now; `None` where it was deleted, and where this is no conflict.
    ///
    /// # Errors
    /// [`ClientError::Decode`] where it is of another shape.
    pub fn current<T: DeserializeOwned>(&self) -> Result<Option<T>, ClientError> {
        let record = self.record.as_ref().map_or("null", ErrorRecord::get);
        serde_json::from_str(record).map_err(ClientError::Decode)
    }
}

/// Why a client is over.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum End {
    /// [`Client::close`](crate::Client::close), or [`Client::abort`](crate::Client::abort).
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
    /// A client cannot be called so.
    #[error("'{name}' is no name for a client: 1 to 128 printable ASCII characters")]
    InvalidName {
        /// As it was given.
        name: String,
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
            Self::InvalidUrl { .. } | Self::InvalidName { .. } => true,
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
        let newer = parse(r#"{"code":"odd","message":"strange","more":1}"#);
        assert_eq!((newer.known_code(), newer.to_string()), (None, "strange (odd)".to_owned()));
    }

    #[test]
    fn a_conflict_has_the_record_as_it_is() {
        let parse = |more: &str| {
            let text = format!(r#"{{"code":"conflict","message":"older","retry":false{more}}}"#);
            serde_json::from_str::<ServerError>(&text).unwrap()
        };
        let merged = parse(r#","element":2,"record":{"id":"x","n":1.50},"properties":["n"]"#);
        assert!(merged.is_conflict() && merged.element == Some(2) && merged.properties == ["n"]);
        assert_eq!(merged.record.as_ref().unwrap().get(), r#"{"id":"x","n":1.50}"#);
        assert_eq!(merged.current::<serde_json::Value>().unwrap().unwrap()["n"], 1.5);
        assert!(matches!(merged.current::<u8>(), Err(ClientError::Decode(_))));
        let deleted = parse(r#","record":null"#);
        assert_eq!(deleted.record.as_ref().unwrap().get(), "null");
        assert_eq!(deleted.current::<u8>().unwrap(), None);
    }
}
