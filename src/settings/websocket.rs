//! `[websocket]`: messages compressed on their way.

use serde::{Deserialize, Serialize};

/// Messages compressed on their way, for clients that want it (RFC 7692).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebSocketSettings {
    /// Whether it is agreed to.
    pub compression: bool,
    /// Bytes from which a message to a client is compressed; shorter ones go as they are.
    pub compress_from_bytes: usize,
}

impl Default for WebSocketSettings {
    fn default() -> Self {
        Self { compression: true, compress_from_bytes: 1024 }
    }
}
