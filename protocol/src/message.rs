//! The envelope: requests as they are read, replies and pushes as they are written.

use crate::{
    error::{ErrorCode, ErrorObject},
    json::{self, Name, Raw, Value},
    position::Position,
    scan::{self, Member},
};
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;
use std::{borrow::Cow, fmt, fmt::Write};

/// A request: `{"id", "event", "data", "options"}`. Members it does not know are ignored.
#[derive(Debug)]
pub struct Request<'a> {
    /// The whole message.
    pub text: &'a str,
    /// The client's name for this request, as raw JSON text; a reply goes out only where there is one.
    pub id: Option<&'a str>,
    /// `Model:method`, unchecked.
    pub event: Cow<'a, str>,
    /// Absent and `null` are the same.
    pub data: Option<Value<'a>>,
    /// Raw; absent and `null` are the same.
    pub options: Option<Raw<'a>>,
}

/// What can be said about a message that is no request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageError {
    /// The id as raw JSON, where one could be read: the failed reply goes there.
    pub id: Option<String>,
    /// The event, where one could be read.
    pub event: Option<String>,
    /// What is wrong.
    pub error: Box<ErrorObject>,
}

impl<'a> Request<'a> {
    /// Read one message whose arrays and objects may nest `depth` deep.
    ///
    /// # Errors
    /// A text that is no JSON object, nests too deep, or whose `id` or `event` is not what it must be.
    pub fn parse(text: &'a str, depth: usize) -> Result<Self, MessageError> {
        let fail = |id: Option<Raw<'_>>, event: Option<&str>, error| MessageError {
            id: id.map(|id| id.get().to_owned()),
            event: event.map(str::to_owned),
            error: Box::new(error),
        };
        let envelope = match Envelope::scan(text) {
            Some(envelope) => envelope,
            None => serde_json::from_str(text).map_err(|cause| fail(None, None, not_a_message(text, &cause)))?,
        };
        let id = match envelope.id.map(|id| (id, id.get().as_bytes()[0])) {
            None => None,
            Some((id, b'"' | b'-' | b'0'..=b'9')) => Some(id),
            Some((id, _)) => {
                let message = format!("id is a string or a number, not {}", json::excerpt(id.get()));
                return Err(fail(None, None, ErrorObject::new(ErrorCode::InvalidId, message)));
            }
        };
        let Some(event) = envelope.event.and_then(json::string) else {
            let message =
                "a message has an event, a string 'Model:method', as in {\"id\":1,\"event\":\"ChatMessage:read\"}";
            return Err(fail(id, None, ErrorObject::new(ErrorCode::InvalidEvent, message)));
        };
        // The envelope itself is one level; `data`, which is open, is the second.
        if (envelope.nests || depth < 1) && json::is_deeper_than(text, depth.saturating_add(1)) {
            return Err(fail(id, Some(&event), ErrorObject::too_deep(depth)));
        }
        let data = envelope.data.filter(|data| !matches!(data, Value::Other("null")));
        let options = envelope.options.filter(|options| options.get() != "null");
        Ok(Self { text, id: id.map(Raw::get), event, data, options })
    }
}

fn not_a_message(text: &str, cause: &serde_json::Error) -> ErrorObject {
    let message = if cause.is_data() {
        format!("a message is a JSON object {{\"id\", \"event\", \"data\"}}, not {}", json::excerpt(text))
    } else {
        format!("not JSON: {cause}")
    };
    ErrorObject::new(ErrorCode::InvalidMessage, message)
}

#[derive(Default)]
struct Envelope<'a> {
    id: Option<Raw<'a>>,
    event: Option<Raw<'a>>,
    data: Option<Value<'a>>,
    options: Option<Raw<'a>>,
    /// Whether there may be arrays and objects but for itself and `data`.
    nests: bool,
}

impl<'a> Envelope<'a> {
    fn scan(text: &'a str) -> Option<Self> {
        let mut envelope = Self::default();
        envelope.nests = scan::envelope(text, |name, member| match (name, member) {
            ("id", Member::Raw(id)) => envelope.id = Some(id),
            ("event", Member::Raw(event)) => envelope.event = Some(event),
            ("data", Member::Data(data)) => envelope.data = Some(data),
            ("options", Member::Raw(options)) => envelope.options = Some(options),
            _ => {}
        })?;
        Some(envelope)
    }
}

