//! What is the same for every connection, whatever carries its bytes: messages are taken out of what comes, and given to the hub
//! one after the other.

use super::{
    transports::{Door, Receiver},
    upgrade::Place,
    worker::Worker,
};
use crate::{
    broker::{ConnectionKey, Hub, Progress, Sink},
    websocket::{Opcode, Received, append_frame},
};
use backsync_protocol::{CloseCode, ErrorCode, ErrorObject};
use std::{collections::VecDeque, rc::Rc};

/// The server's part in a connection. It has a place among the connections that may be open until it is dropped; whoever has it
/// calls [`Self::leave`] at the end.
pub(super) struct Conversation {
    pub(super) worker: Rc<Worker>,
    pub(super) key: ConnectionKey,
    receiver: Box<dyn Receiver>,
    /// Messages that have to wait for an earlier one; while there are any, nothing is to be read.
    backlog: VecDeque<String>,
    ending: bool,
    _place: Place,
}

impl Conversation {
    /// Begin one. `head` are bytes that go out before anything else; `client` is who it says it is.
    pub(super) fn open(
        worker: Rc<Worker>,
        place: Place,
        door: &Door,
        sink: Rc<dyn Sink>,
        head: &[u8],
        client: Option<&str>,
    ) -> Self {
        let mut receiver = (door.receiver)();
        let mut first = head.to_vec();
        first.extend(receiver.greeting());
        let mut hub = worker.hub.borrow_mut();
        let key = hub.open(door.framing, sink);
        hub.send(key, &first);
        if let Some(client) = client
            && let Err(error) = hub.name_client(key, client)
        {
            hub.session_error(key, None, &error);
        }
        hub.announce(key);
        drop(hub);
        Self { worker, key, receiver, backlog: VecDeque::new(), ending: false, _place: place }
    }

    /// Something came.
    pub(super) fn hear(&mut self, hub: &mut Hub, received: Received<'_>) {
        match received {
            Received::Text(text) => {
                let (backlog, key) = (&mut self.backlog, self.key);
                let heard = self.receiver.messages(text, &mut |message| {
                    if !backlog.is_empty() || hub.receive(key, message) == Progress::Later {
                        backlog.push_back(message.to_owned());
                    }
                });
                if let Err((code, reason)) = heard {
                    self.fail(hub, code, reason);
                }
            }
            Received::Binary(_) => {
                let message = "binary frames are not part of backsync; send JSON in text frames";
                hub.session_error(self.key, None, &ErrorObject::new(ErrorCode::BinaryMessage, message));
            }
            Received::Ping(payload) => {
                let mut pong = Vec::new();
                append_frame(Opcode::Pong, payload, &mut pong);
                hub.seen(self.key);
                hub.send(self.key, &pong);
            }
            Received::Pong | Received::Fragment => hub.seen(self.key),
            Received::Close(_) => self.fail(hub, CloseCode::Normal, ""),
        }
    }

    /// Close it; nothing that comes after this is looked at.
    pub(super) fn fail(&mut self, hub: &mut Hub, code: CloseCode, reason: &str) {
        self.ending = true;
        hub.close(self.key, code, reason, None);
    }

    /// Offer what waited again.
    pub(super) fn resume(&mut self) {
        let mut hub = self.worker.hub.borrow_mut();
        while let Some(message) = self.backlog.front() {
            if hub.receive(self.key, message) == Progress::Later {
                break;
            }
            self.backlog.pop_front();
        }
        if self.backlog.is_empty() {
            self.backlog = VecDeque::new();
        }
        hub.flush();
    }

    /// The way out takes more again.
    pub(super) fn unblocked(&self) {
        self.worker.hub.borrow_mut().unblocked(self.key);
    }

    /// Whether something waits, so that nothing more is to be read.
    pub(super) fn waits(&self) -> bool {
        !self.backlog.is_empty()
    }

    /// Whether nothing that comes is looked at any more.
    pub(super) fn is_ending(&self) -> bool {
        self.ending
    }

    /// Nothing more will be written.
    pub(super) fn end(&mut self) {
        self.ending = true;
        self.backlog = VecDeque::new();
    }

    /// It is over.
    pub(super) fn leave(&self) {
        self.worker.hub.borrow_mut().remove(self.key);
    }
}

/// What the hub has to say to whoever carries a connection's bytes.
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
