//! The table of a worker's connections, and what the broker keeps of each.

use super::{handlers::Then, scope::Scope};
use crate::{
    auth::Identity,
    broker::{door::Stand, framing::Framing, outbox::Outbox},
};
use bytes::Bytes;
use std::{
    fmt,
    io::{self, IoSlice},
    rc::Rc,
    sync::Arc,
};

/// So many connections are looked ahead at.
pub(super) const AHEAD: usize = 16;

/// Where a connection's bytes go. The hub calls it while it works: nothing here may call back into the hub at once.
pub trait Sink {
    /// Write as much as goes without waiting.
    ///
    /// # Errors
    /// `WouldBlock` where nothing goes now; any other means that the connection is gone.
    fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Soon something is written: look at what is needed for it, so that it is in the processor's cache. Nothing depends on it.
    fn fetch(&self) {}

    /// It was full: have [`super::Hub::unblocked`] called when it takes more.
    fn blocked(&self);

    /// The message that was told [`super::Progress::Later`] may be offered again.
    fn resume(&self);

    /// All is written that could be, and nothing more will be: end it, and have [`super::Hub::remove`] called.
    fn ended(&self);
}

impl fmt::Debug for dyn Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sink")
    }
}

/// Names a connection of one worker; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionKey {
    pub(super) index: u32,
    generation: u32,
}

impl fmt::Display for ConnectionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.index, self.generation)
    }
}

/// What the broker keeps of a connection.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(super) framing: Framing,
    pub(super) sink: Rc<dyn Sink>,
    pub(super) outbox: Outbox,
    pub(crate) identity: Identity,
    /// As the client named itself.
    pub(crate) client: Option<Arc<str>>,
    /// What its records of ephemeral models belong to; made when it is needed.
    pub(crate) session: Option<Arc<str>>,
    /// Whether it has written such records.
    pub(crate) owns: bool,
    pub(super) listening: Vec<Listening>,
    /// How far into the staged chunks of a model this connection was served in this batch: (model, chunks).
    pub(super) cursors: Vec<(usize, usize)>,
    /// Writes without an outcome yet, all on the model `writing` (or one batch, if that is no model).
    pub(crate) in_flight: usize,
    pub(crate) writing: Option<usize>,
    /// A read has no answer yet, or a handler has not decided.
    pub(crate) reading: bool,
    /// What is done when no write is in flight.
    pub(super) then: Option<Then>,
    /// Handlers were told of it.
    pub(super) announced: bool,
    /// It was told to wait.
    pub(crate) waits: bool,
    /// Served individually in this batch.
    pub(super) individual: bool,
    /// The sink is full.
    pub(super) blocked: bool,
    /// Something was left when it was written last.
    pub(super) lagging: bool,
    /// Pushes were let go of because it reads too slowly, so many heartbeats ago.
    pub(super) behind: Option<u8>,
    /// Of so many models it is being told what became of them.
    pub(super) told: usize,
    /// What ends it is in the outbox.
    pub(super) closing: bool,
    /// Heard of since the last heartbeat, and for how many heartbeats not.
    pub(super) seen: bool,
    pub(super) silent: u8,
    dirty: bool,
}

/// A connection's share in a model.
#[derive(Debug)]
pub(super) struct Listening {
    pub(super) model: usize,
    pub(super) scope: Scope,
    /// Where it stands among the model's live listeners, where it hears the whole.
    pub(super) slot: usize,
    pub(super) share: Share,
    /// While something waits to be written: up to where all was written.
    pub(super) sent: Option<Stand>,
    /// After so many flushes it became live.
    pub(super) live_from: u64,
}

/// Whether what changes is given to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Share {
    /// It is in the lists of listeners.
    Live,
    /// A read is on its way.
    Paused,
    /// The read is done, and after it all of the model is told.
    Owed,
    /// This telling tells it.
    Told(u64),
    /// The connection is behind.
    Behind,
}

impl Listening {
    /// What was handed over in earlier flushes is written, as far as it was given to this one then.
    pub(super) fn note_sent(&mut self, flushed: Option<Stand>, flushes: u64) {
        if self.share == Share::Live && self.live_from < flushes {
            self.sent = flushed;
        }
    }
}

impl Connection {
    pub(super) fn listening(&self, model: usize) -> Option<&Listening> {
        self.listening.iter().find(|listening| listening.model == model)
    }

    pub(super) fn listening_mut(&mut self, model: usize) -> Option<&mut Listening> {
        self.listening.iter_mut().find(|listening| listening.model == model)
    }

    /// Listeners of this connection: models, single records, filters.
    pub(crate) fn listeners(&self) -> usize {
        self.listening.iter().map(|listening| listening.scope.len()).sum()
    }

