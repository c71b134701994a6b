//! When the writes of connections are begun, and what has to wait until they are done.

use super::{
    Hub,
    connections::{Connection, ConnectionKey},
};
use crate::{
    broker::{model::Model, turns::Write},
    store::Millis,
};

impl Hub {
    /// Whether no write of this connection is on its way, so that a read sees all of them.
    pub(crate) fn may_read(&mut self, key: ConnectionKey) -> bool {
        self.settled(key, |connection| connection.in_flight == 0)
    }

    /// Whether a write of this connection takes effect after all earlier ones: those of one model do so by themselves.
    pub(crate) fn may_write(&mut self, key: ConnectionKey, model: &Model) -> bool {
        let limit = self.limits().in_flight;
        self.settled(key, |c| c.in_flight == 0 || (c.writing == Some(model.index) && c.in_flight < limit))
    }

    fn settled(&mut self, key: ConnectionKey, is_settled: impl Fn(&Connection) -> bool) -> bool {
        for attempt in 0..2 {
            let Some(connection) = self.connections.find(key) else { return true };
            // Who began to be told just now is told before its requests go on.
            if is_settled(connection) && connection.told == 0 {
                return true;
            }
            // The outcome may be in the inbox already.
            if attempt == 0 {
                self.drain();
            } else {
                connection.waits = true;
            }
        }
        false
    }

    /// What is read at once is of one moment.
    pub(crate) fn now(&mut self) -> Millis {
        *self.now.get_or_insert_with(|| self.broker.now())
    }

    /// Have a write of a connection done, with the next [`Self::drain`]: what is read at once is first understood and then done, which
    /// has each part of the code stay in the processor's cache for all of it. While it is on its way, others may follow that write to
    /// the same model only.
    pub(crate) fn submit(&mut self, key: ConnectionKey, write: Write) {
        if let Some(connection) = self.connections.find(key) {
            connection.in_flight += 1;
            connection.writing = match write.completion.models() {
                [one] => Some(one.index),
                _ => None,
            };
        }
        self.writes.push(write);
    }

    /// Begin the writes that were submitted. Where the store answers at once, their outcomes are in the inbox then.
    pub(super) fn begin_writes(&mut self) {
        if !self.writes.is_empty() {
            self.broker.submit(self.writes.drain(..), Some(self.worker));
        }
    }
}
