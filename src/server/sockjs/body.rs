//! The response to a receiver: the frames of its session as they come, dressed by its transport, until it is full.

use super::session::Session;
use crate::sockjs::Receiving;
use actix_web::body::{BodySize, MessageBody};
use bytes::Bytes;
use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

pub(super) struct Body {
    receiving: &'static Receiving,
    callback: String,
    /// `None`: there is nothing to come from it.
    session: Option<Arc<Session>>,
    /// What comes before the frames,
    prelude: Bytes,
    /// the first frame, if it is known,
    first: Option<Bytes>,
    /// and how much may come.
    left: usize,
    is_full: bool,
}

impl Body {
    /// Of a session that this receiver is attached to, or else of nothing but its `first` frame. It ends after `limit` bytes of
    /// frames.
    pub(super) fn new(
        session: Option<Arc<Session>>,
        first: Option<String>,
        receiving: &'static Receiving,
        callback: String,
        limit: usize,
    ) -> Self {
        let first = first.map(|frame| format!("{frame}\n").into());
        let prelude = (receiving.prelude)(&callback);
        Self { receiving, callback, session, prelude, first, left: limit, is_full: false }
    }

    fn next(&mut self, context: &Context<'_>) -> Poll<Bytes> {
        match (self.first.take(), &self.session) {
            (Some(first), _) => Poll::Ready(first),
            (None, Some(session)) => session.poll_frame(context),
            (None, None) => unreachable!("a response without a session ends with its first frame"),
        }
    }
}

impl MessageBody for Body {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        if !self.prelude.is_empty() {
            return Poll::Ready(Some(Ok(std::mem::take(&mut self.prelude))));
        }
        if self.is_full {
            if let Some(session) = self.session.take() {
                session.detach(true);
            }
            return Poll::Ready(None);
        }
        let line = ready!(self.next(context));
        let closes = line.starts_with(b"c");
        let frame = (self.receiving.frame)(line, &self.callback);
        self.left = self.left.saturating_sub(frame.len());
        self.is_full = closes || self.receiving.is_poll || self.left == 0;
        Poll::Ready(Some(Ok(frame)))
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            session.detach(false);
        }
    }
}
