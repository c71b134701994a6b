//! Who a connection talks with: the broker's hub, or a message service of somebody's own. Whatever carries the bytes knows
//! only this.

use super::{upgrade::Refusal, worker::Worker};
use crate::broker::{ConnectionKey, Framing, Hub, Progress, Sink};
use backsync_protocol::{ErrorCode, ErrorObject};
use std::{
    cell::RefCell,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Where new connections lead.
pub(super) trait Host {
    /// Take a connection in: what goes to it is wrapped in `framing`, behind the bytes `first`, and written to `sink` at the
    /// next [`Party::flush`]. `client` is who it says it is.
    fn open(&self, framing: Framing, first: &[u8], client: Option<&str>, sink: Rc<dyn Sink>) -> Box<dyn Party>;

    /// A place among the connections that may be open.
    ///
    /// # Errors
    /// Where none is left, or nobody may come any more.
    fn place(&self) -> Result<Place, Refusal>;
}

/// The other end of one connection.
pub(super) trait Party {
    /// Take one message.
    fn receive(&mut self, message: &str) -> Progress;

    /// Take a message that is no text.
    fn receive_binary(&mut self, message: &[u8]);

    /// A sign of life that is no message.
    fn seen(&mut self);

    /// Send bytes of the framing's own, such as a pong.
    fn send(&mut self, bytes: &[u8]);

    /// End it once everything before is written.
    fn close(&mut self, code: u16, reason: &str);

    /// The sink takes more again.
    fn unblocked(&mut self);

    /// Write what all of this caused.
    fn flush(&mut self);

    /// It is over; may be said again.
    fn leave(&mut self);
}

/// A place among the connections that may be open; given back when dropped.
#[derive(Debug)]
pub(super) struct Place(Arc<AtomicUsize>);

impl Place {
    /// Take one of `limit`.
    ///
    /// # Errors
    /// Where none is left.
    pub(super) fn take(open: &Arc<AtomicUsize>, limit: usize) -> Result<Self, Refusal> {
        let more = |open| (open < limit).then_some(open + 1);
        let taken = open.fetch_update(Ordering::AcqRel, Ordering::Acquire, more);
        taken.map(|_| Self(open.clone())).map_err(|_| Refusal::full())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Host for Worker {
    fn open(&self, framing: Framing, first: &[u8], client: Option<&str>, sink: Rc<dyn Sink>) -> Box<dyn Party> {
        let mut hub = self.hub.borrow_mut();
        let key = hub.open(framing, sink);
        hub.send(key, first);
        if let Some(client) = client
            && let Err(error) = hub.name_client(key, client)
        {
            hub.session_error(key, None, &error);
        }
        hub.announce(key);
        Box::new(Member { hub: self.hub.clone(), key })
    }

    fn place(&self) -> Result<Place, Refusal> {
        if *self.doors.stopping.borrow() {
            return Err(Refusal::ending());
        }
        Place::take(&self.doors.open, self.doors.options.connections)
    }
}

/// A connection of the broker's.
struct Member {
    hub: Rc<RefCell<Hub>>,
    key: ConnectionKey,
}

impl Party for Member {
    fn receive(&mut self, message: &str) -> Progress {
        self.hub.borrow_mut().receive(self.key, message)
    }

    fn receive_binary(&mut self, _: &[u8]) {
        let message = "binary frames are not part of backsync; send JSON in text frames";
        let error = ErrorObject::new(ErrorCode::BinaryMessage, message);
        self.hub.borrow_mut().session_error(self.key, None, &error);
    }

    fn seen(&mut self) {
        self.hub.borrow_mut().seen(self.key);
    }

    fn send(&mut self, bytes: &[u8]) {
        self.hub.borrow_mut().send(self.key, bytes);
    }

    fn close(&mut self, code: u16, reason: &str) {
        self.hub.borrow_mut().close(self.key, code, reason, None);
    }

    fn unblocked(&mut self) {
        self.hub.borrow_mut().unblocked(self.key);
    }

    fn flush(&mut self) {
        self.hub.borrow_mut().flush();
    }

    fn leave(&mut self) {
        self.hub.borrow_mut().remove(self.key);
    }
}
