//! From the bus, and from the log where the bus left a gap, to this node's listeners.

use super::{
    Broker, Inner,
    chunk::Stretch,
    model::{Model, Offered},
};
use crate::bus::{Publication, Receiver};
use std::sync::{Arc, PoisonError};

/// How many changes are read from the log at once.
const PAGE: usize = 1000;

impl Receiver for Inner {
    fn receive(&self, publication: Publication) {
        // Nobody here has asked for a model that this node does not know.
        let known = self.models.read().unwrap_or_else(PoisonError::into_inner).get(&publication.model).cloned();
        let Some(model) = known else { return };
        if !model.is_placed() && model.hear_early() {
            return;
        }
        let epoch = publication.epoch;
        let changes = publication.changes.iter().cloned().collect();
        let stretch = Stretch::encode(|| model.source(epoch), changes, model.framings());
        let offered = model.deliver(&self.inboxes, None, epoch, Some(stretch), None);
        if offered == Offered::CatchUp
            && let Some(broker) = self.this.upgrade().map(Broker)
        {
            spawn_catch_up(broker, model);
        }
    }
}

/// Read what is missing from the log and deliver it. At most one runs for a model.
pub(super) fn spawn_catch_up(broker: Broker, model: Arc<Model>) {
    tokio::spawn(async move {
        // What comes in while the log is read may open the next gap.
        while let Some(after) = model.next_gap() {
            let page = match broker.store().changes(&model.name, after, PAGE).await {
                Ok(Some(page)) => page,
                Ok(None) => {
                    tracing::error!(model = %model.name, %after, "the log no longer reaches back to what was delivered last");
                    return model.give_up();
                }
                Err(cause) => {
                    tracing::error!(model = %model.name, error = %cause, "cannot read the log to catch up");
                    return model.give_up();
                }
            };
            let epoch = match broker.store().position(&model.name).await {
                Ok(position) if !page.is_empty() => position.epoch,
                _ => return model.give_up(),
            };
            let stretch = Stretch::encode(|| model.source(epoch), page.into(), model.framings());
            model.deliver(&broker.0.inboxes, None, epoch, Some(stretch), None);
        }
    });
}
