//! The messages of the wire as this side writes and reads them.

use crate::{
    error::{ClientError, ServerError},
    options::RequestOptions,
};
use backsync_protocol::json;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// A request without its id, which it gets when its place in the order is known.
#[derive(Debug)]
pub(crate) struct Unnumbered(String);

impl Unnumbered {
    pub(crate) fn encode(
        event: &str,
        data: &(impl Serialize + ?Sized),
        options: &RequestOptions,
    ) -> Result<Self, ClientError> {
        let mut text = String::from("\"event\":");
        json::append_string(event, &mut text);
        text.push_str(",\"data\":");
        text.push_str(&serde_json::to_string(data).map_err(ClientError::Encode)?);
        if let Some(options) = &options.wire {
            text.push_str(",\"options\":");
            text.push_str(options.get());
        }
        text.push('}');
        Ok(Self(text))
    }

    /// A request of the connection's own: `Model:method` without data.
    pub(crate) fn bare(model: &str, method: &str) -> Self {
        let mut text = String::from("\"event\":");
        json::append_string(&format!("{model}:{method}"), &mut text);
        text.push('}');
        Self(text)
    }

    pub(crate) fn number(&self, id: u64) -> String {
        format!("{{\"id\":{id},{}", self.0)
    }
}

/// A received message. Members that are not known are ignored.
#[derive(Debug, Deserialize)]
pub(crate) struct Received<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(crate) event: Cow<'a, str>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    pub(crate) position: Option<String>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

impl<'a> Received<'a> {
    pub(crate) fn parse(text: &'a str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// The number of the request that this answers; `None` for a push.
    pub(crate) fn answers(&self) -> Option<u64> {
        self.id.and_then(|id| id.get().parse().ok())
    }

    pub(crate) fn is_push(&self) -> bool {
        self.id.is_none()
    }

    pub(crate) fn data(&self) -> Box<RawValue> {
        self.data.unwrap_or(RawValue::NULL).to_owned()
    }

    pub(crate) fn data_as<T: Deserialize<'a>>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.data.map_or("null", RawValue::get))
    }

    pub(crate) fn error(&self) -> Option<ServerError> {
        let error = self.error.filter(|error| error.get() != "null")?;
        Some(serde_json::from_str(error.get()).unwrap_or_else(|_| ServerError {
            code: "internal".to_owned(),
            message: format!("the server failed with {}", json::excerpt(error.get())),
            retry: false,
        }))
    }
}

/// The `data` of the push `$session:close`.
#[derive(Debug, Deserialize)]
pub(crate) struct SessionClose {
    #[serde(default)]
    pub(crate) code: String,
    #[serde(default)]
    pub(crate) reason: String,
    #[serde(default = "yes")]
    pub(crate) reconnect: bool,
}

fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_numbered_text() {
        let options = RequestOptions::wire(&serde_json::json!({"listen": false})).unwrap();
        let request = Unnumbered::encode("A:\"x", &serde_json::json!([1]), &options).unwrap();
        assert_eq!(request.number(7), r#"{"id":7,"event":"A:\"x","data":[1],"options":{"listen":false}}"#);
        assert_eq!(Unnumbered::bare("A", "read").number(0), r#"{"id":0,"event":"A:read"}"#);
    }

    #[test]
    fn what_a_newer_server_adds_is_ignored() {
        let text = r#"{"id":7,"x":{},"event":"A\u003aread","data":null,"error":{"code":"odd","more":1}}"#;
        let received = Received::parse(text).unwrap();
        assert_eq!((received.answers(), received.event.as_ref()), (Some(7), "A:read"));
        assert_eq!(received.error().unwrap().code, "odd");
        let broken = Received::parse(r#"{"id":1,"error":7}"#).unwrap();
        assert_eq!(broken.error().unwrap().code, "internal");
    }
}
