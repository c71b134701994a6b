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
pub(crate) struct Unnamed {
    text: String,
    /// As JSON, where its caller gave it one.
    id: Option<String>,
}

impl Unnamed {
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
        let id = options.id.as_ref().map(|given| {
            let mut id = String::new();
            json::append_string(given, &mut id);
            id
        });
        Ok(Self { text, id })
    }

    /// A request of the connection's own; `data` is JSON, empty for none.
    pub(crate) fn own(model: &str, method: &str, data: &str) -> Self {
        let mut text = String::from("\"event\":");
        json::append_string(&format!("{model}:{method}"), &mut text);
        if !data.is_empty() {
            text.push_str(",\"data\":");
            text.push_str(data);
        }
        text.push('}');
        Self { text, id: None }
    }

    /// The id that its caller gave it, as JSON.
    pub(crate) fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// With its id, which is JSON.
    pub(crate) fn named(&self, id: &str) -> String {
        format!("{{\"id\":{id},{}", self.text)
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
    /// Of a reply: the name of the filter that is listened to; of a push: whom it is for.
    pub(crate) filter: Option<String>,
    /// Of a push: the record is still there, and no longer matches the filter.
    #[serde(default)]
    pub(crate) left: bool,
    /// Of a reply to `since`: the ids of what is gone,
    #[serde(borrow)]
    deleted: Option<&'a RawValue>,
    /// or that the history is: the data is everything.
    #[serde(default)]
    pub(crate) reset: bool,
    /// Of a reply to a read: where the next page begins.
    pub(crate) next: Option<String>,
    /// Of a reply to a read: what the model is bounded to.
    pub(crate) max_records: Option<usize>,
}

impl<'a> Received<'a> {
    pub(crate) fn parse(text: &'a str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// The id of the request that this answers, as JSON; `None` for a push.
    pub(crate) fn answers(&self) -> Option<&'a str> {
        self.id.map(RawValue::get)
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

    /// The data as an array of records.
    pub(crate) fn records(&self) -> Result<Vec<Box<RawValue>>, ServerError> {
        let records = self.data_as::<Vec<&RawValue>>();
        records.map(|records| records.into_iter().map(ToOwned::to_owned).collect()).map_err(|cause| {
            ServerError::broken(format!("the server answered with something else than an array of records: {cause}"))
        })
    }

    /// The ids of what is gone.
    pub(crate) fn deleted(&self) -> Result<Vec<String>, ServerError> {
        let deleted = self.deleted.map_or("[]", RawValue::get);
        serde_json::from_str(deleted).map_err(|cause| {
            ServerError::broken(format!("the server answered with something else than an array of ids: {cause}"))
        })
    }

    pub(crate) fn error(&self) -> Option<ServerError> {
        let error = self.error.filter(|error| error.get() != "null")?;
        Some(
            serde_json::from_str(error.get()).unwrap_or_else(|_| {
                ServerError::broken(format!("the server failed with {}", json::excerpt(error.get())))
            }),
        )
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
    fn a_request_is_text_with_an_id() {
        let options = RequestOptions::wire(&serde_json::json!({"listen": false})).unwrap();
        let request = Unnamed::encode("A:\"x", &serde_json::json!([1]), &options).unwrap();
        assert_eq!(request.named("7"), r#"{"id":7,"event":"A:\"x","data":[1],"options":{"listen":false}}"#);
        assert_eq!(Unnamed::own("A", "read", "").named("\"\""), r#"{"id":"","event":"A:read"}"#);
    }

    #[test]
    fn a_reply_to_since_says_what_is_gone_or_that_all_is_new() {
        let net = Received::parse(r#"{"id":1,"data":[{"id":"a"}],"deleted":["b","\u0063"],"filter":"f"}"#).unwrap();
        assert_eq!(
            (net.deleted().unwrap(), net.reset, net.filter.as_deref()),
            (vec!["b".into(), "c".into()], false, Some("f"))
        );
        let reset = Received::parse(r#"{"id":1,"data":[],"reset":true,"max_records":5}"#).unwrap();
        assert_eq!((reset.reset, reset.records().unwrap().len(), reset.max_records), (true, 0, Some(5)));
        assert_eq!(
            Received::parse(r#"{"id":1,"data":{},"deleted":7}"#).unwrap().deleted().unwrap_err().code,
            "internal"
        );
    }

    #[test]
    fn what_a_newer_server_adds_is_ignored() {
        let text = r#"{"id":7,"x":{},"event":"A\u003aread","data":null,"error":{"code":"odd","more":1}}"#;
        let received = Received::parse(text).unwrap();
        assert_eq!((received.answers(), received.event.as_ref()), (Some("7"), "A:read"));
        assert_eq!(received.error().unwrap().code, "odd");
        let broken = Received::parse(r#"{"id":1,"error":7}"#).unwrap();
        assert_eq!(broken.error().unwrap().code, "internal");
    }
}
