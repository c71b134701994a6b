//! A record a line (NDJSON): each is a write of its own, done as it comes, and answered by a line of its own, in their order.
//!
//! What came together is tried as one batch, which costs a store as much as one write. Only where the batch is refused its lines are
//! written one by one, so that each has an outcome of its own either way.

use super::{
    Answer, begin,
    body::{self, Chunks},
    exchange::{Asker, Exchange, ending, message},
    problem::Problem,
    reply::{Reply, Stamp},
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

/// So many lines are tried as one batch,
const GROUP: usize = 1000;
/// and so many bytes, and the line that exceeds it.
const GROUP_BYTES: usize = 1 << 20;

/// Begin to write what comes, and to answer it.
pub(super) fn answer(
    request: &HttpRequest,
    payload: Payload,
    asker: &Asker,
    model: String,
    options: String,
    limit: usize,
    most: usize,
) -> Answer {
    if asker.is_keyed() {
        let message =
            "an Idempotency-Key goes with one write: lines are many, give their records ids or send atomic=true";
        return Err(Problem::invalid(message));
    }
    let lines = Lines {
        exchange: begin(request, asker)?,
        chunks: Some(body::chunks(request, payload)?),
        broken: None,
        held: BytesMut::new(),
        limit,
        most: most.clamp(1, GROUP),
        model,
        options,
        read: 0,
        group: Vec::new(),
        offers: VecDeque::new(),
        unanswered: 0,
        outcomes: Vec::new(),
    };
    let mut response = HttpResponse::Ok();
    response.insert_header((header::CACHE_CONTROL, "no-store")).content_type("application/x-ndjson");
    Ok(response.body(lines))
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
    /// Why there is no more, where that is not its end.
    broken: Option<Problem>,
    /// Of it what was not looked at.
    held: BytesMut,
    /// The longest line, in bytes.
    limit: usize,
    /// The most lines of a batch.
    most: usize,
    model: String,
    options: String,
    /// Lines so far.
    read: u64,
    /// Those that are under way: which line, and its text or what is wrong with it.
    group: Vec<(u64, Result<Bytes, ErrorObject>)>,
    /// Messages about it that were not taken yet.
    offers: VecDeque<String>,
    /// Messages without a reply.
    unanswered: usize,
    /// What became of its lines that are right.
    outcomes: Vec<Result<Option<Stamp>, ErrorObject>>,
}

impl Lines {
    /// Take a line out of what came.
    fn line(&mut self, line: Bytes) {
        self.read += 1;
        if line.trim_ascii().is_empty() {
            return;
        }
        let wrong = |code, message: String| Err(ErrorObject::new(code, message));
        let text = match std::str::from_utf8(&line) {
            Err(_) => wrong(ErrorCode::InvalidMessage, "the line is not UTF-8".to_owned()),
            Ok(_) if line.len() > self.limit => Err(Problem::too_large(self.limit).error().clone()),
            Ok(text) => match serde_json::from_str::<&RawValue>(text) {
                Err(cause) => wrong(ErrorCode::InvalidMessage, format!("the line is not JSON: {cause}")),
                Ok(value) if !value.get().starts_with('{') => {
                    let given = json::excerpt(value.get());
                    wrong(ErrorCode::InvalidData, format!("a line is a record, which is a JSON object, not {given}"))
                }
                Ok(value) => Ok(line.slice_ref(value.get().as_bytes())),
            },
        };
        self.group.push((self.read, text));
    }

    /// Something is wrong with what came, and where it goes on is not known.
    fn break_off(&mut self, problem: &Problem) {
        self.chunks = None;
        self.held.clear();
        self.read += 1;
        self.group.push((self.read, Err(problem.error().clone())));
    }

    /// Put the next lines together, as far as they are there, and begin to write them. Answers whether there are any.
    fn begin_group(&mut self) -> bool {
        let mut bytes = 0;
        while self.group.len() < self.most && bytes < GROUP_BYTES {
            let line = match next_line(&mut self.held) {
                Some(line) => line,
                None if self.held.len() > self.limit => {
                    self.break_off(&Problem::too_large(self.limit));
                    break;
                }
                None if self.broken.is_some() => {
                    let problem = self.broken.take().expect("it was looked at");
                    self.break_off(&problem);
                    break;
                }
                None if self.chunks.is_none() && !self.held.is_empty() => self.held.split().freeze(),
                None => break,
            };
            bytes += line.len();
            self.line(line);
        }
        let texts: Vec<&str> = self.texts().collect();
        if !texts.is_empty() {
            let message = match texts.as_slice() {
                [one] => self.message(one),
                many => self.message(&format!("[{}]", many.join(","))),
            };
            self.offers.push_back(message);
        }
        !self.group.is_empty()
    }

    /// Hold what has come, as far as it makes a batch. Answers whether more is to be waited for.
    fn take_in(&mut self, context: &mut Context<'_>) -> bool {
        let enough = GROUP_BYTES.max(self.limit.saturating_add(1));
        while self.held.len() < enough
            && let Some(chunks) = &mut self.chunks
        {
            match chunks.as_mut().poll_next(context) {
                Poll::Pending => return true,
                Poll::Ready(Some(Ok(chunk))) => self.held.extend_from_slice(&chunk),
                Poll::Ready(end) => {
                    self.chunks = None;
                    self.broken = end.and_then(Result::err).map(|cause| body::broken(&cause));
                }
            }
        }
        false
    }

    fn texts(&self) -> impl Iterator<Item = &str> {
        let right = self.group.iter().filter_map(|(_, text)| text.as_ref().ok());
        right.map(|text| std::str::from_utf8(text).expect("it was looked at"))
    }

    fn message(&self, data: &str) -> String {
        // A named client's transactions are told apart by their ids, and this is none that is repeated.
        let id = format!("\"{}\"", uuid::Uuid::new_v4());
        message(&id, &self.model, "upsert", Some(data), Some(&self.options))
    }

    /// Have messages taken, and take replies, as far as that goes without waiting. Answers whether the group is over.
    fn work(&mut self) -> bool {
        loop {
            while let Some(message) = self.offers.front() {
                if self.exchange.offer(message) == Progress::Later {
                    break;
                }
                self.offers.pop_front();
                self.unanswered += 1;
            }
            self.exchange.flush();
            let mut has_taken = false;
            while self.unanswered > 0
                && let Some(piece) = self.exchange.mailbox().take_to(b"\n")
            {
                // A heartbeat is an empty line.
                if piece.len() > 1 {
                    has_taken = true;
                    self.unanswered -= 1;
                    self.answered(Reply::parse(piece));
                }
            }
            if self.exchange.mailbox().is_ended() {
                let count = self.texts().count();
                self.outcomes.resize_with(count, || Err(ending()));
                self.offers.clear();
                self.unanswered = 0;
                self.chunks = None;
                self.held.clear();
            }
            if self.offers.is_empty() && self.unanswered == 0 {
                return true;
            }
            if !has_taken && !self.exchange.mailbox().take_resumed() {
                return false;
            }
        }
    }

    fn answered(&mut self, reply: Result<Reply, ErrorObject>) {
        let count = self.texts().count();
        let is_batch = count > 1 && self.outcomes.is_empty() && self.unanswered == 0 && self.offers.is_empty();
        match reply {
            Ok(reply) if is_batch => match serde_json::from_str(reply.data()) {
                Ok(stamps) => self.outcomes = Vec::into_iter(stamps).map(Ok).collect(),
                Err(cause) => {
                    tracing::error!(error = %cause, "the reply to a batch is not understood");
                    let error = ErrorObject::new(ErrorCode::Internal, "the server does not understand itself");
                    self.outcomes = (0..count).map(|_| Err(error.clone())).collect();
                }
            },
            // Nothing of it was done, and each may be done by itself.
            Err(error) if is_batch && !error.retry => {
                self.offers = self.texts().map(|text| self.message(text)).collect();
            }
            Err(error) if is_batch => self.outcomes = (0..count).map(|_| Err(error.clone())).collect(),
            reply => self.outcomes.push(reply.map(|reply| reply.stamp())),
        }
    }

    /// What became of the group, as lines.
    fn finish_group(&mut self) -> String {
        let mut out = String::with_capacity(self.group.len() * 64);
        let mut outcomes = std::mem::take(&mut self.outcomes).into_iter();
        for (line, text) in self.group.drain(..) {
            let outcome = match text {
                Ok(_) => outcomes.next().expect("each line that is right has an outcome"),
                Err(error) => Err(error),
            };
            append(line, outcome, &mut out);
        }
        out
    }
}

/// The next whole line of what came.
fn next_line(held: &mut BytesMut) -> Option<Bytes> {
    let at = memchr::memchr(b'\n', held)?;
    Some(held.split_to(at + 1).freeze().slice(..at))
}

fn append(line: u64, outcome: Result<Option<Stamp>, ErrorObject>, out: &mut String) {
    write!(out, "{{\"line\":{line}").expect("writing to a string cannot fail");
    match outcome {
        Ok(Some(Stamp { id, revision })) => {
            out.push_str(",\"id\":");
            json::append_string(&id, out);
            if let Some(revision) = revision {
                write!(out, ",\"_rev\":{revision}").expect("writing to a string cannot fail");
            }
        }
        // It lost against a deletion, which leaves nothing.
        Ok(None) => {}
        Err(mut error) => {
            error.element = None;
            let error = serde_json::to_string(&error).expect("an error object is always serializable");
            write!(out, ",\"error\":{error}").expect("writing to a string cannot fail");
        }
    }
    out.push_str("}\n");
}

impl MessageBody for Lines {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        let this = &mut *self;
        loop {
            // All that has come, however many pieces it came in.
            let waits = this.group.is_empty() && this.take_in(context);
            if !this.group.is_empty() || this.begin_group() {
                // Before looking, so that nothing is missed.
                this.exchange.mailbox().wait(context);
                return match this.work() {
                    true => Poll::Ready(Some(Ok(this.finish_group().into()))),
                    false => Poll::Pending,
                };
            }
            if waits {
                return Poll::Pending;
            }
            // Blank lines make no group, and there may be more behind them.
            if this.chunks.is_none() && this.held.is_empty() {
                return Poll::Ready(None);
            }
        }
    }
}
