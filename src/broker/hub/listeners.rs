//! Who listens to what on one worker, and how a read turns into listening without a hole between the two.
//!
//! While a connection reads, its share in the model is *paused*: changes are held back for it. The snapshot that comes is
//! of some revision; what was held up to it and is covered goes, the reply goes out, and what is after it follows.

use super::{
    Hub,
    connections::{ConnectionKey, Listening, Share},
    filters::Filters,
    scope::{Part, Scope},
    telling::Telling,
};
use crate::broker::{chunk::Stretch, door::Stand, framing::Framing, model::Model};
use backsync_protocol::{Position, RecordId, Revision};
use foldhash::{HashMap, HashMapExt};
use std::{collections::BTreeSet, fmt, sync::Arc};

/// The listeners of one model on one worker.
#[derive(Debug)]
pub(super) struct Listeners {
    pub(super) model: Arc<Model>,
    /// How far what came reaches,
    pub(super) stand: Stand,
    /// and what was handed to the connections.
    pub(super) flushed: Stand,
    /// Who hears the whole, by framing.
    pub(super) live: [Vec<u32>; Framing::ALL.len()],
    /// Who hears single records.
    pub(super) records: HashMap<RecordId, Vec<u32>>,
    /// Who hears what matches a filter.
    pub(super) filters: Filters,
    pub(super) paused: Vec<Paused>,
    /// Who is told what became of the model.
    pub(super) tellings: Vec<Telling>,
    /// What came in this batch.
    pub(super) staged: Vec<Stretch>,
    /// Something came in this batch.
    pub(super) is_touched: bool,
    /// Connections with a share in the model.
    connections: usize,
}

impl Listeners {
    /// Take everybody who is live out of all lists.
    pub(super) fn take_all(&mut self) -> BTreeSet<u32> {
        let (live, records) = (std::mem::take(&mut self.live), std::mem::take(&mut self.records));
        let filters = std::mem::take(&mut self.filters);
        live.into_iter().chain(records.into_values()).flatten().chain(filters.connections()).collect()
    }
}

/// A connection that reads.
#[derive(Debug)]
pub(super) struct Paused {
    key: ConnectionKey,
    /// What came after this position.
    pub(super) held: Vec<Stretch>,
    from: Position,
    /// Another history has begun: what it listened to before the read is to be told anew.
    is_owed: bool,
    /// What is to be done with what was read, where that is ahead of what came here.
    due: Option<Due>,
}

impl Paused {
    pub(super) fn begin_era(&mut self, at: Position, is_anew: bool) {
        if is_anew {
            self.held.clear();
            (self.is_owed, self.from) = (true, at);
        } else {
            self.from.epoch = at.epoch;
        }
        if let Some(due) = &mut self.due {
            due.revision = Some(Revision(0));
        }
    }
}

/// When something that was read goes together with what comes to a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meets {
    /// Everything up to it has come.
    Now,
    /// When this revision has come.
    At(Revision),
    /// In the next era: it was read in the history of that one.
    NextEra,
    /// It was asked for in an era that is over: it has to be read again.
    Never,
}

/// What waits until a worker has come as far as a revision.
pub(super) struct Due {
    /// None where it waits for another era.
    revision: Option<Revision>,
    then: Box<dyn FnOnce(&mut Hub)>,
}

impl Due {
    pub(super) fn then(self, hub: &mut Hub) {
        (self.then)(hub);
    }
}

impl fmt::Debug for Due {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Due({:?})", self.revision)
    }
}

impl Hub {
    /// What a connection hears of a model.
    pub(crate) fn scope(&mut self, key: ConnectionKey, model: &Model) -> Scope {
        let listening = self.connections.find(key).and_then(|connection| connection.listening(model.index));
        listening.map(|listening| listening.scope.clone()).unwrap_or_default()
    }

    /// Hold back what comes for this connection. From now on every change of the model reaches this worker.
    pub(crate) fn pause(&mut self, key: ConnectionKey, model: &Arc<Model>) {
        self.be_individual(key);
        self.emit_staged(key, model.index);
        let flushes = self.flushes;
        let Some(connection) = self.connections.find(key) else { return };
        let (framing, is_lagging) = (connection.framing, connection.lagging);
        let mut is_owed = false;
        match connection.listening_mut(model.index) {
            Some(listening) => {
                let flushed = self.listeners[model.index].as_ref().map(|listeners| listeners.flushed);
                if !is_lagging {
                    listening.note_sent(flushed, flushes);
                }
                let (scope, slot) = (listening.scope.clone(), listening.slot);
                match std::mem::replace(&mut listening.share, Share::Paused) {
                    Share::Live => self.uninstall(key.index, model.index, &scope, slot, framing),
                    Share::Paused | Share::Behind => {}
                    Share::Owed => is_owed = true,
                    Share::Told(_) => {
                        is_owed = true;
                        connection.told -= 1;
                    }
                }
            }
            None => {
                connection.listening.reserve_exact(1);
                self.enter(model, framing);
                let sent = Some(self.listeners_of(model.index).stand);
                let (scope, share) = (Scope::default(), Share::Paused);
                let listening = Listening { model: model.index, scope, slot: 0, share, sent, live_from: flushes };
                self.connections.at(key.index).listening.push(listening);
            }
        }
        let listeners = self.listeners_of(model.index);
        let from = listeners.stand.position;
        listeners.paused.push(Paused { key, held: Vec::new(), from, is_owed, due: None });
    }