    /// Note that `served` staged chunks of a model were given out; answers how many had been before.
    pub(super) fn advance(&mut self, model: usize, served: usize) -> usize {
        match self.cursors.iter_mut().find(|(of, _)| *of == model) {
            Some((_, cursor)) => std::mem::replace(cursor, served),
            None => {
                self.cursors.push((model, served));
                0
            }
        }
    }
}

/// All connections of a worker, densely numbered.
#[derive(Debug, Default)]
pub(super) struct Connections {
    slots: Vec<(u32, Option<Connection>)>,
    free: Vec<u32>,
    dirty: Vec<u32>,
}

impl Connections {
    pub(super) fn insert(&mut self, framing: Framing, sink: Rc<dyn Sink>) -> ConnectionKey {
        let connection = Connection {
            framing,
            sink,
            outbox: Outbox::default(),
            identity: Identity::default(),
            client: None,
            session: None,
            owns: false,
            listening: Vec::new(),
            cursors: Vec::new(),
            in_flight: 0,
            writing: None,
            reading: false,
            then: None,
            announced: false,
            waits: false,
            individual: false,
            blocked: false,
            lagging: false,
            behind: None,
            told: 0,
            closing: false,
            seen: true,
            silent: 0,
            dirty: false,
        };
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push((0, None));
            u32::try_from(self.slots.len() - 1).expect("fewer connections than a number of 32 bits")
        });
        let slot = &mut self.slots[index as usize];
        slot.1 = Some(connection);
        ConnectionKey { index, generation: slot.0 }
    }

    pub(super) fn remove(&mut self, key: ConnectionKey) -> Option<Connection> {
        let slot = self.slots.get_mut(key.index as usize).filter(|slot| slot.0 == key.generation)?;
        let connection = slot.1.take()?;
        slot.0 = slot.0.wrapping_add(1);
        self.free.push(key.index);
        Some(connection)
    }

    pub(super) fn find(&mut self, key: ConnectionKey) -> Option<&mut Connection> {
        self.slots.get_mut(key.index as usize).filter(|slot| slot.0 == key.generation)?.1.as_mut()
    }

    /// A connection that some table of the hub names, and which therefore exists.
    pub(super) fn at(&mut self, index: u32) -> &mut Connection {
        self.slots[index as usize].1.as_mut().expect("a connection leaves all tables before it is removed")
    }

    pub(super) fn key(&self, index: u32) -> ConnectionKey {
        ConnectionKey { index, generation: self.slots[index as usize].0 }
    }

    pub(super) fn keys(&self) -> Vec<ConnectionKey> {
        let present = self.slots.iter().enumerate().filter(|(_, slot)| slot.1.is_some());
        present.map(|(index, _)| self.key(u32::try_from(index).expect("made from 32 bits"))).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Queue a shared frame for one connection.
    pub(super) fn push(&mut self, index: u32, frame: Bytes) {
        let connection = self.at(index);
        if !connection.closing {
            connection.outbox.push(frame);
            self.mark_dirty(index);
        }
    }

    /// Queue the same bytes for all of these that are not served individually. The hottest loop there is.
    pub(super) fn push_to_all(&mut self, indexes: &[u32], bytes: &Bytes) {
        for index in indexes {
            let Some(connection) = self.slots[*index as usize].1.as_mut() else { continue };
            if connection.individual || connection.closing {
                continue;
            }
            connection.outbox.push(bytes.clone());
            if !std::mem::replace(&mut connection.dirty, true) {
                self.dirty.push(*index);
            }
        }
    }

    pub(super) fn mark_dirty(&mut self, index: u32) {
        if !std::mem::replace(&mut self.at(index).dirty, true) {
            self.dirty.push(index);
        }
    }

    /// All that have something to be written; give the list back to [`Self::clean`].
    pub(super) fn take_dirty(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.dirty)
    }

    /// Have the processor fetch what is needed to write to the first of that list: what is not in its caches is waited for at once for
    /// all of them.
    pub(super) fn fetch(&self, dirty: &[u32]) {
        for index in dirty.iter().take(AHEAD) {
            if let Some(connection) = &self.slots[*index as usize].1 {
                connection.sink.fetch();
            }
        }
    }

    /// One of that list, if it still exists; it may become dirty again.
    pub(super) fn begin_write(&mut self, index: u32) -> Option<&mut Connection> {
        let connection = self.slots[index as usize].1.as_mut()?;
        connection.dirty = false;
        Some(connection)
    }

    pub(super) fn clean(&mut self, mut list: Vec<u32>) {
        list.clear();
        if self.dirty.is_empty() {
            self.dirty = list;
        }
    }
}
