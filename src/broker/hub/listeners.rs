//! Who listens to what on one worker, and how a read turns into listening without a hole between the two.
//!
//! While a connection reads, its share in the model is *paused*: changes are held back for it. The snapshot that comes is
//! of some revision; what was held up to it and is covered goes, the reply goes out, and what is after it follows.

use super::{
    Hub,
    connections::{ConnectionKey, Listening},
    filters::Filters,
};
use crate::broker::{
    chunk::{Chunk, Stretch},
    framing::Framing,
    model::Model,
};
use backsync_protocol::{Filter, Query, RecordId, Revision, Which};
use bytes::Bytes;
use foldhash::{HashMap, HashMapExt};
use std::{collections::BTreeSet, fmt, sync::Arc};

/// What of a model a connection hears.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Scope {
    /// Everything.
    pub(crate) whole: bool,
    /// These records.
    pub(crate) ids: BTreeSet<RecordId>,
    /// What matches one of these, each for itself.
    pub(crate) filters: Vec<Filter>,
}

impl Scope {
    /// What a query asks to hear.
    pub(crate) fn of(query: &Query) -> Self {
        let mut scope = Self::default();
        match (&query.filter, &query.which) {
            (Some(filter), _) => scope.filters.push(filter.clone()),
            (None, Which::All) => scope.whole = true,
            (None, Which::One(id)) => drop(scope.ids.insert(id.clone())),
            (None, Which::Ids(ids)) => scope.ids.extend(ids.iter().cloned()),
        }
        scope
    }

    /// What either hears.
    pub(crate) fn union(mut self, other: Self) -> Self {
        self.whole |= other.whole;
        self.ids.extend(other.ids);
        for filter in other.filters {
            if !self.filters.contains(&filter) {
                self.filters.push(filter);
            }
        }
        self
    }

    /// What is left without `other`.
    pub(crate) fn without(mut self, other: &Self) -> Self {
        self.whole &= !other.whole;
        self.ids.retain(|id| !other.ids.contains(id));
        self.filters.retain(|filter| !other.filters.contains(filter));
        self
    }

    /// Whether there is nothing to hear.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The same in parts that a store can be asked for: single records or all, and each filter.
    pub(super) fn parts(&self) -> Vec<Self> {
        let of = |filter: &Filter| Self { filters: vec![filter.clone()], ..Self::default() };
        let mut parts: Vec<Self> = self.filters.iter().map(of).collect();
        if self.whole || !self.ids.is_empty() {
            parts.push(Self { filters: Vec::new(), ..self.clone() });
        }
        parts
    }

    /// How many listeners that is.
    pub(crate) fn len(&self) -> usize {
        usize::from(self.whole) + self.ids.len() + self.filters.len()
    }

    /// The frames of a chunk that are in scope, those of a part of it only where `part` says so.
    pub(super) fn frames(&self, chunk: &Chunk, framing: Framing, part: Part) -> Vec<Bytes> {
        let mut frames = Vec::new();
        if self.whole {
            frames.push(match part {
                Part::All => chunk.whole(framing).clone(),
                Part::UpTo(revision) => chunk.up_to(revision, framing),
                Part::After(revision) => chunk.after(revision, framing),
            });
        }
        if self.filters.is_empty() && (self.whole || self.ids.is_empty()) {
            return frames;
        }
        let mut json = String::new();
        for (at, change) in chunk.changes().iter().enumerate().filter(|(_, change)| part.contains(change.revision)) {
            // Who hears the whole model has it already.
            if !self.whole && self.ids.contains(change.record.id()) {
                frames.push(chunk.single(at, framing));
            }
            for filter in &self.filters {
                if let Some(effect) = chunk.effect(change, filter) {
                    let mut frame = Vec::new();
                    json.clear();
                    chunk.append_filtered(change, effect, filter, &mut json);
                    chunk.append(framing, &json, &mut frame);
                    frames.push(frame.into());
                }
            }
        }
        frames
    }
}

/// A part of a run of changes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part {
    All,
    UpTo(Revision),
    After(Revision),
}

impl Part {
    fn contains(self, revision: Revision) -> bool {
        match self {
            Self::All => true,
            Self::UpTo(last) => revision <= last,
            Self::After(last) => revision > last,
        }
    }
}

