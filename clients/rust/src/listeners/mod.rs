//! Who listens to what, what each still has to be told, and what must be asked of the server for it. No I/O beyond handing
//! an event over.
//!
//! While an event waits for a full subscription nothing more is read from the socket, so at most one message's events and
//! the news of one disconnect and one reconnect wait here.

mod listener;

use crate::{
    listen::{Wanted, Which, ids_json},
    message::{Received, Unnamed},
    subscription::Event,
};
use listener::Listener;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use tokio::{sync::mpsc, time::Instant};

#[derive(Debug, Default)]
pub(crate) struct Listeners {
    /// By registration, so in the order in which they came.
    listeners: BTreeMap<u64, Listener>,
    by_model: HashMap<String, Vec<u64>>,
    last_registration: u64,
    due: VecDeque<(u64, Event)>,
    /// Somebody was found to be gone.
    gone: bool,
}

/// A question to the server, and the registration that it is for.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) request: Unnamed,
    pub(crate) registration: u64,
}

impl Listeners {
    /// Register, and answer under which number; none where somebody listens to the same already.
    pub(crate) fn add(&mut self, wanted: Wanted, events: mpsc::Sender<Event>) -> Option<u64> {
        if self.of(&wanted.model).any(|other| other.wanted.is_same(&wanted)) {
            return None;
        }
        self.last_registration += 1;
        self.by_model.entry(wanted.model.clone()).or_default().push(self.last_registration);
        self.listeners.insert(self.last_registration, Listener::new(wanted, events));
        Some(self.last_registration)
    }

    fn of(&self, model: &str) -> impl Iterator<Item = &Listener> {
        self.by_model.get(model).into_iter().flatten().map(|registration| &self.listeners[registration])
    }

    /// Forget whoever does not listen any more; what to tell the server.
    pub(crate) fn remove_closed(&mut self) -> Vec<Unnamed> {
        self.gone = false;
        let closed = self.listeners.iter().filter(|(_, listener)| listener.events.is_closed());
        let closed: Vec<u64> = closed.map(|(registration, _)| *registration).collect();
        let removed: Vec<Listener> = closed.into_iter().filter_map(|registration| self.remove(registration)).collect();
        removed.iter().filter_map(|listener| self.goodbye(listener)).collect()
    }

    fn remove(&mut self, registration: u64) -> Option<Listener> {
        let listener = self.listeners.remove(&registration)?;
        self.due.retain(|(of, _)| *of != registration);
        if let Some(registrations) = self.by_model.get_mut(&listener.wanted.model) {
            registrations.retain(|other| *other != registration);
            if registrations.is_empty() {
                self.by_model.remove(&listener.wanted.model);
            }
        }
        Some(listener)
    }

    /// Forget everybody: the client ends.
    pub(crate) fn clear(&mut self) {
        *self = Self { last_registration: self.last_registration, ..Self::default() };
    }

    /// The end of what this one heard, but for what others still hear.
    fn goodbye(&self, gone: &Listener) -> Option<Unnamed> {
        let model = &gone.wanted.model;
        let data = match &gone.wanted.which {
            Which::All => "{}".to_owned(),
            Which::Ids(ids) => {
                let kept: BTreeSet<&String> = self.of(model).filter_map(|other| other.ids()).flatten().collect();
                let mut rest = ids.iter().filter(|id| !kept.contains(id)).peekable();
                rest.peek()?;
                format!("{{\"ids\":{}}}", ids_json(rest))
            }
            Which::Matching(criteria) => {
                let is_kept = gone.filter.is_some() && self.of(model).any(|other| other.filter == gone.filter);
                if is_kept {
                    return None;
                }
                format!("{{\"where\":{}}}", criteria.get())
            }
        };
        Some(Unnamed::own(model, "unsubscribe", &data))
    }

    /// What to ask for this one.
    pub(crate) fn question(&self, registration: u64) -> Option<Question> {
        self.listeners.get(&registration).map(|listener| Question { request: listener.question(), registration })
    }

    /// What to ask for all of them, after a connect.
    pub(crate) fn questions(&self) -> Vec<Question> {
        self.listeners.keys().filter_map(|registration| self.question(*registration)).collect()
    }

    /// The server has answered a [`Question`].
    pub(crate) fn answered(&mut self, registration: u64, reply: &Received<'_>, now: Instant) {
        if let Some(listener) = self.listeners.get_mut(&registration) {
            self.due.extend(listener.answered(reply, now).into_iter().map(|event| (registration, event)));
        }
    }

    /// A push of `model` came.
    pub(crate) fn pushed(&mut self, model: &str, method: &str, push: &Received<'_>) {
        for registration in self.by_model.get(model).into_iter().flatten() {
            let listener = self.listeners.get_mut(registration).expect("a registration is of a listener");
            self.due.extend(listener.pushed(method, push).map(|event| (*registration, event)));
        }
    }

    /// The connection is lost.
    pub(crate) fn connection_lost(&mut self) {
        for (registration, listener) in &mut self.listeners {
            if listener.connection_lost() {
                self.due.push_back((*registration, Event::Disconnected));
            }
        }
    }

    /// When [`Self::due_questions`] has something next.
    pub(crate) fn next_question(&self) -> Option<Instant> {
        self.listeners.values().filter_map(|listener| listener.ask_at).min()
    }

    /// What must be asked again now.
    pub(crate) fn due_questions(&mut self, now: Instant) -> Vec<Question> {
        let mut questions = Vec::new();
        for (registration, listener) in &mut self.listeners {
            if listener.ask_at.is_some_and(|at| at <= now) {
                listener.ask_at = None;
                questions.push(Question { request: listener.question(), registration: *registration });
            }
        }
        questions
    }

    pub(crate) fn has_due(&self) -> bool {
        !self.due.is_empty()
    }

    /// Whether somebody was found to be gone, for [`Self::remove_closed`].
    pub(crate) fn has_gone(&self) -> bool {
        self.gone
    }

    /// Wait until the listener of the first event that is due has room for it, or is gone. Cancel safe.
    pub(crate) async fn room(&self) {
        if let Some(listener) = self.due.front().and_then(|(registration, _)| self.listeners.get(registration)) {
            // An error means that it is gone, which is room enough.
            let _ = listener.events.reserve().await;
        }
    }

    /// Hand over whatever there is room for.
    pub(crate) fn deliver(&mut self) {
        while let Some((registration, event)) = self.due.pop_front() {
            let Some(listener) = self.listeners.get(&registration) else { continue };
            let last = matches!(event, Event::Failed(_));
            match listener.events.try_send(event) {
                Err(mpsc::error::TrySendError::Full(event)) => {
                    self.due.push_front((registration, event));
                    return;
                }
                Ok(()) if last => drop(self.remove(registration)),
                Ok(()) => {}
                Err(mpsc::error::TrySendError::Closed(_)) => self.gone = true,
            }
        }
    }
}

impl Listener {
    fn ids(&self) -> Option<&BTreeSet<String>> {
        match &self.wanted.which {
            Which::Ids(ids) => Some(ids),
            Which::All | Which::Matching(_) => None,
        }
    }
}
