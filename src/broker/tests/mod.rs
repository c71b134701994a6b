//! The broker as its connections see it, over stores that take their time.

mod client;
mod lagging;
mod simulation;
mod slow_reader;

use super::{Broker, Limits, Parts, Sink};
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

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }
}

#[derive(Default)]
struct Wire(RefCell<Vec<u8>>, Cell<bool>);

impl Sink for Wire {
    fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if self.1.get() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.0.borrow_mut().extend(slices.iter().flat_map(|slice| slice.iter()));
        Ok(slices.iter().map(|slice| slice.len()).sum())
    }
    fn blocked(&self) {}
    fn resume(&self) {}
    fn ended(&self) {}
}

impl Wire {
    fn take(&self) -> Vec<Value> {
        let bytes = std::mem::take(&mut *self.0.borrow_mut());
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

fn broker(store: Arc<dyn Store>, limits: Limits) -> Broker {
    Broker::new(Parts {
        store,
        bus: Arc::new(Local::default()),
        policy: Arc::new(AllowAll),
        authenticator: Arc::new(NoTokens),
        limits,
        rules: HashMap::new(),
        handlers: HashMap::new(),
        clock: || 0,
        workers: 2,
        linger: 0,
        heartbeat: 25_000,
    })
}
