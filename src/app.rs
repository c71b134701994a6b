//! The composition root: settings in, a running server out, and everything stopped in the right order.

mod server_log;

use crate::{
    auth::{AllowAll, NoTokens},
    broker::{Broker, Limits, ModelRules, Parts},
    bus,
    server::{self, Options, Origins},
    settings::{LimitsSettings, ModelSettings, ModelsSettings, Settings, StoreUrl},
    store::{self, Bounds, Millis, OpenError, Store, StoreError},
    telemetry::{self, ServerLogLayer, TelemetryError},
};
use backsync_protocol::ModelName;
use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    num::NonZeroU64,
    sync::Arc,
    thread,
    time::{SystemTime, UNIX_EPOCH},
};
use tokio::signal::unix::{SignalKind, signal};

/// Why the server did not start, or did not end well.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The store could not be opened.
    #[error(transparent)]
    Store(#[from] OpenError),
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

/// Run a server until it is told to stop by SIGINT or SIGTERM.
///
/// # Errors
/// Where it cannot start.
pub fn serve(settings: Settings) -> Result<(), AppError> {
    let (layer, lines) = ServerLogLayer::new();
    telemetry::init(&settings.log, settings.log.server_log.then_some(layer))?;
    actix_rt::System::new().block_on(async move {
        let store = store::open::open(&settings.store)?;
        let broker = Broker::new(parts(&settings, store.clone()));
        let log = settings.log.server_log.then(|| actix_rt::spawn(server_log::write(broker.clone(), lines)));
        let sweep = actix_rt::spawn(sweep(broker.clone()));
        let address = settings.server.listen;
        let (running, server) = server::listen(broker, address, options(&settings))
            .map_err(|source| AppError::Listen { address, source })?;
        announce(&settings, running.address);
        let (mut interrupted, mut terminated) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let server = actix_rt::spawn(server);
        tokio::select! {
            _ = interrupted.recv() => {}
            _ = terminated.recv() => {}
        }
        tracing::info!("shutting down");
        running.stop(settings.server.shutdown_grace()).await;
        // Its own task cannot be cancelled by anybody.
        server.await.map_err(io::Error::other)??;
        sweep.abort();
        if let Some(log) = log {
            log.abort();
        }
        if let Err(cause) = store.close().await {
            tracing::error!(error = %cause, "the store did not close well");
        }
        Ok(())
    })
}

async fn sweep(broker: Broker) {
    let ended: Result<(), StoreError> = broker.sweep().await;
    if let Err(cause) = ended {
        tracing::error!(error = %cause, "records of sessions that ended stay: the store cannot say which they are");
    }
}

fn announce(settings: &Settings, address: SocketAddr) {
    let store = settings.store.url.without_password();
    tracing::info!(%address, %store, version = env!("CARGO_PKG_VERSION"), "backsync is ready");
    if settings.console.enabled {
        tracing::info!("open http://{address}/ for the log console");
        tracing::info!("pipe a log of your own into it: tail -F app.log | backsync pipe Log{}", url_flag(address));
    }
    if settings.store.url == StoreUrl::Memory {
        tracing::info!("records are kept in memory, and go when the server ends");
    }
}

fn url_flag(address: SocketAddr) -> String {
    if address.port() == 9000 { String::new() } else { format!(" --url ws://{address}/ws") }
}

fn parts(settings: &Settings, store: Arc<dyn Store>) -> Parts {
    Parts {
        store,
        bus: bus::open::open(&settings.bus),
        policy: Arc::new(AllowAll),
        authenticator: Arc::new(NoTokens),
        limits: limits(&settings.limits),
        rules: rules(&settings.models),
        handlers: HashMap::new(),
        clock: now,
        workers: workers(settings),
        linger: settings.presence.linger_s * 1000,
        heartbeat: settings.heartbeat.interval_s * 1000,
    }
}

fn workers(settings: &Settings) -> usize {
    match settings.server.workers {
        0 => thread::available_parallelism().map_or(1, usize::from),
        workers => workers,
    }
}

fn limits(settings: &LimitsSettings) -> Limits {
    Limits {
        depth: settings.depth,
        batch_records: settings.batch_records,
        models: settings.models,
        listeners_per_connection: settings.listeners_per_connection,
        queue_bytes: settings.queue_bytes,
        in_flight: settings.in_flight,
    }
}

fn rules(settings: &ModelsSettings) -> HashMap<ModelName, ModelRules> {
    let named = settings.0.iter().filter_map(|(name, model)| Some((ModelName::parse(name).ok()?, model)));
    let rules = |model: &ModelSettings| ModelRules {
        bounds: Bounds { max_records: model.max_records, max_age: NonZeroU64::new(model.max_age_s * 1000) },
        push_evictions: model.push_evictions,
        policy: model.policy,
        ephemeral: model.ephemeral,
        group: Some(model.group.clone()).filter(|group| !group.is_empty()),
        references: model.references().map(|(attribute, of)| (attribute.to_owned(), of)).collect(),
    };
    named.map(|(name, model)| (name, rules(model))).collect()
}

/// Milliseconds since 1970.
fn now() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis::try_from(since.as_millis()).unwrap_or(Millis::MAX)
}

fn options(settings: &Settings) -> Options {
    Options {
        workers: workers(settings),
        message_bytes: settings.limits.message_bytes,
        connections: settings.limits.connections,
        origins: Origins {
            allowed: settings.server.allowed_origins.clone(),
            loopback: settings.server.listen.ip().is_loopback(),
        },
        heartbeat: settings.heartbeat.interval(),
        timeout: settings.heartbeat.timeout(),
        console: settings.console.enabled,
    }
}
