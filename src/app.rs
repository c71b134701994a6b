//! The composition root: settings in, a running server out, and everything stopped in the right order.

mod backsync;
mod builder;
mod parts;
mod server_log;

pub use backsync::{Backsync, Serving};
pub use builder::Builder;

use crate::{
    link::LinkError,
    settings::{Settings, SettingsError},
    store::OpenError,
    telemetry::{self, ServerLogLayer, TelemetryError},
};
use backsync_protocol::ErrorObject;
use std::{io, net::SocketAddr};

/// Why a server did not start, or did not end well.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// A setting does not hold.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// A model cannot be as it was put.
    #[error("{0}")]
    Model(ErrorObject),
    /// The store could not be opened.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The bus could not be reached.
    #[error(transparent)]
    Bus(#[from] LinkError),
    /// The log could not be set up.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// Nothing can be listened on at this address.
    #[error(
        "cannot listen on {address}: {source}; another program may do so, `--listen ADDR:PORT` takes another address"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The operating system failed the server.
    #[error("the server ended: {0}")]
    Io(#[from] io::Error),
}

/// Run the server of these settings until it is told to stop by SIGINT or SIGTERM: what the program does.
///
/// # Errors
/// Where it cannot start.
pub fn serve(settings: Settings) -> Result<(), AppError> {
    let (layer, lines) = ServerLogLayer::new();
    let server_log = settings.log.server_log;
    telemetry::init(&settings.log, server_log.then_some(layer))?;
    actix_rt::System::new().block_on(async move {
        let server = Backsync::builder().settings(settings).build()?;
        if server_log {
            server.keep_log("ServerLog", lines).map_err(AppError::Model)?;
        }
        server.run().await
    })
}
