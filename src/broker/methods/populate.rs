//! `populate`: references to records of other models come back as these records, which are listened to from then on.
//!
//! The records read stay paused while the referenced ones are read, level by level, each model's under a pause of its own;
//! then all go live together, behind one reply. What a populated record shows may be ahead of the pushes that follow it,
//! never behind. Where one of these models begins another era meanwhile, all of it is read again.

use super::read::{self, Read};
use crate::{
    broker::{
        error,
        hub::{Hub, Meets, Scope},
        model::Model,
        rules::Reference,
    },
    store::{self, Selection, Snapshot, StoreError},
};
use backsync_protocol::{
    ErrorCode, ErrorObject, Method, Position, Record, RecordId,
    json::{self, Members, Raw},
    record::record_id,
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

/// References to follow from one model: by attribute, to which model, and what to follow from there.
#[derive(Debug, Default)]
pub(super) struct Follow(BTreeMap<Box<str>, (Option<Arc<Model>>, Follow)>);

impl Follow {
    /// Understand the paths of a query.
    ///
    /// # Errors
    /// `invalid_data` for what is no declared reference; what a policy says about reading its model.
    pub(super) fn resolve(
        hub: &mut Hub,
        key: crate::broker::ConnectionKey,
        model: &Arc<Model>,
        paths: &[Vec<Box<str>>],
    ) -> Result<Self, ErrorObject> {
        let mut follow = Self::default();
        for path in paths {
            let (mut level, mut from) = (&mut follow, model.clone());
            for name in path {
                let Some(to) = from.rules.references.get(&**name) else {
                    let known = from.rules.references.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
                    let known = if known.is_empty() { "it has none".to_owned() } else { format!("there are {known}") };
                    let message = format!("{} has no reference {}; {known}", from.name, json::excerpt(name));
                    return Err(ErrorObject::new(ErrorCode::InvalidData, message));
                };
                if let Reference::Through(other, attribute) = to {
                    let from = &from.name;
                    let message = format!(
                        "{from}.{name} is what {other}.{attribute} says of it; read {other} with where {{\"{attribute}\":ID}}, \
                         or GET /api/{from}/ID/{name}"
                    );
                    return Err(ErrorObject::new(ErrorCode::InvalidData, message));
                }
                let to = hub.model(to.model().as_str())?;
                super::check(hub, key, Method::Read, &to)?;
                let entry = level.0.entry(name.clone()).or_default();
                entry.0 = Some(to.clone());
                (level, from) = (&mut entry.1, to);
            }
        }
        Ok(follow)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Records that were read, with what their references lead to as far as that is known.
#[derive(Debug)]
pub(super) struct Populated {
    read: Read,
    snapshot: Snapshot,
    /// The era in which it was read.
    era: Option<u64>,
    /// By model.
    reached: BTreeMap<usize, Reached>,
}

#[derive(Debug)]
struct Reached {
    model: Arc<Model>,
    position: Position,
    era: Option<u64>,
    /// `None` where there is no such record.
    records: HashMap<RecordId, Option<Record>>,
}

/// Go on with a read whose snapshot is there.
pub(super) fn begin(hub: &mut Hub, read: Read, snapshot: Snapshot) {
    let era = hub.era(&read.model);
    next(hub, Populated { read, snapshot, era, reached: BTreeMap::new() });
}

/// Read what is known to be needed and was not read, of one model after the other; reply when there is nothing left.
fn next(hub: &mut Hub, mut populated: Populated) {
    let mut needed: BTreeMap<usize, (Arc<Model>, BTreeSet<RecordId>)> = BTreeMap::new();
    for record in &populated.snapshot.records {
        populated.need(record, &populated.read.follow, &mut needed);
    }
    let Some((_, (model, ids))) = needed.pop_first() else { return finish(hub, populated) };
    let listened = populated.reached.values().map(|reached| reached.records.len()).sum::<usize>();
    let limit = hub.limits().listeners_per_connection;
    let key = populated.read.key;
    if populated.read.listens && hub.listener_count(key) + listened + ids.len() > limit {
        let refusal = error::limit("this connection would have more listeners than it may", limit);
        return fail(hub, populated, &refusal);
    }
    if !model.is_ready() {
        let position = hub.broker.stands(&model);
        return read::when_answered(hub, position, move |hub, position| match position {
            Ok(position) => {
                hub.broker.place_at(&model, position);
                next(hub, populated);
            }
            Err(cause) => fail_of_store(hub, populated, &model, &cause),
        });
    }
    // The model that was read is paused already.
    let read = &mut populated.read;
    if read.listens && model.index != read.model.index && !read.beside.contains_key(&model.index) {
        hub.pause(key, &model);
        read.beside.insert(model.index, model.clone());
    }
    let era = hub.era(&model);
    let read = store::Read { selection: Selection::Ids(ids.iter().cloned().collect()), ..store::Read::default() };
    let answer = hub.store().read(&model.name, read);
    read::when_answered(hub, answer, move |hub, answer| match answer {
        Ok(snapshot) => answered(hub, populated, model, ids, snapshot, era),
        Err(cause) => fail_of_store(hub, populated, &model, &cause),
    });
}

/// The store answered what it was asked in this era of the worker.
fn answered(
    hub: &mut Hub,
    mut populated: Populated,
    model: Arc<Model>,
    ids: BTreeSet<RecordId>,
    snapshot: Snapshot,
    era: Option<u64>,
) {
    hub.drain();
    let key = populated.read.key;
    if populated.read.beside.contains_key(&model.index) && hub.connection_is_open(key) {
        let when = match hub.meets(&model, era.unwrap_or_default(), snapshot.position) {
            Meets::Now => None,
            Meets::Never => return next(hub, populated),
            Meets::At(revision) => Some(Some(revision)),
            Meets::NextEra => Some(None),
        };
        if let Some(when) = when {
            let read = model.clone();
            let go_on = move |hub: &mut Hub| answered(hub, populated, read, ids, snapshot, era);
            return hub.when_reached(key, &model, when, go_on);
        }
    }
    let position = snapshot.position;
    let reached = populated.reached.entry(model.index).or_insert_with(|| Reached {
        model: model.clone(),
        position,
        era,
        records: HashMap::new(),
    });
    reached.position = position;
    reached.records.extend(ids.into_iter().map(|id| (id, None)));
    for record in snapshot.records {
        let id = RecordId::parse(record.id()).expect("the id of a record is one");
        reached.records.insert(id, Some(record));
    }
    next(hub, populated);
}

fn finish(hub: &mut Hub, populated: Populated) {
    let Populated { mut read, snapshot, era, reached } = populated;
    let is_over = |model: &Model, era: Option<u64>| hub.era(model) != era;
    let are_over = reached.values().filter(|of| read.beside.contains_key(&of.model.index));
    let is_over =
        (read.is_paused && is_over(&read.model, era)) || are_over.into_iter().any(|of| is_over(&of.model, of.era));
    if is_over && hub.connection_is_open(read.key) {
        return read::ask(hub, read);
    }
    let data: Vec<String> = snapshot.records.iter().map(|record| expand(record, &read.follow, &reached)).collect();
    let mut extra = String::from(",\"positions\":{");
    for (at, reached) in reached.values().enumerate() {
        if at > 0 {
            extra.push(',');
        }
        json::append_string(reached.model.name.as_str(), &mut extra);
        extra.push_str(":\"");
        reached.position.append(&mut extra);
        extra.push('"');
    }
    extra.push('}');
    let key = read.key;
    let mut live = Vec::new();
    for Reached { model, position, records, .. } in reached.into_values() {
        let ids = Scope { ids: records.into_keys().collect(), ..Scope::default() };
        if read.beside.remove(&model.index).is_none() {
            if model.index == read.model.index && read.listens {
                read.listen = std::mem::take(&mut read.listen).union(ids);
            }
            continue;
        }
        let prior = hub.scope(key, &model);
        let scope = prior.clone().union(ids);
        let held = hub.unpause(key, &model, scope.clone());
        hub.emit_held(key, &prior, &held, position.revision, true);
        live.push((scope, held, position.revision));
    }
    read::leave_beside(hub, &read);
    read::finish_with(hub, read, &snapshot, Some((&data, &extra)));
    for (scope, held, revision) in live {
        hub.emit_held(key, &scope, &held, revision, false);
    }
}

fn fail_of_store(hub: &mut Hub, populated: Populated, model: &Model, cause: &StoreError) {
    tracing::error!(model = %model.name, error = %cause, "the store did not answer for a reference");
    fail(hub, populated, &error::of_store(cause));
}

fn fail(hub: &mut Hub, populated: Populated, refusal: &ErrorObject) {
    read::refuse(hub, populated.read, refusal);
}

impl Populated {
    /// Collect what a record's references lead to and was not read yet.
    fn need(&self, record: &Record, follow: &Follow, needed: &mut BTreeMap<usize, (Arc<Model>, BTreeSet<RecordId>)>) {
        if follow.is_empty() {
            return;
        }
        let Ok(members) = Members::parse(record.json()) else { return };
        for (name, (model, further)) in &follow.0 {
            let model = model.as_ref().expect("a followed reference has a model");
            let reached = self.reached.get(&model.index);
            for id in members.find(name).into_iter().flat_map(ids) {
                match reached.and_then(|reached| reached.records.get(&id)) {
                    None => {
                        let (_, ids) = needed.entry(model.index).or_insert_with(|| (model.clone(), BTreeSet::new()));
                        ids.insert(id);
                    }
                    Some(None) => {}
                    Some(Some(record)) => self.need(record, further, needed),
                }
            }
        }
    }
}

/// What a reference names: one record or several.
fn ids(value: Raw<'_>) -> Vec<RecordId> {
    let one = |value: Raw<'_>| record_id(value).ok();
    match json::elements(value) {
        Some(values) => values.into_iter().filter_map(one).collect(),
        None => one(value).into_iter().collect(),
    }
}

/// A record with its references expanded; what is not there stays the id that it was.
fn expand(record: &Record, follow: &Follow, reached: &BTreeMap<usize, Reached>) -> String {
    let Ok(members) = Members::parse(record.json()) else { return record.json().to_owned() };
    if follow.is_empty() {
        return record.json().to_owned();
    }
    let mut out = String::from("{");
    for (at, (name, value)) in members.0.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        json::append_string(name, &mut out);
        out.push(':');
        let Some((Some(model), further)) = follow.0.get(&**name) else {
            out.push_str(value.get());
            continue;
        };
        let known = reached.get(&model.index);
        let one = |value: Raw<'_>| {
            let id = record_id(value).ok();
            let record = id.and_then(|id| known?.records.get(&id)?.as_ref());
            record.map_or_else(|| value.get().to_owned(), |record| expand(record, further, reached))
        };
        match json::elements(*value) {
            Some(values) => {
                let values: Vec<String> = values.into_iter().map(one).collect();
                out.push('[');
                out.push_str(&values.join(","));
                out.push(']');
            }
            None => out.push_str(&one(*value)),
        }
    }
    out.push('}');
    out
}
