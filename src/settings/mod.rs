//! What one deployment may set differently from another: every key typed, defaulted in code and checked at start.
//!
//! The layers, each over the one before: the defaults, a TOML file, the environment, the command line. A key is written
//! `section.key` in messages and in `--set`, `[section]` and `key` in the file, and `BACKSYNC_SECTION__KEY` in the
//! environment. What no layer sets keeps its default; what no struct here knows is refused.

mod bus;
mod console;
mod error;
mod heartbeat;
mod keys;
mod layer;
mod limits;
mod load;
mod log;
mod models;
mod nearest;
mod origin;
mod presence;
mod redact;
mod redis;
mod server;
mod sockjs;
mod store;
mod text;
mod url;
mod websocket;
mod write;

pub use bus::{BusSettings, BusUrl};
pub use console::ConsoleSettings;
pub use error::SettingsError;
pub use heartbeat::HeartbeatSettings;
pub use limits::LimitsSettings;
pub use load::process_environment;
pub use log::{LogFormat, LogSettings};
pub use models::{ModelSettings, ModelsSettings, ReferenceSettings};
pub use origin::Origin;
pub use presence::PresenceSettings;
pub use redact::redact;
pub use redis::{RedisKind, RedisUrl};
pub use server::ServerSettings;
pub use sockjs::SockJsSettings;
pub use store::{StoreSettings, StoreUrl};
pub use text::parse_set;
pub use url::UrlError;
pub use websocket::WebSocketSettings;

use error::Problem;
use serde::{Deserialize, Serialize};

/// Every setting of a server process. [`Settings::default`] is a server for the machine it runs on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where the server listens and how it stops.
    pub server: ServerSettings,
    /// Where records and their changes are kept.
    pub store: StoreSettings,
    /// How the nodes of a cluster hear of each other's commits.
    pub bus: BusSettings,
    /// What one message, one connection and one process may take.
    pub limits: LimitsSettings,
    /// How SockJS is spoken.
    pub sockjs: SockJsSettings,
    /// Messages compressed on their way.
    pub websocket: WebSocketSettings,
    /// How a silent peer is noticed.
    pub heartbeat: HeartbeatSettings,
    /// Records that go with the session that wrote them.
    pub presence: PresenceSettings,
    /// What is logged, and how.
    pub log: LogSettings,
    /// The console in the browser.
    pub console: ConsoleSettings,
    /// What holds for single models, by name.
    pub models: ModelsSettings,
}

impl Settings {
    /// Check every value against its range and against its neighbours. [`Settings::load`] has done so; this is for
    /// settings that were made or changed in code.
    ///
    /// # Errors
    /// [`SettingsError::Invalid`] with the first key that does not hold.
    pub fn check(&self) -> Result<(), SettingsError> {
        self.find_problem().map_err(|problem| problem.with_origin(Origin::Code))
    }

    fn find_problem(&self) -> Result<(), Problem> {
        let Self { server, store, bus, limits, sockjs, websocket: _, heartbeat, presence, log, console: _, models } =
            self;
        server.check()?;
        store.check()?;
        bus.check(&store.url)?;
        presence.check()?;
        limits.check()?;
        sockjs.check()?;
        heartbeat.check()?;
        log.check()?;
        models.check()
    }
}
