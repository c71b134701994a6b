//! What a client may ask for: a file for each kind of method, and the index of them all.

mod consult;
mod listen;
mod outcome;
mod populate;
mod read;
mod system;
mod write;

pub(crate) use outcome::{refusal, reply as reply_to_write};
pub(crate) use read::{append_array, wanted, when_answered};
pub(crate) use system::system;
pub(crate) use write::{begin_records, new_id, upsert};

use super::{
    error,
    handler::Decision,
    hub::{ConnectionKey, Hub, Progress},
    model::Model,
};
use crate::auth::Action;
use backsync_protocol::{
    ErrorObject, Method, Query, Record,
    json::{Raw, Value},
};
use std::sync::Arc;

/// A request whose address is understood.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) key: ConnectionKey,
    /// Raw JSON, where the client wants a reply.
    pub(crate) id: Option<&'a str>,
    pub(crate) model: Arc<Model>,
    pub(crate) method: Method,
    pub(crate) data: Option<&'a Value<'a>>,
    /// The whole message.
    pub(crate) text: &'a str,
    pub(crate) options: Option<Raw<'a>>,
}

/// Begin what is asked for, if it may be.
pub(crate) fn dispatch(hub: &mut Hub, call: Call<'_>) -> Result<Progress, ErrorObject> {
    check(hub, call.key, call.method, &call.model)?;
    match call.method {
        Method::Read | Method::Subscribe => read::begin(hub, &call),
        Method::Unsubscribe => listen::unsubscribe(hub, &call),
        Method::Upsert | Method::Delete => write::begin(hub, call),
    }
}

/// Ask whether somebody may read a model, and then its handler, where it has one, what of it.
pub(crate) fn may_read(
    hub: &mut Hub,
    key: ConnectionKey,
    model: &Arc<Model>,
) -> Result<impl Future<Output = Result<Decision<Query, Vec<Record>>, ErrorObject>> + use<>, ErrorObject> {
    check(hub, key, Method::Read, model)?;
    let caller = hub.caller(key, &model.name, Some(Method::Read), None);
    Ok(consult::read(caller, model.clone(), Query::default()))
}

/// Ask whether it may be.
fn check(hub: &mut Hub, key: ConnectionKey, method: Method, model: &Model) -> Result<(), ErrorObject> {
    hub.check(key, Action { method, model: &model.name }).map_err(error::of_policy)
}
