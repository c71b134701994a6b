//! Who a record belongs to.

use std::{fmt, sync::Arc};

/// Begins an owner's text. What was stored before owners had nodes is the session alone, and no session's name begins so.
const MARK: char = '@';

/// The session that a record belongs to, and the node that holds the session: the one that ends it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Owner {
    /// The session.
    pub session: Arc<str>,
    /// The incarnation of the node: another name each time it starts. It has no space; empty is a node that is not alive.
    pub node: Arc<str>,
}

impl Owner {
    /// An owner out of the text that [`fmt::Display`] gives, which is how stores keep it. Any other text is a session whose
    /// node is not alive.
    pub fn restore(text: &str) -> Self {
        let (node, session) = text.strip_prefix(MARK).and_then(|text| text.split_once(' ')).unwrap_or(("", text));
        Self { session: session.into(), node: node.into() }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{MARK}{} {}", self.node, self.session)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_what_it_was_stored_as() {
        for session in ["client ada", "client ada \n@bob carol", "", " ", "@node x"] {
            for node in ["2290d8f2", ""] {
                let owner = Owner { session: session.into(), node: node.into() };
                assert_eq!(Owner::restore(&owner.to_string()), owner);
            }
        }
    }

    #[test]
    fn what_was_stored_without_a_node_belongs_to_none_that_is_alive() {
        for session in ["client ada", "client ada @bob carol", "anonymous 2290d8f2"] {
            assert_eq!(Owner::restore(session), Owner { session: session.into(), node: "".into() });
        }
    }
}
