//! One listener: how far it has heard, what it asks for after a connect, and what each message means to it. Pure.
//!
//! What it hears are the changes of one history in their order, each once: an answer goes on where the last event ended, and
//! a push that is not beyond it is dropped.

use crate::{
    error::ServerError,
    listen::{Mode, Wanted, Which},
    message::{Received, Unnamed},
    record::id_of,
    subscription::Event,
};
use backsync_protocol::Position;
use serde_json::value::RawValue;
use std::time::Duration;
use tokio::{sync::mpsc, time::Instant};

/// How long to wait before a question is repeated that the server could not answer just now.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Listener {
    pub(super) wanted: Wanted,
    pub(super) events: mpsc::Sender<Event>,
    /// The server has answered on this connection: pushes count.
    pub(super) live: bool,
    /// It was live once.
    was_live: bool,
    /// Up to where it has heard.
    position: Option<String>,
    /// What its pushes are marked with, where it wants what matches.
    pub(super) filter: Option<String>,
    /// Ask again then.
    pub(super) ask_at: Option<Instant>,
}

impl Listener {
    pub(super) fn new(mut wanted: Wanted, events: mpsc::Sender<Event>) -> Self {
        let position = wanted.since.take();
        Self { wanted, events, live: false, was_live: false, position, filter: None, ask_at: None }
    }

    /// What to ask the server for.
    pub(super) fn question(&self) -> Unnamed {
        let method = match self.wanted.mode {
            Mode::Snapshot => "read",
            Mode::ChangesOnly => "subscribe",
        };
        Unnamed::own(&self.wanted.model, method, &self.wanted.query(self.position.as_deref()))
    }

    /// The connection is lost; whether there was anything to lose.
    pub(super) fn connection_lost(&mut self) -> bool {
        self.ask_at = None;
        std::mem::take(&mut self.live)
    }

    /// The server has answered the question.
    pub(super) fn answered(&mut self, reply: &Received<'_>, now: Instant) -> Vec<Event> {
        let opening = match reply.error() {
            Some(error) if error.retry => {
                self.ask_at = Some(now + ASK_AGAIN_AFTER);
                return Vec::new();
            }
            Some(error) => Err(error),
            None => self.opening(reply),
        };
        let opening = match opening {
            Ok(opening) => opening,
            Err(error) => return vec![Event::Failed(error)],
        };
        self.live = true;
        self.filter.clone_from(&reply.filter);
        if reply.position.is_some() {
            self.position.clone_from(&reply.position);
        }
        let again = std::mem::replace(&mut self.was_live, true);
        let news = again.then_some(Event::Reconnected { max_records: reply.max_records });
        news.into_iter().chain(opening).collect()
    }

    fn opening(&self, reply: &Received<'_>) -> Result<Vec<Event>, ServerError> {
        let position = reply.position.clone();
        match (&self.position, self.wanted.mode) {
            (None, Mode::ChangesOnly) => Ok(Vec::new()),
            (Some(_), _) if !reply.reset => missed(reply),
            _ => Ok(vec![Event::Reset { records: reply.records()?, max_records: reply.max_records, position }]),
        }
    }

    /// What a push for its model means to it; nothing where it is for others, or was heard before.
    pub(super) fn pushed(&mut self, method: &str, push: &Received<'_>) -> Option<Event> {
        if !self.live || !self.concerns(push) {
            return None;
        }
        if let (Some(last), Some(new)) = (&self.position, &push.position)
            && is_heard(last, new)
        {
            return None;
        }
        let position = push.position.clone();
        let event = match method {
            "upsert" => Event::Upsert { record: self.own(push.data())?, position },
            "delete" => {
                let record = self.own(push.data())?;
                Event::Delete { id: id_of(&record)?, record: Some(record), left: push.left, position }
            }
            "reset" => match push.records() {
                Ok(records) => {
                    let records = records.into_iter().filter_map(|record| self.own(record)).collect();
                    Event::Reset { records, max_records: push.max_records, position }
                }
                Err(error) => Event::Failed(error),
            },
            _ => return None,
        };
        if push.position.is_some() {
            self.position.clone_from(&push.position);
        }
        Some(event)
    }

    /// Whether a push is for such as this one.
    fn concerns(&self, push: &Received<'_>) -> bool {
        match self.wanted.which {
            Which::Matching(_) => push.filter.is_some() && push.filter == self.filter,
            Which::All | Which::Ids(_) => push.filter.is_none(),
        }
    }

    /// A record, where it is one of those that are wanted.
    fn own(&self, record: Box<RawValue>) -> Option<Box<RawValue>> {
        match &self.wanted.which {
            Which::Ids(ids) => ids.contains(&id_of(&record)?).then_some(record),
            Which::All | Which::Matching(_) => Some(record),
        }
    }
}

/// The net changes since the position that was asked about. They are one step: only the last event has the position, so
/// that nobody takes a part for the whole.
fn missed(reply: &Received<'_>) -> Result<Vec<Event>, ServerError> {
    let gone = reply.deleted()?.into_iter();
    let gone = gone.map(|id| Event::Delete { id, record: None, left: false, position: None });
    let new = reply.records()?.into_iter().map(|record| Event::Upsert { record, position: None });
    let mut events: Vec<Event> = gone.chain(new).collect();
    if let Some(Event::Delete { position, .. } | Event::Upsert { position, .. }) = events.last_mut() {
        position.clone_from(&reply.position);
    }
    Ok(events)
}

/// Whether a message at `new` is of what was heard up to `last`. Positions of a kind that is not known here are the same or
/// they are not.
fn is_heard(last: &str, new: &str) -> bool {
    match (last.parse::<Position>(), new.parse::<Position>()) {
        (Ok(last), Ok(new)) => last.epoch == new.epoch && new.revision <= last.revision,
        _ => last == new,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_beyond_the_last_position_was_heard() {
        let at = |epoch: u64, revision: u64| format!("{epoch:016x}.{revision}");
        assert!(is_heard(&at(1, 7), &at(1, 7)) && is_heard(&at(1, 10), &at(1, 9)));
        assert!(!is_heard(&at(1, 9), &at(1, 10)));
        // Another history begins where it likes.
        assert!(!is_heard(&at(1, 9), &at(2, 3)));
        assert!(is_heard("p", "p") && !is_heard("p", "q"));
    }
}
