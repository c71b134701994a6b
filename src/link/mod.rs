//! The way to Redis: one server, the primary that Sentinel names, or the primaries of a cluster.
//!
//! A link owns a thread, on which all that is asked of Redis happens. A connection that breaks is made anew, and what was
//! asked is asked again: so whatever goes through [`Link::call`] has to be harmless when it is done twice.

mod address;
mod check;
mod connect;
#[cfg(feature = "server")]
pub mod open;

pub use address::{Address, Host, Tls, Topology};
pub(crate) use connect::Connection;

use connect::Connector;
use redis::{Cmd, ErrorKind, RedisError, RedisResult, ServerErrorKind, ToRedisArgs, Value, aio::ConnectionLike};
use std::{
    fmt,
    future::Future,
    sync::{
        Arc, Mutex as Lock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};
use tokio::{
    runtime::{Builder, Handle},
    sync::{Mutex, oneshot},
    time::{Instant, sleep},
};

/// So long Redis may take for an answer.
pub(crate) const RESPONSE: Duration = Duration::from_secs(5);
/// So long it is tried again while Redis does not take what it is asked: a failover is over by then, or takes its time.
const PATIENCE: Duration = Duration::from_secs(5);
/// Publications of more bytes are not sent: Redis lets go of subscribers for whom too much waits. They are told where a model
/// stands, and read the log.
pub(crate) const LARGEST_PUBLICATION: usize = 256 << 10;
/// Between two attempts, at first and at the most.
const PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// Why a link could not be had.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// Nothing answers there, or not as Redis does.
    #[error("cannot reach Redis at {place}: {source}")]
    Unreachable {
        /// Where, without a password.
        place: String,
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Redis is there, but not fit to keep records.
    #[error("Redis at {place} {problem}")]
    Unfit {
        /// Where, without a password.
        place: String,
        /// What is wrong, and what would be right.
        problem: String,
    },
}

/// The way to one Redis; shared by whatever needs it.
pub struct Link {
    place: String,
    topology: Topology,
    prefix: String,
    database: i64,
    connector: Connector,
    runtime: Handle,
    /// Writes have a connection of their own, so that no large answer stands before theirs.
    lanes: [Mutex<Open>; 2],
    is_closed: AtomicBool,
    thread: Lock<Option<(oneshot::Sender<()>, JoinHandle<()>)>>,
}

/// Which connection is used.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Lane {
    Write,
    Read,
}

#[derive(Default)]
struct Open {
    connection: Option<Connection>,
    /// How many there were.
    number: u64,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("place", &self.place).finish_non_exhaustive()
    }
}

impl Link {
    /// Connect, and look whether it is a Redis that records may be kept in.
    ///
    /// # Errors
    /// Where it cannot be reached, or is not fit.
    pub fn open(address: &Address) -> Result<Arc<Self>, LinkError> {
        let place = address.to_string();
        let unreachable = |source| LinkError::Unreachable { place: address.to_string(), source };
        let connector = Connector::new(address).map_err(|error| unreachable(error.into()))?;
        let runtime = Builder::new_current_thread().enable_all().build().map_err(|error| unreachable(error.into()))?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new().name("redis".into()).spawn(move || {
            // Whoever holds the other end may have gone without a word.
            let _ = runtime.block_on(stopped);
        });
        let thread = thread.map_err(|error| unreachable(error.into()))?;
        let link = Arc::new(Self {
            place,
            topology: address.topology.clone(),
            prefix: address.prefix.clone(),
            database: address.database,
            connector,
            runtime: handle,
            lanes: Default::default(),
            is_closed: AtomicBool::new(false),
            thread: Lock::new(Some((stop, thread))),
        });
        let (sender, checked) = std::sync::mpsc::channel();
        let checking = link.clone();
        link.runtime.spawn(async move {
            // Whoever asked waits.
            let _ = sender.send(checking.check().await);
        });
        checked.recv().map_err(|error| unreachable(error.into()))??;
        Ok(link)
    }

    async fn check(&self) -> Result<(), LinkError> {
        let unreachable =
            |error: RedisError| LinkError::Unreachable { place: self.place.clone(), source: error.into() };
        let (mut connection, _) = self.connection(Lane::Write).await.map_err(unreachable)?;
        let answers = self.connector.info(&mut connection).await.map_err(unreachable)?;
        for info in answers {
            let unfit = |problem| LinkError::Unfit { place: self.place.clone(), problem };
            check::fitness(&info).map_err(unfit)?;
            if check::forgets(&info) {
                tracing::warn!(redis = %self.place, "Redis writes nothing to disk: what it keeps is gone when it ends; `appendonly yes` keeps it");
            }
        }
        Ok(())
    }

    /// Have Redis write its append-only file anew, where it has not done so since it began: what it read at its start may be torn.
    /// What comes of it is said in the log; nothing depends on it but a loss of power that follows another one.
    pub(crate) async fn mend_file(&self) {
        let mended = async {
            let (mut connection, _) = self.connection(Lane::Write).await?;
            if self.connector.info(&mut connection).await?.iter().any(|info| check::may_be_torn(info)) {
                self.connector.all(&mut connection, redis::cmd("BGREWRITEAOF")).await?;
            }
            Ok::<(), RedisError>(())
        };
        if let Err(error) = mended.await {
            tracing::info!(redis = %self.place, %error, "Redis was not asked to write its append-only file anew");
        }
    }

