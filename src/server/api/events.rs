//! `/api/{Model}/events`: the changes of a model as server-sent events, from now or from a position on.
//!
//! Each event is a message of the wire, a push, as `data`, and its position as `id`. A browser that connects again says the last
//! one as `Last-Event-ID`, and is told what it missed.

use super::{
    Answer, Api,
    body::no_json,
    exchange::{Asker, Exchange, ending},
    params::Params,
    problem::Problem,
    reply::Reply,
    schemas::{Asking, OfModel, Problems},
    segment,
};
use crate::broker::{Framing, Progress};
use actix_web::{
    HttpRequest, HttpResponse,
    body::{BodySize, MessageBody},
    http::header,
};
use backsync_protocol::{ErrorCode, ErrorObject, json};
use bytes::Bytes;
use std::{
    convert::Infallible,
    fmt::Write,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
};

/// What waits here for a slow reader. More waits in the connection's outbox, which has a rule for when it is too much.
const ROOM: usize = 64 << 10;

/// After so many milliseconds a browser comes back.
const RETRY: &str = "retry: 1000\n";

/// What shows a quiet reader that the stream lives.
const HEARTBEAT: &[u8] = Framing::Events.heartbeat();

/// What is to be told.
pub(super) const ASKED: [&str; 3] = ["where", "ids", "since"];

/// Changes as they happen
///
/// Server-sent events: each has a push of the wire as `data`, and its position as `id`.
#[utoipa::path(get, path = "/api/{model}/events", tag = "Events", params(OfModel, Asking,
    ("where" = Option<String>, Query, description = "A filter as JSON text."),
    ("ids" = Option<String>, Query, description = "These records only."),
    ("since" = Option<String>, Query, description = "From this position on; one that leads nowhere gives everything."),
    ("Last-Event-ID" = Option<String>, Header, description = "The same, as a browser says it.")
), responses((status = 200, description = "Events, without end.", body = String, content_type = "text/event-stream"), Problems))]
pub(super) async fn open(request: HttpRequest) -> Answer {
    let model = segment(&request, "model")?;
    let params = Params::of(&request, &ASKED)?;
    let asker = Asker::of(&request, params.client())?;
    let query = query(&request, &params)?;
    let worker = (Api::of(&request).worker)().map_err(Problem::refused)?;
    let exchange = Exchange::with(&worker, &asker, Framing::Events, ROOM)?;
    let message = asker.message(&model, "subscribe", Some(&query), None);
    if exchange.offer(&message) == Progress::Later {
        return Err(ErrorObject::new(ErrorCode::Internal, "a new connection waits for nothing").into());
    }
    exchange.flush();
    // The reply comes before any push; it may be long.
    let mut text = Vec::new();
    let reply = loop {
        let more = poll_fn(|context| poll_any(&exchange, context)).await;
        if more.is_empty() {
            return Err(ending().into());
        }
        let looked_at = text.len().saturating_sub(1);
        text.extend_from_slice(&more);
        if let Some(reply) = take_event(&mut text, looked_at) {
            break reply;
        }
    };
    let data = memchr::memmem::find(&reply, b"data: ").map_or(0, |at| at + 6);
    let reply = Reply::parse(Bytes::from(reply).slice(data..))?;
    let mut first = RETRY.to_owned();
    append_told(&model, &reply, params.get("since").is_some() || last(&request).is_some(), &mut first)?;
    let first = [first.into_bytes(), text].concat().into();
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        // As it comes: what waits to be compressed would come late.
        .insert_header((header::CONTENT_ENCODING, "identity"))
        .insert_header(("x-accel-buffering", "no"))
        .content_type("text/event-stream")
        .body(Events { exchange, first }))
}

/// The first event of a text that is more than a sign of life, if all of it is there; so many bytes were looked at before.
fn take_event(text: &mut Vec<u8>, looked_at: usize) -> Option<Vec<u8>> {
    // A store that takes its time.
    while text.starts_with(HEARTBEAT) {
        text.drain(..HEARTBEAT.len());
    }
    let from = looked_at.min(text.len());
    let end = from + memchr::memmem::find(&text[from..], b"\n\n")?;
    let behind = text.split_off(end + 2);
    let mut event = std::mem::replace(text, behind);
    event.truncate(end);
    Some(event)
}

fn last(request: &HttpRequest) -> Option<&header::HeaderValue> {
    request.headers().get("last-event-id").filter(|value| !value.is_empty())
}

/// What is asked for, from the position on that the browser saw last: that goes before the one of the URL.
fn query(request: &HttpRequest, params: &Params) -> Result<String, Problem> {
    let Some(last) = last(request) else { return Ok(params.object(&ASKED)?.end()) };
    let last = last.to_str().map_err(|_| Problem::invalid("Last-Event-ID is a position, as an event had it"))?;
    Ok(params.object(&["where", "ids"])?.text("since", last).end())
}

fn poll_any(exchange: &Exchange, context: &Context<'_>) -> Poll<Bytes> {
    let mailbox = exchange.mailbox();
    let piece = mailbox.take();
    exchange.make_room();
    if piece.is_empty() && !mailbox.is_ended() {
        mailbox.wait(context);
        return Poll::Pending;
    }
    Poll::Ready(piece)
}

/// What a reply tells, as the pushes that would have told it. Only the last has a position, so that who loses the connection
/// before it is told again.
fn append_told(model: &str, reply: &Reply, has_since: bool, out: &mut String) -> Result<(), Problem> {
    let mut push = |method: &str, data: &str| {
        writeln!(out, "data: {{\"event\":\"{model}:{method}\",\"data\":{data}}}\n")
            .expect("writing to a string cannot fail");
    };
    if has_since && reply.is_reset {
        push("reset", reply.data());
    } else if has_since {
        let not_understood = |cause: serde_json::Error| no_json(cause.to_string());
        for id in json::array(reply.deleted.as_deref().unwrap_or("[]")).map_err(not_understood)? {
            push("delete", &format!("{{\"id\":{}}}", id.get()));
        }
        for record in json::array(reply.data()).map_err(not_understood)? {
            push("upsert", record.get());
        }
    }
    if let Some(position) = &reply.position {
        // Without data it is no event, but what the browser says when it comes back.
        write!(out, "id: {position}\n\n").expect("writing to a string cannot fail");
    }
    Ok(())
}

/// What is told.
struct Events {
    exchange: Exchange,
    first: Bytes,
}

impl MessageBody for Events {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        if !self.first.is_empty() {
            return Poll::Ready(Some(Ok(std::mem::take(&mut self.first))));
        }
        poll_any(&self.exchange, context).map(|piece| if piece.is_empty() { None } else { Some(Ok(piece)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_taken_from_behind_signs_of_life_however_it_comes() {
        let whole = b":\n\n:\n\nid: 7\ndata: {}\n\n:\n\ndata: x\n\n";
        for step in 1..=whole.len() {
            let (mut text, mut pieces) = (Vec::new(), whole.chunks(step));
            let event = loop {
                let looked_at = text.len().saturating_sub(1);
                text.extend_from_slice(pieces.next().expect("there is an event"));
                if let Some(event) = take_event(&mut text, looked_at) {
                    break event;
                }
            };
            assert_eq!(event, b"id: 7\ndata: {}", "in pieces of {step}");
            text.extend(pieces.flatten());
            assert_eq!(text, b":\n\ndata: x\n\n", "in pieces of {step}");
        }
    }
}
