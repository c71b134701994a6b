//! Listeners that cannot be given every change are told what became of the records since what they have: by one question to the
//! store for each distinct part of the model, and one finished piece for all who share a framing.
//!
//! So it is with all listeners of a model when its history took another course, or its log no longer reaches back to what was
//! delivered; and with one that reads too slowly. Meanwhile they are in no list of listeners, what changes is held for all of them
//! together, and their requests wait.

use super::{
    Hub,
    connections::{ConnectionKey, Share},
    listeners::{Listeners, Meets},
    scope::{Part, Scope},
};
use crate::{
    broker::{
        chunk::Stretch,
        door::Stand,
        framing::Framing,
        methods::{append_array, when_answered},
        model::Model,
    },
    store::{Answer, Read, Selection, Snapshot, StoreError},
};
use backsync_protocol::{Filter, Position, RecordId, Revision, json, message};
use bytes::Bytes;
use foldhash::HashMap;
use std::{collections::BTreeSet, sync::Arc, time::Duration};

/// So many runs of changes are held; beyond it they are let go, and the store is asked for them.
const MAX_HELD: usize = 4096;
/// How long after a failure the store is asked again.
const AGAIN: Duration = Duration::from_secs(1);

/// Listeners of one model who are told together.
#[derive(Debug)]
pub(super) struct Telling {
    number: u64,
    portions: Vec<Portion>,
    /// What came meanwhile.
    held: Vec<Stretch>,
    awaits: Awaits,
    /// The era in which the store was asked last.
    asked_in: u64,
    has_failed: bool,
}

/// What all are told who listen to the same part of the model.
#[derive(Debug)]
struct Portion {
    part: Scope,
    members: Vec<ConnectionKey>,
    /// What they have. None where that is not known: they are told everything.
    since: Option<Position>,
    /// Whether they have no more than that.
    is_exact: bool,
    /// What they were told.
    told: Option<Position>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaits {
    /// The store, or a moment to ask it again.
    Answer,
    Era,
    Revision(Revision),
}

impl Telling {
    pub(super) fn hold(&mut self, stretch: &Stretch) {
        if self.held.len() >= MAX_HELD {
            self.begin_anew();
        }
        self.held.push(stretch.clone());
    }

    /// What is held does not lead on from what was told.
    fn begin_anew(&mut self) {
        self.held.clear();
        for portion in &mut self.portions {
            // What somebody may have had beyond it is perhaps no part of what follows.
            portion.since = portion.told.take().or(portion.since.filter(|_| portion.is_exact));
            portion.is_exact = true;
        }
    }

    /// The history goes on under another name after `revision`: who was told more than that may have been told something else.
    fn turn(&mut self, revision: Revision) {
        for portion in &mut self.portions {
            if let Some(told) = portion.told.take_if(|told| told.revision > revision) {
                (portion.since, portion.is_exact) = (Some(told), true);
            }
        }
    }
}

impl Hub {
    /// Another era of a model begins on this worker.
    pub(super) fn begin_era(&mut self, model: &Arc<Model>, at: Stand, is_anew: bool) {
        let Some(Some(listeners)) = self.listeners.get(model.index) else { return };
        if at.era <= listeners.stand.era {
            // Who listens here has begun to after it.
            return;
        }
        if is_anew {
            self.hand_out(model.index);
        }
        let listeners = self.listeners_of(model.index);
        let had = std::mem::replace(&mut listeners.stand, at).position;
        let is_touched = std::mem::replace(&mut listeners.is_touched, true);
        listeners.paused.iter_mut().for_each(|paused| paused.begin_era(at.position, is_anew));
        let mut live = BTreeSet::new();
        if is_anew {
            listeners.tellings.iter_mut().for_each(Telling::begin_anew);
            live = listeners.take_all();
        } else {
            listeners.tellings.iter_mut().for_each(|telling| telling.turn(at.position.revision));
        }
        if !is_touched {
            self.staged.push(model.index);
        }
        if !live.is_empty() {
            let members = live.into_iter().map(|index| self.connections.key(index)).collect();
            self.tell(model, members, Some(had), true);
        }
        self.go_on(model.index);
    }

    /// Whatever of a model waited and can go on now, goes on.
    pub(super) fn go_on(&mut self, model: usize) {
        while let Some(due) = self.take_due(model) {
            due.then(self);
        }
        while let Some((model, number)) = self.take_telling(model) {
            self.ask_store(&model, number);
        }
    }

    /// A telling that need not wait any longer.
    fn take_telling(&mut self, model: usize) -> Option<(Arc<Model>, u64)> {
        let listeners = self.listeners.get_mut(model)?.as_mut()?;
        let Listeners { model, stand, tellings, .. } = &mut **listeners;
        let telling = tellings.iter_mut().find(|telling| match telling.awaits {
            Awaits::Answer => false,
            Awaits::Era => telling.asked_in != stand.era,
            Awaits::Revision(revision) => revision <= stand.position.revision || telling.asked_in != stand.era,
        })?;
        telling.awaits = Awaits::Answer;
        Some((model.clone(), telling.number))
    }

