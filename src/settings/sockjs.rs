//! `[sockjs]`: how SockJS is spoken, at `/backsync` and `/sockjs`.

use super::error::{Problem, in_range};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How SockJS is spoken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SockJsSettings {
    /// Whether clients may use a WebSocket; where something between does not let them, they need not try.
    pub websocket: bool,
    /// Whether clients are to send cookies, for load balancers that go by `JSESSIONID`.
    pub cookie: bool,
    /// Bytes after which a streaming response ends and the client asks for the next, 4096 to 2^30.
    pub response_bytes: usize,
    /// Seconds that a session without a receiver lives, 1 to 600.
    pub disconnect_delay_s: u64,
    /// Where pages of other origins get the client's script from, for their iframes; empty: there is no page for iframes.
    pub client_url: String,
    /// A folder whose files are served at `/backsync/client/` and `/sockjs/client/`; empty: none.
    pub client_dir: String,
}

impl Default for SockJsSettings {
    fn default() -> Self {
        Self {
            websocket: true,
            cookie: false,
            response_bytes: 131_072,
            disconnect_delay_s: 5,
            client_url: String::new(),
            client_dir: String::new(),
        }
    }
}

impl SockJsSettings {
    /// [`Self::disconnect_delay_s`] as a duration.
    pub fn disconnect_delay(&self) -> Duration {
        Duration::from_secs(self.disconnect_delay_s)
    }

    pub(super) fn check(&self) -> Result<(), Problem> {
        in_range("sockjs.response_bytes", self.response_bytes as u64, 4096, 1 << 30)?;
        in_range("sockjs.disconnect_delay_s", self.disconnect_delay_s, 1, 600)
    }
}
