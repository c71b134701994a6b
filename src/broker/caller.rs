//! Who asks something of a handler.

use super::{Broker, hub::ConnectionKey};
use crate::auth::Identity;
use backsync_protocol::{Method, ModelName};
use std::{fmt, sync::Arc};

/// Who asks what of a handler; cheap to clone, and of use after the call as well.
#[derive(Debug, Clone)]
pub struct Caller {
    pub(super) broker: Broker,
    pub(super) model: ModelName,
    pub(super) connection: ConnectionId,
    pub(super) identity: Identity,
    pub(super) client: Option<Arc<str>>,
    pub(super) method: Option<Method>,
    pub(super) request: Option<Arc<str>>,
    pub(super) replaces: bool,
}

impl Caller {
    /// The broker, to read and write with. What is written with it is broadcast like any other write, and no handler is asked.
    pub fn broker(&self) -> &Broker {
        &self.broker
    }

    /// The model that the handler is registered for.
    pub fn model(&self) -> &ModelName {
        &self.model
    }

    /// Which connection of this node it is.
    pub fn connection(&self) -> ConnectionId {
        self.connection
    }

    /// The name somebody proved to have; none for the anonymous.
    pub fn principal(&self) -> Option<&str> {
        self.identity.principal.as_deref()
    }

    /// All that the authenticator found out.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// What the client calls itself, if it does: the same each time it connects, and proved by nothing.
    pub fn client(&self) -> Option<&str> {
        self.client.as_deref()
    }

    /// What is asked for: for an entry of a batch, the entry's method. None where a connection opens or closes.
    pub fn method(&self) -> Option<Method> {
        self.method
    }

    /// The id of the request as JSON text, where it has one. The requests of a client that names itself are told apart by it,
    /// also when one is sent again over another connection.
    pub fn request_id(&self) -> Option<&str> {
        self.request.as_deref()
    }

    /// Of an upsert: whether the record takes the place of the whole stored one.
    pub fn replaces(&self) -> bool {
        self.replaces
    }

    /// The same caller, of another model.
    pub(super) fn of(&self, model: &ModelName, method: Method) -> Self {
        Self { model: model.clone(), method: Some(method), ..self.clone() }
    }
}

/// Names a connection of this node, for as long as the process runs; no two have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConnectionId {
    pub(super) worker: usize,
    pub(super) key: ConnectionKey,
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.worker, self.key)
    }
}
