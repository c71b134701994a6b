//! One connection while it lasts: write what is due, read what comes, notice silence. Nothing here waits for anything
//! but the select, so a slow peer in one direction never blocks the other.

use crate::{
    connection::Connection,
    error::{ClientError, End},
    heartbeat::{Beat, Heartbeat},
    ledger::Asker,
    message::{Received, SessionClose},
    reply::Reply,
    socket::Socket,
};
use backsync_protocol::{CloseCode, Event as Address};
use futures_util::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use std::{future::poll_fn, time::Duration};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::{self, Bytes, Message};

/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(1);

/// Why a connection is over.
pub(crate) enum Over {
    /// Connect again.
    Lost,
    /// Connect again, without the message that the server did not take.
    TooLarge,
    /// For good.
    Ended(End),
}

impl Connection {
    /// Serve until the connection is over.
    pub(crate) async fn serve(&mut self, socket: Socket) -> Over {
        let (mut sink, mut stream) = socket.split();
        let mut heartbeat = Heartbeat::new(self.options.ping_after, self.options.idle_timeout, Instant::now());
        let mut ping_due = false;
        let mut unflushed = false;
        self.ask_first();
        loop {
            let wants_write = ping_due || self.ledger.has_unsent();
            let stalled = self.listeners.has_due();
            let wake = self.listeners.next_question().map_or(heartbeat.next(), |at| at.min(heartbeat.next()));
            tokio::select! {
                able = able_to(wants_write, &mut sink), if wants_write || unflushed => {
                    if able.is_err() {
                        return self.last_words(&mut stream).await;
                    }
                    if !wants_write {
                        unflushed = false;
                        continue;
                    }
                    let message = if std::mem::take(&mut ping_due) {
                        Some(Message::Ping(Bytes::new()))
                    } else {
                        self.ledger.next_unsent().map(Message::Text)
                    };
                    if let Some(message) = message {
                        unflushed = true;
                        if sink.start_send_unpin(message).is_err() {
                            return self.last_words(&mut stream).await;
                        }
                    }
                }
                () = self.listeners.room(), if stalled => {
                    self.listeners.deliver();
                    // While nothing was read, nothing could be heard.
                    heartbeat.heard(Instant::now());
                }
                message = stream.next(), if !stalled => {
                    heartbeat.heard(Instant::now());
                    // The answer to a ping is written with the next flush.
                    unflushed |= matches!(message, Some(Ok(Message::Ping(_))));
                    if let Some(over) = self.received(message) {
                        if matches!(over, Over::Ended(_)) {
                            goodbye(&mut sink).await;
                        }
                        return over;
                    }
                }
                command = self.commands.recv() => {
                    let gathered = self.accept(command, true).and_then(|()| self.accept_waiting());
                    if let Err(end) = gathered {
                        goodbye(&mut sink).await;
                        return Over::Ended(end);
                    }
                }
                () = sleep_until(wake), if !stalled => {
                    let now = Instant::now();
                    match heartbeat.beat(now) {
                        Beat::Ping => ping_due = true,
                        Beat::Lost => return Over::Lost,
                        Beat::Wait => {}
                    }
                    for question in self.listeners.due_questions(now) {
                        self.ask(question);
                    }
                }
            }
            if self.listeners.has_gone() {
                self.forget_listeners(true);
            }
            if let Err(end) = self.end_if_closed() {
                goodbye(&mut sink).await;
                return Over::Ended(end);
            }
        }
    }

    /// The listeners' questions go before the requests that are repeated.
    fn ask_first(&mut self) {
        let repeated = self.ledger.unsent();
        for question in self.listeners.questions() {
            self.ask(question);
        }
        self.ledger.put_behind(repeated);
    }

    /// Take in whatever else was asked meanwhile, so that it leaves in one write.
    fn accept_waiting(&mut self) -> Result<(), End> {
        while let Ok(command) = self.commands.try_recv() {
            self.accept(Some(command), true)?;
        }
        Ok(())
    }

    fn received(&mut self, message: Option<Result<Message, tungstenite::Error>>) -> Option<Over> {
        match message {
            Some(Ok(Message::Text(text))) => self.text(&text),
            Some(Ok(Message::Close(frame))) => {
                let too_large = frame.is_some_and(|frame| u16::from(frame.code) == CloseCode::TooBig.number());
                Some(if too_large { Over::TooLarge } else { Over::Lost })
            }
            Some(Ok(_)) => None,
            Some(Err(_)) | None => Some(Over::Lost),
        }
    }

    fn text(&mut self, text: &str) -> Option<Over> {
        // What is no message of the protocol cannot be answered, and says nothing.
        let message = Received::parse(text).ok()?;
        if !message.is_push() {
            self.reply(&message);
            return None;
        }
        let address = Address::parse(&message.event).ok()?;
        match (address.model, address.method) {
            ("$session", "error") => {
                if let (Some(hear), Ok(error)) = (&self.options.on_session_error, message.data_as()) {
                    hear(error);
                }
            }
            ("$session", "close") => {
                let close: SessionClose = message.data_as().ok()?;
                if !close.reconnect {
                    return Some(Over::Ended(End::ByServer { code: close.code, reason: close.reason }));
                }
            }
            (model, method) => {
                self.listeners.pushed(model, method, &message);
                self.listeners.deliver();
            }
        }
        None
    }

    fn reply(&mut self, message: &Received<'_>) {
        match message.answers().and_then(|id| self.ledger.answered(id)) {
            Some(Asker::Caller { answer, permit, .. }) => {
                drop(permit);
                // Who is gone needs no answer.
                let _ = answer.send(match message.error() {
                    Some(error) => Err(ClientError::Refused(error)),
                    None => {
                        let (position, next) = (message.position.clone(), message.next.clone());
                        Ok(Reply { data: message.data(), position, next })
                    }
                });
            }
            Some(Asker::Listener { registration }) => {
                self.listeners.answered(registration, message, Instant::now());
                self.listeners.deliver();
            }
            Some(Asker::Nobody) | None => {}
        }
    }

    /// Writing failed: what the server said before it closed is still to be read.
    async fn last_words(&mut self, stream: &mut SplitStream<Socket>) -> Over {
        let read_on = async {
            loop {
                if let Some(over) = self.received(stream.next().await) {
                    return over;
                }
                if self.listeners.has_due() {
                    return Over::Lost;
                }
            }
        };
        timeout(GOODBYE, read_on).await.unwrap_or(Over::Lost)
    }
}

/// Wait until one more message can be taken (`write`), or until all that was taken is written. Cancel safe.
async fn able_to(write: bool, sink: &mut SplitSink<Socket, Message>) -> Result<(), tungstenite::Error> {
    poll_fn(|cx| if write { sink.poll_ready_unpin(cx) } else { sink.poll_flush_unpin(cx) }).await
}

async fn goodbye(sink: &mut SplitSink<Socket, Message>) {
    // Courtesy: whether it arrives changes nothing.
    let _ = timeout(GOODBYE, sink.close()).await;
}
