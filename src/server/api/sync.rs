//! `/sync/{Model}`: what became of a model since a time, for clients that know milliseconds only, as persistence.js does.
//!
//! What is written here is a write like any other, by the same requests that a WebSocket carries; what is read is the broker's feed.

use super::{
    Answer, Api, begin,
    body::{self, Kind, MANY},
    exchange::{Asker, Exchange},
    params::Params,
    problem::{Details, Problem},
    schemas::{Asking, Fed, Feed, OfModel, Problems, RecordInput, WriteProblems},
    segment,
};
use crate::broker::{FeedError, Update};
use actix_web::{
    HttpRequest, HttpResponse,
    body::{BodySize, MessageBody},
    http::header,
    web::Payload,
};
use backsync_protocol::json::{self, Members};
use bytes::Bytes;
use serde_json::value::RawValue;
use std::{
    convert::Infallible,
    fmt::Write,
    pin::Pin,
    task::{Context, Poll},
};

/// An answer is sent in pieces of so many bytes.
const PIECE: usize = 64 << 10;

/// What changed since a time
///
/// For clients that know milliseconds only, such as persistence.js: no change is lost or repeated between two calls, each since the
/// `now` of the one before. Removed records come as `{"id":…,"_removed":true}`, but not since 0.
#[utoipa::path(get, path = "/sync/{model}", tag = "Feed", params(OfModel, Asking,
    ("since" = Option<u64>, Query, description = "The `now` of an earlier answer; 0 or nothing for everything.")
), responses(
    (status = 200, description = "What changed.", body = Feed),
    (status = 410, description = "What changed since then is not known any more: begin anew, from 0.", body = Details,
        content_type = "application/problem+json"),
    Problems
))]
pub(super) async fn read(request: HttpRequest) -> Answer {
    let model = segment(&request, "model")?;
    let params = Params::of(&request, &["since"])?;
    let since = match params.get("since") {
        None => 0,
        Some(text) => text.parse().map_err(|_| {
            let given = json::excerpt(text);
            Problem::invalid(format!("since is the `now` of an earlier answer, or 0, not {given}"))
        })?,
    };
    let exchange = begin(&request, &Asker::of(&request, params.client())?)?;
    let update = exchange.updates(&model, since).await.map_err(problem)?;
    let mut begun = String::with_capacity(PIECE);
    write!(begun, "{{\"now\":{},\"updates\":[", update.now).expect("writing to a string cannot fail");
    Ok(answer().body(Pieces { update: Some(update), begun, is_first: true, _exchange: exchange }))
}

/// Write records and delete those that are marked `_removed`, all or none
///
/// The answer has the time of all these changes.
#[utoipa::path(post, path = "/sync/{model}", tag = "Feed", params(OfModel, Asking,
    ("Idempotency-Key" = Option<String>, Header, description = "Names the write, so that it is done once.")
), request_body = [RecordInput], responses(
    (status = 200, description = "It is done.", body = Fed), Problems, WriteProblems
))]
pub(super) async fn write(request: HttpRequest, payload: Payload) -> Answer {
    let model = segment(&request, "model")?;
    let params = Params::of(&request, &[])?;
    let asker = Asker::of(&request, params.client())?;
    if Kind::of(&request)? != Kind::Json {
        return Err(Problem::unsupported("application/json"));
    }
    let limit = Api::of(&request).doors.options.message_bytes.saturating_mul(MANY);
    let text = body::whole(&request, payload, limit).await?;
    let message = wanted(&asker, &model, &text)?;
    let exchange = begin(&request, &asker)?;
    let reply = exchange.ask(&message).await?;
    let now = exchange.date(&model, reply.changed).await.map_err(problem)?;
    Ok(answer().body(format!("{{\"status\":\"ok\",\"now\":{now}}}")))
}

/// What is asked for by the body.
fn wanted(asker: &Asker, model: &str, text: &str) -> Result<String, Problem> {
    let records: Vec<&RawValue> = serde_json::from_str(text)
        .map_err(|cause| body::no_json(format!("the body is an array of records: {cause}")))?;
    let is_removed = |record: &RawValue| {
        let members = Members::parse(record.get());
        members.is_ok_and(|members| members.find("_removed").is_some_and(|removed| removed.get() == "true"))
    };
    if !records.iter().any(|record| is_removed(record)) {
        return Ok(asker.message(model, "upsert", Some(text), None));
    }
    let mut entries = String::with_capacity(text.len() + records.len() * (model.len() + 32));
    for (at, record) in records.iter().enumerate() {
        entries.push(if at == 0 { '[' } else { ',' });
        let method = if is_removed(record) { "delete" } else { "upsert" };
        entries.push_str("{\"event\":");
        json::append_string(&format!("{model}:{method}"), &mut entries);
        entries.push_str(",\"data\":");
        entries.push_str(record.get());
        entries.push('}');
    }
    entries.push(']');
    Ok(asker.message("$batch", "commit", Some(&entries), None))
}

fn answer() -> actix_web::HttpResponseBuilder {
    let mut answer = HttpResponse::Ok();
    answer.insert_header((header::CACHE_CONTROL, "no-store")).content_type("application/json");
    answer
}

fn problem(error: FeedError) -> Problem {
    match error {
        FeedError::Gone(_) => Problem::gone(error.to_string()),
        FeedError::Failed(error) => error.into(),
    }
}

/// The updates, put into words as they are taken.
struct Pieces {
    /// None when all of it is said.
    update: Option<Update>,
    begun: String,
    is_first: bool,
    /// Among the requests that are under way.
    _exchange: Exchange,
}

impl MessageBody for Pieces {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        let this = &mut *self;
        let Some(update) = &mut this.update else { return Poll::Ready(None) };
        let mut out = std::mem::take(&mut this.begun);
        while out.len() < PIECE {
            let before = out.len();
            if !this.is_first {
                out.push(',');
            }
            if !update.append_next(&mut out) {
                out.truncate(before);
                out.push_str("]}");
                this.update = None;
                break;
            }
            this.is_first = false;
        }
        Poll::Ready(Some(Ok(out.into())))
    }
}
