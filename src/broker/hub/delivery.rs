//! From the inbox to the sockets: staging while a batch of input is handled, then one write to each connection.

use super::{HIGH_WATER, Hub, connections::ConnectionKey, listeners::Part};
use crate::broker::{chunk::Chunk, framing::Framing, inbox::Item, methods, outbox::Written, sequencer::Run};
use backsync_protocol::CloseCode;
use bytes::Bytes;
use std::sync::Arc;

impl Hub {
    /// Take in what is in the inbox; staged until the next flush.
    pub(crate) fn drain(&mut self) {
        loop {
            let mut items = std::mem::take(&mut self.spare);
            self.broker.0.inboxes[self.worker].swap(&mut items);
            if items.is_empty() {
                self.spare = items;
                return;
            }
            for item in items.drain(..) {
                match item {
                    Item::Chunk(model, chunk) => self.stage(model.index, chunk),
                    Item::Outcome(to, outcome) => self.outcome(&to, outcome),
                }
            }
            self.spare = items;
        }
    }

    fn stage(&mut self, model: usize, chunk: Arc<Chunk>) {
        let Some(Some(listeners)) = self.listeners.get_mut(model) else { return };
        if chunk.last() <= listeners.revision {
            return;
        }
        listeners.revision = chunk.last();
        if listeners.staged.is_empty() {
            self.staged.push(model);
        }
        for paused in &mut listeners.paused {
            paused.held.push(chunk.clone());
        }
        listeners.staged.push(chunk);
        while let Some(finished) = self.take_due(model) {
            methods::finish_read(self, finished);
        }
    }

    /// Write what is staged: once to each connection that has something.
    pub fn flush(&mut self) {
        self.drain();
        for at in 0..self.staged.len() {
            let model = self.staged[at];
            self.broadcast(model);
        }
        for at in 0..self.individual.len() {
            let index = self.individual[at];
            let key = self.connections.key(index);
            for at in 0..self.staged.len() {
                self.emit_staged(key, self.staged[at]);
            }
            let connection = self.connections.at(index);
            connection.individual = false;
            connection.cursors.clear();
        }
        self.individual.clear();
        for model in self.staged.drain(..) {
            if let Some(Some(listeners)) = self.listeners.get_mut(model) {
                listeners.staged.clear();
            }
        }
        self.write_dirty();
    }

    /// What is staged of a model, to all who are not served individually.
    fn broadcast(&mut self, model: usize) {
        let Some(Some(listeners)) = self.listeners.get_mut(model) else { return };
        for framing in Framing::ALL {
            let live = &listeners.live[framing.index()];
            if live.is_empty() {
                continue;
            }
            let bytes = match listeners.staged.as_slice() {
                [one] => one.whole(framing).clone(),
                many => {
                    let mut all = Vec::with_capacity(many.iter().map(|chunk| chunk.whole(framing).len()).sum());
                    many.iter().for_each(|chunk| all.extend_from_slice(chunk.whole(framing)));
                    all.into()
                }
            };
            self.connections.push_to_all(live, &bytes);
        }
        if listeners.records.is_empty() {
            return;
        }
        for chunk in &listeners.staged {
            for (at, id) in chunk.ids().enumerate() {
                for index in listeners.records.get(id).into_iter().flatten() {
                    let connection = self.connections.at(*index);
                    // Who hears the whole model has it already.
                    let whole = connection.listening(model).is_some_and(|listening| listening.scope.whole);
                    if !whole && !connection.individual {
                        let frame = chunk.frame(at, connection.framing);
                        self.connections.push(*index, frame);
                    }
                }
            }
        }
    }

    /// From now on until the flush this connection gets everything piece by piece, in order.
    pub(super) fn be_individual(&mut self, key: ConnectionKey) {
        if let Some(connection) = self.connections.find(key)
            && !std::mem::replace(&mut connection.individual, true)
        {
            self.individual.push(key.index);
        }
    }

    /// Give an individual connection what is staged of a model and it has not got yet.
    pub(crate) fn emit_staged(&mut self, key: ConnectionKey, model: usize) {
        let Some(Some(listeners)) = self.listeners.get(model) else { return };
        let Some(connection) = self.connections.find(key) else { return };
        if !connection.individual {
            return;
        }
        if connection.listening(model).is_none_or(|listening| listening.paused) {
            return;
        }
        let from = connection.advance(model, listeners.staged.len());
        let framing = connection.framing;
        let scope = &connection.listening(model).expect("looked at above").scope;
        let chunks = &listeners.staged[from..];
        let frames: Vec<Bytes> = chunks.iter().flat_map(|chunk| scope.frames(chunk, framing, Part::All)).collect();
        frames.into_iter().for_each(|frame| self.connections.push(key.index, frame));
    }

    fn write_dirty(&mut self) {
        let limit = self.broker.limits().queue_bytes;
        let dirty = self.connections.take_dirty();
        let mut too_slow = Vec::new();
        for index in &dirty {
            let Some(connection) = self.connections.begin_write(*index) else { continue };
            if !connection.blocked {
                let sink = connection.sink.clone();
                match connection.outbox.write(|slices| sink.write(slices)) {
                    Written::All if connection.closing => connection.sink.ended(),
                    Written::All => {}
                    Written::Some => {
                        connection.blocked = true;
                        connection.sink.blocked();
                    }
                    Written::Gone => connection.sink.ended(),
                }
            }
            if connection.outbox.shared() > limit && !connection.closing {
                too_slow.push(*index);
            }
            if connection.waits
                && connection.outbox.len() <= HIGH_WATER
                && connection.in_flight == 0
                && !connection.reading
            {
                self.wake(self.connections.key(*index));
            }
        }
        self.connections.clean(dirty);
        for index in too_slow {
            // What it would never read is let go; it reads anew when it is back.
            self.connections.at(index).outbox.cut();
            let key = self.connections.key(index);
            self.close(key, CloseCode::TryAgainLater, "the connection reads too slowly", Some(("slow_consumer", true)));
        }
    }
}
