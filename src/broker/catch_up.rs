//! What a node lacks of a model is read from the store's log: one reader for each model, page by page, for as long as there is a gap.

use super::{
    Broker, Inner,
    chunk::Stretch,
    door::{Gap, Offered},
    model::Model,
};
use crate::store::StoreError;
use backsync_protocol::Position;
use std::{
    sync::{Arc, Weak},
    time::Duration,
};

/// How many changes are read from the log at once.
const PAGE: usize = 1000;
/// So long is waited for what is probably on its way: two nodes that write to one model hear of each other a moment late, and
/// to read the log each time would cost the store more than the writes do.
const PATIENCE: Duration = Duration::from_millis(50);
/// How long is waited after a failure, at first and at most.
const AGAIN: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(5)];

impl Broker {
    /// Read what is missing. The model has to have asked for it.
    pub(super) fn close(&self, model: &Arc<Model>, gap: Gap) {
        let is_patient = gap == Gap::Early && self.0.parts.bus.has_others(self.origin());
        tokio::spawn(catch_up(self.0.this.clone(), model.clone(), is_patient));
    }

    async fn read_log(&self, model: &Arc<Model>, asked: Position) -> Result<Offered, StoreError> {
        let inboxes = &self.0.inboxes;
        let Some(page) = self.store().changes(&model.name, asked, PAGE).await? else {
            let position = self.store().position(&model.name).await?;
            tracing::warn!(
                model = %model.name, delivered = %asked, stands = %position,
                "the log does not lead on from what was delivered; all listeners are told anew"
            );
            return Ok(model.begin_anew(inboxes, position));
        };
        let (position, changes) = (page.position, page.changes);
        let source = || model.source(position.epoch);
        let run = (!changes.is_empty()).then(|| Stretch::encode(source, changes.into(), model.framings()));
        Ok(model.resume(inboxes, asked, run, position))
    }
}

async fn catch_up(node: Weak<Inner>, model: Arc<Model>, is_patient: bool) {
    if is_patient {
        tokio::time::sleep(PATIENCE).await;
    }
    let mut pause = AGAIN[0];
    // What comes in while the log is read may open the next gap.
    while let Some(broker) = node.upgrade().map(Broker)
        && let Some(asked) = model.next_gap()
    {
        match broker.read_log(&model, asked).await {
            Ok(offered) => {
                pause = AGAIN[0];
                broker.follow(&model, None, offered);
            }
            Err(StoreError::Closed) => return model.give_up(),
            Err(cause) => {
                model.doubt();
                drop(broker);
                if pause == AGAIN[0] {
                    tracing::error!(model = %model.name, error = %cause, "cannot read the log to catch up; trying again");
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(AGAIN[1]);
            }
        }
    }
}
