//! `unsubscribe`: hear less of a model, or nothing.

use super::{Call, consult};
use crate::broker::{
    handler::Decision,
    hub::{ConnectionKey, Hub, Progress, Scope},
    model::Model,
};
use backsync_protocol::{ErrorObject, Method, Options, Query, message};
use std::sync::Arc;

pub(super) fn unsubscribe(hub: &mut Hub, call: &Call<'_>) -> Result<Progress, ErrorObject> {
    Options::parse(call.options, call.method)?;
    let query = Query::parse(call.data, call.method, hub.limits().batch_records)?;
    if !hub.may_read(call.key) {
        return Ok(Progress::Later);
    }
    let (key, model, id) = (call.key, call.model.clone(), call.id.map(Box::<str>::from));
    match (call.data, &call.model.handler) {
        (None, _) => finish(hub, key, &model, id.as_deref(), Scope::default()),
        (Some(_), None) => {
            let left = hub.scope(key, &model).without(&Scope::of(&query));
            finish(hub, key, &model, id.as_deref(), left);
        }
        (Some(_), Some(_)) => {
            hub.set_reading(key, true);
            let caller = hub.caller(key, &model.name, Some(call.method), call.id);
            let asking = consult::read(caller, model.clone(), query.clone());
            hub.when_decided(asking, move |hub, decided| {
                // Who listened to a narrowed query leaves that.
                let narrowed = match &decided {
                    Ok(Decision::Continue(query)) => Scope::of(query),
                    _ => Scope::default(),
                };
                let left = hub.scope(key, &model).without(&Scope::of(&query)).without(&narrowed);
                finish(hub, key, &model, id.as_deref(), left);
                hub.set_reading(key, false);
            });
        }
    }
    Ok(Progress::Taken)
}

fn finish(hub: &mut Hub, key: ConnectionKey, model: &Arc<Model>, id: Option<&str>, left: Scope) {
    hub.narrow(key, model, left);
    if let Some(id) = id {
        let event = model.event(Method::Unsubscribe);
        hub.reply(key, [model], |out| message::append_reply(id, event, "{}", None, out));
    }
}
