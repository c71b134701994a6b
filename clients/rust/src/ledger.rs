//! The requests that have no reply yet, in their order: pure, no I/O.
//!
//! A request is in here from the moment it is accepted until it is answered, so a lost connection loses none. The
//! number of callers' requests is bounded by the permits they carry, that of the connection's own by its listeners.

use crate::{
    error::{ClientError, End},
    message::Unnamed,
    naming::RequestIds,
    options::Retry,
    reply::Answer,
};
use std::collections::{BTreeMap, VecDeque};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// Who waits for a reply.
#[derive(Debug)]
pub(crate) enum Asker {
    /// A caller, and the room that its request takes.
    Caller { answer: oneshot::Sender<Answer>, retry: Retry, permit: Option<OwnedSemaphorePermit> },
    /// The listener that was registered under this number.
    Listener { registration: u64 },
    /// Nobody.
    Nobody,
}

#[derive(Debug)]
struct Entry {
    text: Utf8Bytes,
    /// As JSON, where its caller gave it one.
    id: Option<String>,
    asker: Asker,
    sent: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    ids: RequestIds,
    last_id: u64,
    entries: BTreeMap<u64, Entry>,
    unsent: VecDeque<u64>,
}

impl Ledger {
    /// With no requests yet, which are to be called like this.
    pub(crate) fn new(ids: RequestIds) -> Self {
        Self { ids, ..Self::default() }
    }

    /// Take a request in, to be sent after all that are here.
    pub(crate) fn accept(&mut self, request: &Unnamed, asker: Asker) {
        self.last_id += 1;
        let id = request.id().map(str::to_owned);
        let text = match &id {
            Some(id) => request.named(id),
            None => request.named(&self.ids.json(self.last_id)),
        };
        self.entries.insert(self.last_id, Entry { text: text.into(), id, asker, sent: false });
        self.unsent.push_back(self.last_id);
    }

