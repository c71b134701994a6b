//! Where the store's models stand, asked now and then: so everything comes right, however much a bus loses. Models that nobody
//! has use for are let go of.

use super::{Broker, chunk::Framings, model::Model};
use crate::store::StoreError;
use backsync_protocol::{ModelName, Position};
use std::{sync::Arc, time::Duration};

/// How often is asked. What a bus loses is missing for no longer than twice that.
const TICK: Duration = Duration::from_millis(500);
/// After so many looks models are let go of that nobody had use for since as many looks before: a minute or two after the last use, so
/// that who comes back soon finds all as it was.
const LOOKS: u64 = 120;
/// How many models are asked for at once.
const AT_ONCE: usize = 500;

impl Broker {
    /// Look where the models of a shared store stand, for as long as the server runs: one task of the node runs this. It ends at
    /// once where nobody else writes to the store.
    pub async fn watch(self) {
        if !self.store().is_shared() {
            return;
        }
        let mut is_failing = false;
        for looks in 1_u64.. {
            tokio::time::sleep(TICK).await;
            if looks % LOOKS == 0 {
                self.let_go();
            }
            match self.look().await {
                Ok(()) => is_failing = false,
                Err(cause) if !std::mem::replace(&mut is_failing, true) => {
                    tracing::error!(error = %cause, "the store does not say where its models stand; trying again");
                }
                Err(_) => {}
            }
        }
    }

    /// Look once. What is missing since the look before is read from the log, and the bus is to see why it did not bring it.
    pub(super) async fn look(&self) -> Result<(), StoreError> {
        for model in self.models() {
            if !model.is_placed() && model.framings() != Framings::default() {
                // Somebody began to listen in the moment in which it was let go of.
                self.place(&model).await?;
            }
        }
        self.ask_heads(|model, position| {
            if model.is_late(position) {
                self.0.parts.bus.mend(self.origin(), &model.name);
                self.hear(model, position);
            }
        })
        .await
    }

    /// Let go of models that nobody had use for since this was called before: others' changes to them are not told here, until somebody
    /// has use for them again.
    pub(super) fn let_go(&self) {
        for model in self.models() {
            model.let_go(|| self.0.parts.bus.unfollow(self.origin(), &model.name));
        }
    }

    /// The bus was away: read whatever is missing now.
    pub(super) async fn compare(&self) {
        // Where the store does not answer, the next look finds it.
        let _ = self.ask_heads(|model, position| self.hear(model, position)).await;
    }

    async fn ask_heads(&self, each: impl Fn(&Arc<Model>, Position)) -> Result<(), StoreError> {
        let placed: Vec<Arc<Model>> = self.models().into_iter().filter(|model| model.is_placed()).collect();
        for models in placed.chunks(AT_ONCE) {
            let names: Vec<ModelName> = models.iter().map(|model| model.name.clone()).collect();
            let positions = self.store().positions(&names).await?;
            models.iter().zip(positions).for_each(|(model, position)| each(model, position));
        }
        Ok(())
    }
}
