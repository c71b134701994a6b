//! A connection of the broker's that lasts as long as one HTTP request.

use super::{problem::Problem, reply::Reply};
use crate::{
    broker::{ConnectionKey, FeedError, Framing, Hub, Progress, Update},
    server::{
        mailbox::Mailbox,
        party::{Host, Place},
        worker::Worker,
    },
};
use actix_web::{HttpRequest, http::header};
use backsync_protocol::{ErrorCode, ErrorObject, RecordInput, Revision, json};
use bytes::Bytes;
use std::{
    cell::RefCell,
    future::poll_fn,
    rc::Rc,
    task::{Context, Poll},
};
use uuid::Uuid;

/// Who is asked for writes that are to be done once, where no client is named.
const KEYED: &str = "idempotency-key";

/// Who asks, as the request tells.
#[derive(Debug)]
pub(super) struct Asker {
    token: Option<String>,
    client: Option<String>,
    /// The id of its messages, as JSON text.
    id: String,
    /// Whether that is to be known again.
    is_keyed: bool,
}

impl Asker {
    /// The one behind a request, and what its parameter `client` says.
    ///
    /// # Errors
    /// Where it shows what is no token, or names a transaction with what is no name.
    pub(super) fn of(request: &HttpRequest, client: Option<String>) -> Result<Self, Problem> {
        let text = |name: &str| {
            let value = request.headers().get(name)?;
            Some(value.to_str().map_err(|_| Problem::invalid(format!("the header {name} is not ASCII text"))))
        };
        let token = match text(header::AUTHORIZATION.as_str()).transpose()? {
            None => None,
            Some(value) => match value.split_once(' ') {
                Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Some(token.trim().to_owned()),
                _ => return Err(Problem::unauthorized("authorization is to be: Bearer TOKEN")),
            },
        };
        let key = text("idempotency-key").transpose()?.map(|key| key.trim_matches('"'));
        if key.is_some_and(|key| !(1..=128).contains(&key.len()) || !key.bytes().all(|byte| byte.is_ascii_graphic())) {
            return Err(Problem::invalid(
                "an Idempotency-Key is 1 to 128 printable ASCII characters, best a random UUID",
            ));
        }
        let mut id = String::new();
        match (key, &client) {
            (Some(key), _) => json::append_string(key, &mut id),
            // Under a client's name each id names another transaction.
            (None, Some(_)) => json::append_string(&Uuid::new_v4().to_string(), &mut id),
            (None, None) => id.push('1'),
        }
        let is_keyed = key.is_some();
        let client = client.or_else(|| is_keyed.then(|| KEYED.to_owned()));
        Ok(Self { token, client, id, is_keyed })
    }

    /// Whether what is asked is to be done once, however often it is sent.
    pub(super) fn is_keyed(&self) -> bool {
        self.is_keyed
    }

    /// A look at records, without listening; `query` is JSON text.
    pub(super) fn look(&self, model: &str, query: &str) -> String {
        self.message(model, "read", Some(query), Some("{\"listen\":false}"))
    }

    /// A request of the wire. `data` and `options` are JSON text.
    pub(super) fn message(&self, model: &str, method: &str, data: Option<&str>, options: Option<&str>) -> String {
        message(&self.id, model, method, data, options)
    }
}

/// The same, under this id.
pub(super) fn message(id: &str, model: &str, method: &str, data: Option<&str>, options: Option<&str>) -> String {
    let mut out = String::with_capacity(data.map_or(0, str::len) + options.map_or(0, str::len) + model.len() + 64);
    out.push_str("{\"id\":");
    out.push_str(id);
    out.push_str(",\"event\":");
    json::append_string(&format!("{model}:{method}"), &mut out);
    for (name, value) in [(",\"data\":", data), (",\"options\":", options)] {
        if let Some(value) = value {
            out.push_str(name);
            out.push_str(value);
        }
    }
    out.push('}');
    out
}

/// The connection.
pub(super) struct Exchange {
    hub: Rc<RefCell<Hub>>,
    key: ConnectionKey,
    mailbox: Rc<Mailbox>,
    /// Among the connections that may be open.
    _place: Place,
}

impl Exchange {
    /// For requests that are answered.
    pub(super) fn open(worker: &Rc<Worker>, asker: &Asker) -> Result<Self, Problem> {
        // What it gets are its own replies, of which there is never more than was asked for.
        Self::with(worker, asker, Framing::Lines, usize::MAX)
    }

