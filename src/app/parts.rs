//! From settings to what the broker and the doors are made of.

use crate::{
    broker::{Limits, ModelRules, Reference},
    server::{Options, Origins, SockJsOptions},
    settings::{ModelSettings, ModelsSettings, ReferenceSettings, Settings, SockJsSettings},
    store::{Bounds, Millis},
};
use backsync_protocol::ModelName;
use std::{
    collections::HashMap,
    num::NonZeroU64,
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

fn workers(settings: &Settings) -> usize {
    match settings.server.workers {
        0 => thread::available_parallelism().map_or(1, usize::from),
        workers => workers,
    }
}

pub(super) fn limits(settings: &Settings) -> Limits {
    let (compress_from, settings) = (settings.websocket.compress_from_bytes, &settings.limits);
    Limits {
        depth: settings.depth,
        batch_records: settings.batch_records,
        models: settings.models,
        listeners_per_connection: settings.listeners_per_connection,
        queue_bytes: settings.queue_bytes,
        in_flight: settings.in_flight,
        compress_from,
    }
}

pub(super) fn rules(settings: &ModelsSettings) -> HashMap<ModelName, ModelRules> {
    let named = settings.0.iter().filter_map(|(name, model)| Some((ModelName::parse(name).ok()?, model)));
    let rules = |model: &ModelSettings| ModelRules {
        bounds: Bounds { max_records: model.max_records, max_age: NonZeroU64::new(model.max_age_s * 1000) },
        push_evictions: model.push_evictions,
        policy: model.policy,
        ephemeral: model.ephemeral,
        group: Some(model.group.clone()).filter(|group| !group.is_empty()),
        references: model.references().map(reference).collect(),
    };
    named.map(|(name, model)| (name, rules(model))).collect()
}

fn reference(settings: ReferenceSettings<'_>) -> (String, Reference) {
    let ReferenceSettings { attribute, model, many, through } = settings;
    let reference = match through {
        Some(through) => Reference::Through(model, through.to_owned()),
        None if many => Reference::Many(model),
        None => Reference::One(model),
    };
    (attribute.to_owned(), reference)
}

/// Models that are written together.
pub(super) fn groups(rules: &HashMap<ModelName, ModelRules>) -> HashMap<ModelName, String> {
    rules.iter().filter_map(|(name, rules)| Some((name.clone(), rules.group.clone()?))).collect()
}

/// Milliseconds since 1970.
pub(super) fn now() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis::try_from(since.as_millis()).unwrap_or(Millis::MAX)
}

pub(super) fn options(settings: &Settings) -> Options {
    Options {
        workers: workers(settings),
        message_bytes: settings.limits.message_bytes,
        connections: settings.limits.connections,
        advertise: Some(settings.server.advertise.clone()).filter(|address| !address.is_empty()),
        origins: Origins {
            allowed: settings.server.allowed_origins.clone(),
            loopback: settings.server.listen.ip().is_loopback(),
        },
        compression: settings.websocket.compression,
        heartbeat: settings.heartbeat.interval(),
        timeout: settings.heartbeat.timeout(),
        sockjs: sockjs(&settings.sockjs),
        public_dir: Some(&settings.server.public_dir).filter(|folder| !folder.is_empty()).map(Into::into),
        console: settings.console.enabled,
        directory: None,
    }
}

fn sockjs(settings: &SockJsSettings) -> SockJsOptions {
    SockJsOptions {
        websocket: settings.websocket,
        cookie: settings.cookie,
        response_bytes: settings.response_bytes,
        disconnect_delay: settings.disconnect_delay(),
        client_url: settings.client_url.clone(),
        client_dir: Some(settings.client_dir.as_str()).filter(|folder| !folder.is_empty()).map(Into::into),
    }
}
