//! The directory of one process, for several servers in it.

use super::{Claim, Directory, LIFE, Lookup, Node, SessionKey};
use std::{
    collections::HashMap,
    fmt,
    future::ready,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

/// A handle that is cheap to clone: all of them are one directory.
#[derive(Clone, Default)]
pub struct Memory(Arc<Mutex<HashMap<SessionKey, Entry>>>);

struct Entry {
    node: Node,
    until: Instant,
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("entries", &self.len()).finish()
    }
}

impl Memory {
    /// How many entries there are; of those that lapsed, some may still count.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionKey, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn claim_at(&self, session: SessionKey, node: &Node, gone: Option<&Node>, now: Instant) -> Claim {
        let mut entries = self.lock();
        match entries.get(&session) {
            Some(entry) if entry.until > now && entry.node != *node && Some(&entry.node) != gone => {
                Claim::Theirs(entry.node.clone())
            }
            _ => {
                entries.insert(session, Entry { node: node.clone(), until: now + LIFE });
                Claim::Ours
            }
        }
    }

    fn find_at(&self, session: SessionKey, now: Instant) -> Option<Node> {
        self.lock().get(&session).filter(|entry| entry.until > now).map(|entry| entry.node.clone())
    }

    fn keep_at(&self, sessions: &[SessionKey], node: &Node, now: Instant) {
        for session in sessions {
            self.claim_at(*session, node, None, now);
        }
        self.lock().retain(|_, entry| entry.until > now);
    }
}

impl Directory for Memory {
    fn claim<'a>(&'a self, session: SessionKey, node: &'a Node, gone: Option<&'a Node>) -> Lookup<'a, Claim> {
        Box::pin(ready(Ok(self.claim_at(session, node, gone, Instant::now()))))
    }

    fn find(&self, session: SessionKey) -> Lookup<'_, Option<Node>> {
        Box::pin(ready(Ok(self.find_at(session, Instant::now()))))
    }

    fn keep<'a>(&'a self, sessions: &'a [SessionKey], node: &'a Node) -> Lookup<'a, ()> {
        self.keep_at(sessions, node, Instant::now());
        Box::pin(ready(Ok(())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_of_the_first_that_claims_it_until_that_one_is_gone() {
        let (directory, now) = (Memory::default(), Instant::now());
        let [one, two, three] = ["http://a", "http://b", "http://c"].map(Node::new);
        let key = SessionKey::new("/sockjs", "s");
        assert_eq!(directory.find_at(key, now), None);
        assert_eq!(directory.claim_at(key, &one, None, now), Claim::Ours);
        assert_eq!(directory.claim_at(key, &one, None, now), Claim::Ours);
        assert_eq!(directory.claim_at(key, &two, None, now), Claim::Theirs(one.clone()));
        assert_eq!(directory.claim_at(key, &two, Some(&three), now), Claim::Theirs(one.clone()));
        assert_eq!(directory.claim_at(key, &two, Some(&one), now), Claim::Ours);
        // Who saw it go later finds who took it over.
        assert_eq!(directory.claim_at(key, &three, Some(&one), now), Claim::Theirs(two.clone()));
        assert_eq!(directory.find_at(key, now), Some(two));
    }

    #[test]
    fn what_is_not_kept_lapses_and_what_is_kept_stays_or_comes_back() {
        let (directory, start) = (Memory::default(), Instant::now());
        let [one, two] = ["http://a", "http://b"].map(Node::new);
        let [kept, left, lost] = ["kept", "left", "lost"].map(|name| SessionKey::new("/sockjs", name));
        directory.claim_at(kept, &one, None, start);
        directory.claim_at(left, &one, None, start);
        directory.keep_at(&[kept, lost], &one, start + LIFE / 2);
        assert_eq!(directory.find_at(left, start + LIFE), None);
        assert_eq!(directory.claim_at(left, &two, None, start + LIFE), Claim::Ours);
        for session in [kept, lost] {
            assert_eq!(directory.find_at(session, start + LIFE), Some(one.clone()));
        }
        // It is the other's now.
        directory.keep_at(&[left], &one, start + LIFE);
        assert_eq!(directory.find_at(left, start + LIFE), Some(two));
        directory.keep_at(&[], &one, start + LIFE * 3);
        assert!(directory.is_empty());
    }
}
