//! Which node has which session, where several nodes serve the same clients and any of them may get any request.
//!
//! Only SockJS over HTTP needs it: a session is on one node, and its next request may come to another. An entry lapses by
//! itself unless it is kept, so what a dead node left needs nobody to tidy up. Nobody says that a session is over, either: until
//! its entry lapses, who still comes is sent to the node that had it, and that one knows.

mod memory;
#[cfg(feature = "server")]
pub mod open;
mod redis;

pub use memory::Memory;
pub use redis::Redis;

use sha2::{Digest, Sha256};
use std::{error::Error, fmt, future::Future, pin::Pin, time::Duration};

/// An entry that was neither claimed nor kept for so long is none.
pub const LIFE: Duration = Duration::from_secs(30);

/// What a directory answers; it may be asked from any thread, and dropped at any time.
pub type Lookup<'a, T> = Pin<Box<dyn Future<Output = Result<T, DirectoryError>> + Send + 'a>>;

/// Which node has a session.
///
/// # Guarantees
/// Each call is atomic for each session: of two nodes that claim one at once, one is told that it is theirs and the other whose
/// it is. An entry is there for at least [`LIFE`] after it was claimed or kept, unless the directory itself loses it; then it is
/// there again after the next [`Self::keep`].
pub trait Directory: fmt::Debug + Send + Sync + 'static {
    /// `node` opens the session, unless another one has it. Where that is `gone`, it has it no more.
    fn claim<'a>(&'a self, session: SessionKey, node: &'a Node, gone: Option<&'a Node>) -> Lookup<'a, Claim>;

    /// Who has the session.
    fn find(&self, session: SessionKey) -> Lookup<'_, Option<Node>>;

    /// `node` has these sessions: entries that are its own get their whole life again, those that are missing are made, and
    /// those of others stay.
    fn keep<'a>(&'a self, sessions: &'a [SessionKey], node: &'a Node) -> Lookup<'a, ()>;
}

/// The outcome of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// It is the claimant's.
    Ours,
    /// Another node has it.
    Theirs(Node),
}

/// A node, as the others reach it.
#[derive(Clone, PartialEq, Eq)]
pub struct Node {
    address: String,
    token: String,
}

impl Node {
    /// The node that begins its life now, at this address: `http://host:port`.
    pub fn new(address: impl Into<String>) -> Self {
        Self { address: address.into(), token: uuid::Uuid::new_v4().simple().to_string() }
    }

    /// Understand what [`Self::entry`] wrote.
    pub fn parse(entry: &str) -> Option<Self> {
        let (address, token) = entry.split_once(' ')?;
        Some(Self { address: address.to_owned(), token: token.to_owned() })
    }

    /// As a directory may keep it.
    pub fn entry(&self) -> String {
        format!("{} {}", self.address, self.token)
    }

    /// Where it listens.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What it knows a request of another node by. It tells one life of a node from the next, and whoever knows it can read the
    /// directory; it is not to be shown.
    pub fn token(&self) -> &str {
        &self.token
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Node").field(&self.address).finish()
    }
}

/// Names a session for all nodes. It has one length, whatever the client chose, and does not tell what that was: who knows
/// a session's name can speak in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionKey([u8; 16]);

impl SessionKey {
    /// The session of this name below a prefix.
    pub fn new(prefix: &str, name: &str) -> Self {
        let digest = Sha256::new().chain_update(prefix).chain_update([0]).chain_update(name).finalize();
        Self(*digest.first_chunk().expect("a digest of 32 bytes"))
    }
}

impl fmt::Display for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The directory cannot say.
#[derive(Debug, thiserror::Error)]
#[error("the directory of sessions cannot be asked: {0}")]
pub struct DirectoryError(#[source] Box<dyn Error + Send + Sync>);

impl DirectoryError {
    /// Because of this.
    pub fn new(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(cause.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_read_as_it_was_written_and_each_life_is_another() {
        let node = Node::new("http://10.0.0.5:9000");
        assert_eq!(Node::parse(&node.entry()), Some(node.clone()));
        assert_ne!(Node::new(node.address()), node);
        assert_eq!(Node::parse("http://10.0.0.5:9000"), None);
        assert!(!format!("{node:?}").contains(node.token()));
    }

    #[test]
    fn the_same_name_below_another_prefix_is_another_session() {
        let key = SessionKey::new("/sockjs", "a");
        assert_eq!(key, SessionKey::new("/sockjs", "a"));
        assert_ne!(key, SessionKey::new("/backsync", "a"));
        assert_ne!(key, SessionKey::new("/sock", "jsa"));
        assert_eq!(key.to_string().len(), 32);
    }
}
