//! The way out of a connection that stays within HTTP: a bounded piece of memory between the hub, which writes, and the body of
//! the response, which is read when the socket takes more.
//!
//! The frames are finished when they come, and many connections share them, so they go past what would encode each
//! message anew for each connection.

use super::connection::Connection;
use crate::{broker::Sink, server::conversation::Notice};
use actix::Addr;
use actix_web::{
    body::{BodySize, BoxBody, MessageBody},
    web::{Bytes, BytesMut},
};
use std::{
    cell::{Cell, RefCell},
    convert::Infallible,
    io::{self, IoSlice},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

/// What may wait here. More waits in the connection's outbox, which has a rule for when it is too much.
const BYTES: usize = 64 << 10;

/// The end that the hub writes to.
pub(super) struct Pipe {
    waiting: RefCell<BytesMut>,
    reader: RefCell<Option<Waker>>,
    /// Somebody wants to know when there is room.
    blocked: Cell<bool>,
    /// Nothing more will be written,
    ended: Cell<bool>,
    /// or read.
    gone: Cell<bool>,
    actor: Addr<Connection>,
}

impl Pipe {
    pub(super) fn new(actor: Addr<Connection>) -> Rc<Self> {
        let (waiting, reader) = (RefCell::default(), RefCell::default());
        let [blocked, ended, gone] = [const { Cell::new(false) }; 3];
        Rc::new(Self { waiting, reader, blocked, ended, gone, actor })
    }

    /// Nothing more will be written; what waits still goes.
    pub(super) fn end(&self) {
        self.ended.set(true);
        self.wake();
    }

    /// There is nobody left to read.
    pub(super) fn is_gone(&self) -> bool {
        self.gone.get()
    }

    fn wake(&self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

impl Sink for Pipe {
    fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if self.ended.get() || self.gone.get() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let mut waiting = self.waiting.borrow_mut();
        let before = waiting.len();
        for slice in slices {
            let room = BYTES.saturating_sub(waiting.len());
            waiting.extend_from_slice(&slice[..slice.len().min(room)]);
        }
        let written = waiting.len() - before;
        drop(waiting);
        if written == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.wake();
        Ok(written)
    }

    fn blocked(&self) {
        self.blocked.set(true);
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
        let pipe = &self.pipe;
        let waiting = std::mem::take(&mut *pipe.waiting.borrow_mut());
        if !waiting.is_empty() {
            if pipe.blocked.take() {
                pipe.actor.do_send(Notice::Room);
            }
            return Poll::Ready(Some(Ok(waiting.freeze())));
        }
        if pipe.ended.get() {
            return Poll::Ready(None);
        }
        pipe.reader.replace(Some(context.waker().clone()));
        Poll::Pending
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        self.pipe.gone.set(true);
        self.pipe.actor.do_send(Notice::Ended);
    }
}
