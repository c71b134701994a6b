//! How the messages of a door come in and go out: the table of transports on a socket of their own.

mod plain;
mod sockjs;

use crate::{
    broker::Framing,
    sockjs::{Prefix, Target, Transport},
};
use backsync_protocol::CloseCode;

/// What a WebSocket door does with the text it gets.
pub(super) trait Receiver {
    /// The bytes that a new connection gets first.
    fn greeting(&mut self) -> Vec<u8>;

    /// Hand every message in `text` to `each`, in order.
    ///
    /// # Errors
    /// What to close the connection with.
    fn messages(&mut self, text: &str, each: &mut dyn FnMut(&str)) -> Result<(), (CloseCode, &'static str)>;
}

/// A WebSocket door.
pub(super) struct Door {
    /// How what goes out is wrapped.
    pub(super) framing: Framing,
    /// How what comes in is understood.
    pub(super) receiver: fn() -> Box<dyn Receiver>,
}

/// The WebSocket door at this path, if there is one.
pub(super) fn door(path: &str) -> Option<Door> {
    if path == "/ws" {
        return Some(Door { framing: Framing::WebSocket, receiver: plain::receiver });
    }
    let address = crate::sockjs::parse(path)?;
    match address.target {
        Target::RawWebSocket => Some(Door { framing: Framing::WebSocket, receiver: plain::receiver }),
        Target::Session { transport: Transport::WebSocket, .. } => Some(Door {
            framing: match address.prefix {
                Prefix::Values => Framing::SockJsValues,
                Prefix::Strings => Framing::SockJsStrings,
            },
            receiver: sockjs::receiver,
        }),
        Target::Greeting | Target::Info => None,
    }
}
