//! What is the same for every connection, whatever carries its bytes: messages are taken out of what comes, and given to the
//! other end one after the other.

use super::{
    party::{Host, Party, Place},
    transports::{Door, Receiver},
};
use crate::{
    broker::{Progress, Sink},
    websocket::{Opcode, Received, append_frame},
};
use backsync_protocol::CloseCode;
use std::{cell::Cell, collections::VecDeque, rc::Rc, time::Duration};

/// How long the other side has to take the end in.
pub(super) const LINGER: Duration = Duration::from_secs(2);

/// The server's part in a connection. It has a place among the connections that may be open until its end, when whoever has it
/// calls [`Self::leave`].
pub(super) struct Conversation {
    party: Box<dyn Party>,
    receiver: Box<dyn Receiver>,
    /// Messages that have to wait for an earlier one.
    backlog: VecDeque<String>,
    /// While there are any, nothing is to be read.
    paused: Rc<Cell<bool>>,
    ending: bool,
    place: Option<Place>,
}

impl Conversation {
    /// Begin one. `head` are bytes that go out before anything else; `client` is who it says it is. `paused` is set while nothing is
    /// to be read.
    pub(super) fn open(
        host: &dyn Host,
        place: Place,
        door: &Door,
        sink: Rc<dyn Sink>,
        paused: Rc<Cell<bool>>,
        head: &[u8],
        client: Option<&str>,
    ) -> Self {
        let mut receiver = (door.receiver)();
        let mut first = head.to_vec();
        first.extend(receiver.greeting());
        let party = host.open(door.framing, &first, client, sink);
        Self { party, receiver, backlog: VecDeque::new(), paused, ending: false, place: Some(place) }
    }

    /// Something came. What cannot be understood ends the conversation. [`Self::flush`] follows when there is no more.
    pub(super) fn hear(&mut self, received: Received<'_>) {
        match received {
            Received::Text(text) => {
                let (backlog, party) = (&mut self.backlog, &mut self.party);
                let heard = self.receiver.messages(text, &mut |message| {
                    if !backlog.is_empty() || party.receive(message) == Progress::Later {
                        backlog.push_back(message.to_owned());
                    }
                });
                self.paused.set(!self.backlog.is_empty());
                if let Err((code, reason)) = heard {
                    self.fail(code, reason);
                }
            }
            Received::Binary(bytes) => self.party.receive_binary(bytes),
            Received::Ping(payload) => {
                let mut pong = Vec::new();
                append_frame(Opcode::Pong, payload, &mut pong);
                self.party.seen();
                self.party.send(&pong);
            }
            Received::Pong | Received::Fragment => self.party.seen(),
            // The same code goes back.
            Received::Close(code) => self.fail(code.unwrap_or(CloseCode::Normal.number()), ""),
        }
    }

    /// Write what was caused by what was heard.
    pub(super) fn flush(&mut self) {
        self.party.flush();
    }

    /// Close it; nothing that comes after this is looked at.
    pub(super) fn fail(&mut self, code: impl Into<u16>, reason: &str) {
        self.ending = true;
        self.party.close(code.into(), reason);
    }

    /// Offer what waited again.
    pub(super) fn resume(&mut self) {
        while let Some(message) = self.backlog.front() {
            if self.party.receive(message) == Progress::Later {
                break;
            }
            self.backlog.pop_front();
        }
        if self.backlog.is_empty() {
            self.backlog = VecDeque::new();
            self.paused.set(false);
        }
        self.party.flush();
    }

    /// The way out takes more again.
    pub(super) fn unblocked(&mut self) {
        self.party.unblocked();
    }

    /// Whether nothing that comes is looked at any more.
    pub(super) fn is_ending(&self) -> bool {
        self.ending
    }

    /// Nothing more will be written.
    pub(super) fn end(&mut self) {
        self.ending = true;
        self.backlog = VecDeque::new();
        self.paused.set(false);
    }

    /// It is over, and its place is free.
    pub(super) fn leave(&mut self) {
        self.party.leave();
        self.place = None;
    }
}

/// What the other end has to say to whoever carries a connection's bytes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Notice {
    /// The messages that waited may be offered again.
    Resume,
    /// The way out is full: say when it takes more.
    Blocked,
    /// It does.
    Room,
    /// Nothing more will be written.
    Ended,
}

impl actix::Message for Notice {
    type Result = ();
}