    /// After which position changes are held back for a connection.
    pub(crate) fn held_from(&mut self, key: ConnectionKey, model: &Model) -> Option<Position> {
        let listeners = self.listeners.get(model.index)?.as_ref()?;
        Some(listeners.paused.iter().find(|paused| paused.key == key)?.from)
    }

    /// The opposite of [`Self::pause`], with what the connection is to hear from now on. Answers what was held back.
    pub(crate) fn unpause(&mut self, key: ConnectionKey, model: &Arc<Model>, scope: Scope) -> Vec<Stretch> {
        // Who has gone meanwhile has left all lists, and perhaps nobody else is in them.
        let Some(Some(listeners)) = self.listeners.get_mut(model.index) else { return Vec::new() };
        let Some(at) = listeners.paused.iter().position(|paused| paused.key == key) else { return Vec::new() };
        let Paused { mut held, is_owed, .. } = listeners.paused.swap_remove(at);
        let staged = listeners.staged.len();
        // What is staged is held as well: only who is served individually is not given it a second time.
        self.be_individual(key);
        let connection = self.connections.at(key.index);
        connection.advance(model.index, staged);
        if scope.is_empty() {
            connection.listening.retain(|listening| listening.model != model.index);
            let framing = connection.framing;
            self.exit(model.index, framing);
            return held;
        }
        let listening = connection.listening_mut(model.index).expect("who is paused has a share");
        if is_owed && !listening.scope.is_empty() {
            (listening.scope, listening.share) = (scope, Share::Owed);
            // It is told after the read of everything that came until then.
            held.clear();
        } else {
            self.install(key.index, model.index, scope);
        }
        held
    }

    /// Begin to tell a connection whose read is done what it was owed meanwhile: everything, as what it has is in part of the read
    /// and in part older.
    pub(super) fn pay_owed(&mut self, key: ConnectionKey) {
        loop {
            let Some(connection) = self.connections.find(key).filter(|connection| !connection.closing) else { return };
            let mut owed = connection.listening.iter().filter(|listening| listening.share == Share::Owed);
            let Some(model) = owed.next().map(|listening| listening.model) else { return };
            let model = self.listeners_of(model).model.clone();
            self.tell(&model, vec![key], None, true);
        }
    }

    /// Hear less: what is left is `scope`.
    pub(crate) fn narrow(&mut self, key: ConnectionKey, model: &Arc<Model>, scope: Scope) {
        if self.connections.find(key).is_some_and(|connection| connection.listening(model.index).is_some()) {
            self.pause(key, model);
            self.unpause(key, model, scope);
        }
    }

    /// The era of a model on this worker, where somebody has a share in it.
    pub(crate) fn era(&self, model: &Model) -> Option<u64> {
        Some(self.listeners.get(model.index)?.as_ref()?.stand.era)
    }

    /// When what was read at a position, asked for in an era, goes together with what comes here.
    pub(crate) fn meets(&mut self, model: &Arc<Model>, era: u64, position: Position) -> Meets {
        let stand = self.listeners_of(model.index).stand;
        if stand.era != era {
            return Meets::Never;
        }
        if stand.position.epoch != position.epoch {
            self.broker.hear(model, position);
            return Meets::NextEra;
        }
        if stand.position.revision < position.revision { Meets::At(position.revision) } else { Meets::Now }
    }

    /// Go on for a paused connection when the changes up to a revision have come, or another era begins.
    pub(crate) fn when_reached(
        &mut self,
        key: ConnectionKey,
        model: &Model,
        revision: Option<Revision>,
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
        let reached = listeners.stand.position.revision;
        let is_reached = |due: &Due| due.revision.is_some_and(|revision| revision <= reached);
        let is_due = |paused: &&mut Paused| paused.due.as_ref().is_some_and(is_reached);
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
        let Listening { model, scope, slot, share, .. } = listening;
        if *share == Share::Live {
            self.uninstall(key.index, *model, scope, *slot, framing);
        } else {
            self.listeners_of(*model).paused.retain(|paused| paused.key != key);
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
                stand: begin,
                flushed: begin,
                live: Default::default(),
                records: HashMap::new(),
                filters: Filters::default(),
                paused: Vec::new(),
                tellings: Vec::new(),
                staged: Vec::new(),
                is_touched: false,
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

    pub(super) fn install(&mut self, index: u32, model: usize, scope: Scope) {
        let flushes = self.flushes;
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
        (listening.scope, listening.share, listening.live_from) = (scope, Share::Live, flushes);
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
