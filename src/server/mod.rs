//! The doors: the only place that knows actix.
//!
//! One actix-http service a worker. Plain requests go to an actix-web `App`; WebSocket upgrades leave HTTP for good, and
//! become a [`connection::Connection`] on the socket itself, without the dispatcher's buffers and copies.

mod connection;
mod console;
mod origin;
mod routes;
mod transports;
mod upgrade;
mod worker;

pub use origin::Origins;

use crate::broker::Broker;
use actix_http::HttpService;
use actix_server::{Server, ServerHandle};
use actix_service::{fn_service, map_config};
use actix_web::dev::AppConfig;
use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::sync::watch;

/// What the doors need to know.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many workers; the broker was made for the same number.
    pub workers: usize,
    /// The largest message, in bytes.
    pub message_bytes: usize,
    /// How many WebSockets may be open at once.
    pub connections: usize,
    /// Who may come from where.
    pub origins: Origins,
    /// How often a sign of life is asked for.
    pub heartbeat: Duration,
    /// After how much silence a connection is given up.
    pub timeout: Duration,
    /// Whether the console is served at `/`.
    pub console: bool,
}

/// A server that runs.
#[derive(Debug)]
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    doors: Arc<Doors>,
    handle: ServerHandle,
    stopping: watch::Sender<bool>,
}

/// What all workers share.
#[derive(Debug)]
struct Doors {
    options: Options,
    open: AtomicUsize,
}

/// Open the doors. The second part of the answer is the server, to be awaited.
///
/// # Errors
/// Where the address cannot be listened on.
pub fn listen(broker: Broker, address: SocketAddr, options: Options) -> io::Result<(Running, Server)> {
    let listener = TcpListener::bind(address)?;
    let address = listener.local_addr()?;
    let (stopping, stop) = watch::channel(false);
    let doors = Arc::new(Doors { options, open: AtomicUsize::new(0) });
    let next_worker = Arc::new(AtomicUsize::new(0));
    let shared = doors.clone();
    let workers = doors.options.workers;
    let server = Server::build()
        .workers(workers)
        .backlog(4096)
        .disable_signals()
        // Connections that left HTTP are counted at their own door.
        .max_concurrent_connections(25_000)
        .listen("backsync", listener, move || {
            let index = next_worker.fetch_add(1, Ordering::Relaxed) % workers;
            let worker = worker::Worker::start(broker.clone(), index, shared.clone(), stop.clone());
            let app = routes::app(shared.clone());
            HttpService::build()
                .tcp_nodelay(true)
                .h1_allow_half_closed(false)
                .upgrade(fn_service(move |(request, framed)| upgrade::upgrade(worker.clone(), request, framed)))
                .finish(map_config(app, |_| AppConfig::default()))
                .tcp()
        })?
        .run();
    Ok((Running { address, doors, handle: server.handle(), stopping }, server))
}

impl Running {
    /// Close every connection with a word of why, wait at most `grace` until they are gone, then stop.
    pub async fn stop(self, grace: Duration) {
        // Without a worker there is nobody to tell.
        let _ = self.stopping.send(true);
        let gone = async {
            while self.doors.open.load(Ordering::Acquire) > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        if tokio::time::timeout(grace, gone).await.is_err() {
            tracing::warn!(
                open = self.doors.open.load(Ordering::Acquire),
                "connections were still open at the end of the grace"
            );
        }
        self.handle.stop(false).await;
    }
}
