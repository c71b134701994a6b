//! Who a connection is: its client, its session, and who it may act for.

use super::{ConnectionKey, Hub};
use crate::{auth::Denied, store::Owner};
use backsync_protocol::{ErrorCode, ErrorObject};
use std::sync::Arc;

/// The longest name of a client.
const MAX_CLIENT_BYTES: usize = 128;

impl Hub {
    /// Who a connection's transactions belong to, where its client named itself.
    pub(crate) fn client(&mut self, key: ConnectionKey) -> Option<Arc<str>> {
        let connection = self.connections.find(key)?;
        connection.client.as_ref()?;
        // A session of a named client is that client's, and its principal's.
        connection.session.clone()
    }

    /// What a connection's records of ephemeral models belong to.
    pub(crate) fn session(&mut self, key: ConnectionKey) -> Option<Arc<str>> {
        let connection = self.connections.find(key)?;
        if connection.session.is_none() {
            let session: Arc<str> = format!("anonymous {}", uuid::Uuid::new_v4()).into();
            self.broker.presence().attach(&session);
            connection.session = Some(session);
        }
        connection.session.clone()
    }

    /// The same, for a record that is written now: this node is to hold it.
    pub(crate) fn owner(&mut self, key: ConnectionKey) -> Option<Owner> {
        if let Some(connection) = self.connections.find(key) {
            connection.owns = true;
        }
        let session = self.session(key)?;
        Some(Owner { session, node: self.broker.presence().node().clone() })
    }

    /// Somebody shows a token.
    pub(crate) fn authenticate(&mut self, key: ConnectionKey, token: &str) -> Result<(), Denied> {
        let identity = self.broker.0.parts.authenticator.authenticate(token)?;
        if let Some(connection) = self.connections.find(key) {
            connection.identity = identity;
        }
        Ok(())
    }

    /// A client says who it is, so that it is known again when it comes back.
    ///
    /// # Errors
    /// `invalid_data` where the name is not one, or another than before.
    pub fn name_client(&mut self, key: ConnectionKey, client: &str) -> Result<(), ErrorObject> {
        let invalid = |message: &str| Err(ErrorObject::new(ErrorCode::InvalidData, message));
        if !(1..=MAX_CLIENT_BYTES).contains(&client.len()) || !client.bytes().all(|b| b.is_ascii_graphic()) {
            return invalid("a client's name is 1 to 128 printable ASCII characters, best a random UUID");
        }
        let Some(connection) = self.connections.find(key) else { return Ok(()) };
        match &connection.client {
            Some(known) if **known == *client => return Ok(()),
            Some(_) => return invalid("this connection has named another client; connect anew for this one"),
            None if connection.owns => {
                return invalid("this connection has written ephemeral records already; name the client before that");
            }
            None => {}
        }
        if let Some(anonymous) = connection.session.take() {
            self.broker.detach(&anonymous, false);
        }
        // A space is in no client's name, so that no two pairs look alike.
        let session: Arc<str> = match &connection.identity.principal {
            Some(principal) => format!("client {client} {principal}").into(),
            None => format!("client {client}").into(),
        };
        connection.client = Some(client.into());
        connection.session = Some(session.clone());
        self.broker.arrive(&session);
        Ok(())
    }
}