    /// Have connections with a share in a model, which are in no list of listeners, told what became of it since a position.
    /// `is_exact` where they have no more than that.
    pub(super) fn tell(
        &mut self,
        model: &Arc<Model>,
        members: Vec<ConnectionKey>,
        since: Option<Position>,
        is_exact: bool,
    ) {
        self.tellings += 1;
        let number = self.tellings;
        let mut portions: HashMap<Scope, Vec<ConnectionKey>> = HashMap::default();
        for key in members {
            let Some(connection) = self.connections.find(key) else { continue };
            connection.told += 1;
            let Some(listening) = connection.listening_mut(model.index) else { continue };
            listening.share = Share::Told(number);
            for part in listening.scope.parts() {
                portions.entry(part).or_default().push(key);
            }
        }
        let portion = |(part, members)| Portion { part, members, since, is_exact, told: None };
        let portions = portions.into_iter().map(portion).collect();
        let listeners = self.listeners_of(model.index);
        let (awaits, asked_in) = (Awaits::Answer, listeners.stand.era);
        listeners.tellings.push(Telling { number, portions, held: Vec::new(), awaits, asked_in, has_failed: false });
        self.ask_store(model, number);
    }

    fn telling(&mut self, model: &Model, number: u64) -> Option<&mut Telling> {
        let listeners = self.listeners.get_mut(model.index)?.as_mut()?;
        listeners.tellings.iter_mut().find(|telling| telling.number == number)
    }

    /// Ask for one portion after the other; when there is none left, go live.
    fn ask_store(&mut self, model: &Arc<Model>, number: u64) {
        loop {
            let Some(era) = self.era(model) else { return };
            let Some(telling) = self.telling(model, number) else { return };
            telling.asked_in = era;
            let Some(at) = telling.portions.iter().position(|portion| portion.told.is_none()) else {
                return self.end_telling(model, number);
            };
            let Portion { part, since, .. } = &telling.portions[at];
            let selection =
                if part.ids.is_empty() { Selection::All } else { Selection::Ids(part.ids.iter().cloned().collect()) };
            let read = Read { selection, filter: part.filters.first().cloned(), since: *since, ..Read::default() };
            match self.store().read(&model.name, read) {
                Answer::Ready(answer) => {
                    let answer = answer.expect("an answer is taken once");
                    if !self.take_answer(model, number, at, era, answer) {
                        return;
                    }
                }
                answer @ Answer::Later(_) => {
                    let model = model.clone();
                    return when_answered(self, answer, move |hub, answer| {
                        if hub.take_answer(&model, number, at, era, answer) {
                            hub.ask_store(&model, number);
                        }
                    });
                }
            }
        }
    }

    /// Push a portion. Answers whether to go on asking.
    fn take_answer(
        &mut self,
        model: &Arc<Model>,
        number: u64,
        at: usize,
        era: u64,
        answer: Result<Snapshot, StoreError>,
    ) -> bool {
        // What is in the inbox may be another era.
        self.drain();
        let Some(telling) = self.telling(model, number) else { return false };
        let snapshot = match answer {
            Ok(snapshot) => snapshot,
            Err(StoreError::Closed) => return false,
            Err(cause) => {
                if !std::mem::replace(&mut telling.has_failed, true) {
                    tracing::error!(model = %model.name, error = %cause, "the store does not say what listeners missed; trying again");
                }
                self.ask_again(model.clone(), number);
                return false;
            }
        };
        match self.meets(model, era, snapshot.position) {
            Meets::Never => return true,
            Meets::NextEra => {
                self.telling(model, number).expect("it was there").awaits = Awaits::Era;
                return false;
            }
            Meets::At(_) | Meets::Now => {}
        }
        let telling = self.telling(model, number).expect("it was there");
        let (part, members) = (telling.portions[at].part.clone(), telling.portions[at].members.clone());
        let is_everything = snapshot.reset || telling.portions[at].since.is_none();
        telling.portions[at].told = Some(snapshot.position);
        let pushes = pushes(model, part.filters.first(), &snapshot, is_everything);
        let compress_from = self.limits().compress_from;
        self.push_each(model, number, &members, |framing| {
            let mut frames = Vec::new();
            pushes.iter().for_each(|push| framing.append(push, compress_from, &mut frames));
            frames.into()
        });
        true
    }

    fn ask_again(&self, model: Arc<Model>, number: u64) {
        let hub = self.handle();
        tokio::task::spawn_local(async move {
            tokio::time::sleep(AGAIN).await;
            if let Some(hub) = hub.upgrade() {
                let mut hub = hub.borrow_mut();
                hub.ask_store(&model, number);
                hub.flush();
            }
        });
    }

