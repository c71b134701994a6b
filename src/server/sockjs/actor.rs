//! The actor of a session over HTTP: it owns the conversation, and the session's end.

use super::session::Session;
use crate::server::{
    conversation::{Conversation, Notice},
    sockjs::Endpoint,
};
use crate::{sockjs::close_frame, websocket::Received};
use actix::{Actor, ActorContext, AsyncContext, Context, Handler, SpawnHandle};
use backsync_protocol::CloseCode;
use std::{cell::Cell, rc::Rc, sync::Arc};
use tokio::sync::oneshot;

pub(crate) struct Fallback {
    pub(super) conversation: Conversation,
    pub(super) session: Arc<Session>,
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) name: Box<str>,
    /// Messages wait for an earlier one, and so do the requests that brought them.
    pub(super) paused: Rc<Cell<bool>>,
    pub(super) waiting: Vec<oneshot::Sender<()>>,
    pub(super) expiry: Option<SpawnHandle>,
}

/// What the other threads have to say.
#[derive(Debug)]
pub(super) enum Event {
    /// A receiver came,
    Attached,
    /// and went.
    Detached { interrupted: bool },
    /// Messages came; their sender wants to know when they are taken.
    Heard(Vec<String>, oneshot::Sender<()>),
    /// What the conversation's other end says.
    Notice(Notice),
}

impl actix::Message for Event {
    type Result = ();
}

impl Actor for Fallback {
    type Context = Context<Self>;

    fn stopped(&mut self, _: &mut Context<Self>) {
        self.conversation.leave();
        self.session.close(&close_frame(CloseCode::GoingAway.number(), "the session is over"));
        self.endpoint.sessions.remove(&self.name);
    }
}

impl Handler<Event> for Fallback {
    type Result = ();

    fn handle(&mut self, event: Event, context: &mut Context<Self>) {
        match event {
            Event::Attached => {
                self.conversation.hear(Received::Pong);
            }
            Event::Detached { interrupted } => {
                if interrupted {
                    self.end();
                }
                if !self.session.is_open() {
                    // Its last words were received, or will never be.
                    self.conversation.leave();
                }
                self.expire_later(context);
            }
            Event::Heard(messages, done) => self.hear(&messages, done),
            Event::Notice(Notice::Resume) => {
                self.conversation.resume();
                self.answer();
            }
            Event::Notice(Notice::Room) => self.conversation.unblocked(),
            // The session tells of room by itself.
            Event::Notice(Notice::Blocked) => {}
            Event::Notice(Notice::Ended) => {
                self.session.end();
                self.end();
            }
        }
    }
}

impl Fallback {
    fn hear(&mut self, messages: &[String], done: oneshot::Sender<()>) {
        if self.conversation.is_ending() {
            return;
        }
        let limit = self.endpoint.message_bytes;
        for message in messages {
            if message.len() > limit {
                self.conversation.fail(CloseCode::TooBig, "a message is larger than is allowed");
                break;
            }
            self.conversation.hear(Received::Text(message));
        }
        self.conversation.flush();
        self.waiting.push(done);
        self.answer();
    }

    /// Tell those who sent that it was taken.
    fn answer(&mut self) {
        if !self.paused.get() {
            for done in self.waiting.drain(..) {
                // Who does not want to know any more went away.
                let _ = done.send(());
            }
        }
    }

    /// The conversation is over. The session stays for a while, to say so.
    fn end(&mut self) {
        self.conversation.end();
        self.waiting.clear();
    }

    fn expire_later(&mut self, context: &mut Context<Self>) {
        if self.expiry.is_some() {
            return;
        }
        let delay = self.endpoint.options.disconnect_delay;
        // None: a receiver came meanwhile, and there will be another word when it goes.
        let Some(left) = self.session.waits_for(delay) else { return };
        if left.is_zero() {
            return context.stop();
        }
        self.expiry = Some(context.run_later(left, |this, context| {
            this.expiry = None;
            this.expire_later(context);
        }));
    }
}
