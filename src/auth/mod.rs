//! The seam where every method asks whether it may.
//!
//! Rules come later; the question is asked from the first day, in one place, before anything is read or changed.

use backsync_protocol::{Method, ModelName};
use std::sync::Arc;

/// Who acts on a connection.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identity {
    /// The name somebody proved to have; none for the anonymous.
    pub principal: Option<Arc<str>>,
}

/// What somebody wants to do.
#[derive(Debug, Clone, Copy)]
pub struct Action<'a> {
    /// The method asked for.
    pub method: Method,
    /// On this model.
    pub model: &'a ModelName,
}

/// The answer "no".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Denied {
    /// For the client to read.
    pub reason: String,
}

/// Decides. Called on the delivery path of every request: it must answer at once.
pub trait Policy: Send + Sync + 'static {
    /// Whether `identity` may do `action`.
    ///
    /// # Errors
    /// [`Denied`] where it may not.
    fn check(&self, identity: &Identity, action: Action<'_>) -> Result<(), Denied>;
}

/// Everybody may do everything: the policy of a server that listens on loopback and has no rules.
#[derive(Debug, Clone, Copy, Default)]
pub struct AllowAll;

impl Policy for AllowAll {
    fn check(&self, _: &Identity, _: Action<'_>) -> Result<(), Denied> {
        Ok(())
    }
}