/// The listeners of one model on one worker.
#[derive(Debug)]
pub(super) struct Listeners {
    pub(super) model: Arc<Model>,
    /// The last that came,
    pub(super) revision: Revision,
    /// and the last that was handed to the connections.
    pub(super) flushed: Revision,
    /// Who hears the whole, by framing.
    pub(super) live: [Vec<u32>; Framing::ALL.len()],
    /// Who hears single records.
    pub(super) records: HashMap<RecordId, Vec<u32>>,
    /// Who hears what matches a filter.
    pub(super) filters: Filters,
    pub(super) paused: Vec<Paused>,
    /// What came in this batch.
    pub(super) staged: Vec<Stretch>,
    /// Connections with a share in the model.
    connections: usize,
}

/// A connection that reads.
#[derive(Debug)]
pub(super) struct Paused {
    key: ConnectionKey,
    pub(super) held: Vec<Stretch>,
    /// What is to be done with what was read, where that is ahead of what came here.
    due: Option<Due>,
}

/// What waits until a worker has come as far as a revision.
pub(super) struct Due {
    revision: Revision,
    then: Box<dyn FnOnce(&mut Hub)>,
}

impl Due {
    pub(super) fn then(self, hub: &mut Hub) {
        (self.then)(hub);
    }
}

impl fmt::Debug for Due {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Due({})", self.revision)
    }
}

impl Hub {
    /// What a connection hears of a model.
    pub(crate) fn scope(&mut self, key: ConnectionKey, model: &Model) -> Scope {
        let listening = self.connections.find(key).and_then(|connection| connection.listening(model.index));
        listening.map(|listening| listening.scope.clone()).unwrap_or_default()
    }

    /// Hold back what comes for this connection. From now on every change of the model reaches this worker; answers after which
    /// revision they are held back.
    pub(crate) fn pause(&mut self, key: ConnectionKey, model: &Arc<Model>) -> Revision {
        self.be_individual(key);
        self.emit_staged(key, model.index);
        let Some(connection) = self.connections.find(key) else { return Revision(0) };
        let framing = connection.framing;
        match connection.listening_mut(model.index) {
            Some(listening) => {
                listening.paused = true;
                let (scope, slot) = (listening.scope.clone(), listening.slot);
                self.uninstall(key.index, model.index, &scope, slot, framing);
            }
            None => {
                connection.listening.reserve_exact(1);
                self.enter(model, framing);
                let sent = self.listeners_of(model.index).revision;
                let listening = Listening { model: model.index, scope: Scope::default(), slot: 0, paused: true, sent };
                self.connections.at(key.index).listening.push(listening);
            }
        }
        self.hold(key, model);
        self.listeners_of(model.index).revision
    }

    /// Keep what comes for a connection that is in no list of listeners.
    pub(super) fn hold(&mut self, key: ConnectionKey, model: &Model) {
        let listeners = self.listeners_of(model.index);
        listeners.paused.push(Paused { key, held: Vec::new(), due: None });
    }

    /// The opposite of [`Self::pause`], with what the connection is to hear from now on. Answers what was held back.
    pub(crate) fn unpause(&mut self, key: ConnectionKey, model: &Arc<Model>, scope: Scope) -> Vec<Stretch> {
        // Who has gone meanwhile has left all lists, and perhaps nobody else is in them.
        let Some(Some(listeners)) = self.listeners.get_mut(model.index) else { return Vec::new() };
        let Some(at) = listeners.paused.iter().position(|paused| paused.key == key) else { return Vec::new() };
        let held = listeners.paused.swap_remove(at).held;
        let staged = listeners.staged.len();
        // What is staged is held as well: only who is served individually is not given it a second time.
        self.be_individual(key);
        let connection = self.connections.at(key.index);
        connection.advance(model.index, staged);
        if scope.is_empty() {
            connection.listening.retain(|listening| listening.model != model.index);
            let framing = connection.framing;
            self.exit(model.index, framing);
        } else {
            self.install(key.index, model.index, scope);
        }
        held
    }

    /// Hear less: what is left is `scope`.
    pub(crate) fn narrow(&mut self, key: ConnectionKey, model: &Arc<Model>, scope: Scope) {
        if self.connections.find(key).is_some_and(|connection| connection.listening(model.index).is_some()) {
            self.pause(key, model);
            self.unpause(key, model, scope);
        }
    }

    /// Whether what was read at `revision` is ahead of what came here.
    pub(crate) fn is_behind(&mut self, model: &Model, revision: Revision) -> bool {
        self.listeners_of(model.index).revision < revision
    }

