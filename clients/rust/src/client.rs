//! The handle: what a program calls.

use crate::{
    address::ServerUrl,
    connection::{Command, Connection},
    error::{ClientError, ConnectError, End},
    ledger::Answer,
    listeners::Mode,
    message::Unnumbered,
    options::{ClientOptions, Initial, RequestOptions, Retry},
    socket,
    subscription::Subscription,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{json, value::RawValue};
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::{
    sync::{Semaphore, mpsc, oneshot, watch},
    task::JoinHandle,
};

/// A connection to a server that mends itself. Clones share it; when the last clone and the last [`Subscription`] are
/// gone it ends. [`Self::close`] ends it with a proper goodbye.
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

/// What the server answered.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The result: what it is depends on the method.
    pub data: Box<RawValue>,
    /// Where the model stands; opaque.
    pub position: Option<String>,
}

impl Reply {
    /// The result as a value of `T`.
    ///
    /// # Errors
    /// [`ClientError::Decode`] where it is of another shape.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        serde_json::from_str(self.data.get()).map_err(ClientError::Decode)
    }
}

/// A request that is on its way: a future of its reply. Dropping it gives the request up: it is not repeated after a
/// lost connection, and not sent if it was not yet; if it was, it may have taken effect.
#[derive(Debug)]
#[must_use = "a request whose reply nobody awaits is given up"]
pub struct PendingReply {
    answer: oneshot::Receiver<Answer>,
    status: watch::Receiver<Status>,
}

impl Future for PendingReply {
    type Output = Answer;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answer> {
        Pin::new(&mut self.answer).poll(cx).map(|answer| answer.unwrap_or_else(|_| Err(ended(&self.status))))
    }
}

fn ended(status: &watch::Receiver<Status>) -> ClientError {
    match &*status.borrow() {
        Status::Ended(end) => ClientError::Ended(end.clone()),
        Status::Connecting { .. } | Status::Connected => ClientError::Ended(End::Closed),
    }
}

impl Client {
    /// Connect to `url`, completed as [`ServerUrl::parse`] says. With [`Initial::KeepTrying`] this returns at once, and
    /// requests wait for the connection.
    ///
    /// Must be called within a tokio runtime; the connection's task runs there.
    ///
    /// # Errors
    /// A wrong address; with [`Initial::FailFast`] also whatever the first attempt ended in.
    pub async fn connect(url: &str, options: ClientOptions) -> Result<Self, ConnectError> {
        let url = ServerUrl::parse(url)?;
        let first = match options.initial {
            Initial::FailFast => Some(socket::open(&url, &options).await?),
            Initial::KeepTrying => None,
        };
        // Room for every request that may be outstanding, so that only the permits make a caller wait.
        let (commands, inbox) = mpsc::channel(options.max_outstanding.max(1) + 16);
        let (report, status) = watch::channel(Status::Connecting { failed: 0 });
        let (event_buffer, retry) = (options.event_buffer.max(1), options.retry);
        let room = Arc::new(Semaphore::new(options.max_outstanding.max(1)));
        let task = tokio::spawn(Connection::new(url, options, inbox, report).run(first));
        Ok(Self { shared: Arc::new(Shared { commands, room, status, task, event_buffer, retry }) })
    }

    /// How the connection is, and a way to see it change.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.shared.status.clone()
    }

    /// Put a request in its place in the order, and return a future of its reply: this is how many are outstanding at
    /// once. `event` is `Model:method`; data that is `null` counts as absent. Waits while
    /// [`ClientOptions::max_outstanding`] requests are unanswered.
    ///
    /// # Errors
    /// [`ClientError::Encode`], [`ClientError::Ended`].
    pub async fn start(
        &self,
        event: &str,
        data: &(impl Serialize + ?Sized),
        options: RequestOptions,
    ) -> Result<PendingReply, ClientError> {
        let request = Unnumbered::encode(event, data, &options)?;
        let retry = options.retry.unwrap_or(self.shared.retry);
        let room = Arc::clone(&self.shared.room);
        let permit = room.acquire_owned().await.expect("the semaphore is never closed");
        let (sender, answer) = oneshot::channel();
        self.command(Command::Request { request, answer: sender, retry, permit }).await?;
        Ok(PendingReply { answer, status: self.status() })
    }

    /// A request and its reply.
    ///
    /// No time limit of its own: while the connection is down it waits. Wrap it in `tokio::time::timeout` for one.
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

    /// Update or insert one record, or an array of them as one atomic batch. The reply is the full record, or the array
    /// of them, after the change. Records should bear an `id`: see [`Retry::Repeat`].
    ///
    /// # Errors
    /// As [`Self::request`].
    pub async fn upsert(&self, model: &str, record: &(impl Serialize + ?Sized)) -> Result<Reply, ClientError> {
        self.request(&format!("{model}:upsert"), record, RequestOptions::default()).await
    }

    /// Remove a record. Succeeds where there is none.
    ///
    /// # Errors
    /// As [`Self::request`].
    pub async fn delete(&self, model: &str, id: &str) -> Result<Reply, ClientError> {
        self.request(&format!("{model}:delete"), &json!({"id": id}), RequestOptions::default()).await
    }

    /// Read a model and hear of its changes, without a hole between the two. After a reconnect the model is read again:
    /// there is a new [`Event::Snapshot`](crate::Event::Snapshot). One subscription a model and client.
    ///
    /// # Errors
    /// [`ClientError::AlreadyListening`], [`ClientError::Ended`]. Where the server refuses, the first event is
    /// [`Event::Failed`](crate::Event::Failed).
    pub async fn listen(&self, model: &str) -> Result<Subscription, ClientError> {
        self.open(model, Mode::Snapshot).await
    }

    /// Hear of the changes of a model from now on, without reading it. There are no snapshots: what happens while the
    /// connection is down stays unheard, between a [`Event::Disconnected`](crate::Event::Disconnected) and a
    /// [`Event::Reconnected`](crate::Event::Reconnected).
    ///
    /// # Errors
    /// As [`Self::listen`].
    pub async fn subscribe(&self, model: &str) -> Result<Subscription, ClientError> {
        self.open(model, Mode::ChangesOnly).await
    }

    async fn open(&self, model: &str, mode: Mode) -> Result<Subscription, ClientError> {
        let (sender, events) = mpsc::channel(self.shared.event_buffer);
        let (done, registered) = oneshot::channel();
        self.command(Command::Listen { model: model.to_owned(), mode, events: sender, done }).await?;
        match registered.await {
            Ok(true) => Ok(Subscription { events, model: model.to_owned(), client: self.clone() }),
            Ok(false) => Err(ClientError::AlreadyListening { model: model.to_owned() }),
            Err(_) => Err(ended(&self.shared.status)),
        }
    }

    /// Say goodbye and end, for all clones. Requests without a reply end with [`ClientError::Ended`].
    pub async fn close(&self) {
        if self.command(Command::Close).await.is_ok() {
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
