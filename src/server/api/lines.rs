//! A record a line (NDJSON): each is a write of its own, done as it comes, and answered by a line of its own, in their order.

use super::{
    Answer, begin,
    body::{self, Chunks},
    exchange::{Asker, Exchange, ending, message},
    problem::Problem,
    records::next_line,
    reply::Reply,
};
use crate::broker::Progress;
use actix_web::{
    HttpRequest, HttpResponse,
    body::{BodySize, MessageBody},
    http::header,
    web::Payload,
};
use backsync_protocol::{ErrorCode, ErrorObject, json};
use bytes::{Bytes, BytesMut};
use serde_json::value::RawValue;
use std::{
    collections::VecDeque,
    convert::Infallible,
    fmt::Write,
    pin::Pin,
    task::{Context, Poll},
};

/// Answers are sent when there are so many bytes of them, or nothing more to be done just now.
const PIECE: usize = 16 << 10;

/// So many lines may wait for their answer. More are not looked at.
const UNANSWERED: usize = 1024;

/// Begin to write what comes, and to answer it.
pub(super) fn answer(
    request: &HttpRequest,
    payload: Payload,
    asker: &Asker,
    model: String,
    options: String,
    limit: usize,
) -> Answer {
    if asker.is_keyed() {
        let message =
            "an Idempotency-Key goes with one write: lines are many, give their records ids or send atomic=true";
        return Err(Problem::invalid(message));
    }
    let lines = Lines {
        exchange: begin(request, asker)?,
        chunks: Some(body::chunks(request, payload)?),
        held: BytesMut::new(),
        limit,
        model,
        options,
        read: 0,
        expected: VecDeque::new(),
        waiting: None,
    };
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .content_type("application/x-ndjson")
        .body(lines))
}

/// Lines as one array, for a write that is to be done whole or not at all.
pub(super) fn array(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    format!("[{}]", lines.collect::<Vec<_>>().join(","))
}

/// The answer, which reads what it answers.
struct Lines {
    exchange: Exchange,
    /// What comes; none when it is at its end.
    chunks: Option<Chunks>,
    /// Of it what was not looked at.
    held: BytesMut,
    /// The longest line, in bytes.
    limit: usize,
    model: String,
    options: String,
    /// Lines so far.
    read: u64,
    /// What is to be answered, in its order.
    expected: VecDeque<Expected>,
    /// A message that has to wait for others.
    waiting: Option<String>,
}

/// A line that was read.
enum Expected {
    /// The broker answers it.
    Reply(u64),
    /// It is wrong already.
    Wrong(u64, Box<ErrorObject>),
}

impl Lines {
    /// Take in what can be taken now. Answers whether there may be more without waiting.
    fn take_in(&mut self, context: &mut Context<'_>) -> bool {
        if let Some(message) = self.waiting.take() {
            // Who is told to wait is told when to come again.
            if !self.exchange.mailbox().take_resumed() || self.exchange.offer(&message) == Progress::Later {
                self.waiting = Some(message);
                return false;
            }
        }
        while self.waiting.is_none() && self.expected.len() < UNANSWERED {
            let Some(line) = next_line(&mut self.held) else { break };
            self.line(&line);
        }
        self.exchange.flush();
        if self.waiting.is_some() || self.expected.len() >= UNANSWERED {
            return false;
        }
        let Some(chunks) = &mut self.chunks else { return false };
        match chunks.as_mut().poll_next(context) {
            Poll::Pending => return false,
            Poll::Ready(Some(Ok(chunk))) => self.held.extend_from_slice(&chunk),
            Poll::Ready(end) => {
                self.chunks = None;
                let last = self.held.split().freeze();
                if let Some(Err(cause)) = end {
                    // The line that it breaks off in is not known.
                    self.read += 1;
                    self.wrong(body::broken(&cause).error().clone());
                } else {
                    self.line(&last);
                    self.exchange.flush();
                }
            }
        }
        if self.held.len() > self.limit && memchr::memchr(b'\n', &self.held).is_none() {
            // Where it ends is not known, so nothing behind it is either.
            self.chunks = None;
            self.held.clear();
            self.read += 1;
            self.wrong(Problem::too_large(self.limit).error().clone());
        }
        true
    }

