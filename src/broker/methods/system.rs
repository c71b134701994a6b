//! The system's own: `$session:open`, `$session:authenticate` and `$batch:commit`.

use super::write;
use crate::broker::{
    error,
    hub::{ConnectionKey, Hub, Progress},
};
use backsync_protocol::{
    ErrorCode, ErrorObject, Event, PROTOCOL_VERSION, Request,
    json::{self, Members, Value},
    message,
    query::refuse_others,
};

/// Begin what is asked of the system.
pub(crate) fn system(
    hub: &mut Hub,
    key: ConnectionKey,
    event: Event<'_>,
    request: &Request<'_>,
) -> Result<Progress, ErrorObject> {
    match (event.model, event.method) {
        ("$batch", "commit") => return write::begin_batch(hub, key, request),
        ("$session", "open" | "authenticate") => {}
        ("$batch" | "$session", method) => {
            let known = "there are $session:open, $session:authenticate and $batch:commit";
            let message = format!("no method {} of {}; {known}", json::excerpt(method), event.model);
            return Err(ErrorObject::new(ErrorCode::UnknownMethod, message));
        }
        (model, _) => return hub.model(model).map(|_| Progress::Taken),
    }
    if !hub.may_read(key) {
        return Ok(Progress::Later);
    }
    if request.options.is_some() {
        return Err(ErrorObject::new(ErrorCode::InvalidOptions, format!("{} has no options", request.event)));
    }
    let open = event.method == "open";
    let known: &[&str] = if open { &["client", "token"] } else { &["token"] };
    let empty = Members::default();
    let members = match &request.data {
        None => &empty,
        Some(Value::Object(members)) => members,
        Some(other) => {
            let message = format!("{} takes an object, not {}", request.event, other.kind());
            return Err(ErrorObject::new(ErrorCode::InvalidData, message));
        }
    };
    refuse_others(members, known, format_args!("the data of {}", request.event))?;
    let text = |name: &str| match members.find(name) {
        None => Ok(None),
        Some(value) if value.get() == "null" => Ok(None),
        Some(value) => match json::string(value) {
            Some(text) => Ok(Some(text)),
            None => Err(ErrorObject::new(ErrorCode::InvalidData, format!("{name} is a string"))),
        },
    };
    let (client, token) = (text("client")?, text("token")?);
    match token {
        Some(token) => hub.authenticate(key, &token).map_err(error::of_policy)?,
        None if open => {}
        None => return Err(ErrorObject::new(ErrorCode::InvalidData, "authenticate takes {\"token\":\"…\"}")),
    }
    if let Some(client) = client {
        hub.name_client(key, &client)?;
    }
    let Some(id) = request.id else { return Ok(Progress::Taken) };
    let data = if open { hello(hub, key) } else { "{}".to_owned() };
    hub.reply(key, [], |out| message::append_reply(id, &request.event, &data, None, out));
    Ok(Progress::Taken)
}

fn hello(hub: &mut Hub, key: ConnectionKey) -> String {
    let session = hub.session(key).unwrap_or_default();
    let (node, heartbeat) = hub.broker.about();
    let hello = serde_json::json!({
        "session": &*session, "node": &*node, "protocol": PROTOCOL_VERSION, "heartbeat": heartbeat,
    });
    hello.to_string()
}
