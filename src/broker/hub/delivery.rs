//! From the inbox to the sockets: staging while a batch of input is handled, then one write to each connection.

use super::{
    HIGH_WATER, Hub,
    connections::{AHEAD, ConnectionKey, Share},
    filters::Number,
    scope::Part,
};
use crate::broker::{chunk::Stretch, framing::Framing, inbox::Item, outbox::Written, sequencer::Run};
use bytes::Bytes;
use std::collections::BTreeMap;

impl Hub {
    /// Take in what is in the inbox; staged until the next flush. What goes on because of that leaves the rest to this.
    pub(crate) fn drain(&mut self) {
        if std::mem::replace(&mut self.is_draining, true) {
            return;
        }
        loop {
            self.begin_writes();
            let mut items = std::mem::take(&mut self.spare);
            self.broker.0.inboxes[self.worker].swap(&mut items);
            if items.is_empty() {
                self.spare = items;
                break;
            }
            for item in items.drain(..) {
                match item {
                    Item::Changes(model, era, stretch) => self.stage(model.index, era, stretch),
                    Item::Begun(model, begun) => self.begin_era(&model, begun.at, begun.is_anew),
                    Item::Outcome(to, outcome) => self.outcome(&to, outcome),
                }
            }
            self.spare = items;
        }
        self.is_draining = false;
    }

    fn stage(&mut self, model: usize, era: u64, stretch: Stretch) {
        let Some(Some(listeners)) = self.listeners.get_mut(model) else { return };
        let stand = &mut listeners.stand;
        if era != stand.era || stretch.last() <= stand.position.revision {
            return;
        }
        stand.position.revision = stretch.last();
        if !std::mem::replace(&mut listeners.is_touched, true) {
            self.staged.push(model);
        }
        for paused in &mut listeners.paused {
            paused.held.push(stretch.clone());
        }
        for telling in &mut listeners.tellings {
            telling.hold(&stretch);
        }
        listeners.staged.push(stretch);
        self.go_on(model);
    }

    /// Give out what is staged of a model, before something else happens to its listeners.
    pub(super) fn hand_out(&mut self, model: usize) {
        self.broadcast(model);
        for at in 0..self.individual.len() {
            let key = self.connections.key(self.individual[at]);
            self.emit_staged(key, model);
            self.connections.at(key.index).cursors.retain(|(of, _)| *of != model);
        }
        self.listeners_of(model).staged.clear();
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
        let staged = std::mem::take(&mut self.staged);
        for model in &staged {
            if let Some(Some(listeners)) = self.listeners.get_mut(*model) {
                listeners.staged.clear();
                listeners.is_touched = false;
            }
        }
        let drained = self.write_dirty();
        self.now = None;
        self.flushes += 1;
        for model in &staged {
            if let Some(Some(listeners)) = self.listeners.get_mut(*model) {
                listeners.flushed = listeners.stand;
            }
        }
        if self.staged.is_empty() {
            self.staged = staged;
            self.staged.clear();
        }
        if !drained.is_empty() {
            for index in drained {
                self.next_model(self.connections.key(index));
            }
            self.flush();
        }
    }

    /// What is staged of a model, to all who are not served individually.
    fn broadcast(&mut self, model: usize) {
        let Some(Some(listeners)) = self.listeners.get_mut(model) else { return };
        let mut chunks = listeners.staged.iter().filter_map(Stretch::heard);
        let (first, more) = (chunks.next(), chunks.next().is_some());
        let Some(first) = first else { return };
        for framing in Framing::ALL {
            let live = &listeners.live[framing.index()];
            if live.is_empty() {
                continue;
            }
            let bytes = if more {
                let chunks = || listeners.staged.iter().filter_map(Stretch::heard);
                let mut all = Vec::with_capacity(chunks().map(|chunk| chunk.whole(framing).len()).sum());
                chunks().for_each(|chunk| all.extend_from_slice(chunk.whole(framing)));
                all.into()
            } else {
                first.whole(framing).clone()
            };
            self.connections.push_to_all(live, &bytes);
        }
        self.push_single_records(model);
        self.push_filtered(model);
    }

