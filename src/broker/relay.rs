//! From the bus to this node's listeners.

use super::{Broker, Inner, chunk::Stretch, door::Offer, model::Model};
use crate::bus::{Publication, Receiver};
use backsync_protocol::{ModelName, Position};
use std::sync::Arc;

impl Receiver for Inner {
    fn receive(&self, publication: Publication) {
        let Some((broker, model)) = self.this.upgrade().map(Broker).and_then(|broker| {
            // Nobody here has asked for a model that this node does not know.
            let model = broker.known_model(publication.model.as_str())?;
            Some((broker, model))
        }) else {
            return;
        };
        if !model.is_placed() && model.hear_early() {
            return;
        }
        let epoch = publication.epoch;
        let changes = publication.changes.iter().cloned().collect();
        let stretch = Stretch::encode(|| model.source(epoch), changes, model.framings());
        broker.offer(&model, None, [Offer { run: Some((epoch, stretch)), settled: None }]);
    }

    fn stands(&self, model: &ModelName, position: Position) {
        let Some(broker) = self.this.upgrade().map(Broker) else { return };
        let Some(model) = broker.known_model(model.as_str()) else { return };
        if model.is_placed() || !model.hear_early() {
            broker.hear(&model, position);
        }
    }

    fn doubt(&self) {
        let Some(broker) = self.this.upgrade().map(Broker) else { return };
        if !broker.store().is_shared() {
            // Nobody else has written.
            return;
        }
        for model in broker.models() {
            if !model.is_placed() {
                model.hear_early();
            }
        }
        tokio::spawn(async move { broker.compare().await });
    }
}

impl Broker {
    /// The model stands here, as somebody says who asked the store.
    pub(super) fn hear(&self, model: &Arc<Model>, position: Position) {
        if let Some(gap) = model.hear(position) {
            self.close(model, gap);
        }
    }
}
