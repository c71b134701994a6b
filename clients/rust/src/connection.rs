//! The one task behind a client: reach the server, serve until the connection is lost, begin again.

use crate::{
    address::ServerUrl,
    backoff::Backoff,
    client::Status,
    error::{ConnectError, End},
    ledger::{Asker, Ledger},
    listen::Wanted,
    listeners::{Listeners, Question},
    message::Unnamed,
    options::{ClientOptions, Retry},
    reply::Answer,
    serve::Over,
    socket::{self, Socket},
    subscription::Event,
};
use std::pin::pin;
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc, oneshot, watch},
    time::Instant,
};

/// What the handles ask of the task.
#[derive(Debug)]
pub(crate) enum Command {
    Request {
        request: Unnamed,
        answer: oneshot::Sender<Answer>,
        retry: Retry,
        permit: OwnedSemaphorePermit,
    },
    Listen {
        wanted: Wanted,
        events: mpsc::Sender<Event>,
        done: oneshot::Sender<bool>,
    },
    ForgetListeners,
    /// End when everything is answered.
    Close,
    /// End now.
    Abort,
}

/// What the task owns across connections.
#[derive(Debug)]
pub(crate) struct Connection {
    url: ServerUrl,
    pub(crate) options: ClientOptions,
    pub(crate) commands: mpsc::Receiver<Command>,
    status: watch::Sender<Status>,
    pub(crate) ledger: Ledger,
    pub(crate) listeners: Listeners,
    backoff: Backoff,
    was_connected: bool,
    closing: bool,
}

impl Connection {
    pub(crate) fn new(
        url: ServerUrl,
        options: ClientOptions,
        ledger: Ledger,
        commands: mpsc::Receiver<Command>,
        status: watch::Sender<Status>,
    ) -> Self {
        let backoff = Backoff::new(options.backoff_base, options.backoff_max);
        let listeners = Listeners::default();
        Self { url, options, commands, status, ledger, listeners, backoff, was_connected: false, closing: false }
    }

    /// Run until the end. `first` is a socket that is open already.
    pub(crate) async fn run(mut self, mut first: Option<Socket>) {
        let end = loop {
            let socket = match first.take() {
                Some(socket) => socket,
                None => match self.reach().await {
                    Ok(socket) => socket,
                    Err(end) => break end,
                },
            };
            self.was_connected = true;
            self.status.send_replace(Status::Connected);
            let began = Instant::now();
            let over = self.serve(socket).await;
            self.backoff.lasted(began.elapsed());
            match over {
                Over::Lost => {}
                Over::TooLarge => self.ledger.too_large(),
                Over::Ended(end) => break end,
            }
            self.status.send_replace(Status::Connecting { failed: 0 });
            self.ledger.connection_lost();
            self.listeners.connection_lost();
        };
        // First the reason, then the answers: who is woken by one finds the other.
        self.status.send_replace(Status::Ended(end.clone()));
        self.ledger.end(&end);
        self.commands.close();
        while let Some(command) = self.commands.recv().await {
            if let Command::Request { answer, .. } = command {
                // Who is gone needs no answer.
                let _ = answer.send(Err(end.clone().into()));
            }
        }
    }

    /// Try until there is a connection; commands are taken in meanwhile.
    async fn reach(&mut self) -> Result<Socket, End> {
        let since = Instant::now();
        let mut failed = 0;
        // Everybody hears of the loss first: what waits to be told stays bounded by one disconnect.
        while self.listeners.has_due() {
            tokio::select! {
                () = self.listeners.room() => self.listeners.deliver(),
                command = self.commands.recv() => self.accept(command, false)?,
            }
        }
        loop {
            self.end_if_closed()?;
            let (url, options) = (self.url.clone(), self.options.clone());
            // The very first attempt needs no wait: nothing has failed yet.
            let wait = if self.was_connected || failed > 0 { self.backoff.next() } else { Default::default() };
            let patience = self.options.give_up_after.map(|patience| patience.saturating_sub(since.elapsed()));
            let wait = patience.map_or(wait, |patience| wait.min(patience));
            let attempt = async move {
                tokio::time::sleep(wait).await;
                socket::open(&url, &options).await
            };
            let mut attempt = pin!(attempt);
            let cause = loop {
                tokio::select! {
                    result = &mut attempt => match result {
                        Ok(socket) => return Ok(socket),
                        Err(cause) => break cause,
                    },
                    command = self.commands.recv() => {
                        self.accept(command, false)?;
                        self.end_if_closed()?;
                    }
                }
            };
            failed += 1;
            self.status.send_replace(Status::Connecting { failed });
            if self.is_hopeless(&cause, since) {
                return Err(End::GaveUp(cause));
            }
        }
    }

    fn is_hopeless(&self, cause: &ConnectError, since: Instant) -> bool {
        // A server that was there once may answer anything while it starts.
        (!self.was_connected && cause.is_final())
            || self.options.give_up_after.is_some_and(|patience| since.elapsed() >= patience)
    }

    /// Take a command in. `connected` says whether listeners ask at once; otherwise they ask after the connect.
    pub(crate) fn accept(&mut self, command: Option<Command>, connected: bool) -> Result<(), End> {
        match command {
            // Who is gone needs no answer.
            Some(Command::Request { answer, .. }) if self.closing => drop(answer.send(Err(End::Closed.into()))),
            Some(Command::Request { request, answer, retry, permit }) => {
                self.ledger.accept(&request, Asker::Caller { answer, retry, permit: Some(permit) });
            }
            Some(Command::Listen { .. }) if self.closing => {}
            Some(Command::Listen { wanted, events, done }) => {
                self.forget_listeners(connected);
                let added = self.listeners.add(wanted, events);
                if connected && let Some(question) = added.and_then(|added| self.listeners.question(added)) {
                    self.ask(question);
                }
                // Who is gone has dropped its receiver too, and is forgotten with the next event.
                let _ = done.send(added.is_some());
            }
            Some(Command::ForgetListeners) => self.forget_listeners(connected),
            Some(Command::Close) => {
                self.closing = true;
                // Nobody's unread events may keep the replies waiting.
                self.listeners.clear();
            }
            // Without handles the task is aborted; this is the same end.
            Some(Command::Abort) | None => return Err(End::Closed),
        }
        Ok(())
    }

    /// The end, where it was asked for and nobody waits any more.
    pub(crate) fn end_if_closed(&self) -> Result<(), End> {
        if self.closing && !self.ledger.has_callers() { Err(End::Closed) } else { Ok(()) }
    }

    pub(crate) fn forget_listeners(&mut self, connected: bool) {
        for goodbye in self.listeners.remove_closed() {
            if connected {
                self.ledger.accept(&goodbye, Asker::Nobody);
            }
        }
    }

    /// Ask the server on behalf of a listener.
    pub(crate) fn ask(&mut self, question: Question) {
        self.ledger.accept(&question.request, Asker::Listener { registration: question.registration });
    }
}