    /// To those who hear single records.
    fn push_single_records(&mut self, model: usize) {
        let Some(Some(listeners)) = self.listeners.get_mut(model) else { return };
        if listeners.records.is_empty() {
            return;
        }
        for chunk in listeners.staged.iter().filter_map(Stretch::heard) {
            for (at, change) in chunk.changes().iter().enumerate() {
                for index in listeners.records.get(change.record.id()).into_iter().flatten() {
                    let connection = self.connections.at(*index);
                    // Who hears the whole model has it already.
                    let whole = connection.listening(model).is_some_and(|listening| listening.scope.whole);
                    if !whole && !connection.individual {
                        let frame = chunk.single(at, connection.framing);
                        self.connections.push(*index, frame);
                    }
                }
            }
        }
    }

    /// To those who hear what matches a filter: asked once for all who have the same, and pushed in one piece.
    fn push_filtered(&mut self, model: usize) {
        let Some(Some(listeners)) = self.listeners.get_mut(model) else { return };
        if listeners.filters.is_empty() {
            return;
        }
        let (mut found, mut text) = (Vec::new(), String::new());
        let mut frames: BTreeMap<Number, [Vec<u8>; Framing::ALL.len()]> = BTreeMap::new();
        for chunk in listeners.staged.iter().filter_map(Stretch::heard) {
            for change in chunk.changes() {
                listeners.filters.candidates(change, &mut text, &mut found);
                for number in &found {
                    let group = listeners.filters.group(*number);
                    let Some(effect) = chunk.effect(change, &group.filter) else { continue };
                    text.clear();
                    chunk.append_filtered(change, effect, &group.filter, &mut text);
                    let frames = frames.entry(*number).or_default();
                    for framing in Framing::ALL.into_iter().filter(|framing| !group.live[framing.index()].is_empty()) {
                        chunk.append(framing, &text, &mut frames[framing.index()]);
                    }
                }
            }
        }
        for (number, frames) in frames {
            let group = listeners.filters.group(number);
            for (live, frames) in group.live.iter().zip(frames).filter(|(_, frames)| !frames.is_empty()) {
                self.connections.push_to_all(live, &frames.into());
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
        if connection.listening(model).is_none_or(|listening| listening.share != Share::Live) {
            return;
        }
        let from = connection.advance(model, listeners.staged.len());
        let framing = connection.framing;
        let scope = &connection.listening(model).expect("looked at above").scope;
        let chunks = &listeners.staged[from..];
        let chunks = chunks.iter().filter_map(Stretch::heard);
        let frames: Vec<Bytes> = chunks.flat_map(|chunk| scope.frames(chunk, framing, Part::All)).collect();
        frames.into_iter().for_each(|frame| self.connections.push(key.index, frame));
    }

    /// Answers who was behind and has read all there was.
    fn write_dirty(&mut self) -> Vec<u32> {
        let limit = self.broker.limits().queue_bytes;
        let dirty = self.connections.take_dirty();
        let (mut too_slow, mut drained) = (Vec::new(), Vec::new());
        for (at, index) in dirty.iter().enumerate() {
            if at % AHEAD == 0 && dirty.len() > 1 {
                self.connections.fetch(&dirty[at..]);
            }
            let Some(connection) = self.connections.begin_write(*index) else { continue };
            if !connection.blocked {
                let sink = connection.sink.clone();
                match connection.outbox.write(|slices| sink.write(slices)) {
                    Written::All if connection.closing => connection.sink.ended(),
                    Written::All => {
                        connection.lagging = false;
                        if connection.behind.is_some() {
                            drained.push(*index);
                        }
                    }
                    Written::Some => {
                        connection.blocked = true;
                        connection.sink.blocked();
                        if !std::mem::replace(&mut connection.lagging, true) {
                            // What was handed over before this flush was written: that is where it goes on, if need be.
                            for listening in &mut connection.listening {
                                let flushed = self.listeners[listening.model].as_ref().map(|of| of.flushed);
                                listening.note_sent(flushed, self.flushes);
                            }
                        }
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
                && connection.behind.is_none()
                && connection.told == 0
            {
                self.wake(self.connections.key(*index));
            }
        }
        self.connections.clean(dirty);
        too_slow.into_iter().for_each(|index| self.fall_behind(index));
        drained
    }
}