    pub(crate) fn has_unsent(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// How many wait to be sent.
    pub(crate) fn unsent(&self) -> usize {
        self.unsent.len()
    }

    /// Send the first `count` of those that wait after the others.
    pub(crate) fn put_behind(&mut self, count: usize) {
        self.unsent.rotate_left(count);
    }

    /// The next message to send. Requests that their caller has given up are skipped.
    pub(crate) fn next_unsent(&mut self) -> Option<Utf8Bytes> {
        while let Some(id) = self.unsent.pop_front() {
            let Some(entry) = self.entries.get_mut(&id) else { continue };
            if entry.asker.gave_up() {
                self.entries.remove(&id);
                continue;
            }
            entry.sent = true;
            return Some(entry.text.clone());
        }
        None
    }

    /// A reply came, to a request of this id in JSON: who asked. `None` for one that was answered already, or never asked.
    pub(crate) fn answered(&mut self, id: &str) -> Option<Asker> {
        let is_own = |number: &u64| self.entries.get(number).is_some_and(|entry| entry.id.is_none());
        let given =
            || self.entries.iter().find(|(_, entry)| entry.id.as_deref() == Some(id)).map(|(number, _)| *number);
        self.ids.number(id).filter(is_own).or_else(given).and_then(|number| self.remove(number))
    }

    fn remove(&mut self, number: u64) -> Option<Asker> {
        self.entries.remove(&number).map(|entry| entry.asker)
    }

    /// Whether a caller's request waits to be sent or answered. One that was sent counts though nobody awaits it any more.
    pub(crate) fn has_callers(&self) -> bool {
        let counts =
            |entry: &Entry| matches!(entry.asker, Asker::Caller { .. }) && (entry.sent || !entry.asker.gave_up());
        self.entries.values().any(counts)
    }

    /// The connection is lost: end what must not be repeated, and keep the rest to be sent again in the same order. The
    /// connection's own requests go; it asks anew.
    pub(crate) fn connection_lost(&mut self) {
        let entries = std::mem::take(&mut self.entries);
        self.unsent.clear();
        for (id, mut entry) in entries {
            match entry.asker {
                Asker::Caller { retry: Retry::Fail, answer, .. } if entry.sent => {
                    // Who is gone needs no answer.
                    let _ = answer.send(Err(ClientError::ConnectionLost));
                }
                Asker::Caller { ref answer, .. } if !answer.is_closed() => {
                    entry.sent = false;
                    self.entries.insert(id, entry);
                    self.unsent.push_back(id);
                }
                Asker::Caller { .. } | Asker::Listener { .. } | Asker::Nobody => {}
            }
        }
    }

    /// The server closed because a message was too large. It reads in order and stops there, so of those that were sent
    /// the largest is one it does not take; the others may be repeated.
    pub(crate) fn too_large(&mut self) {
        let sent = self.entries.iter().filter(|(_, entry)| entry.sent);
        let Some((&id, bytes)) = sent.map(|(id, e)| (id, e.text.len())).max_by_key(|(_, bytes)| *bytes) else {
            return;
        };
        if let Some(Asker::Caller { answer, .. }) = self.remove(id) {
            let _ = answer.send(Err(ClientError::TooLarge { bytes }));
        }
    }

    /// The client is over: answer everybody.
    pub(crate) fn end(&mut self, end: &End) {
        self.unsent.clear();
        for entry in std::mem::take(&mut self.entries).into_values() {
            if let Asker::Caller { answer, .. } = entry.asker {
                let _ = answer.send(Err(ClientError::Ended(end.clone())));
            }
        }
    }
}

impl Asker {
    fn gave_up(&self) -> bool {
        matches!(self, Self::Caller { answer, .. } if answer.is_closed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::RequestOptions;

    fn request(ledger: &mut Ledger, name: &str, retry: Retry) -> oneshot::Receiver<Answer> {
        let (answer, reply) = oneshot::channel();
        ledger.accept(&Unnamed::own("A", name, ""), Asker::Caller { answer, retry, permit: None });
        reply
    }

    fn sent(ledger: &mut Ledger) -> Vec<String> {
        std::iter::from_fn(|| ledger.next_unsent()).map(|text| text.to_string()).collect()
    }

    #[test]
    fn what_is_unanswered_is_repeated_in_order_before_what_is_new() {
        let mut ledger = Ledger::new(RequestIds::plain());
        let _replies: Vec<_> = ["a", "b", "c"].map(|name| request(&mut ledger, name, Retry::Repeat)).into();
        ledger.accept(&Unnamed::own("A", "read", ""), Asker::Nobody);
        assert_eq!(sent(&mut ledger).len(), 4);
        assert!(ledger.answered("2").is_some());
        assert!(ledger.answered("2").is_none());
        let _late = request(&mut ledger, "d", Retry::Repeat);
        ledger.connection_lost();
        let again = sent(&mut ledger);
        assert_eq!(again, [r#"{"id":1,"event":"A:a"}"#, r#"{"id":3,"event":"A:c"}"#, r#"{"id":5,"event":"A:d"}"#]);
    }

    #[test]
    fn what_was_sent_is_waited_for_also_where_nobody_awaits_it() {
        let mut ledger = Ledger::new(RequestIds::prefixed());
        let reply = request(&mut ledger, "a", Retry::Repeat);
        ledger.accept(&Unnamed::own("A", "unsubscribe", ""), Asker::Nobody);
        assert!(ledger.has_callers());
        let text = sent(&mut ledger).remove(0);
        drop(reply);
        assert!(ledger.has_callers());
        let id: std::collections::BTreeMap<String, String> = serde_json::from_str(&text).unwrap();
        assert!(ledger.answered("1").is_none() && ledger.answered(&format!("\"{}\"", id["id"])).is_some());
        drop(request(&mut ledger, "b", Retry::Repeat));
        assert!(!ledger.has_callers());
    }

    #[test]
    fn an_id_that_a_caller_gave_is_the_requests_also_when_it_is_repeated() {
        let mut ledger = Ledger::new(RequestIds::plain());
        let options = RequestOptions { id: Some("2".to_owned()), ..RequestOptions::default() };
        let (answer, _reply) = oneshot::channel();
        let asker = Asker::Caller { answer, retry: Retry::Repeat, permit: None };
        ledger.accept(&Unnamed::encode("A:a", &1, &options).unwrap(), asker);
        let _other = request(&mut ledger, "b", Retry::Repeat);
        let both = [r#"{"id":"2","event":"A:a","data":1}"#, r#"{"id":2,"event":"A:b"}"#];
        assert_eq!(sent(&mut ledger), both);
        ledger.connection_lost();
        assert_eq!(sent(&mut ledger), both);
        assert!(ledger.answered("1").is_none());
        assert!(ledger.answered("\"2\"").is_some() && ledger.answered("\"2\"").is_none());
        assert!(ledger.answered("2").is_some());
    }

    #[test]
    fn what_must_not_be_repeated_ends_only_if_it_was_sent() {
        let mut ledger = Ledger::default();
        let mut was_sent = request(&mut ledger, "a", Retry::Fail);
        assert!(ledger.next_unsent().is_some());
        let mut waits = request(&mut ledger, "b", Retry::Fail);
        ledger.connection_lost();
        assert!(matches!(was_sent.try_recv(), Ok(Err(ClientError::ConnectionLost))));
        assert!(waits.try_recv().is_err());
        assert_eq!(sent(&mut ledger), [r#"{"id":2,"event":"A:b"}"#]);
    }

    #[test]
    fn a_request_that_was_given_up_is_neither_sent_nor_repeated() {
        let mut ledger = Ledger::default();
        drop(request(&mut ledger, "a", Retry::Repeat));
        assert_eq!(sent(&mut ledger), Vec::<String>::new());
        let reply = request(&mut ledger, "b", Retry::Repeat);
        assert_eq!(sent(&mut ledger).len(), 1);
        drop(reply);
        ledger.connection_lost();
        assert!(!ledger.has_unsent());
    }

    #[test]
    fn of_what_was_sent_the_largest_is_too_large() {
        let mut ledger = Ledger::default();
        let mut small = request(&mut ledger, "a", Retry::Repeat);
        let mut large = request(&mut ledger, "aaaaaaaa", Retry::Repeat);
        assert_eq!(sent(&mut ledger).len(), 2);
        let mut waits = request(&mut ledger, "aaaaaaaaaaaaaaa", Retry::Repeat);
        ledger.too_large();
        assert!(matches!(large.try_recv(), Ok(Err(ClientError::TooLarge { bytes: 29 }))));
        assert!(small.try_recv().is_err() && waits.try_recv().is_err());
    }
}
