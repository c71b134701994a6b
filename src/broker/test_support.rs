//! What tests of the broker stand on: a connection's bytes as messages, and a broker out of the usual parts.

use super::{Limits, Parts, Sink};
use crate::{
    auth::{AllowAll, NoTokens},
    bus::Local,
    store::Store,
};
use serde_json::Value;
use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    io::{self, IoSlice},
    sync::Arc,
};

/// What a connection is written to.
#[derive(Default)]
pub(super) struct Wire {
    bytes: RefCell<Vec<u8>>,
    /// Whether it takes no more than there is room for.
    pub(super) is_full: Cell<bool>,
    pub(super) room: Cell<usize>,
    /// Whether the connection was told to go on.
    pub(super) is_resumed: Cell<bool>,
}

impl Sink for Wire {
    fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let all: usize = slices.iter().map(|slice| slice.len()).sum();
        let taken = if self.is_full.get() { all.min(self.room.get()) } else { all };
        if taken == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.room.set(self.room.get().saturating_sub(taken));
        self.bytes.borrow_mut().extend(slices.iter().flat_map(|slice| slice.iter()).take(taken));
        Ok(taken)
    }
    fn blocked(&self) {}
    fn resume(&self) {
        self.is_resumed.set(true);
    }
    fn ended(&self) {}
}

impl Wire {
    /// What was written since this was last asked.
    pub(super) fn take_bytes(&self) -> Vec<u8> {
        std::mem::take(&mut *self.bytes.borrow_mut())
    }

    /// The same, as the messages of WebSocket frames: of those that are there whole.
    pub(super) fn take(&self) -> Vec<Value> {
        let mut bytes = self.bytes.borrow_mut();
        let (mut messages, mut at) = (Vec::new(), 0);
        while let Some((start, length)) = frame(&bytes[at..]) {
            let data = bytes.get(at + start..at + start + length);
            let Some(data) = data else { break };
            match bytes[at] {
                0x81 => messages.push(serde_json::from_slice(data).unwrap()),
                kind => assert_eq!(kind, 0x88, "a message or the close"),
            }
            at += start + length;
        }
        bytes.drain(..at);
        messages
    }
}

/// Where the data of a frame begin, and how many bytes they are; none where that is not there yet.
fn frame(bytes: &[u8]) -> Option<(usize, usize)> {
    Some(match *bytes.get(1)? {
        126 => (4, usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().unwrap()))),
        127 => (10, usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().unwrap())).unwrap()),
        length => (2, usize::from(length)),
    })
}

/// A broker's parts over a store, where time stands still.
pub(super) fn parts(store: Arc<dyn Store>) -> Parts {
    Parts {
        store,
        bus: Arc::new(Local::default()),
        policy: Arc::new(AllowAll),
        authenticator: Arc::new(NoTokens),
        limits: Limits::default(),
        rules: HashMap::new(),
        handlers: HashMap::new(),
        clock: || 0,
        workers: 1,
        linger: 0,
        lease: 15_000,
        heartbeat: 25_000,
    }
}
