//! A run of changes as finished bytes: encoded once, shared by every listener on every worker.

use super::{framing::Framing, sequencer::Run};
use crate::store::{Change, ChangeKind, Few};
use backsync_protocol::{Epoch, Filter, ModelName, Position, Revision, message};
use bytes::Bytes;
use std::sync::Arc;

/// Which framings have listeners; a bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Framings(pub(crate) u16);

impl Framings {
    pub(crate) fn contains(self, framing: Framing) -> bool {
        self.0 & (1 << framing.index()) != 0
    }

    pub(crate) fn with(self, framing: Framing) -> Self {
        Self(self.0 | (1 << framing.index()))
    }
}

/// Contiguous changes of one model, on their way to the listeners.
#[derive(Debug, Clone)]
pub(crate) enum Stretch {
    /// Nobody listened when they were made.
    Unheard(Revision, Revision),
    /// Ready to be sent.
    Heard(Arc<Chunk>),
}

impl Run for Stretch {
    fn first(&self) -> Revision {
        match self {
            Self::Unheard(first, _) => *first,
            Self::Heard(chunk) => chunk.changes[0].revision,
        }
    }

    fn last(&self) -> Revision {
        match self {
            Self::Unheard(_, last) => *last,
            Self::Heard(chunk) => chunk.changes[chunk.changes.len() - 1].revision,
        }
    }
}

/// Where changes happened, and what of them is pushed.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) model: ModelName,
    pub(crate) epoch: Epoch,
    /// Whether records that go because a model is bounded are pushed to those who hear all of it: else they let them go by
    /// themselves.
    pub(crate) evictions: bool,
    /// The size from which messages are compressed.
    pub(crate) compress_from: usize,
}

/// Changes that somebody hears.
#[derive(Debug)]
pub(crate) struct Chunk {
    source: Source,
    changes: Few<Change>,
    /// Where the frames of each change end, for each framing.
    ends: Few<[usize; Framing::ALL.len()]>,
    frames: [Bytes; Framing::ALL.len()],
}

/// What a change means to those who listen with a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect<'a> {
    /// The record is inside, newly or still.
    Upsert,
    /// It was inside, and was deleted.
    Delete,
    /// It was inside, or may have been, and is outside now. With its state as it was inside, where that is known.
    Left(Option<&'a str>),
}

impl Stretch {
    /// Encode changes, of which there is at least one, for the framings that have listeners.
    pub(crate) fn encode(source: impl FnOnce() -> Source, changes: Few<Change>, framings: Framings) -> Self {
        if let Some(unheard) = Self::unheard(&changes, framings) {
            return unheard;
        }
        let source = source();
        let name = source.model.as_str();
        let size: usize = changes.iter().map(|change| change.record.json().len() + name.len() + 80).sum();
        let mut frames =
            Framing::ALL.map(|framing| Vec::with_capacity(if framings.contains(framing) { size } else { 0 }));
        let mut json = String::new();
        let mut encode = |change: &Change| {
            let pushed = source.pushes(change);
            if pushed {
                json.clear();
                let position = Some(source.at(change));
                message::append_push(name, method(change), change.record.json(), position, &mut json);
            }
            Framing::ALL.map(|framing| {
                let bytes = &mut frames[framing.index()];
                if pushed && framings.contains(framing) {
                    framing.append(&json, source.compress_from, bytes);
                }
                bytes.len()
            })
        };
        let ends = changes.iter().map(&mut encode).collect();
        Self::Heard(Arc::new(Chunk { source, changes, ends, frames: frames.map(Bytes::from) }))
    }
}

impl Stretch {
    /// Changes, of which there is at least one, where nobody listens.
    pub(crate) fn unheard(changes: &[Change], framings: Framings) -> Option<Self> {
        let unheard = || Self::Unheard(changes[0].revision, changes[changes.len() - 1].revision);
        (framings == Framings::default()).then(unheard)
    }

    /// The changes, where somebody listened.
    pub(crate) fn heard(&self) -> Option<&Chunk> {
        match self {
            Self::Unheard(..) => None,
            Self::Heard(chunk) => Some(chunk),
        }
    }
}

impl Source {
    fn pushes(&self, change: &Change) -> bool {
        self.evictions || change.kind != ChangeKind::Evict
    }

