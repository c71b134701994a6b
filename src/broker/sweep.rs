//! What happens by itself: records of ended sessions go, and so do records that are too old.

use super::{Broker, presence::Presence};
use crate::store::{Few, Millis, Operation, StoreError, Terms};
use backsync_protocol::ModelName;
use smallvec::smallvec;
use std::{
    sync::{Arc, MutexGuard, PoisonError},
    time::Duration,
};

/// After a failure it is tried again.
const AGAIN: Millis = 1_000;
/// How often models with a bounded age are looked at.
const AGES: Millis = 1_000;

impl Broker {
    /// Do what is due, for as long as the server runs: one task of the node runs this.
    ///
    /// # Errors
    /// Where the store cannot say at the start which records belong to sessions.
    pub async fn sweep(self) -> Result<(), StoreError> {
        // What a process that died left behind goes like what is left behind now.
        let deadline = self.now() + self.0.parts.linger;
        for owned in self.store().owned().await? {
            self.presence().found(&owned.owner, deadline);
        }
        let aging: Vec<ModelName> = self.aging();
        let mut ages_at = self.now();
        loop {
            let now = self.now();
            let ends = self.presence().next_deadline();
            let ages = (!aging.is_empty()).then_some(ages_at);
            let next = ends.into_iter().chain(ages).min();
            let changed = self.0.sessions_changed.notified();
            match next {
                None => changed.await,
                Some(at) if at > now => {
                    tokio::select! {
                        () = changed => {}
                        () = tokio::time::sleep(Duration::from_millis(at - now)) => {}
                    }
                }
                Some(_) => {
                    self.end_sessions().await;
                    if ages.is_some_and(|at| at <= now) {
                        self.evict(&aging).await;
                        ages_at = now + AGES;
                    }
                }
            }
        }
    }

    pub(super) fn presence(&self) -> MutexGuard<'_, Presence> {
        self.0.presence.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection that had a session is gone.
    pub(super) fn detach(&self, session: &str, lingers: bool) {
        let linger = if lingers { self.0.parts.linger } else { 0 };
        if self.presence().detach(session, self.now() + linger) {
            self.0.sessions_changed.notify_one();
        }
    }

    /// Delete the records of sessions that have ended.
    pub(super) async fn end_sessions(&self) {
        let now = self.now();
        let ended = self.presence().ended(now);
        if ended.is_empty() {
            return;
        }
        let owned = match self.store().owned().await {
            Ok(owned) => owned,
            Err(cause) => {
                tracing::error!(error = %cause, "the store cannot say which records belong to sessions");
                ended.iter().for_each(|session| self.presence().put_off(session, now + AGAIN));
                return;
            }
        };
        let mut failed: Vec<Arc<str>> = Vec::new();
        for owned in owned.into_iter().filter(|owned| ended.contains(&owned.owner)) {
            if !self.presence().has_ended(&owned.owner, now) {
                continue;
            }
            let terms = Terms { owner: Some(owned.owner.clone()), ..Terms::default() };
            let operation = Operation::Delete { id: owned.id, terms };
            if let Err(cause) = self.write(&owned.model, smallvec![operation]).await
                && cause.retry
            {
                failed.push(owned.owner);
            }
        }
        let mut presence = self.presence();
        for session in ended {
            if failed.contains(&session) {
                presence.put_off(&session, now + AGAIN);
            } else {
                presence.forget(&session, now);
            }
        }
    }

    fn aging(&self) -> Vec<ModelName> {
        let rules = self.0.parts.rules.iter();
        rules.filter(|(_, rules)| rules.bounds.max_age.is_some()).map(|(name, _)| name.clone()).collect()
    }

    /// Let go of what is too old.
    async fn evict(&self, models: &[ModelName]) {
        for model in models {
            // What fails is logged where it fails, and tried again at the next turn.
            let _ = self.write(model, Few::new()).await;
        }
    }
}
