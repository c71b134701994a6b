//! A server that is put together: run by itself, or mounted into somebody else's.

use super::{AppError, Builder, server_log};
use crate::{
    broker::Broker,
    server::{Doors, Running, ServiceConfig},
    settings::{Settings, StoreUrl},
    store::Store,
    telemetry::Lines,
};
use backsync_protocol::{ErrorObject, ModelName};
use std::{
    fmt, io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{
    signal::unix::{SignalKind, signal},
    task::{AbortHandle, JoinHandle},
};

/// A server in this process; a handle that is cheap to clone. Made by [`Self::builder`].
#[derive(Clone)]
pub struct Backsync(Arc<Inner>);

struct Inner {
    settings: Settings,
    store: Arc<dyn Store>,
    /// For people.
    store_name: String,
    broker: Broker,
    doors: Arc<Doors>,
    /// What ends with it.
    tasks: Mutex<Vec<AbortHandle>>,
}

impl fmt::Debug for Backsync {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backsync").field("broker", &self.0.broker).finish_non_exhaustive()
    }
}

impl Backsync {
    /// Begin to put one together.
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(super) fn new(
        settings: Settings,
        store: Arc<dyn Store>,
        store_name: String,
        broker: Broker,
        doors: Arc<Doors>,
    ) -> Self {
        let sweep = tokio::spawn(broker.clone().sweep());
        let watch = tokio::spawn(broker.clone().watch());
        let keep = tokio::spawn(doors.clone().keep_sessions());
        let tasks = Mutex::new(vec![sweep.abort_handle(), watch.abort_handle(), keep.abort_handle()]);
        Self(Arc::new(Inner { settings, store, store_name, broker, doors, tasks }))
    }

    /// The broker: reads and writes of the server's own code, which are broadcast like any other.
    pub fn broker(&self) -> &Broker {
        &self.0.broker
    }

    /// The doors as a part of somebody's own actix-web application. Below `path` (which begins with `/`; empty is the root)
    /// there are `/ws` and the SockJS doors `/backsync` and `/sockjs`.
    ///
    /// ```no_run
    /// use actix_web::{App, HttpServer};
    /// use backsync::{Backsync, store::Memory};
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let backsync = Backsync::builder().store(Memory::default()).build()?;
    /// let mounted = backsync.clone();
    /// let server = HttpServer::new(move || App::new().configure(mounted.mount("/realtime")));
    /// server.bind(("127.0.0.1", 8080))?.run().await?;
    /// backsync.close().await;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// A connection that is open keeps the application from ending before its own time is over: call [`Self::close`] when
    /// it is asked to stop.
    pub fn mount(&self, path: &str) -> impl FnOnce(&mut ServiceConfig) + Clone + Send + use<> {
        self.0.doors.mount(path)
    }

    /// Keep the lines of a log as records of a model, for as long as there are any and the server runs. They are what the other
    /// half of a [`ServerLogLayer`](crate::telemetry::ServerLogLayer) was given. What cannot be written is lost, without
    /// a further line about it. Within a tokio runtime.
    ///
    /// # Errors
    /// `invalid_model`; `limit_exceeded` where the model would be one too many.
    pub fn keep_log(&self, model: &str, lines: Lines) -> Result<(), ErrorObject> {
        self.0.broker.declare(model)?;
        let model = ModelName::parse(model)?;
        self.own(&tokio::spawn(server_log::write(self.0.broker.clone(), model, lines)));
        Ok(())
    }

    fn own(&self, task: &JoinHandle<()>) {
        self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner).push(task.abort_handle());
    }

    /// Open the doors as a server of its own, within an actix runtime. It runs until [`Serving::stop`].
    ///
    /// # Errors
    /// Where the address cannot be listened on.
    pub fn start(&self) -> Result<Serving, AppError> {
        let address = self.0.settings.server.listen;
        let listened = self.0.doors.listen(address);
        let (running, server) = listened.map_err(|source| AppError::Listen { address, source })?;
        Ok(Serving { backsync: self.clone(), running, ended: actix_rt::spawn(server) })
    }

    /// Run as a server of its own until the process is asked to stop by SIGINT or SIGTERM, then end it in order.
    ///
    /// # Errors
    /// Where the address cannot be listened on, or the operating system fails the server.
    pub async fn run(&self) -> Result<(), AppError> {
        let serving = self.start()?;
        self.announce(serving.address());
        let (mut interrupted, mut terminated) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        tokio::select! {
            _ = interrupted.recv() => {}
            _ = terminated.recv() => {}
        }
        tracing::info!("shutting down");
        serving.stop().await
    }

    /// End it: every connection is told and closed, for which the settings' grace is waited at most, and the store lets go of
    /// what it has. Connections that come later are refused.
    pub async fn close(&self) {
        self.0.doors.close(self.0.settings.server.shutdown_grace()).await;
        self.let_go().await;
    }

    async fn let_go(&self) {
        for task in self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            task.abort();
        }
        if let Err(cause) = self.0.store.close().await {
            tracing::error!(error = %cause, "the store did not close well");
        }
    }

    fn announce(&self, address: SocketAddr) {
        let (settings, store) = (&self.0.settings, &self.0.store_name);
        tracing::info!(%address, %store, version = env!("CARGO_PKG_VERSION"), "backsync is ready");
        if settings.console.enabled {
            let page = if settings.server.public_dir.is_empty() { "" } else { "console/" };
            tracing::info!("open http://{address}/{page} for the log console");
            tracing::info!("pipe a log of your own into it: tail -F app.log | backsync pipe Log{}", url_flag(address));
        }
        if *store == StoreUrl::Memory.to_string() {
            tracing::info!("records are kept in memory, and go when the server ends");
        }
    }
}

fn url_flag(address: SocketAddr) -> String {
    if address.port() == 9000 { String::new() } else { format!(" --url ws://{address}/ws") }
}

/// A server of its own that runs.
#[derive(Debug)]
pub struct Serving {
    backsync: Backsync,
    running: Running,
    ended: JoinHandle<io::Result<()>>,
}

impl Serving {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.running.address
    }

    /// End it in order: see [`Backsync::close`].
    ///
    /// # Errors
    /// Where the operating system failed the server.
    pub async fn stop(self) -> Result<(), AppError> {
        let Self { backsync, running, ended } = self;
        running.stop(backsync.0.settings.server.shutdown_grace()).await;
        // Its own task cannot be cancelled by anybody.
        ended.await.map_err(io::Error::other)??;
        backsync.let_go().await;
        Ok(())
    }
}