    fn line(&mut self, line: &[u8]) {
        if line.trim_ascii().is_empty() {
            self.read += u64::from(!line.is_empty() || self.chunks.is_some());
            return;
        }
        self.read += 1;
        let text = match std::str::from_utf8(line) {
            Ok(_) if line.len() > self.limit => return self.wrong(Problem::too_large(self.limit).error().clone()),
            Ok(text) => text,
            Err(_) => return self.wrong(ErrorObject::new(ErrorCode::InvalidMessage, "the line is not UTF-8")),
        };
        if let Err(cause) = serde_json::from_str::<&RawValue>(text) {
            return self.wrong(ErrorObject::new(ErrorCode::InvalidMessage, format!("the line is not JSON: {cause}")));
        }
        let text = text.trim_ascii();
        if !text.starts_with('{') {
            let given = json::excerpt(text);
            let message = format!("a line is a record, which is a JSON object, not {given}");
            return self.wrong(ErrorObject::new(ErrorCode::InvalidData, message));
        }
        self.expected.push_back(Expected::Reply(self.read));
        // A named client's transactions are told apart by their ids, and this is none that is repeated.
        let id = format!("\"{}\"", uuid::Uuid::new_v4());
        let message = message(&id, &self.model, "upsert", Some(text), Some(&self.options));
        if self.exchange.offer(&message) == Progress::Later {
            self.waiting = Some(message);
        }
    }

    fn wrong(&mut self, error: ErrorObject) {
        self.expected.push_back(Expected::Wrong(self.read, Box::new(error)));
    }

    /// Answer what can be answered now.
    fn answer(&mut self, out: &mut String) {
        while out.len() < PIECE
            && let Some(next) = self.expected.front()
        {
            match next {
                Expected::Wrong(line, error) => append_failure(*line, error, out),
                Expected::Reply(line) => {
                    match self.exchange.mailbox().take_to(b"\n") {
                        // A heartbeat.
                        Some(piece) if piece.len() == 1 => continue,
                        Some(piece) => append_result(*line, Reply::parse(piece), out),
                        None if self.exchange.mailbox().is_ended() => append_failure(*line, &ending(), out),
                        None => return,
                    }
                }
            }
            self.expected.pop_front();
        }
    }
}

fn append_result(line: u64, reply: Result<Reply, ErrorObject>, out: &mut String) {
    match reply {
        Err(error) => append_failure(line, &error, out),
        Ok(reply) => {
            write!(out, "{{\"line\":{line}").expect("writing to a string cannot fail");
            // A write that lost against a deletion leaves nothing.
            if let Some(stamp) = reply.stamp() {
                out.push_str(",\"id\":");
                json::append_string(&stamp.id, out);
                if let Some(revision) = stamp.revision {
                    write!(out, ",\"_rev\":{revision}").expect("writing to a string cannot fail");
                }
            }
            if reply.is_created {
                out.push_str(",\"created\":true");
            }
            out.push_str("}\n");
        }
    }
}

fn append_failure(line: u64, error: &ErrorObject, out: &mut String) {
    let error = serde_json::to_string(error).expect("an error object is always serializable");
    writeln!(out, "{{\"line\":{line},\"error\":{error}}}").expect("writing to a string cannot fail");
}

impl MessageBody for Lines {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        let this = &mut *self;
        let mut out = String::new();
        loop {
            // Before looking, so that nothing is missed.
            this.exchange.mailbox().wait(context);
            let goes_on = this.take_in(context);
            this.answer(&mut out);
            if out.len() >= PIECE || (!goes_on && !out.is_empty()) {
                return Poll::Ready(Some(Ok(out.into())));
            }
            if !goes_on {
                let is_over =
                    this.chunks.is_none() && this.expected.is_empty() && this.waiting.is_none() && this.held.is_empty();
                return if is_over { Poll::Ready(None) } else { Poll::Pending };
            }
        }
    }
}
