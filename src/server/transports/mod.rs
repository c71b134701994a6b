//! How the messages of a WebSocket's door come in and go out.

mod plain;
mod sockjs;

use crate::{broker::Framing, sockjs::Prefix};
use backsync_protocol::CloseCode;

/// What a WebSocket door does with the text it gets.
pub(super) trait Receiver {
    /// The bytes that a new connection gets first.
    fn greeting(&mut self) -> Vec<u8> {
        Vec::new()
    }

    /// Hand every message in `text` to `each`, in order.
    ///
    /// # Errors
    /// What to close the connection with.
    fn messages(&mut self, text: &str, each: &mut dyn FnMut(&str)) -> Result<(), (CloseCode, &'static str)>;
}

/// A WebSocket door, or what stands for one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Door {
    /// How what goes out is wrapped.
    pub(super) framing: Framing,
    /// How what comes in is understood.
    pub(super) receiver: fn() -> Box<dyn Receiver>,
}

impl Door {
    /// `/ws`: a message is a frame, and an array is many.
    pub(super) const PLAIN: Self = Self { framing: Framing::WebSocket, receiver: plain::receiver };

    /// For those who want each frame as it is.
    pub(super) const RAW: Self = Self { framing: Framing::WebSocket, receiver: plain::raw };

    /// A session over HTTP: messages are taken out of requests before.
    pub(super) const fn lines(messages: Prefix) -> Self {
        let framing = match messages {
            Prefix::Values => Framing::SockJsValueLines,
            Prefix::Strings => Framing::SockJsStringLines,
        };
        Self { framing, receiver: plain::raw }
    }

    /// SockJS in a WebSocket.
    pub(super) const fn sockjs(messages: Prefix) -> Self {
        let framing = match messages {
            Prefix::Values => Framing::SockJsValues,
            Prefix::Strings => Framing::SockJsStrings,
        };
        Self { framing, receiver: sockjs::receiver }
    }
}
