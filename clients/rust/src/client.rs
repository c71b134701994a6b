//! The handle: what a program calls. Reads and listening are here, writes in `write.rs`.

use crate::{
    address::ServerUrl,
    batch::Batch,
    collection::CollectionBuilder,
    connection::{Command, Connection},
    error::{ClientError, ConnectError, End},
    ledger::Ledger,
    listen::{Listen, Mode},
    message::Unnamed,
    naming::RequestIds,
    options::{ClientOptions, Initial, RequestOptions, Retry},
    reply::{PendingReply, Reply, ended},
    socket,
    subscription::Subscription,
};
use serde::Serialize;
use serde_json::{json, value::RawValue};
use std::sync::Arc;
use tokio::{
    sync::{Semaphore, mpsc, oneshot, watch},
    task::JoinHandle,
};

/// A connection to a server that mends itself. Clones share it; when the last clone and the last [`Subscription`] and
/// [`Collection`](crate::Collection) are gone it ends. [`Self::close`] ends it when everything is answered.
#[derive(Debug, Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    commands: mpsc::Sender<Command>,
    room: Arc<Semaphore>,
    status: watch::Receiver<Status>,
    task: JoinHandle<()>,
    event_buffer: usize,
    retry: Retry,
    name: Option<String>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// How the connection is.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Status {
    /// No connection at the moment; this many attempts failed since the last one.
    Connecting {
        /// Failed attempts.
        failed: u32,
    },
    /// Connected.
    Connected,
    /// Over, for good.
    Ended(End),
}

impl Client {
    /// Connect to `url`, completed as [`ServerUrl::parse`] says. With [`Initial::KeepTrying`] this returns at once, and
    /// requests wait for the connection. A `client` in the query of the URL goes before [`ClientOptions::name`].
    ///
    /// Must be called within a tokio runtime; the connection's task runs there.
    ///
    /// # Errors
    /// A wrong address or name; with [`Initial::FailFast`] also whatever the first attempt ended in.
    pub async fn connect(url: &str, options: ClientOptions) -> Result<Self, ConnectError> {
        let url = ServerUrl::parse(url)?;
        let given = url.client().map(str::to_owned);
        let (url, name, ids) = match (given, options.name.choose()?) {
            (Some(given), _) => (url, Some(given), RequestIds::prefixed()),
            (None, None) => (url, None, RequestIds::plain()),
            (None, Some(name)) if options.name == Default::default() => {
                (url.with_client(&name), Some(name), RequestIds::plain())
            }
            (None, Some(name)) => (url.with_client(&name), Some(name), RequestIds::prefixed()),
        };
        let first = match options.initial {
            Initial::FailFast => Some(socket::open(&url, &options).await?),
            Initial::KeepTrying => None,
        };
        // Room for every request that may be outstanding, so that only the permits make a caller wait.
        let (commands, inbox) = mpsc::channel(options.max_outstanding.max(1) + 16);
        let (report, status) = watch::channel(Status::Connecting { failed: 0 });
        let (event_buffer, retry) = (options.event_buffer.max(1), options.retry);
        let room = Arc::new(Semaphore::new(options.max_outstanding.max(1)));
        let task = tokio::spawn(Connection::new(url, options, Ledger::new(ids), inbox, report).run(first));
        Ok(Self { shared: Arc::new(Shared { commands, room, status, task, event_buffer, retry, name }) })
    }

    /// What this client is called on the server; see [`ClientOptions::name`].
    pub fn name(&self) -> Option<&str> {
        self.shared.name.as_deref()
    }