    /// With room for so many bytes that were not read yet.
    pub(super) fn with(worker: &Rc<Worker>, asker: &Asker, framing: Framing, room: usize) -> Result<Self, Problem> {
        let place = worker.place().map_err(Problem::refused)?;
        let mailbox = Rc::new(Mailbox::new(room));
        let key = worker.hub.borrow_mut().open(framing, mailbox.clone());
        let this = Self { hub: worker.hub.clone(), key, mailbox, _place: place };
        let mut hub = this.hub.borrow_mut();
        if let Some(token) = &asker.token {
            hub.authenticate(key, token).map_err(|denied| Problem::unauthorized(denied.reason))?;
        }
        if let Some(client) = &asker.client {
            hub.name_client(key, client)?;
        }
        if framing == Framing::Events {
            // It listens, and so handlers are told of it; a request that is answered is over at once.
            hub.announce(key);
        }
        drop(hub);
        Ok(this)
    }

    /// Offer a message; [`Self::flush`] follows when there are no more.
    pub(super) fn offer(&self, message: &str) -> Progress {
        self.hub.borrow_mut().receive(self.key, message)
    }

    /// Offer records to be written as one batch, whose reply names them only; `options` is JSON text. They are gone when they were taken.
    pub(super) fn offer_records(&self, model: &str, options: &str, records: &mut Vec<RecordInput>) -> Progress {
        let options = serde_json::from_str(options).expect("options are written here");
        self.hub.borrow_mut().receive_records(self.key, "1", model, Some(options), records)
    }

    /// Have done what was offered, as far as it can be now.
    pub(super) fn flush(&self) {
        self.hub.borrow_mut().flush();
    }

    /// What comes out.
    pub(super) fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    /// Say that there is room for more, where that is waited for.
    pub(super) fn make_room(&self) {
        if self.mailbox.take_blocked() {
            self.hub.borrow_mut().unblocked(self.key);
        }
    }

    /// Ask one thing.
    pub(super) async fn ask(&self, message: &str) -> Result<Reply, ErrorObject> {
        poll_fn(|context| self.poll_offered(message, context)).await;
        let line = poll_fn(|context| self.poll_piece(b"\n", context)).await;
        match line {
            Some(line) => Reply::parse(line),
            None => Err(ending()),
        }
    }

    /// What became of a model since a time.
    pub(super) fn updates(&self, model: &str, since: u64) -> impl Future<Output = Result<Update, FeedError>> + use<> {
        self.hub.borrow_mut().updates(self.key, model, since)
    }

    /// Give the changes of a write a time of their own: these are the first and the last of them.
    pub(super) fn date(
        &self,
        model: &str,
        changed: Option<(u64, u64)>,
    ) -> impl Future<Output = Result<u64, FeedError>> + use<> {
        let changed = changed.map(|(first, last)| (Revision(first), Revision(last)));
        self.hub.borrow_mut().date(model, changed)
    }

    /// Offer it until it is taken.
    fn poll_offered(&self, message: &str, context: &Context<'_>) -> Poll<()> {
        loop {
            let progress = self.offer(message);
            self.flush();
            if progress == Progress::Taken || self.mailbox.is_ended() {
                return Poll::Ready(());
            }
            if !self.mailbox.take_resumed() {
                self.mailbox.wait(context);
                return Poll::Pending;
            }
        }
    }

    /// The next piece of what comes out, with its `end`; none where the server goes.
    pub(super) fn poll_piece(&self, end: &[u8], context: &Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            match self.mailbox.take_to(end) {
                // A heartbeat.
                Some(piece) if piece == end || piece.starts_with(b":") => {}
                Some(piece) => return Poll::Ready(Some(piece)),
                None if self.mailbox.is_ended() => return Poll::Ready(None),
                None => {
                    self.mailbox.wait(context);
                    return Poll::Pending;
                }
            }
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.hub.borrow_mut().remove(self.key);
    }
}

/// What is answered where the server goes in the middle of it.
pub(super) fn ending() -> ErrorObject {
    let message = "the server is shutting down; whether this was done is not known, ask again";
    ErrorObject::new(ErrorCode::ShuttingDown, message)
}
