//! A run of changes as finished bytes: encoded once, shared by every listener on every worker.

use super::{framing::Framing, sequencer::Run};
use crate::store::{Change, ChangeKind};
use backsync_protocol::{Epoch, ModelName, Position, RecordId, Revision, message};
use bytes::Bytes;

/// Which framings have listeners; a bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Framings(pub(crate) u8);

impl Framings {
    pub(crate) fn contains(self, framing: Framing) -> bool {
        self.0 & (1 << framing.index()) != 0
    }

    pub(crate) fn with(self, framing: Framing) -> Self {
        Self(self.0 | (1 << framing.index()))
    }
}

/// Contiguous changes of one model, ready to be sent.
#[derive(Debug)]
pub(crate) struct Chunk {
    first: Revision,
    last: Revision,
    /// None where nobody listened.
    entries: Vec<Entry>,
    frames: [Bytes; Framing::ALL.len()],
}

/// One change within a chunk.
#[derive(Debug)]
struct Entry {
    revision: Revision,
    id: RecordId,
    /// Where its frame ends, for each framing.
    ends: [usize; Framing::ALL.len()],
}

impl Run for Chunk {
    fn first(&self) -> Revision {
        self.first
    }

    fn last(&self) -> Revision {
        self.last
    }
}

impl Chunk {
    /// Encode changes, of which there is at least one, for the framings that have listeners. Evictions are numbered but
    /// not pushed: a reader knows the model's bound, and lets the oldest go by itself.
    pub(crate) fn encode(model: &ModelName, epoch: Epoch, changes: &[Change], framings: Framings) -> Self {
        let (first, last) = (changes[0].revision, changes[changes.len() - 1].revision);
        if framings == Framings::default() {
            return Self { first, last, entries: Vec::new(), frames: Default::default() };
        }
        let size: usize = changes.iter().map(|change| change.record.json.len() + model.as_str().len() + 80).sum();
        let mut frames =
            Framing::ALL.map(|framing| Vec::with_capacity(if framings.contains(framing) { size } else { 0 }));
        let mut json = String::new();
        let mut entry = |change: &Change| {
            let pushed = change.kind != ChangeKind::Evict;
            if pushed {
                let method = if change.kind == ChangeKind::Upsert { "upsert" } else { "delete" };
                let position = Position { epoch, revision: change.revision };
                json.clear();
                message::append_push(model.as_str(), method, &change.record.json, Some(position), &mut json);
            }
            let ends = Framing::ALL.map(|framing| {
                let bytes = &mut frames[framing.index()];
                if pushed && framings.contains(framing) {
                    framing.append(&json, bytes);
                }
                bytes.len()
            });
            Entry { revision: change.revision, id: change.record.id.clone(), ends }
        };
        let entries = changes.iter().map(&mut entry).collect();
        Self { first, last, entries, frames: frames.map(Bytes::from) }
    }

    /// All frames.
    pub(crate) fn whole(&self, framing: Framing) -> &Bytes {
        &self.frames[framing.index()]
    }

    /// The frames of the changes after `revision`.
    pub(crate) fn after(&self, revision: Revision, framing: Framing) -> Bytes {
        let covered = self.entries.partition_point(|entry| entry.revision <= revision);
        self.frames[framing.index()].slice(self.start(covered, framing)..)
    }

    /// The frames of the changes up to `revision`.
    pub(crate) fn up_to(&self, revision: Revision, framing: Framing) -> Bytes {
        let covered = self.entries.partition_point(|entry| entry.revision <= revision);
        self.frames[framing.index()].slice(..self.start(covered, framing))
    }

    /// The changed records and their frames, one by one.
    pub(crate) fn each(&self, framing: Framing) -> impl Iterator<Item = (Revision, &RecordId, Bytes)> {
        self.entries.iter().enumerate().map(move |(at, entry)| (entry.revision, &entry.id, self.frame(at, framing)))
    }

    /// The frame of the change at this place.
    pub(crate) fn frame(&self, at: usize, framing: Framing) -> Bytes {
        self.frames[framing.index()].slice(self.start(at, framing)..self.entries[at].ends[framing.index()])
    }

    /// The ids of the changed records, in order.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &RecordId> {
        self.entries.iter().map(|entry| &entry.id)
    }

    fn start(&self, at: usize, framing: Framing) -> usize {
        at.checked_sub(1).map_or(0, |before| self.entries[before].ends[framing.index()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use backsync_protocol::{Attributes, Record};
    use std::num::NonZeroU64;

    #[test]
    fn a_chunk_is_cut_between_changes() {
        let change = |revision, kind| {
            let id = RecordId::parse(&format!("r{revision}")).unwrap();
            let record = Record::new(id, &Attributes::default(), Revision(revision));
            Change { revision: Revision(revision), kind, record }
        };
        let changes = [change(4, ChangeKind::Upsert), change(5, ChangeKind::Evict), change(6, ChangeKind::Delete)];
        let model = ModelName::parse("M").unwrap();
        let framings = Framings::default().with(Framing::WebSocket);
        let chunk = Chunk::encode(&model, Epoch(NonZeroU64::MIN), &changes, framings);
        let text = |bytes: Bytes| String::from_utf8_lossy(&bytes).into_owned();
        let ws = Framing::WebSocket;
        assert!(text(chunk.up_to(Revision(5), ws)).contains("\"M:upsert\",\"data\":{\"id\":\"r4\""));
        assert!(text(chunk.after(Revision(4), ws)).contains("\"M:delete\",\"data\":{\"id\":\"r6\""));
        assert_eq!(chunk.up_to(Revision(3), ws).len(), 0);
        assert_eq!(chunk.after(Revision(3), ws), *chunk.whole(ws));
        let lengths: Vec<bool> = chunk.each(ws).map(|(_, _, frame)| frame.is_empty()).collect();
        assert_eq!(lengths, [false, true, false]);
        assert!(chunk.whole(Framing::SockJsValues).is_empty());
        assert_eq!((chunk.first(), chunk.last()), (Revision(4), Revision(6)));
    }
}
