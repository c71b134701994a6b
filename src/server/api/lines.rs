//! A record a line (NDJSON): each is a write of its own, done as it comes, and answered by a line of its own, in their order.
//!
//! What came together is tried as one batch, which costs a store as much as one write. Only where the batch is refused its lines are
//! written one by one, so that each has an outcome of its own either way.

use super::{
    Answer, Api, begin,
    body::{self, Chunks},
    exchange::{Asker, Exchange, ending},
    problem::Problem,
    reply::Reply,
};
use crate::broker::{Progress, new_id};
use actix_web::{
    HttpRequest, HttpResponse,
    body::{BodySize, MessageBody},
    http::header,
    web::Payload,
};
use backsync_protocol::{ErrorCode, ErrorObject, RecordInput, json};
use bytes::{Bytes, BytesMut};
use std::{
    collections::VecDeque,
    convert::Infallible,
    fmt::Write,
    ops::Range,
    pin::Pin,
    task::{Context, Poll},
};

/// So many lines are tried as one batch,
const GROUP: usize = 500;
/// and so many bytes, and the line that exceeds it.
const GROUP_BYTES: usize = 1 << 20;

/// Begin to write what comes, and to answer it.
pub(super) fn answer(request: &HttpRequest, payload: Payload, asker: &Asker, model: String, options: String) -> Answer {
    if asker.is_keyed() {
        let message =
            "an Idempotency-Key goes with one write: lines are many, give their records ids or send atomic=true";
        return Err(Problem::invalid(message));
    }
    let doors = &Api::of(request).doors;
    let limits = doors.broker.limits();
    let lines = Lines {
        exchange: begin(request, asker)?,
        chunks: Some(body::chunks(request, payload)?),
        broken: None,
        held: BytesMut::new(),
        limit: doors.options.message_bytes,
        depth: limits.depth,
        most: limits.batch_records.clamp(1, GROUP),
        model,
        options,
        read: 0,
        text: Bytes::new(),
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
    /// The deepest that one nests.
    depth: usize,
    /// The most lines of a batch.
    most: usize,
    model: String,
    options: String,
    /// Lines so far.
    read: u64,
    /// Those that are under way, as they came,
    text: Bytes,
    /// and each of them: its number, and where it stands in the text or what is wrong with it.
    group: Vec<(u64, Result<Range<usize>, ErrorObject>)>,
    /// Batches of it that were not taken yet.
    offers: VecDeque<Vec<RecordInput>>,
    /// Batches without a reply.
    unanswered: usize,
    /// What became of its lines that are right: what tells which record it is.
    outcomes: Vec<Result<Bytes, ErrorObject>>,
}

impl Lines {
    /// Read a line.
    fn read_line(&self, line: &[u8]) -> Result<RecordInput, ErrorObject> {
        let text = std::str::from_utf8(line)
            .map_err(|_| ErrorObject::new(ErrorCode::InvalidMessage, "the line is not UTF-8"))?;
        if line.len() > self.limit {
            return Err(Problem::too_large(self.limit).error().clone());
        }
        RecordInput::read(text, self.depth, new_id)
    }

    /// Take the next lines, as far as they are there, and begin to write them. Answers whether there are any.
    fn begin_group(&mut self) -> bool {
        let (mut held, mut records, mut end) = (std::mem::take(&mut self.held), Vec::new(), 0);
        while self.group.len() < self.most && end < GROUP_BYTES {
            let rest = &held[end..];
            let (length, behind) = match memchr::memchr(b'\n', rest) {
                Some(length) => (length, 1),
                None if rest.len() > self.limit || self.broken.is_some() => {
                    // Where it goes on is not known.
                    let broken = self.broken.take().unwrap_or_else(|| Problem::too_large(self.limit));
                    self.chunks = None;
                    self.read += 1;
                    self.group.push((self.read, Err(broken.error().clone())));
                    held.truncate(end);
                    break;
                }
                None if self.chunks.is_none() && !rest.is_empty() => (rest.len(), 0),
                None => break,
            };
            self.read += 1;
            let line = &rest[..length];
            if !line.trim_ascii().is_empty() {
                let read = self.read_line(line).map(|record| records.push(record));
                self.group.push((self.read, read.map(|()| end..end + length)));
            }
            end += length + behind;
        }
        self.text = held.split_to(end).freeze();
        self.held = held;
        self.offers.extend((!records.is_empty()).then_some(records));
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

    /// How many lines of the group are right.
    fn count(&self) -> usize {
        self.group.iter().filter(|(_, line)| line.is_ok()).count()
    }

    /// Have batches taken, and take replies, as far as that goes without waiting. Answers whether the group is over.
    fn work(&mut self) -> bool {
        loop {
            while let Some(records) = self.offers.front_mut() {
                if self.exchange.offer_records(&self.model, &self.options, records) == Progress::Later {
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
                self.outcomes.resize_with(self.count(), || Err(ending()));
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
        let count = self.count();
        let is_whole = self.outcomes.is_empty() && self.unanswered == 0 && self.offers.is_empty();
        match reply {
            Ok(reply) => match reply.elements() {
                Ok(stamps) => self.outcomes.extend(stamps.map(Ok)),
                Err(cause) => {
                    tracing::error!(error = %cause, "the reply to a batch is not understood");
                    let error = ErrorObject::new(ErrorCode::Internal, "the server does not understand itself");
                    self.outcomes.resize_with(count, || Err(error.clone()));
                }
            },
            // Nothing of it was done, and each may be done by itself.
            Err(error) if is_whole && count > 1 && !error.retry => {
                let right = self.group.iter().filter_map(|(_, line)| line.as_ref().ok());
                let again = |at: &Range<usize>| self.read_line(&self.text[at.clone()]).expect("it was read before");
                self.offers = right.map(|at| vec![again(at)]).collect();
            }
            Err(error) if is_whole => self.outcomes = (0..count).map(|_| Err(error.clone())).collect(),
            Err(error) => self.outcomes.push(Err(error)),
        }
    }

    /// What became of the group, as lines.
    fn finish_group(&mut self) -> String {
        let mut out = String::with_capacity(self.group.len() * 64);
        let mut outcomes = std::mem::take(&mut self.outcomes).into_iter();
        for (line, text) in self.group.drain(..) {
            let outcome = text.and_then(|_| outcomes.next().expect("each line that is right has an outcome"));
            append(line, outcome, &mut out);
        }
        out
    }
}

fn append(line: u64, outcome: Result<Bytes, ErrorObject>, out: &mut String) {
    out.push_str("{\"line\":");
    json::append_number(line, out);
    match outcome {
        Ok(stamp) => {
            let stamp = std::str::from_utf8(&stamp).expect("messages are text");
            // One that lost against a deletion leaves nothing.
            if let Some(members) = stamp.strip_prefix('{') {
                out.push(',');
                out.push_str(members);
            } else {
                out.push('}');
            }
        }
        Err(mut error) => {
            error.element = None;
            let error = serde_json::to_string(&error).expect("an error object is always serializable");
            write!(out, ",\"error\":{error}}}").expect("writing to a string cannot fail");
        }
    }
    out.push('\n');
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
