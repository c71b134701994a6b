//! Who listens to which model, what each still has to be told, and what must be asked of the server for it. No I/O
//! beyond handing an event over.
//!
//! While an event waits for a full subscription nothing more is read from the socket, so at most one message's events and
//! the news of one disconnect and one reconnect wait here.

use crate::{
    error::ServerError,
    message::{Received, Unnumbered},
    subscription::Event,
};
use serde_json::value::RawValue;
use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};
use tokio::{sync::mpsc, time::Instant};

/// How long to wait before a read is repeated that the server could not answer just now.
const REREAD_AFTER: Duration = Duration::from_secs(1);

/// What a listener wants to begin with, after every connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The whole model.
    Snapshot,
    /// Only what happens from then on.
    ChangesOnly,
}

#[derive(Debug)]
struct Listener {
    registration: u64,
    mode: Mode,
    events: mpsc::Sender<Event>,
    /// The server has answered on this connection: pushes count.
    live: bool,
    /// It was live once.
    was_live: bool,
    /// Ask again then.
    ask_at: Option<Instant>,
}

#[derive(Debug, Default)]
pub(crate) struct Listeners {
    by_model: HashMap<String, Listener>,
    last_registration: u64,
    due: VecDeque<(String, Event)>,
}

/// A question to the server, and the registration that it is for.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) request: Unnumbered,
    pub(crate) model: String,
    pub(crate) registration: u64,
}

impl Listeners {
    /// Register; `false` where somebody listens to this model already.
    pub(crate) fn add(&mut self, model: &str, mode: Mode, events: mpsc::Sender<Event>) -> bool {
        if self.by_model.get(model).is_some_and(|other| !other.events.is_closed()) {
            return false;
        }
        self.last_registration += 1;
        let registration = self.last_registration;
        let listener = Listener { registration, mode, events, live: false, was_live: false, ask_at: None };
        self.due.retain(|(of, _)| of != model);
        self.by_model.insert(model.to_owned(), listener);
        true
    }

    /// Forget whoever does not listen any more; what to tell the server.
    pub(crate) fn remove_closed(&mut self) -> Vec<Unnumbered> {
        let mut goodbyes = Vec::new();
        self.by_model.retain(|model, listener| {
            let stays = !listener.events.is_closed();
            if !stays {
                goodbyes.push(Unnumbered::bare(model, "unsubscribe"));
            }
            stays
        });
        self.due.retain(|(model, _)| self.by_model.contains_key(model));
        goodbyes
    }

    /// What to ask for this model, or for all after a connect.
    pub(crate) fn questions(&self, only: Option<&str>) -> Vec<Question> {
        let wanted = self.by_model.iter().filter(|(model, _)| only.is_none_or(|only| only == model.as_str()));
        wanted.map(|(model, listener)| listener.question(model)).collect()
    }

    /// The server has answered a [`Question`].
    pub(crate) fn answered(&mut self, model: String, registration: u64, reply: &Received<'_>, now: Instant) {
        let Some(listener) = self.by_model.get_mut(&model).filter(|l| l.registration == registration) else { return };
        let opening = match (reply.error(), listener.mode) {
            (Some(error), _) if error.retry => {
                listener.ask_at = Some(now + REREAD_AFTER);
                return;
            }
            (Some(error), _) => Event::Failed(error),
            (None, Mode::ChangesOnly) => Event::Reconnected,
            (None, Mode::Snapshot) => match records(reply) {
                Ok(records) => Event::Snapshot { records, position: reply.position.clone() },
                Err(error) => Event::Failed(error),
            },
        };
        listener.live = !matches!(opening, Event::Failed(_));
        let again = std::mem::replace(&mut listener.was_live, true);
        if again && matches!(opening, Event::Snapshot { .. }) {
            self.due.push_back((model.clone(), Event::Reconnected));
        }
        if again || !matches!(opening, Event::Reconnected) {
            self.due.push_back((model, opening));
        }
    }

    /// A push of `model` came.
    pub(crate) fn pushed(&mut self, model: &str, method: &str, push: &Received<'_>) {
        if !self.by_model.get(model).is_some_and(|listener| listener.live) {
            return;
        }
        let position = push.position.clone();
        let event = match method {
            "upsert" => Event::Upsert { record: push.data(), position },
            "delete" => Event::Delete { record: push.data(), position },
            "reset" => match records(push) {
                Ok(records) => Event::Reset { records, position },
                Err(error) => Event::Failed(error),
            },
            _ => return,
        };
        self.due.push_back((model.to_owned(), event));
    }

    /// The connection is lost.
    pub(crate) fn connection_lost(&mut self) {
        for (model, listener) in &mut self.by_model {
            listener.ask_at = None;
            if std::mem::take(&mut listener.live) {
                self.due.push_back((model.clone(), Event::Disconnected));
            }
        }
    }

    /// When [`Self::due_questions`] has something next.
    pub(crate) fn next_question(&self) -> Option<Instant> {
        self.by_model.values().filter_map(|listener| listener.ask_at).min()
    }

    /// What must be asked again now.
    pub(crate) fn due_questions(&mut self, now: Instant) -> Vec<Question> {
        let mut questions = Vec::new();
        for (model, listener) in &mut self.by_model {
            if listener.ask_at.is_some_and(|at| at <= now) {
                listener.ask_at = None;
                questions.push(listener.question(model));
            }
        }
        questions
    }

    pub(crate) fn has_due(&self) -> bool {
        !self.due.is_empty()
    }

    /// Wait until the listener of the first event that is due has room for it, or is gone. Cancel safe.
    pub(crate) async fn room(&self) {
        if let Some(listener) = self.due.front().and_then(|(model, _)| self.by_model.get(model)) {
            // An error means that it is gone, which is room enough.
            let _ = listener.events.reserve().await;
        }
    }

    /// Hand over whatever there is room for.
    pub(crate) fn deliver(&mut self) {
        while let Some((model, event)) = self.due.pop_front() {
            let Some(listener) = self.by_model.get(&model) else { continue };
            let last = matches!(event, Event::Failed(_));
            match listener.events.try_send(event) {
                Err(mpsc::error::TrySendError::Full(event)) => {
                    self.due.push_front((model, event));
                    return;
                }
                Ok(()) if last => {
                    self.by_model.remove(&model);
                }
                Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => {}
            }
        }
    }
}

impl Listener {
    fn question(&self, model: &str) -> Question {
        let method = match self.mode {
            Mode::Snapshot => "read",
            Mode::ChangesOnly => "subscribe",
        };
        let request = Unnumbered::bare(model, method);
        Question { request, model: model.to_owned(), registration: self.registration }
    }
}

fn records(message: &Received<'_>) -> Result<Vec<Box<RawValue>>, ServerError> {
    message.data_as::<Vec<&RawValue>>().map(|records| records.into_iter().map(ToOwned::to_owned).collect()).map_err(
        |cause| ServerError {
            code: "internal".to_owned(),
            message: format!("the server answered with something else than an array of records: {cause}"),
            retry: false,
        },
    )
}