    /// How the connection is, and a way to see it change.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.shared.status.clone()
    }

    /// Put a request in its place in the order, and return a future of its reply: this is how many are outstanding at
    /// once. `event` is `Model:method`; data that is `null` counts as absent. Waits while
    /// [`ClientOptions::max_outstanding`] requests are unanswered; dropped while it waits, nothing was sent.
    ///
    /// # Errors
    /// [`ClientError::Encode`], [`ClientError::Ended`].
    pub async fn start(
        &self,
        event: &str,
        data: &(impl Serialize + ?Sized),
        options: RequestOptions,
    ) -> Result<PendingReply, ClientError> {
        let request = Unnamed::encode(event, data, &options)?;
        let retry = options.retry.unwrap_or(self.shared.retry);
        let room = Arc::clone(&self.shared.room);
        let permit = room.acquire_owned().await.expect("the semaphore is never closed");
        let (sender, answer) = oneshot::channel();
        self.command(Command::Request { request, answer: sender, retry, permit }).await?;
        Ok(PendingReply { answer, status: self.status() })
    }

    /// A request and its reply.
    ///
    /// No time limit of its own: while the connection is down it waits. Wrap it in `tokio::time::timeout` for one; like
    /// dropping the future, that gives the request up, and whether it took effect is not known then.
    ///
    /// # Errors
    /// Any [`ClientError`]; [`ClientError::Refused`] is the server's no.
    pub async fn request(
        &self,
        event: &str,
        data: &(impl Serialize + ?Sized),
        options: RequestOptions,
    ) -> Result<Reply, ClientError> {
        self.start(event, data, options).await?.await
    }

    /// All records of a model, in insertion order, without listening to it.
    ///
    /// # Errors
    /// As [`Self::request`].
    pub async fn read(&self, model: &str) -> Result<Vec<Box<RawValue>>, ClientError> {
        self.read_where(model, &()).await?.parse()
    }

    /// One record, without listening to it.
    ///
    /// # Errors
    /// As [`Self::request`]; where there is none, [`ClientError::Refused`] with code `not_found`.
    pub async fn read_one(&self, model: &str, id: &str) -> Result<Box<RawValue>, ClientError> {
        Ok(self.read_where(model, &json!({"id": id})).await?.data)
    }

    async fn read_where(&self, model: &str, query: &impl Serialize) -> Result<Reply, ClientError> {
        let mut options = RequestOptions::wire(&json!({"listen": false})).map_err(ClientError::Encode)?;
        options.retry = Some(Retry::Repeat);
        self.request(&format!("{model}:read"), query, options).await
    }

    /// Several writes that are done all or not at all, also over several models of one group.
    pub fn batch(&self) -> Batch {
        Batch::new(self.clone())
    }

    /// Records of a model as values of `T`, kept as they are on the server; see
    /// [`Collection`](crate::Collection). `what` is the name of a model, or a [`Listen`].
    pub fn collection<T>(&self, what: impl Into<Listen>) -> CollectionBuilder<T> {
        CollectionBuilder::new(self.clone(), what.into())
    }

    /// Read records and hear of their changes, without a hole and without repetition, over lost connections too: after
    /// those comes what was missed. `what` is the name of a model, or a [`Listen`]. The first event is a
    /// [`Event::Reset`](crate::Event::Reset) with all records.
    ///
    /// # Errors
    /// [`ClientError::AlreadyListening`], [`ClientError::Encode`], [`ClientError::Ended`]. Where the server refuses, the
    /// first event is [`Event::Failed`](crate::Event::Failed).
    pub async fn listen(&self, what: impl Into<Listen>) -> Result<Subscription, ClientError> {
        self.open(what.into(), Mode::Snapshot).await
    }

    /// The same without the records that are there already: what happens from now on, and after lost connections what was
    /// missed.
    ///
    /// # Errors
    /// As [`Self::listen`].
    pub async fn subscribe(&self, what: impl Into<Listen>) -> Result<Subscription, ClientError> {
        self.open(what.into(), Mode::ChangesOnly).await
    }

    async fn open(&self, what: Listen, mode: Mode) -> Result<Subscription, ClientError> {
        let wanted = what.wanted(mode)?;
        let (sender, events) = mpsc::channel(self.shared.event_buffer);
        let (done, registered) = oneshot::channel();
        let model = wanted.model.clone();
        // It is there before it is asked for: dropped while it waits, it takes its listening with it.
        let subscription = Subscription { events, model: model.clone(), client: self.clone() };
        self.command(Command::Listen { wanted, events: sender, done }).await?;
        match registered.await {
            Ok(true) => Ok(subscription),
            Ok(false) => Err(ClientError::AlreadyListening { model }),
            Err(_) => Err(ended(&self.shared.status)),
        }
    }

    /// End for all clones when every request that was started is answered, over lost connections too. From now on nothing
    /// new is taken, and all subscriptions end.
    ///
    /// No time limit of its own but [`ClientOptions::give_up_after`]: wrap it in `tokio::time::timeout`, and then call
    /// [`Self::abort`]. Dropping this future does not call it off.
    pub async fn close(&self) {
        self.end(Command::Close).await;
    }

    /// End now, for all clones. Requests without a reply end with [`ClientError::Ended`]; whether those that were sent took
    /// effect is not known.
    pub async fn abort(&self) {
        self.end(Command::Abort).await;
    }

    async fn end(&self, command: Command) {
        if self.command(command).await.is_ok() {
            let mut status = self.status();
            // An error means that the task is gone, which is as closed as can be.
            let _ = status.wait_for(|status| matches!(status, Status::Ended(_))).await;
        }
    }

    async fn command(&self, command: Command) -> Result<(), ClientError> {
        self.shared.commands.send(command).await.map_err(|_| ended(&self.shared.status))
    }

    /// Let the task see now that a subscription is gone; where it has much to do, it sees it with the next event.
    pub(crate) fn forget_listeners(&self) {
        let _ = self.shared.commands.try_send(Command::ForgetListeners);
    }
}
