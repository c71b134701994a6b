//! The doors: the only place that knows actix.
//!
//! A server of its own has one actix-http service a worker. Plain requests go to an actix-web `App`; WebSocket upgrades leave
//! HTTP for good, and become a connection on the socket itself, without the dispatcher's buffers and copies.
//! Within somebody else's `App` the doors are a scope of it ([`Doors::mount`]), and WebSockets come in by actix-ws. Both lead to the
//! same hub.

mod api;
mod connection;
mod console;
mod conversation;
mod mailbox;
mod mount;
mod origin;
mod party;
mod routes;
mod sockjs;
mod transports;
mod upgrade;
mod visitor;
mod worker;

pub use actix_web::web::ServiceConfig;
pub use origin::Origins;
pub use sockjs::{Message, Peer, Service, ServiceOptions, SockJs, SockJsOptions, Talk};

use crate::{
    broker::Broker,
    directory::Directory,
    sockjs::{Prefix, parse},
};
use actix_http::HttpService;
use actix_server::{Server, ServerHandle};
use actix_service::{fn_service, map_config};
use actix_web::dev::AppConfig;
use sockjs::{Endpoint, Neighbours};
use std::{
    io,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::sync::watch;
use transports::Door;

/// How long a connection without a request is kept: longer than most clients keep it, so that a request does not meet its end.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// Threads of other servers that may serve mounted doors, at most.
const MOUNTED: usize = 256;

/// What the doors need to know.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many workers a server of its own has.
    pub workers: usize,
    /// The largest message, in bytes.
    pub message_bytes: usize,
    /// How many WebSockets and sessions may be open at once.
    pub connections: usize,
    /// Where other nodes reach this one, as `http://host:port`; `None`: where a server of its own listens.
    pub advertise: Option<String>,
    /// Who may come from where.
    pub origins: Origins,
    /// Whether messages may be compressed, where the client wants it.
    pub compression: bool,
    /// How often a sign of life is asked for.
    pub heartbeat: Duration,
    /// After how much silence a connection is given up.
    pub timeout: Duration,
    /// How SockJS is spoken.
    pub sockjs: SockJsOptions,
    /// A folder whose files are served at `/`.
    pub public_dir: Option<PathBuf>,
    /// Whether the console is served: at `/`, or at `/console/` where that is taken.
    pub console: bool,
    /// Where nodes that serve the same clients find each other's sessions; `None`: there is one node.
    pub directory: Option<Arc<dyn Directory>>,
}

impl Options {
    /// How many workers the broker is to be made for: those of a server of its own, and those that doors may be mounted on.
    pub fn hubs(&self) -> usize {
        self.workers + MOUNTED
    }
}

/// The ways into a broker: all connections of this process.
#[derive(Debug)]
pub struct Doors {
    broker: Broker,
    options: Options,
    /// What is served below the SockJS prefixes.
    endpoints: [Arc<Endpoint>; 2],
    /// Connections.
    open: Arc<AtomicUsize>,
    /// Workers that doors were mounted on.
    mounted: AtomicUsize,
    stopping: watch::Sender<bool>,
}

/// A server that runs.
#[derive(Debug)]
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    doors: Arc<Doors>,
    handle: ServerHandle,
}

impl Doors {
    /// Doors that nobody can come in by yet; the broker was made for [`Options::hubs`].
    pub fn new(broker: Broker, options: Options) -> Arc<Self> {
        let endpoints = Prefix::ALL.map(|messages| {
            let (origins, message_bytes) = (options.origins.clone(), options.message_bytes);
            Arc::new(Endpoint::new(messages, Door::PLAIN, options.sockjs.clone(), origins, message_bytes))
        });
        let (open, mounted) = (Arc::default(), AtomicUsize::new(0));
        let this = Self { broker, options, endpoints, open, mounted, stopping: watch::channel(false).0 };
        if let Some(address) = this.options.advertise.clone() {
            this.share_sessions(address);
        }
        Arc::new(this)
    }

    /// Other nodes find the sessions of this one here from now on.
    fn share_sessions(&self, address: String) {
        if let Some(directory) = &self.options.directory {
            let neighbours = Arc::new(Neighbours::new(directory.clone(), address));
            for endpoint in &self.endpoints {
                endpoint.share(neighbours.clone());
            }
        }
    }

    /// Keep what the directory says about the sessions of this node, for as long as this is awaited.
    pub async fn keep_sessions(self: Arc<Self>) {
        if self.options.directory.is_some() {
            sockjs::keep(&self.endpoints).await;
        }
    }

    /// The WebSocket's door at this path, if there is one.
    fn door(&self, path: &str) -> Option<Door> {
        if path == "/ws" {
            return Some(Door::PLAIN);
        }
        let address = parse(path)?;
        self.endpoints.iter().find(|endpoint| endpoint.messages == address.prefix)?.door(address.target)
    }

    /// Open them as a server of its own. The second part of the answer is the server, to be awaited.
    ///
    /// # Errors
    /// Where the address cannot be listened on.
    pub fn listen(self: &Arc<Self>, address: SocketAddr) -> io::Result<(Running, Server)> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        if self.options.advertise.is_none() && self.options.directory.is_some() {
            if address.ip().is_unspecified() {
                tracing::warn!(
                    "SockJS sessions are not shared with other nodes, which do not know where this one is: \
                     set server.advertise, like http://10.0.0.5:9000"
                );
            } else {
                self.share_sessions(format!("http://{address}"));
            }
        }
        let next_worker = Arc::new(AtomicUsize::new(0));
        let doors = self.clone();
        let workers = doors.options.workers;
        let server = Server::build()
            .workers(workers)
            .backlog(4096)
            .disable_signals()
            // Connections that left HTTP are counted at their own door.
            .max_concurrent_connections(25_000)
            .listen("backsync", listener, move || {
                let index = next_worker.fetch_add(1, Ordering::Relaxed) % workers;
                let worker = worker::Worker::start(doors.clone(), index);
                let app = routes::app(worker.clone());
                HttpService::build()
                    .keep_alive(KEEP_ALIVE)
                    .tcp_nodelay(true)
                    .h1_allow_half_closed(false)
                    .upgrade(fn_service(move |(request, framed)| upgrade::upgrade(worker.clone(), request, framed)))
                    .finish(map_config(app, |_| AppConfig::default()))
                    .tcp()
            })?
            .run();
        Ok((Running { address, doors: self.clone(), handle: server.handle() }, server))
    }

    /// Open them within somebody else's actix-web `App`, below `path` (empty is its root):
    /// `App::new().configure(doors.mount("/realtime"))` has WebSockets at `/realtime/ws`, and the SockJS doors.
    pub fn mount(self: &Arc<Self>, path: &str) -> impl FnOnce(&mut ServiceConfig) + Clone + Send + use<> {
        mount::mount(self.clone(), path.trim_end_matches('/').to_owned())
    }

    /// Close every connection with a word of why, and wait at most `grace` until they are gone. Those that come later are
    /// refused.
    pub async fn close(&self, grace: Duration) {
        self.stopping.send_replace(true);
        let gone = async {
            while self.open.load(Ordering::Acquire) > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        if tokio::time::timeout(grace, gone).await.is_err() {
            tracing::warn!(
                open = self.open.load(Ordering::Acquire),
                "connections were still open at the end of the grace"
            );
        }
    }
}

impl Running {
    /// Close every connection with a word of why, wait at most `grace` until they are gone, then stop.
    pub async fn stop(self, grace: Duration) {
        self.doors.close(grace).await;
        self.handle.stop(false).await;
    }
}
