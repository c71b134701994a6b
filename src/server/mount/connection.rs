//! The actor of a connection that stays within somebody else's HTTP server: messages come in by actix-ws, and go out by the pipe.

use super::pipe::{Body, Pipe};
use crate::{
    server::{
        conversation::{Conversation, LINGER, Notice},
        party::{Host, Place},
        transports::Door,
    },
    websocket::Received,
};
use actix::{Actor, ActorContext, AsyncContext, Context, Handler, StreamHandler};
use actix_http::ws::ProtocolError;
use actix_web::HttpResponse;
use actix_ws::{AggregatedMessage, AggregatedMessageStream};
use backsync_protocol::CloseCode;
use futures_util::Stream;
use std::{cell::Cell, io::ErrorKind, pin::Pin, rc::Rc, task::Poll};

pub(super) struct Connection {
    conversation: Conversation,
    pipe: Rc<Pipe>,
}

impl Connection {
    /// Give a WebSocket its actor. What is answered is the response to its request, with what goes out as the body.
    pub(super) fn adopt(
        host: &dyn Host,
        place: Place,
        door: &Door,
        messages: AggregatedMessageStream,
        response: HttpResponse,
        client: Option<&str>,
    ) -> HttpResponse {
        let mut body = None;
        Self::create(|context| {
            let pipe = Pipe::new(context.address());
            body = Some(pipe.clone());
            let paused: Rc<Cell<bool>> = Rc::default();
            context.add_stream(Reader { messages, paused: paused.clone() });
            let mut conversation = Conversation::open(host, place, door, pipe.clone(), paused, &[], client);
            conversation.flush();
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
        match message {
            Ok(AggregatedMessage::Text(text)) => self.conversation.hear(Received::Text(&text)),
            Ok(AggregatedMessage::Binary(bytes)) => self.conversation.hear(Received::Binary(&bytes)),
            Ok(AggregatedMessage::Ping(payload)) => self.conversation.hear(Received::Ping(&payload)),
            Ok(AggregatedMessage::Pong(_)) => self.conversation.hear(Received::Pong),
            Ok(AggregatedMessage::Close(_)) => self.conversation.hear(Received::Close(None)),
            Err(cause) => match Self::fault(&cause) {
                Some((code, reason)) => self.conversation.fail(code, reason),
                None => context.stop(),
            },
        }
        self.conversation.flush();
    }
}

impl Handler<Notice> for Connection {
    type Result = ();

    fn handle(&mut self, notice: Notice, context: &mut Context<Self>) {
        match notice {
            Notice::Resume => self.conversation.resume(),
            Notice::Room => self.conversation.unblocked(),
            // The pipe tells of room by itself.
            Notice::Blocked => {}
            Notice::Ended if self.pipe.is_gone() => context.stop(),
            Notice::Ended => {
                self.conversation.end();
                self.pipe.end();
                context.run_later(LINGER, |_, context| context.stop());
            }
        }
    }
}

/// Messages, while they are wanted.
struct Reader {
    messages: AggregatedMessageStream,
    paused: Rc<Cell<bool>>,
}

impl Stream for Reader {
    type Item = Result<AggregatedMessage, ProtocolError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut std::task::Context<'_>) -> Poll<Option<Self::Item>> {
        if self.paused.get() {
            // The notice that ends the pause has the actor poll again.
            return Poll::Pending;
        }
        Pin::new(&mut self.messages).poll_next(context)
    }
}