    /// Go on for a paused connection when the changes up to a revision have come.
    pub(crate) fn when_reached(
        &mut self,
        key: ConnectionKey,
        model: &Model,
        revision: Revision,
        then: impl FnOnce(&mut Self) + 'static,
    ) {
        let listeners = self.listeners_of(model.index);
        if let Some(paused) = listeners.paused.iter_mut().find(|paused| paused.key == key) {
            paused.due = Some(Due { revision, then: Box::new(then) });
        }
    }

    /// Something that waited and can go on now.
    pub(super) fn take_due(&mut self, model: usize) -> Option<Due> {
        let listeners = self.listeners.get_mut(model)?.as_mut()?;
        let reached = listeners.revision;
        let is_due = |paused: &&mut Paused| paused.due.as_ref().is_some_and(|due| due.revision <= reached);
        listeners.paused.iter_mut().find(is_due)?.due.take()
    }

    /// Give a connection what was held back for it.
    pub(crate) fn emit_held(
        &mut self,
        key: ConnectionKey,
        scope: &Scope,
        held: &[Stretch],
        covered: Revision,
        before: bool,
    ) {
        let part = if before { Part::UpTo(covered) } else { Part::After(covered) };
        let Some(framing) = self.connections.find(key).map(|connection| connection.framing) else { return };
        for frame in held.iter().filter_map(Stretch::heard).flat_map(|chunk| scope.frames(chunk, framing, part)) {
            self.connections.push(key.index, frame);
        }
    }

    /// Take a connection that goes out of a model's listeners.
    pub(super) fn leave(&mut self, key: ConnectionKey, listening: &Listening, framing: Framing) {
        let Listening { model, scope, slot, paused, .. } = listening;
        if *paused {
            self.listeners_of(*model).paused.retain(|paused| paused.key != key);
        } else {
            self.uninstall(key.index, *model, scope, *slot, framing);
        }
        self.exit(*model, framing);
    }

    fn enter(&mut self, model: &Arc<Model>, framing: Framing) {
        if self.listeners.len() <= model.index {
            self.listeners.resize_with(model.index + 1, || None);
        }
        let begin = model.interest(self.worker, framing, true);
        let listeners = self.listeners[model.index].get_or_insert_with(|| {
            Box::new(Listeners {
                model: model.clone(),
                revision: begin,
                flushed: begin,
                live: Default::default(),
                records: HashMap::new(),
                filters: Filters::default(),
                paused: Vec::new(),
                staged: Vec::new(),
                connections: 0,
            })
        });
        listeners.connections += 1;
    }

    fn exit(&mut self, model: usize, framing: Framing) {
        let worker = self.worker;
        let listeners = self.listeners_of(model);
        listeners.model.interest(worker, framing, false);
        listeners.connections -= 1;
        if listeners.connections == 0 {
            self.listeners[model] = None;
        }
    }

    fn install(&mut self, index: u32, model: usize, scope: Scope) {
        let connection = self.connections.at(index);
        let framing = connection.framing;
        let listening = connection.listening_mut(model).expect("who is installed has a share");
        let listeners = self.listeners[model].as_mut().expect("a model with a share has listeners");
        if scope.whole {
            let live = &mut listeners.live[framing.index()];
            listening.slot = live.len();
            live.push(index);
        }
        for id in &scope.ids {
            listeners.records.entry(id.clone()).or_default().push(index);
        }
        for filter in &scope.filters {
            listeners.filters.insert(filter, framing, index);
        }
        listening.scope = scope;
        listening.paused = false;
    }

    pub(super) fn uninstall(&mut self, index: u32, model: usize, scope: &Scope, slot: usize, framing: Framing) {
        let listeners = self.listeners[model].as_mut().expect("a model with a share has listeners");
        if scope.whole {
            let live = &mut listeners.live[framing.index()];
            live.swap_remove(slot);
            if let Some(moved) = live.get(slot) {
                let moved = self.connections.at(*moved).listening_mut(model);
                moved.expect("who is live has a share").slot = slot;
            }
        }
        for filter in &scope.filters {
            listeners.filters.remove(filter, framing, index);
        }
        for id in &scope.ids {
            if let Some(indexes) = listeners.records.get_mut(id) {
                indexes.retain(|other| *other != index);
                if indexes.is_empty() {
                    listeners.records.remove(id);
                }
            }
        }
    }

    pub(super) fn listeners_of(&mut self, model: usize) -> &mut Listeners {
        self.listeners[model].as_mut().expect("a model with a share has listeners")
    }
}