impl<'de> Deserialize<'de> for Envelope<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Envelope<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Envelope<'de>, A::Error> {
                let mut envelope = Envelope { nests: true, ..Envelope::default() };
                while let Some(Name(name)) = map.next_key()? {
                    let member = match name.as_ref() {
                        "id" => &mut envelope.id,
                        "event" => &mut envelope.event,
                        "data" => {
                            envelope.data = Some(map.next_value()?);
                            continue;
                        }
                        "options" => &mut envelope.options,
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                            continue;
                        }
                    };
                    *member = Some(map.next_value()?);
                }
                Ok(envelope)
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// Append a reply. `id` and `data` are JSON text.
pub fn append_reply(id: &str, event: &str, data: &str, position: Option<Position>, out: &mut String) {
    begin_reply(id, event, out);
    out.push_str(data);
    end(position, out);
}

/// Append a failed reply. `id` is JSON text.
pub fn append_failed_reply(id: &str, event: &str, error: &ErrorObject, out: &mut String) {
    begin_reply(id, event, out);
    out.push_str("null,\"error\":");
    out.push_str(&error_json(error));
    out.push('}');
}

/// Append the beginning of a reply: what follows is the JSON text of its `data`, further members, and [`end`].
pub fn begin_reply(id: &str, event: &str, out: &mut String) {
    out.push_str("{\"id\":");
    out.push_str(id);
    out.push_str(",\"event\":");
    json::append_string(event, out);
    out.push_str(",\"data\":");
}

/// Append the beginning of one result within the reply to a batch; it goes on like a reply.
pub fn begin_result(event: &str, out: &mut String) {
    out.push_str("{\"event\":");
    json::append_string(event, out);
    out.push_str(",\"data\":");
}

/// Append the end of a message.
pub fn end(position: Option<Position>, out: &mut String) {
    if let Some(position) = position {
        out.push_str(",\"position\":\"");
        position.append(out);
        out.push('"');
    }
    out.push('}');
}

/// The position with which a message ends that was written here, if it has one.
pub fn position_of(json: &str) -> Option<&str> {
    let before = json.strip_suffix("\"}")?;
    let (before, position) = before.rsplit_once('"')?;
    before.ends_with(",\"position\":").then_some(position)
}

/// Append a push; `method` is `upsert`, `delete` or `reset`, `data` is JSON text.
pub fn append_push(model: &str, method: &str, data: &str, position: Option<Position>, out: &mut String) {
    begin_push(model, method, data, out);
    end(position, out);
}

/// Append a push for those who listen with a filter, which bears its name; `left` where the record is still there and no
/// longer matches.
pub fn append_filtered_push(
    model: &str,
    method: &str,
    data: &str,
    filter: &str,
    left: bool,
    position: Option<Position>,
    out: &mut String,
) {
    begin_push(model, method, data, out);
    if left {
        out.push_str(",\"left\":true");
    }
    out.push_str(",\"filter\":\"");
    out.push_str(filter);
    out.push('"');
    end(position, out);
}

fn begin_push(model: &str, method: &str, data: &str, out: &mut String) {
    out.push_str("{\"event\":\"");
    out.push_str(model);
    out.push(':');
    out.push_str(method);
    out.push_str("\",\"data\":");
    out.push_str(data);
}

/// Append the push `$session:error`, for what went wrong with a message that had no readable id.
pub fn append_session_error(event: Option<&str>, error: &ErrorObject, out: &mut String) {
    let mut data = error_json(error);
    if let Some(event) = event {
        data.pop();
        data.push_str(",\"event\":");
        json::append_string(event, &mut data);
        data.push('}');
    }
    append_push("$session", "error", &data, None, out);
}

/// Append the push `$session:close` that goes before the server closes a connection.
pub fn append_session_close(code: &str, reason: &str, reconnect: bool, out: &mut String) {
    let mut data = format!("{{\"code\":\"{code}\",\"reason\":");
    json::append_string(reason, &mut data);
    write!(data, ",\"reconnect\":{reconnect}}}").expect("writing to a string cannot fail");
    append_push("$session", "close", &data, None, out);
}

fn error_json(error: &ErrorObject) -> String {
    serde_json::to_string(error).expect("an error object is always serializable")
}

/// A message as a client receives it.
#[derive(Debug, Clone, Deserialize)]
pub struct Incoming {
    /// Present in a reply only: the id of its request.
    pub id: Option<Box<RawValue>>,
    /// `Model:method`.
    pub event: String,
    /// The result, the record, or JSON `null`.
    pub data: Option<Box<RawValue>>,
    /// Where this stands in the model's history; opaque.
    pub position: Option<String>,
    /// Present in a failed reply.
    pub error: Option<ErrorObject>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(text: &str) -> MessageError {
        Request::parse(text, 8).unwrap_err()
    }

