//! Where the threads of one session meet: what waits for its receiver, and who is there.

use super::actor::{Event, Fallback};
use crate::{
    broker::Sink,
    directory::SessionKey,
    server::conversation::Notice,
    sockjs::{self, Attached},
};
use actix::Addr;
use bytes::{Bytes, BytesMut};
use std::{
    collections::HashMap,
    io::{self, IoSlice},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

/// What may wait here. More waits at the other end, which has a rule for when it is too much.
const BYTES: usize = 64 << 10;

/// How many requests with messages of one session may be at work at once.
const SENDERS: usize = 16;

/// The sessions of an endpoint, by the names that their clients gave them.
#[derive(Debug, Default)]
pub(crate) struct Sessions(Mutex<HashMap<Box<str>, Arc<Session>>>);

impl Sessions {
    pub(super) fn find(&self, name: &str) -> Option<Arc<Session>> {
        self.lock().get(name).cloned()
    }

    /// The session of this name, or the one that `make` makes.
    pub(super) fn find_or<E>(
        &self,
        name: &str,
        make: impl FnOnce() -> Result<Arc<Session>, E>,
    ) -> Result<Arc<Session>, E> {
        let mut sessions = self.lock();
        if let Some(session) = sessions.get(name) {
            return Ok(session.clone());
        }
        let session = make()?;
        sessions.insert(name.into(), session.clone());
        Ok(session)
    }

    /// Their names for all nodes; `prefix` is where they are served.
    pub(super) fn keys(&self, prefix: &str) -> Vec<SessionKey> {
        self.lock().keys().map(|name| SessionKey::new(prefix, name)).collect()
    }

    pub(super) fn remove(&self, name: &str) {
        self.lock().remove(name);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Box<str>, Arc<Session>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A session, as receivers, senders and its actor see it.
#[derive(Debug)]
pub(crate) struct Session {
    state: Mutex<State>,
    actor: Addr<Fallback>,
}

#[derive(Debug)]
struct State {
    life: sockjs::Session,
    /// Whole lines.
    waiting: BytesMut,
    reader: Option<Waker>,
    /// The other end wants to know when there is room.
    is_blocked: bool,
    /// The other end says nothing more.
    is_over: bool,
    /// Requests with messages that are at work.
    senders: usize,
}

impl Session {
    pub(super) fn new(actor: Addr<Fallback>) -> Arc<Self> {
        let state = State {
            life: sockjs::Session::new(Instant::now()),
            waiting: BytesMut::new(),
            reader: None,
            is_blocked: false,
            is_over: false,
            senders: 0,
        };
        Arc::new(Self { state: Mutex::new(state), actor })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A receiver comes; unless it is refused, [`Self::detach`] has to follow.
    pub(super) fn attach(&self) -> Attached {
        let attached = self.lock().life.attach();
        if !matches!(attached, Attached::Refused(_)) {
            self.actor.do_send(Event::Attached);
        }
        attached
    }

    /// The receiver went, with a whole response or in the middle of one.
    pub(super) fn detach(&self, in_order: bool) {
        let mut state = self.lock();
        state.reader = None;
        let interrupted = state.life.detach(in_order, Instant::now());
        if interrupted {
            state.waiting = BytesMut::new();
            state.is_over = true;
        }
        drop(state);
        self.actor.do_send(Event::Detached { interrupted });
    }

    /// The next frame for the receiver, as a line; behind the last one always that which closes.
    pub(super) fn poll_frame(&self, context: &Context<'_>) -> Poll<Bytes> {
        let mut state = self.lock();
        let Some(frame) = sockjs::take_frame(&mut state.waiting) else {
            if let Some(frame) = state.life.close_frame() {
                return Poll::Ready(format!("{frame}\n").into());
            }
            state.reader = Some(context.waker().clone());
            return Poll::Pending;
        };
        if state.waiting.is_empty() {
            // An idle session holds no memory.
            state.waiting = BytesMut::new();
        }
        if frame.starts_with(b"c") {
            let closing = String::from_utf8_lossy(&frame);
            state.life.close(closing.trim_end());
        }
        if std::mem::take(&mut state.is_blocked) {
            self.actor.do_send(Event::Notice(Notice::Room));
        }
        Poll::Ready(frame)
    }

    /// The other end says nothing more; what waits is still received.
    pub(super) fn end(&self) {
        self.lock().is_over = true;
    }

    /// Nobody will come any more, or nobody is to: whoever still receives is told this.
    pub(super) fn close(&self, frame: &str) {
        let mut state = self.lock();
        state.is_over = true;
        state.life.close(frame);
        if let Some(reader) = state.reader.take() {
            reader.wake();
        }
    }

    /// Whether a receiver has not seen its end.
    pub(super) fn is_open(&self) -> bool {
        self.lock().life.is_open()
    }

    /// For how long it still waits for a receiver; `None` while there is one.
    pub(super) fn waits_for(&self, delay: Duration) -> Option<Duration> {
        self.lock().life.waits_for(delay, Instant::now())
    }

    /// Have the messages of a request taken. The answer is whether they were, and that may wait for earlier ones; `None` where too
    /// many wait.
    pub(super) async fn hear(&self, messages: Vec<String>) -> Option<bool> {
        let _sender = Sender::of(self)?;
        if self.lock().is_over {
            return Some(false);
        }
        let (done, taken) = tokio::sync::oneshot::channel();
        self.actor.do_send(Event::Heard(messages, done));
        Some(taken.await.is_ok())
    }
}

/// A request with messages that is at work.
struct Sender<'a>(&'a Session);

impl<'a> Sender<'a> {
    fn of(session: &'a Session) -> Option<Self> {
        let mut state = session.lock();
        if state.senders == SENDERS {
            return None;
        }
        state.senders += 1;
        Some(Self(session))
    }
}

impl Drop for Sender<'_> {
    fn drop(&mut self) {
        self.0.lock().senders -= 1;
    }
}

/// The end that the other side writes to. What it writes at once are whole lines.
pub(super) struct Way(pub(super) Arc<Session>);

impl Sink for Way {
    fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut state = self.0.lock();
        if state.is_over || !state.life.is_open() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let before = state.waiting.len();
        for slice in slices {
            if state.waiting.len() >= BYTES {
                break;
            }
            state.waiting.extend_from_slice(slice);
        }
        let written = state.waiting.len() - before;
        if written == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        if let Some(reader) = state.reader.take() {
            reader.wake();
        }
        Ok(written)
    }

    fn blocked(&self) {
        let mut state = self.0.lock();
        state.is_blocked = !state.waiting.is_empty();
        // The receiver may have taken everything in between.
        if !state.is_blocked {
            self.0.actor.do_send(Event::Notice(Notice::Room));
        }
    }

    fn resume(&self) {
        self.0.actor.do_send(Event::Notice(Notice::Resume));
    }

    fn ended(&self) {
        self.0.actor.do_send(Event::Notice(Notice::Ended));
    }
}
