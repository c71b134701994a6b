//! The one task behind a client: reach the server, serve until the connection is lost, begin again.

use crate::{
    address::ServerUrl,
    backoff::Backoff,
    client::Status,
    error::{ConnectError, End},
    ledger::{Answer, Asker, Ledger},
    listeners::{Listeners, Mode},
    message::Unnumbered,
    options::{ClientOptions, Retry},
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
    Request { request: Unnumbered, answer: oneshot::Sender<Answer>, retry: Retry, permit: OwnedSemaphorePermit },
    Listen { model: String, mode: Mode, events: mpsc::Sender<Event>, done: oneshot::Sender<bool> },
    ForgetListeners,
    Close,
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
    pub(crate) backoff: Backoff,
    was_connected: bool,
}

impl Connection {
    pub(crate) fn new(
        url: ServerUrl,
        options: ClientOptions,
        commands: mpsc::Receiver<Command>,
        status: watch::Sender<Status>,
    ) -> Self {
        let backoff = Backoff::new(options.backoff_base, options.backoff_max);
        let (ledger, listeners) = (Ledger::default(), Listeners::default());
        Self { url, options, commands, status, ledger, listeners, backoff, was_connected: false }
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
            match self.serve(socket).await {
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
                    command = self.commands.recv() => self.accept(command, false)?,
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
            Some(Command::Request { request, answer, retry, permit }) => {
                self.ledger.accept(&request, Asker::Caller { answer, retry, permit: Some(permit) });
            }
            Some(Command::Listen { model, mode, events, done }) => {
                self.forget_listeners(connected);
                let added = self.listeners.add(&model, mode, events);
                if added && connected {
                    self.ask(Some(&model));
                }
                // Who is gone has dropped its receiver too, and is forgotten with the next event.
                let _ = done.send(added);
            }
            Some(Command::ForgetListeners) => self.forget_listeners(connected),
            // Without handles the task is aborted; this is the same end.
            Some(Command::Close) | None => return Err(End::Closed),
        }
        Ok(())
    }

    fn forget_listeners(&mut self, connected: bool) {
        for goodbye in self.listeners.remove_closed() {
            if connected {
                self.ledger.accept(&goodbye, Asker::Nobody);
            }
        }
    }

    /// Ask the server on behalf of the listeners: of one model or of all.
    pub(crate) fn ask(&mut self, only: Option<&str>) {
        for question in self.listeners.questions(only) {
            let asker = Asker::Listener { model: question.model, registration: question.registration };
            self.ledger.accept(&question.request, asker);
        }
    }
}
