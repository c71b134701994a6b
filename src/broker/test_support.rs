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
    /// Whether it takes nothing.
    pub(super) is_full: Cell<bool>,
    /// Whether the connection was told to go on.
    pub(super) is_resumed: Cell<bool>,
}

impl Sink for Wire {
    fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if self.is_full.get() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.bytes.borrow_mut().extend(slices.iter().flat_map(|slice| slice.iter()));
        Ok(slices.iter().map(|slice| slice.len()).sum())
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

    /// The same, as the messages of WebSocket frames.
    pub(super) fn take(&self) -> Vec<Value> {
        let bytes = self.take_bytes();
        let (mut messages, mut at) = (Vec::new(), 0);
        while at < bytes.len() {
            assert_eq!(bytes[at], 0x81);
            let (start, length) = match bytes[at + 1] {
                126 => (at + 4, usize::from(u16::from_be_bytes([bytes[at + 2], bytes[at + 3]]))),
                127 => {
                    (at + 10, usize::try_from(u64::from_be_bytes(bytes[at + 2..at + 10].try_into().unwrap())).unwrap())
                }
                length => (at + 2, usize::from(length)),
            };
            messages.push(serde_json::from_slice(&bytes[start..start + length]).unwrap());
            at = start + length;
        }
        messages
    }
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
        heartbeat: 25_000,
    }
}
