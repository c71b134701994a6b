//! `unsubscribe`: hear less of a model, or nothing.

use super::Call;
use crate::broker::hub::{Hub, Progress, Scope};
use backsync_protocol::{ErrorObject, Options, Query, message};

pub(super) fn unsubscribe(hub: &mut Hub, call: &Call<'_>) -> Result<Progress, ErrorObject> {
    Options::parse(call.options, call.method)?;
    let query = Query::parse(call.data, call.method, hub.limits().batch_records)?;
    if !hub.may_read(call.key) {
        return Ok(Progress::Later);
    }
    let left = match (&query, call.data) {
        (Query::All, None) => Scope::default(),
        _ => hub.scope(call.key, &call.model).without(&Scope::of(&query)),
    };
    hub.narrow(call.key, &call.model, left);
    if let Some(id) = call.id {
        let event = call.model.event(call.method);
        hub.reply(call.key, &call.model, |out| message::append_reply(id, event, "{}", None, out));
    }
    Ok(Progress::Taken)
}
