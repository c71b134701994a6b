//! What a request brings.

use super::problem::Problem;
use actix_web::{
    HttpRequest,
    dev::Decompress,
    error::PayloadError,
    http::header::{self, HeaderName},
    web::Payload,
};
use backsync_protocol::{ErrorCode, ErrorObject};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use std::pin::Pin;

/// Several records at once may have so many times the bytes of one.
pub(super) const MANY: usize = 8;

/// What it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A JSON value.
    Json,
    /// A JSON value a line.
    Lines,
}

impl Kind {
    /// As the request says; what says nothing is JSON.
    pub(super) fn of(request: &HttpRequest) -> Result<Self, Problem> {
        let kind = request.headers().get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap_or("?"));
        let kind = kind.map_or("application/json", |kind| kind.split(';').next().unwrap_or_default().trim());
        match kind.to_ascii_lowercase().as_str() {
            "application/json" => Ok(Self::Json),
            "application/x-ndjson" | "application/ndjson" | "application/jsonl" | "application/x-jsonlines" => {
                Ok(Self::Lines)
            }
            "application/merge-patch+json" => Err(Problem::unsupported(
                "application/json: what is null here is kept as null, where a merge patch would remove it",
            )),
            _ => Err(Problem::unsupported(
                "application/json, or application/x-ndjson for one record a line (with curl: -H 'content-type: application/json')",
            )),
        }
    }
}

/// The bytes of a body as they come, not compressed any more.
pub(super) type Chunks = Pin<Box<dyn Stream<Item = Result<Bytes, PayloadError>>>>;

/// The bytes of a request's body.
///
/// # Errors
/// Where it is compressed in a way that is not known here.
pub(super) fn chunks(request: &HttpRequest, payload: Payload) -> Result<Chunks, Problem> {
    let encoding = request.headers().get(header::CONTENT_ENCODING).map(|value| value.to_str().unwrap_or("?"));
    match encoding.map(str::to_ascii_lowercase).as_deref() {
        None | Some("identity") => Ok(Box::pin(payload)),
        Some("gzip" | "x-gzip" | "deflate") => Ok(Box::pin(Decompress::from_headers(payload, request.headers()))),
        Some(_) => Err(Problem::unsupported("compressed with gzip or deflate, or not at all")),
    }
}

/// All of a body, which has at the most so many bytes.
pub(super) async fn whole(request: &HttpRequest, payload: Payload, limit: usize) -> Result<String, Problem> {
    let told = text_of(request, header::CONTENT_LENGTH).and_then(|length| length.parse::<usize>().ok());
    if told.is_some_and(|told| told > limit) {
        return Err(Problem::too_large(limit));
    }
    let mut chunks = chunks(request, payload)?;
    let mut body = BytesMut::with_capacity(told.unwrap_or_default().min(limit));
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|cause| broken(&cause))?;
        if body.len() + chunk.len() > limit {
            return Err(Problem::too_large(limit));
        }
        body.extend_from_slice(&chunk);
    }
    String::from_utf8(body.into()).map_err(|_| no_json("the body is not UTF-8"))
}

/// A body that does not come to its end.
pub(super) fn broken(cause: &PayloadError) -> Problem {
    no_json(format!("the body breaks off or is not compressed as the request says: {cause}"))
}

/// What is no JSON.
pub(super) fn no_json(message: impl Into<String>) -> Problem {
    ErrorObject::new(ErrorCode::InvalidMessage, message).into()
}

fn text_of(request: &HttpRequest, name: HeaderName) -> Option<&str> {
    request.headers().get(name)?.to_str().ok()
}
