//! Who is here: sessions that may own records, and when those records go.
//!
//! A session lives while a connection has it, and lingers after that, so that who reconnects finds its records. The records
//! themselves are the store's: here is only whose time is up. Pure: time is an argument.

use crate::store::Millis;
use std::{collections::HashMap, sync::Arc};

/// The sessions of a node.
#[derive(Debug, Default)]
pub(crate) struct Presence {
    sessions: HashMap<Arc<str>, Session>,
}

#[derive(Debug, Default)]
struct Session {
    connections: usize,
    /// When it ends, where no connection has it.
    deadline: Option<Millis>,
}

impl Presence {
    /// A connection has this session from now on.
    pub(crate) fn attach(&mut self, session: &Arc<str>) {
        let session = self.sessions.entry(session.clone()).or_default();
        session.connections += 1;
        session.deadline = None;
    }

    /// A connection that had this session is gone. Answers whether nobody has it now: it ends at `deadline` then.
    pub(crate) fn detach(&mut self, session: &str, deadline: Millis) -> bool {
        let Some(session) = self.sessions.get_mut(session) else { return false };
        session.connections -= 1;
        if session.connections == 0 {
            session.deadline = Some(deadline);
        }
        session.connections == 0
    }

    /// Records of this session were found: if nobody has it, it ends at `deadline`.
    pub(crate) fn found(&mut self, session: &Arc<str>, deadline: Millis) {
        let session = self.sessions.entry(session.clone()).or_default();
        if session.connections == 0 {
            session.deadline.get_or_insert(deadline);
        }
    }

    /// When the next session ends.
    pub(crate) fn next_deadline(&self) -> Option<Millis> {
        self.sessions.values().filter_map(|session| session.deadline).min()
    }

    /// Sessions that have ended by now. They stay known until [`Self::forget`].
    pub(crate) fn ended(&self, now: Millis) -> Vec<Arc<str>> {
        let over = |session: &Session| session.deadline.is_some_and(|deadline| deadline <= now);
        self.sessions.iter().filter(|(_, session)| over(session)).map(|(name, _)| name.clone()).collect()
    }

    /// Whether a session has ended: nobody came back meanwhile.
    pub(crate) fn has_ended(&self, session: &str, now: Millis) -> bool {
        self.sessions.get(session).is_none_or(|session| session.deadline.is_some_and(|deadline| deadline <= now))
    }

    /// The records of a session are gone; if nobody came back meanwhile, nothing is left of it.
    pub(crate) fn forget(&mut self, session: &str, now: Millis) {
        if self.has_ended(session, now) {
            self.sessions.remove(session);
        }
    }

    /// Deleting failed: try once more, at `deadline`.
    pub(crate) fn put_off(&mut self, session: &str, deadline: Millis) {
        if let Some(session) = self.sessions.get_mut(session).filter(|session| session.deadline.is_some()) {
            session.deadline = Some(deadline);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_after_its_last_connection_and_its_linger() {
        let mut presence = Presence::default();
        let me: Arc<str> = "me".into();
        presence.attach(&me);
        presence.attach(&me);
        assert!(!presence.detach("me", 10));
        assert_eq!(presence.next_deadline(), None);
        assert!(presence.detach("me", 20));
        assert_eq!((presence.next_deadline(), presence.ended(19).len()), (Some(20), 0));
        assert_eq!(presence.ended(20), std::slice::from_ref(&me));
        presence.forget("me", 20);
        assert_eq!(presence.next_deadline(), None);
    }

    #[test]
    fn who_comes_back_in_time_keeps_the_session() {
        let mut presence = Presence::default();
        let me: Arc<str> = "me".into();
        presence.attach(&me);
        presence.detach("me", 20);
        presence.attach(&me);
        assert!(presence.ended(1000).is_empty());
        assert!(!presence.has_ended("me", 1000));
        presence.forget("me", 1000);
        assert!(presence.detach("me", 2000), "it was not forgotten");
    }

    #[test]
    fn what_a_dead_process_left_is_taken_over_or_ends() {
        let mut presence = Presence::default();
        let [back, gone]: [Arc<str>; 2] = ["back".into(), "gone".into()];
        presence.attach(&back);
        presence.found(&back, 5);
        presence.found(&gone, 5);
        presence.found(&gone, 50);
        assert_eq!(presence.ended(5), [gone]);
    }
}
