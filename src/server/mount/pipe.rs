//! The way out of a connection that stays within HTTP: a bounded piece of memory between the hub, which writes, and the body of
//! the response, which is read when the socket takes more.
//!
//! The frames are finished when they come, and many connections share them, so they go past what would encode each
//! message anew for each connection.

use super::connection::Connection;
use crate::{
    broker::Sink,
    server::{conversation::Notice, mailbox::Mailbox},
};
use actix::Addr;
use actix_web::{
    body::{BodySize, BoxBody, MessageBody},
    web::Bytes,
};
use std::{
    cell::Cell,
    convert::Infallible,
    io::{self, IoSlice},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

/// What may wait here. More waits in the connection's outbox, which has a rule for when it is too much.
const BYTES: usize = 64 << 10;

/// The end that the hub writes to: a mailbox whose actor is told what the hub has to say.
pub(super) struct Pipe {
    mailbox: Mailbox,
    /// Nothing will be read any more.
    gone: Cell<bool>,
    actor: Addr<Connection>,
}

impl Pipe {
    pub(super) fn new(actor: Addr<Connection>) -> Rc<Self> {
        Rc::new(Self { mailbox: Mailbox::new(BYTES), gone: Cell::new(false), actor })
    }

    /// Nothing more will be written; what waits still goes.
    pub(super) fn end(&self) {
        self.mailbox.end();
    }

    /// There is nobody left to read.
    pub(super) fn is_gone(&self) -> bool {
        self.gone.get()
    }
}

impl Sink for Pipe {
    fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if self.gone.get() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.mailbox.write(slices)
    }

    fn blocked(&self) {
        self.mailbox.blocked();
    }

    fn resume(&self) {
        self.actor.do_send(Notice::Resume);
    }

    fn ended(&self) {
        self.actor.do_send(Notice::Ended);
    }
}

/// The end that becomes the response's body.
pub(super) struct Body {
    pub(super) pipe: Rc<Pipe>,
    /// What actix-ws made. It is not read; when it goes, the stream of messages that it made with it ends.
    pub(super) replaced: BoxBody,
}

impl MessageBody for Body {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        self.replaced.size()
    }

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        let (mailbox, actor) = (&self.pipe.mailbox, &self.pipe.actor);
        let waiting = mailbox.take();
        if !waiting.is_empty() {
            if mailbox.take_blocked() {
                actor.do_send(Notice::Room);
            }
            return Poll::Ready(Some(Ok(waiting)));
        }
        if mailbox.is_ended() {
            return Poll::Ready(None);
        }
        mailbox.wait(context);
        Poll::Pending
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        self.pipe.gone.set(true);
        self.pipe.actor.do_send(Notice::Ended);
    }
}
