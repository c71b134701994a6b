//! The end of a connection of the broker's that becomes a response: what the hub writes waits here until it is read.

use crate::broker::Sink;
use bytes::{Bytes, BytesMut};
use std::{
    cell::{Cell, RefCell},
    io::{self, IoSlice},
    task::{Context, Waker},
};

/// What goes out waits in the connection's outbox, which has a rule for when it is too much, but for as much as there is room here.
#[derive(Debug)]
pub(super) struct Mailbox {
    waiting: RefCell<BytesMut>,
    room: usize,
    reader: RefCell<Option<Waker>>,
    /// The hub wants to know when there is room.
    is_blocked: Cell<bool>,
    /// A message that had to wait may be offered again.
    is_resumed: Cell<bool>,
    /// Nothing more will be written.
    is_ended: Cell<bool>,
}

impl Mailbox {
    /// An empty one, with room for so many bytes.
    pub(super) fn new(room: usize) -> Self {
        let (waiting, reader) = (RefCell::default(), RefCell::default());
        let [is_blocked, is_resumed, is_ended] = [const { Cell::new(false) }; 3];
        Self { waiting, room, reader, is_blocked, is_resumed, is_ended }
    }

    /// All that waits; empty where nothing does.
    pub(super) fn take(&self) -> Bytes {
        self.waiting.take().freeze()
    }

    /// What waits up to the first `end`, which goes with it.
    pub(super) fn take_to(&self, end: &[u8]) -> Option<Bytes> {
        let mut waiting = self.waiting.borrow_mut();
        let at = memchr::memmem::find(&waiting, end)?;
        Some(waiting.split_to(at + end.len()).freeze())
    }

    /// Whether the hub waits for room: it is to be told, once.
    pub(super) fn take_blocked(&self) -> bool {
        self.is_blocked.take()
    }

    /// Whether what had to wait may be offered again; once.
    pub(super) fn take_resumed(&self) -> bool {
        self.is_resumed.take()
    }

    /// Whether nothing more will be written.
    pub(super) fn is_ended(&self) -> bool {
        self.is_ended.get()
    }

    /// Nothing more will be written; what waits can still be taken.
    pub(super) fn end(&self) {
        self.is_ended.set(true);
        self.wake();
    }

    /// Wake this task when something happens here.
    pub(super) fn wait(&self, context: &Context<'_>) {
        self.reader.replace(Some(context.waker().clone()));
    }

    fn wake(&self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

impl Sink for Mailbox {
    fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if self.is_ended.get() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let mut waiting = self.waiting.borrow_mut();
        let before = waiting.len();
        for slice in slices {
            let room = self.room.saturating_sub(waiting.len());
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
        self.is_blocked.set(true);
    }

    fn resume(&self) {
        self.is_resumed.set(true);
        self.wake();
    }

    fn ended(&self) {
        self.end();
    }
}