    /// All portions are told: what was held follows, and who listens is live again.
    fn end_telling(&mut self, model: &Arc<Model>, number: u64) {
        let reached = self.listeners_of(model.index).stand;
        let Some(telling) = self.telling(model, number) else { return };
        let told = telling.portions.iter().filter_map(|portion| portion.told);
        let last = told.clone().map(|position| position.revision).max().unwrap_or_default();
        if last > reached.position.revision {
            telling.awaits = Awaits::Revision(last);
            return;
        }
        let first = told.min_by_key(|position| position.revision);
        let tellings = &mut self.listeners_of(model.index).tellings;
        let at = tellings.iter().position(|telling| telling.number == number).expect("it was there");
        let Telling { portions, held, .. } = tellings.swap_remove(at);
        let mut members = BTreeSet::new();
        for Portion { part, members: some, told, .. } in &portions {
            let after = Part::After(told.map(|position| position.revision).unwrap_or_default());
            self.push_each(model, number, some, |framing| {
                let chunks = held.iter().filter_map(Stretch::heard);
                let frames: Vec<Bytes> = chunks.flat_map(|chunk| part.frames(chunk, framing, after)).collect();
                frames.concat().into()
            });
            members.extend(some.iter().copied());
        }
        for key in members.into_iter().filter(|key| self.is_told(*key, model, number)).collect::<Vec<_>>() {
            self.be_live_again(key, model, first.map(|position| Stand { era: reached.era, position }));
        }
    }

    fn be_live_again(&mut self, key: ConnectionKey, model: &Arc<Model>, told: Option<Stand>) {
        // What is staged was held as well.
        self.be_individual(key);
        let staged = self.listeners_of(model.index).staged.len();
        let connection = self.connections.at(key.index);
        connection.advance(model.index, staged);
        connection.told -= 1;
        let is_behind = connection.behind.is_some();
        let listening = connection.listening_mut(model.index).expect("who is told has a share");
        if is_behind {
            // What it was told is not let go of.
            listening.sent = told;
        }
        let scope = std::mem::take(&mut listening.scope);
        self.install(key.index, model.index, scope);
        if is_behind {
            self.next_model(key);
        } else if self.connections.at(key.index).told == 0 {
            self.wake(key);
        }
    }

    fn is_told(&mut self, key: ConnectionKey, model: &Model, number: u64) -> bool {
        let listening = self.connections.find(key).and_then(|connection| connection.listening(model.index));
        listening.is_some_and(|listening| listening.share == Share::Told(number))
    }

    /// Push something to those who are still told, made once for each framing.
    fn push_each(&mut self, model: &Model, number: u64, members: &[ConnectionKey], frames: impl Fn(Framing) -> Bytes) {
        let mut made: [Option<Bytes>; Framing::ALL.len()] = Default::default();
        for key in members {
            if !self.is_told(*key, model, number) {
                continue;
            }
            let connection = self.connections.at(key.index);
            let framing = connection.framing;
            let frames = made[framing.index()].get_or_insert_with(|| frames(framing));
            if connection.behind.is_none() {
                self.connections.push(key.index, frames.clone());
            } else if !connection.closing {
                // It is told because something was let go of: this is not.
                connection.outbox.own().extend_from_slice(frames);
                self.connections.mark_dirty(key.index);
            }
        }
    }
}

/// What became of a part of a model, as pushes. Only the last bears a position: who loses the connection before it goes on from
/// the last push that was complete.
fn pushes(model: &Model, filter: Option<&Filter>, snapshot: &Snapshot, is_everything: bool) -> Vec<String> {
    let only_id = |id: &RecordId| {
        let mut data = "{\"id\":".to_owned();
        json::append_string(id.as_str(), &mut data);
        data.push('}');
        ("delete", data)
    };
    let mut pushes: Vec<(&str, String)> = Vec::new();
    if is_everything {
        let mut records = String::new();
        append_array(snapshot.records.iter().map(Some), &mut records);
        pushes.push(("reset", records));
    } else {
        pushes.extend(snapshot.deleted.iter().map(only_id));
        pushes.extend(snapshot.records.iter().map(|record| ("upsert", record.json().to_owned())));
    }
    let (name, last) = (model.name.as_str(), pushes.len());
    let push = |(at, (method, data)): (usize, (&str, String))| {
        let (position, mut out) = ((at + 1 == last).then_some(snapshot.position), String::new());
        match filter {
            Some(filter) => {
                message::append_filtered_push(name, method, &data, filter.name(), false, position, &mut out);
            }
            None => message::append_push(name, method, &data, position, &mut out),
        }
        out
    };
    pushes.into_iter().enumerate().map(push).collect()
}