    fn at(&self, change: &Change) -> Position {
        Position { epoch: self.epoch, revision: change.revision }
    }
}

fn method(change: &Change) -> &'static str {
    match change.kind {
        ChangeKind::Insert | ChangeKind::Update => "upsert",
        ChangeKind::Delete | ChangeKind::Evict => "delete",
    }
}

impl Chunk {
    /// The changes, in order.
    pub(crate) fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// All frames.
    pub(crate) fn whole(&self, framing: Framing) -> &Bytes {
        &self.frames[framing.index()]
    }

    /// The frames of the changes after `revision`.
    pub(crate) fn after(&self, revision: Revision, framing: Framing) -> Bytes {
        self.frames[framing.index()].slice(self.start(self.covered(revision), framing)..)
    }

    /// The frames of the changes up to `revision`.
    pub(crate) fn up_to(&self, revision: Revision, framing: Framing) -> Bytes {
        self.frames[framing.index()].slice(..self.start(self.covered(revision), framing))
    }

    /// The frame of the change at this place, for those who hear this record. They are told of an eviction always: they do
    /// not see that the model is full.
    pub(crate) fn single(&self, at: usize, framing: Framing) -> Bytes {
        let change = &self.changes[at];
        if self.source.pushes(change) {
            return self.frames[framing.index()].slice(self.start(at, framing)..self.ends[at][framing.index()]);
        }
        let (name, position) = (self.source.model.as_str(), Some(self.source.at(change)));
        let mut json = String::new();
        message::append_push(name, method(change), change.record.json(), position, &mut json);
        let mut frame = Vec::new();
        self.append(framing, &json, &mut frame);
        frame.into()
    }

    /// Append a push about these changes that is not among the frames.
    pub(crate) fn append(&self, framing: Framing, json: &str, out: &mut Vec<u8>) {
        framing.append(json, self.source.compress_from, out);
    }

