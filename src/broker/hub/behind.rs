//! Connections that read too slowly: what would pile up for them is let go, and when they have read what is there they are told
//! what became of everything meanwhile, in short.
//!
//! A connection that is behind is in no list of listeners, so it costs the others nothing; its requests wait. The replies it
//! is owed are never let go of.

use super::{Hub, connections::ConnectionKey, listeners::Scope};
use crate::{
    broker::{methods::when_answered, model::Model},
    store::{Read, Selection, Snapshot, StoreError},
};
use backsync_protocol::{CloseCode, Position, RecordId, Revision, json, message};
use std::sync::Arc;

/// Who is behind for so many heartbeats is let go.
const PATIENCE: u8 = 2;

/// What a connection has still to be told.
struct CatchUp {
    key: ConnectionKey,
    /// Models that follow this one.
    models: Vec<Arc<Model>>,
    model: Arc<Model>,
    since: Position,
    /// What of the model is asked for still, and what is answered.
    asked: Vec<Scope>,
    answered: Vec<(Scope, Snapshot)>,
}

impl Hub {
    /// More waits for a connection than may: let go of what was pushed.
    pub(super) fn fall_behind(&mut self, index: u32) {
        let key = self.connections.key(index);
        let connection = self.connections.at(index);
        connection.outbox.let_go();
        if connection.reading {
            // What was read meanwhile cannot be told apart from what is missing.
            return self.end_slow(key);
        }
        connection.behind = Some(0);
        let framing = connection.framing;
        let live = connection.listening.iter_mut().filter(|listening| !listening.paused);
        let live: Vec<_> = live
            .map(|listening| {
                listening.paused = true;
                (listening.model, listening.scope.clone(), listening.slot)
            })
            .collect();
        for (model, scope, slot) in live {
            self.uninstall(index, model, &scope, slot, framing);
        }
    }

    /// A heartbeat has passed. Answers whether the connection was too long behind, and is ended.
    pub(super) fn is_too_slow(&mut self, key: ConnectionKey) -> bool {
        let Some(connection) = self.connections.find(key) else { return false };
        let Some(turns) = connection.behind.as_mut().filter(|_| !connection.closing) else { return false };
        *turns += 1;
        let over = *turns >= PATIENCE;
        if over {
            self.end_slow(key);
        }
        over
    }

    fn end_slow(&mut self, key: ConnectionKey) {
        self.close(key, CloseCode::TryAgainLater, "the connection reads too slowly", Some(("slow_consumer", true)));
    }

    /// A connection that was behind has read all that was there.
    pub(super) fn catch_up(&mut self, key: ConnectionKey) {
        let Some(connection) = self.connections.find(key) else { return };
        let models: Vec<usize> = connection.listening.iter().map(|listening| listening.model).collect();
        let models = models.into_iter().map(|model| self.listeners_of(model).model.clone()).collect();
        self.next_model(key, models);
    }

    fn next_model(&mut self, key: ConnectionKey, mut models: Vec<Arc<Model>>) {
        let Some(model) = models.pop() else {
            if let Some(connection) = self.connections.find(key) {
                connection.behind = None;
            }
            return self.wake(key);
        };
        let scope = self.scope(key, &model);
        let Some(connection) = self.connections.find(key) else { return };
        let sent = connection.listening(model.index).map_or(Revision(0), |listening| listening.sent);
        let since = Position { epoch: model.epoch(), revision: sent };
        self.hold(key, &model);
        let asked = scope.parts();
        self.ask_part(CatchUp { key, models, model, since, asked, answered: Vec::new() });
    }

    fn ask_part(&mut self, mut work: CatchUp) {
        let Some(part) = work.asked.pop() else { return self.tell(work) };
        let selection = if part.ids.is_empty() || part.whole {
            Selection::All
        } else {
            Selection::Ids(part.ids.iter().cloned().collect())
        };
        let read =
            Read { selection, filter: part.filters.first().cloned(), since: Some(work.since), ..Read::default() };
        let answer = self.store().read(&work.model.name, read);
        when_answered(self, answer, |hub, answer| match answer {
            Ok(snapshot) => {
                work.answered.push((part, snapshot));
                hub.ask_part(work);
            }
            Err(cause) => hub.give_up(&work, &cause),
        });
    }

    fn give_up(&mut self, work: &CatchUp, cause: &StoreError) {
        tracing::error!(model = %work.model.name, error = %cause, "the store did not say what a slow connection missed");
        self.end_slow(work.key);
    }

    /// Push what was missed, and go live.
    fn tell(&mut self, work: CatchUp) {
        // What is in the inbox may be what the snapshots cover.
        self.drain();
        let covered = work.answered.iter().map(|(_, snapshot)| snapshot.position.revision).max().unwrap_or_default();
        if self.connection_is_open(work.key) && self.is_behind(&work.model, covered) {
            let (key, model) = (work.key, work.model.clone());
            return self.when_reached(key, &model, covered, move |hub| hub.tell(work));
        }
        let CatchUp { key, models, model, answered, .. } = work;
        for (part, snapshot) in &answered {
            self.tell_part(key, &model, part, snapshot);
        }
        let scope = self.scope(key, &model);
        let held = self.unpause(key, &model, scope);
        for (part, snapshot) in &answered {
            self.emit_held(key, part, &held, snapshot.position.revision, false);
        }
        self.next_model(key, models);
    }

    /// Only the last push bears a position: who loses the connection before it goes on from the last push that was complete.
    fn tell_part(&mut self, key: ConnectionKey, model: &Model, part: &Scope, snapshot: &Snapshot) {
        let name = model.name.as_str();
        let filter = part.filters.first().map(backsync_protocol::Filter::name);
        let mut pushes: Vec<(&str, String)> = Vec::new();
        if snapshot.reset {
            let mut records = String::new();
            crate::broker::methods::append_array(snapshot.records.iter().map(Some), &mut records);
            pushes.push(("reset", records));
        } else {
            let only_id = |id: &RecordId| {
                let mut data = "{\"id\":".to_owned();
                json::append_string(id.as_str(), &mut data);
                data.push('}');
                ("delete", data)
            };
            pushes.extend(snapshot.deleted.iter().map(only_id));
            pushes.extend(snapshot.records.iter().map(|record| ("upsert", record.json().to_owned())));
        }
        let last = pushes.len();
        for (at, (method, data)) in pushes.into_iter().enumerate() {
            let position = (at + 1 == last).then_some(snapshot.position);
            self.push_own(key, |out| match filter {
                Some(filter) => message::append_filtered_push(name, method, &data, filter, false, position, out),
                None => message::append_push(name, method, &data, position, out),
            });
        }
    }
}
