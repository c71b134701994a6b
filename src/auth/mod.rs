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

/// Finds out who somebody is.
pub trait Authenticator: Send + Sync + 'static {
    /// Who has this token. It must answer at once.
    ///
    /// # Errors
    /// [`Denied`] where nobody has it.
    fn authenticate(&self, token: &str) -> Result<Identity, Denied>;
}

/// Knows no tokens: the authenticator of a server without rules.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoTokens;

impl Authenticator for NoTokens {
    fn authenticate(&self, _: &str) -> Result<Identity, Denied> {
        Err(Denied { reason: "this server takes no tokens; connect without one".to_owned() })
    }
}

/// Everybody may do everything: the policy of a server that listens on loopback and has no rules.
#[derive(Debug, Clone, Copy, Default)]
pub struct AllowAll;

impl Policy for AllowAll {
    fn check(&self, _: &Identity, _: Action<'_>) -> Result<(), Denied> {
        Ok(())
    }
}