    /// What a change means to those who listen with `filter`; none where it does not concern them. They are told of an
    /// eviction always, too.
    pub(crate) fn effect<'a>(&self, change: &'a Change, filter: &Filter) -> Option<Effect<'a>> {
        let matches = filter.matches(change.record.json());
        match (change.kind, matches, &change.before) {
            (ChangeKind::Insert | ChangeKind::Update, true, _) => Some(Effect::Upsert),
            (ChangeKind::Delete | ChangeKind::Evict, true, _) => Some(Effect::Delete),
            (ChangeKind::Update, false, None) => Some(Effect::Left(None)),
            (ChangeKind::Update, false, Some(before)) => {
                filter.matches(before.json()).then(|| Effect::Left(Some(before.json())))
            }
            _ => None,
        }
    }

    /// Append the push that tells those who listen with `filter` of a change.
    pub(crate) fn append_filtered(&self, change: &Change, effect: Effect<'_>, filter: &Filter, out: &mut String) {
        let (id, data);
        let data = match effect {
            Effect::Upsert | Effect::Delete => change.record.json(),
            Effect::Left(Some(before)) => before,
            Effect::Left(None) => {
                id = serde_json::to_string(change.record.id()).expect("a string is always serializable");
                data = format!("{{\"id\":{id}}}");
                &data
            }
        };
        let (method, left) = match effect {
            Effect::Upsert => ("upsert", false),
            Effect::Delete => ("delete", false),
            Effect::Left(_) => ("delete", true),
        };
        let position = Some(self.source.at(change));
        message::append_filtered_push(self.source.model.as_str(), method, data, filter.name(), left, position, out);
    }

    fn covered(&self, revision: Revision) -> usize {
        self.changes.partition_point(|change| change.revision <= revision)
    }

    fn start(&self, at: usize, framing: Framing) -> usize {
        at.checked_sub(1).map_or(0, |before| self.ends[before][framing.index()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use backsync_protocol::{Record, RecordId, RecordInput};
    use std::num::NonZeroU64;

    fn record(json: &str, revision: u64) -> Record {
        let input = RecordInput::parse(serde_json::from_str(json).unwrap(), || RecordId::parse("x").unwrap());
        Record::new(&input.unwrap(), Revision(revision), None)
    }

    fn change(revision: u64, kind: ChangeKind, before: Option<Record>) -> Change {
        let record = record(&format!(r#"{{"id":"r{revision}","n":{revision}}}"#), revision);
        Change { revision: Revision(revision), kind, record, before }
    }

    fn chunk(changes: impl IntoIterator<Item = Change>, evictions: bool) -> Arc<Chunk> {
        let source = Source {
            model: ModelName::parse("M").unwrap(),
            epoch: Epoch(NonZeroU64::MIN),
            evictions,
            compress_from: 1024,
        };
        let framings = Framings::default().with(Framing::WebSocket);
        match Stretch::encode(|| source, changes.into_iter().collect(), framings) {
            Stretch::Heard(chunk) => chunk,
            Stretch::Unheard(..) => panic!("somebody listens"),
        }
    }

    #[test]
    fn a_chunk_is_cut_between_changes() {
        let kinds = [(4, ChangeKind::Insert), (5, ChangeKind::Evict), (6, ChangeKind::Delete)];
        let chunk = chunk(kinds.map(|(revision, kind)| change(revision, kind, None)), false);
        let text = |bytes: Bytes| String::from_utf8_lossy(&bytes).into_owned();
        let ws = Framing::WebSocket;
        assert!(text(chunk.up_to(Revision(5), ws)).contains("\"M:upsert\",\"data\":{\"id\":\"r4\""));
        assert!(text(chunk.after(Revision(4), ws)).contains("\"M:delete\",\"data\":{\"id\":\"r6\""));
        assert_eq!(chunk.up_to(Revision(3), ws).len(), 0);
        assert_eq!(chunk.after(Revision(3), ws), *chunk.whole(ws));
        let whole = text(chunk.whole(ws).clone());
        assert_eq!(["r4", "r5", "r6"].map(|id| whole.contains(&format!("\"id\":\"{id}\""))), [true, false, true]);
        assert!(text(chunk.single(1, ws)).contains("\"M:delete\",\"data\":{\"id\":\"r5\""));
        assert_eq!(whole, text(chunk.single(0, ws)) + &text(chunk.single(2, ws)));
        assert!(chunk.whole(Framing::SockJsValues).is_empty());
        let stretch = Stretch::Heard(chunk);
        assert_eq!((stretch.first(), stretch.last()), (Revision(4), Revision(6)));
    }

    #[test]
    fn a_filter_sees_records_enter_change_leave_and_go() {
        let filter = |text: &str| Filter::parse(serde_json::from_str(text).unwrap(), &Default::default()).unwrap();
        let [inside, outside] = [r#"{"n":4}"#, r#"{"n":3}"#].map(filter);
        let of = |kind, before: Option<&str>, filter: &Filter| {
            let change = change(4, kind, before.map(|json| record(json, 3)));
            let chunk = chunk([change.clone()], false);
            let mut text = String::new();
            if let Some(effect) = chunk.effect(&change, filter) {
                chunk.append_filtered(&change, effect, filter, &mut text);
            }
            let cut = text.find(",\"filter\"").unwrap_or_default();
            text[..cut].to_owned()
        };
        let upsert = r#"{"event":"M:upsert","data":{"id":"r4","n":4,"_rev":4}"#;
        assert_eq!(of(ChangeKind::Insert, None, &inside), upsert);
        assert_eq!(of(ChangeKind::Update, Some(r#"{"id":"r4","n":3}"#), &inside), upsert);
        assert_eq!(of(ChangeKind::Insert, None, &outside), "");
        let left = of(ChangeKind::Update, Some(r#"{"id":"r4","n":3}"#), &outside);
        assert_eq!(left, r#"{"event":"M:delete","data":{"id":"r4","n":3,"_rev":3},"left":true"#);
        assert_eq!(of(ChangeKind::Update, Some(r#"{"id":"r4","n":2}"#), &outside), "");
        assert_eq!(of(ChangeKind::Update, None, &outside), r#"{"event":"M:delete","data":{"id":"r4"},"left":true"#);
        assert_eq!(of(ChangeKind::Delete, None, &inside), r#"{"event":"M:delete","data":{"id":"r4","n":4,"_rev":4}"#);
        assert_eq!(of(ChangeKind::Delete, None, &outside), "");
        assert_eq!(of(ChangeKind::Evict, None, &inside), r#"{"event":"M:delete","data":{"id":"r4","n":4,"_rev":4}"#);
        assert!(chunk([change(4, ChangeKind::Evict, None)], true).whole(Framing::WebSocket).len() > 50);
    }
}
