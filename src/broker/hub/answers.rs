//! What a connection is told of its own requests: replies, refusals, outcomes, and pushes that only it gets.

use super::{ConnectionKey, Hub};
use crate::{
    broker::{
        inbox::{Failure, ReplyTo},
        methods,
        model::Model,
    },
    store::Committed,
};
use backsync_protocol::{ErrorObject, message};
use std::sync::Arc;

impl Hub {
    /// Say what was wrong with something that had no readable id.
    pub fn session_error(&mut self, key: ConnectionKey, event: Option<&str>, error: &ErrorObject) {
        self.json.clear();
        message::append_session_error(event, error, &mut self.json);
        self.append_json(key);
    }

    pub(crate) fn fail(&mut self, key: ConnectionKey, id: Option<&str>, event: &str, error: &ErrorObject) {
        let Some(id) = id else { return self.session_error(key, Some(event), error) };
        self.json.clear();
        message::append_failed_reply(id, event, error, &mut self.json);
        self.append_json(key);
    }

    /// Send what was written to `self.json`.
    fn append_json(&mut self, key: ConnectionKey) {
        self.be_individual(key);
        let compress_from = self.limits().compress_from;
        let Some(connection) = self.connections.find(key).filter(|connection| !connection.closing) else { return };
        connection.framing.append(&self.json, compress_from, connection.outbox.own());
        self.connections.mark_dirty(key.index);
    }

    /// A reply, behind everything of its models that was staged so far.
    pub(crate) fn reply<'m>(
        &mut self,
        key: ConnectionKey,
        models: impl IntoIterator<Item = &'m Arc<Model>>,
        write: impl FnOnce(&mut String),
    ) {
        self.be_individual(key);
        for model in models {
            self.emit_staged(key, model.index);
        }
        self.json.clear();
        write(&mut self.json);
        self.append_json(key);
    }

    pub(super) fn outcome(&mut self, to: &ReplyTo, outcome: Result<Committed, Failure>) {
        let Some(connection) = self.connections.find(to.connection) else { return };
        connection.in_flight -= 1;
        let then = if connection.in_flight == 0 { connection.then.take() } else { None };
        self.wake(to.connection);
        match outcome {
            Ok(committed) => methods::reply_to_write(self, to, &committed),
            Err(failure) => {
                let error = methods::refusal(&failure, to);
                self.fail(to.connection, to.id.as_deref(), to.event(), &error);
            }
        }
        if let Some(then) = then {
            (then.0)(self);
        }
    }

    /// Let a connection go on that was told to wait.
    pub(crate) fn wake(&mut self, key: ConnectionKey) {
        if let Some(connection) = self.connections.find(key)
            && std::mem::take(&mut connection.waits)
        {
            connection.sink.resume();
        }
    }
}