    #[test]
    fn reads_the_envelope_and_leaves_the_rest_raw() {
        let request =
            Request::parse(r#" {"x":[1],"event":"A:upsert","id":0,"data":{"n":1.50},"options":null} "#, 8).unwrap();
        assert_eq!((request.id, request.event.as_ref()), (Some("0"), "A:upsert"));
        let Some(Value::Object(data)) = request.data else { panic!("an object") };
        assert_eq!(data.find("n").unwrap().get(), "1.50");
        assert!(request.options.is_none());
        assert_eq!(Request::parse(r#"{"id":"","event":"A:read"}"#, 8).unwrap().id, Some("\"\""));
    }

    #[test]
    fn says_what_is_no_message() {
        for text in ["", "x", "{", "[]", "7", "null", "\"a\"", "{\"id\":1,}", "{\"a\":1}{"] {
            let failure = failure(text);
            assert_eq!((failure.error.code, failure.id), (ErrorCode::InvalidMessage, None), "{text}");
        }
        for text in
            [r#"{"id":{},"event":"A:read"}"#, r#"{"id":true,"event":"A:read"}"#, r#"{"id":null,"event":"A:read"}"#]
        {
            assert_eq!(failure(text).error.code, ErrorCode::InvalidId, "{text}");
        }
        let no_event = failure(r#"{"id":"7","event":5}"#);
        assert_eq!((no_event.error.code, no_event.id.as_deref()), (ErrorCode::InvalidEvent, Some("\"7\"")));
        let deep = failure(&format!(r#"{{"id":1,"event":"A:upsert","data":{}{}}}"#, "[".repeat(9), "]".repeat(9)));
        assert_eq!((deep.error.code, deep.id.as_deref()), (ErrorCode::TooDeep, Some("1")));
        let text = r#"{"id":1,"event":"A:upsert","data":{"a":1}}"#;
        assert_eq!(Request::parse(text, 0).unwrap_err().error.code, ErrorCode::TooDeep);
        for (data, depth) in [(r#"{"a":1}"#, 1), (r#"{"a":[1]}"#, 2), (r#"[{"a":1}]"#, 2), (r#"[1,"[["]"#, 1), ("1", 0)]
        {
            let text = format!(r#"{{"id":1,"event":"A:upsert","data":{data}}}"#);
            assert!(Request::parse(&text, depth).is_ok(), "{data}");
            let too_deep = depth.checked_sub(1).and_then(|depth| Request::parse(&text, depth).err());
            assert!(depth == 0 || too_deep.unwrap().error.code == ErrorCode::TooDeep, "{data}");
        }
        let deep_options = r#"{"id":1,"event":"A:upsert","data":{},"options":{"a":[1]}}"#;
        assert_eq!(Request::parse(deep_options, 1).unwrap_err().error.code, ErrorCode::TooDeep);
        let endless = failure(&"[".repeat(1 << 20));
        assert_eq!(endless.error.code, ErrorCode::InvalidMessage);
    }

    #[test]
    fn a_position_is_found_where_it_is_one() {
        let position: Position = "00000000000000ab.7".parse().unwrap();
        let mut out = String::new();
        append_push("A", "upsert", r#"{"id":"x"}"#, Some(position), &mut out);
        assert_eq!(position_of(&out), Some("00000000000000ab.7"));
        for text in [r#"{"data":",\"position\":\"x"}"#, r#"{"data":{"position":"x"}}"#, "{}", ""] {
            assert_eq!(position_of(text), None, "{text}");
        }
    }

    #[test]
    fn writes_what_a_client_reads() {
        let mut out = String::new();
        append_reply("1", "A:read", "[]", None, &mut out);
        assert_eq!(out, r#"{"id":1,"event":"A:read","data":[]}"#);
        out.clear();
        let error = ErrorObject::new(ErrorCode::StoreFull, "no \"room\"");
        append_failed_reply("\"x\"", "A\"b", &error, &mut out);
        let incoming: Incoming = serde_json::from_str(&out).unwrap();
        assert_eq!(incoming.error, Some(error.clone()));
        assert_eq!(incoming.id.unwrap().get(), "\"x\"");
        out.clear();
        append_session_error(Some("A:x"), &error, &mut out);
        assert_eq!(
            out,
            r#"{"event":"$session:error","data":{"code":"store_full","message":"no \"room\"","retry":true,"event":"A:x"}}"#
        );
    }
}
