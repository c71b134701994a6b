//! The actor of a connection: it owns the socket's life and what comes in. Deliveries go past it, from the hub to the
//! socket.

use super::{
    conversation::{Conversation, LINGER, Notice},
    party::Place,
    transports::Door,
    worker::Worker,
};
use crate::{broker::Sink, websocket::Decoder};
use actix::{Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, Handler, StreamHandler, WrapFuture};
use actix_rt::net::TcpStream;
use futures_util::Stream;
use std::{
    cell::{Cell, RefCell},
    io::{self, IoSlice},
    pin::Pin,
    rc::Rc,
    task::{Poll, ready},
};
use tokio::{
    io::{AsyncRead, Interest, ReadBuf},
    net::tcp::{OwnedReadHalf, OwnedWriteHalf},
};

/// Read at once, and by all connections of a worker into the same buffer.
const READ_BYTES: usize = 64 << 10;

thread_local! {
    static READ: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into());
}

pub(super) struct Connection {
    conversation: Conversation,
    decoder: Decoder,
    /// The beginning of a frame.
    held: Vec<u8>,
    socket: Rc<Socket>,
}

/// How a connection left HTTP.
pub(super) struct Handshake {
    /// The answer to the request, which goes out before anything else.
    pub(super) head: Vec<u8>,
    /// What came behind the request.
    pub(super) early: Vec<u8>,
    /// Who the client says it is.
    pub(super) client: Option<String>,
    /// Whether its messages may come compressed.
    pub(super) inflates: bool,
}

impl Connection {
    /// Give a socket that has left HTTP its actor.
    pub(super) fn adopt(worker: &Worker, place: Place, door: Door, io: TcpStream, handshake: Handshake) {
        let (read, write) = io.into_split();
        let Handshake { head, mut early, client, inflates } = handshake;
        let decoder = Decoder::new(worker.doors.options.message_bytes, inflates);
        Self::create(|context| {
            let write = RefCell::new(Some(Rc::new(write)));
            let socket = Rc::new(Socket { write, actor: context.address() });
            let paused: Rc<Cell<bool>> = Rc::default();
            context.add_stream(Reader { read, paused: paused.clone() });
            let (head, client) = (head.as_slice(), client.as_deref());
            let conversation = Conversation::open(worker, place, &door, socket.clone(), paused, head, client);
            let mut connection = Self { conversation, decoder, held: Vec::new(), socket };
            connection.take_in(&mut early);
            connection
        });
    }

    /// Handle all whole frames of what was read.
    fn take_in(&mut self, input: &mut [u8]) {
        if self.held.is_empty() {
            let used = self.decode(input);
            self.held = input[used..].to_vec();
        } else {
            let mut held = std::mem::take(&mut self.held);
            held.extend_from_slice(input);
            let used = self.decode(&mut held);
            if used < held.len() {
                held.drain(..used);
                self.held = held;
            }
        }
        self.conversation.flush();
    }

    fn decode(&mut self, input: &mut [u8]) -> usize {
        let mut at = 0;
        while !self.conversation.is_ending() {
            match self.decoder.decode(&mut input[at..]) {
                Ok(None) => return at,
                Ok(Some((used, received))) => {
                    at += used;
                    self.conversation.hear(received);
                }
                Err(fault) => self.conversation.fail(fault.close_code(), &fault.to_string()),
            }
        }
        // What comes after the end is not looked at.
        input.len()
    }
}

impl Actor for Connection {
    type Context = Context<Self>;

    fn stopped(&mut self, _: &mut Context<Self>) {
        self.conversation.leave();
    }
}

/// The bytes that the worker's buffer now holds for this connection.
impl StreamHandler<io::Result<usize>> for Connection {
    fn handle(&mut self, read: io::Result<usize>, context: &mut Context<Self>) {
        match read {
            Ok(count) if count > 0 => READ.with(|buffer| self.take_in(&mut buffer.borrow_mut()[..count])),
            // The other side is gone, in order or not.
            Ok(_) | Err(_) => context.stop(),
        }
    }
}

impl Handler<Notice> for Connection {
    type Result = ();

    fn handle(&mut self, notice: Notice, context: &mut Context<Self>) {
        match notice {
            Notice::Resume => self.conversation.resume(),
            Notice::Blocked => self.wait_for_room(context),
            Notice::Room => self.conversation.unblocked(),
            Notice::Ended => self.end(context),
        }
    }
}

impl Connection {
    fn wait_for_room(&mut self, context: &mut Context<Self>) {
        let Some(write) = self.socket.write.borrow().clone() else { return };
        // An error shows at the next write.
        let writable = async move { drop(write.writable().await) };
        let then = |(), this: &mut Self, _: &mut _| this.conversation.unblocked();
        context.spawn(writable.into_actor(self).map(then));
    }

    fn end(&mut self, context: &mut Context<Self>) {
        self.conversation.end();
        // The other side reads to the end of the stream; closing at once could take the last words from it.
        if self.socket.write.borrow_mut().take().is_some() {
            context.run_later(LINGER, |_, context| context.stop());
        }
    }
}

/// The half of the socket that the hub writes to.
struct Socket {
    write: RefCell<Option<Rc<OwnedWriteHalf>>>,
    actor: Addr<Connection>,
}

impl Sink for Socket {
    fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match (&*self.write.borrow(), slices) {
            (None, _) => Err(io::ErrorKind::BrokenPipe.into()),
            (Some(write), [one]) => write.try_write(one),
            (Some(write), many) => write.try_write_vectored(many),
        }
    }

    fn fetch(&self) {
        if let Some(write) = &*self.write.borrow() {
            let stream: &TcpStream = (**write).as_ref();
            // Nothing is done, on the way of a write.
            std::hint::black_box(stream.try_io(Interest::WRITABLE, || Ok(())).is_ok());
        }
    }

    fn blocked(&self) {
        self.actor.do_send(Notice::Blocked);
    }

    fn resume(&self) {
        self.actor.do_send(Notice::Resume);
    }

    fn ended(&self) {
        self.actor.do_send(Notice::Ended);
    }
}

/// Reads when there is something and when it is wanted. The bytes are in the worker's buffer until the next read.
struct Reader {
    read: OwnedReadHalf,
    paused: Rc<Cell<bool>>,
}

impl Stream for Reader {
    type Item = io::Result<usize>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut std::task::Context<'_>) -> Poll<Option<Self::Item>> {
        if self.paused.get() {
            // The message that ends the pause has the actor poll again.
            return Poll::Pending;
        }
        READ.with(|buffer| {
            let mut buffer = buffer.borrow_mut();
            let mut bytes = ReadBuf::new(&mut buffer);
            let read = ready!(Pin::new(&mut self.read).poll_read(context, &mut bytes));
            Poll::Ready(Some(read.map(|()| bytes.filled().len())))
        })
    }
}