    /// Where it leads, without a password.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Whether keys have to be in one slot to be used together, and channels are a slot's.
    pub fn is_cluster(&self) -> bool {
        self.topology == Topology::Cluster
    }

    /// The name of a key that belongs to `tag`: all keys of a tag are together, wherever that is.
    pub(crate) fn key(&self, tag: &str, name: &str) -> String {
        format!("{}:{{{tag}}}:{name}", self.prefix)
    }

    /// The name of the channel on which changes of a model are published.
    pub(crate) fn channel(&self, tag: &str, model: &backsync_protocol::ModelName) -> Vec<u8> {
        // What is published has no database.
        self.key(tag, &format!("{model}:changes@{}", self.database)).into_bytes()
    }

    /// Have something done on the link's thread. It is done whether or not the answer is waited for; none where the link is closed.
    pub(crate) fn spawn<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
        &self,
        work: F,
    ) -> impl Future<Output = Option<T>> + Send + use<T, F> {
        let task = (!self.is_closed.load(Ordering::Acquire)).then(|| self.runtime.spawn(work));
        async move { task?.await.ok() }
    }

    /// A connection of one's own, for publications that come over it. In a cluster it keeps its subscriptions by itself.
    ///
    /// # Errors
    /// What Redis says.
    pub(crate) async fn subscriber(&self, sender: impl redis::aio::AsyncPushSender + Clone) -> RedisResult<Connection> {
        self.connector.connect(Some(sender)).await
    }

    /// Ask Redis: again and again where it does not take it, for so long as is reasonable.
    ///
    /// # Errors
    /// What Redis says at last. With an error it may have been done all the same.
    pub(crate) async fn call(&self, lane: Lane, ask: &Ask<'_>) -> RedisResult<Value> {
        let deadline = Instant::now() + PATIENCE;
        let mut pause = PAUSE;
        loop {
            let error = match self.attempt(lane, ask).await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            if !is_passing(&error) || self.is_closed.load(Ordering::Acquire) || Instant::now() + pause > deadline {
                return Err(error);
            }
            tracing::debug!(redis = %self.place, %error, "asking Redis once more");
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn attempt(&self, lane: Lane, ask: &Ask<'_>) -> RedisResult<Value> {
        let (mut connection, number) = self.connection(lane).await?;
        let answer = ask.send(&mut connection).await;
        if answer.as_ref().is_err_and(is_of_connection) {
            let mut open = self.lanes[lane as usize].lock().await;
            if open.number == number {
                open.connection = None;
            }
        }
        answer
    }

    /// The lane's connection, made where there is none. One attempt at a time.
    async fn connection(&self, lane: Lane) -> RedisResult<(Connection, u64)> {
        let mut open = self.lanes[lane as usize].lock().await;
        if let Some(connection) = &open.connection {
            return Ok((connection.clone(), open.number));
        }
        let connection =
            self.connector.connect(None::<fn(redis::PushInfo) -> Result<(), redis::aio::SendError>>).await?;
        open.number += 1;
        open.connection = Some(connection.clone());
        Ok((connection, open.number))
    }

    /// Let go of all connections. What is asked later is not done.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((stop, thread)) = thread {
            // It may have ended.
            let _ = stop.send(());
            // The last one to let go may be a task of the thread itself.
            if thread.thread().id() != std::thread::current().id() {
                let _ = thread.join();
            }
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.close();
    }
}

/// Something to be asked.
pub(crate) enum Ask<'a> {
    /// A command.
    Command(Cmd),
    /// A script that Redis may know already, and the command that calls it.
    Script(&'a redis::Script, Cmd),
}

impl<'a> Ask<'a> {
    /// A call of a script with its keys and arguments.
    pub(crate) fn script(script: &'a redis::Script, keys: &[Vec<u8>], arguments: &[impl ToRedisArgs]) -> Self {
        let mut call = redis::cmd("EVALSHA");
        call.arg(script.get_hash()).arg(keys.len()).arg(keys).arg(arguments);
        Self::Script(script, call)
    }

    async fn send(&self, connection: &mut Connection) -> RedisResult<Value> {
        // What Redis refuses comes as a value here.
        let (Self::Command(command) | Self::Script(_, command)) = self;
        let answer = connection.req_packed_command(command).await?.extract_error();
        match (self, &answer) {
            (Self::Script(script, _), Err(error)) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                script.prepare_invoke().load_async(connection).await?;
                connection.req_packed_command(command).await?.extract_error()
            }
            _ => answer,
        }
    }
}

/// It may be otherwise in a moment.
fn is_passing(error: &RedisError) -> bool {
    is_of_connection(error)
        || matches!(
            error.kind(),
            ErrorKind::Server(
                ServerErrorKind::BusyLoading
                    | ServerErrorKind::TryAgain
                    | ServerErrorKind::ClusterDown
                    | ServerErrorKind::MasterDown
                    | ServerErrorKind::Moved
                    | ServerErrorKind::Ask
                    | ServerErrorKind::NoScript
            )
        )
        || error.code() == Some("BUSY")
}

/// The connection is of no use any more, or leads to the wrong place.
fn is_of_connection(error: &RedisError) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Io
            | ErrorKind::ClusterConnectionNotFound
            | ErrorKind::MasterNameNotFoundBySentinel
            | ErrorKind::Server(ServerErrorKind::ReadOnly)
    ) || error.is_connection_dropped()
        || error.is_timeout()
        || error.code() == Some("UNBLOCKED")
}
