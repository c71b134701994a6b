//! The actor of a connection that stays within somebody else's HTTP server: messages come in by actix-ws, and go out by the pipe.

use super::pipe::{Body, Pipe};
use crate::{
    server::{
        conversation::{Conversation, Notice},
        transports::Door,
        upgrade::Place,
        worker::Worker,
    },
    websocket::Received,
};
use actix::{Actor, ActorContext, AsyncContext, Context, Handler, StreamHandler};
use actix_http::ws::ProtocolError;
use actix_web::HttpResponse;
use actix_ws::{AggregatedMessage, AggregatedMessageStream, MessageStream};
use backsync_protocol::CloseCode;
use futures_util::Stream;
use std::{io::ErrorKind, pin::Pin, rc::Rc, task::Poll, time::Duration};

/// How long the other side has to take the end in.
const LINGER: Duration = Duration::from_secs(2);

pub(super) struct Connection {
    conversation: Conversation,
    pipe: Rc<Pipe>,
}

impl Connection {
    /// Give a WebSocket its actor. What is answered is the response to its request, with what goes out as the body.
    pub(super) fn adopt(
        worker: Rc<Worker>,
        place: Place,
        door: &Door,
        messages: MessageStream,
        response: HttpResponse,
        client: Option<&str>,
    ) -> HttpResponse {
        let limit = worker.doors.options.message_bytes;
        let messages = messages.max_frame_size(limit).aggregate_continuations().max_continuation_size(limit);
        let mut body = None;
        Self::create(|context| {
            let pipe = Pipe::new(context.address());
            body = Some(pipe.clone());
            context.add_stream(Reader { messages, pipe: pipe.clone() });
            let conversation = Conversation::open(worker, place, door, pipe.clone(), &[], client);
            conversation.worker.hub.borrow_mut().flush();
            Self { conversation, pipe }
        });
        let pipe = body.expect("an actor is made at once");
        response.map_body(|_, replaced| Body { pipe, replaced }).map_into_boxed_body()
    }

    /// How a stream that breaks WebSocket's rules is ended; none where it is gone.
    fn fault(cause: &ProtocolError) -> Option<(CloseCode, &'static str)> {
        match cause {
            ProtocolError::Overflow => Some((CloseCode::TooBig, "a message is larger than is allowed")),
            ProtocolError::Io(cause) if cause.kind() == ErrorKind::InvalidData => {
                Some((CloseCode::InvalidText, "a text frame is not UTF-8"))
            }
            // This is how actix-ws says that the fragments of a message are too much; what the socket says has a source.
            ProtocolError::Io(cause) if cause.to_string() == "Exceeded maximum continuation size" => {
                Some((CloseCode::TooBig, "a message is larger than is allowed"))
            }
            ProtocolError::Io(_) => None,
            _ => Some((CloseCode::ProtocolError, "this is no WebSocket framing")),
        }
    }
}

impl Actor for Connection {
    type Context = Context<Self>;

    fn stopped(&mut self, _: &mut Context<Self>) {
        self.conversation.leave();
        self.pipe.end();
    }
}

impl StreamHandler<Result<AggregatedMessage, ProtocolError>> for Connection {
    fn handle(&mut self, message: Result<AggregatedMessage, ProtocolError>, context: &mut Context<Self>) {
        if self.conversation.is_ending() {
            return;
        }
        let hub = self.conversation.worker.hub.clone();
        let mut hub = hub.borrow_mut();
        match message {
            Ok(AggregatedMessage::Text(text)) => self.conversation.hear(&mut hub, Received::Text(&text)),
            Ok(AggregatedMessage::Binary(bytes)) => self.conversation.hear(&mut hub, Received::Binary(bytes.len())),
            Ok(AggregatedMessage::Ping(payload)) => self.conversation.hear(&mut hub, Received::Ping(&payload)),
            Ok(AggregatedMessage::Pong(_)) => self.conversation.hear(&mut hub, Received::Pong),
            Ok(AggregatedMessage::Close(_)) => self.conversation.hear(&mut hub, Received::Close(None)),
            Err(cause) => match Self::fault(&cause) {
                Some((code, reason)) => self.conversation.fail(&mut hub, code, reason),
                None => context.stop(),
            },
        }
        hub.flush();
        self.pipe.paused.set(self.conversation.waits());
    }
}

impl Handler<Notice> for Connection {
    type Result = ();

    fn handle(&mut self, notice: Notice, context: &mut Context<Self>) {
        match notice {
            Notice::Resume => {
                self.conversation.resume();
                self.pipe.paused.set(self.conversation.waits());
            }
            Notice::Room => self.conversation.unblocked(),
            // The pipe tells of room by itself.
            Notice::Blocked => {}
            Notice::Ended if self.pipe.is_gone() => context.stop(),
            Notice::Ended => {
                self.conversation.end();
                self.pipe.paused.set(false);
                self.pipe.end();
                context.run_later(LINGER, |_, context| context.stop());
            }
        }
    }
}

/// Messages, while they are wanted.
struct Reader {
    messages: AggregatedMessageStream,
    pipe: Rc<Pipe>,
}

impl Stream for Reader {
    type Item = Result<AggregatedMessage, ProtocolError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut std::task::Context<'_>) -> Poll<Option<Self::Item>> {
        if self.pipe.paused.get() {
            // The notice that ends the pause has the actor poll again.
            return Poll::Pending;
        }
        Pin::new(&mut self.messages).poll_next(context)
    }
}
