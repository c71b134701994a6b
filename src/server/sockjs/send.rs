//! Messages come in the body of a request.

use super::{Entrance, answers, neighbours::Neighbours};
use crate::sockjs::{BrokenMessages, Sending, messages};
use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web::{self, BytesMut, Query},
};
use futures_util::StreamExt;
use std::{collections::BTreeMap, sync::LazyLock, time::Duration};
use tokio::sync::{Semaphore, SemaphorePermit};

/// How many messages of the largest size fit into one body: clients send all that they have at once.
const MESSAGES: usize = 8;

/// How long a body may take to come.
const PATIENCE: Duration = Duration::from_secs(30);

/// KiB of bodies that may be in memory at once, over all connections.
static BUDGET: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(256 << 10));

/// `neighbours` may have the session, if it is not here.
pub(super) async fn send(
    entrance: &Entrance,
    name: &str,
    sending: &Sending,
    request: &HttpRequest,
    payload: web::Payload,
    neighbours: Option<&Neighbours>,
) -> HttpResponse {
    let endpoint = &entrance.endpoint;
    let limit = endpoint.message_bytes.saturating_mul(MESSAGES);
    let (body, _permits) = match tokio::time::timeout(PATIENCE, read(payload, limit)).await {
        Ok(Ok(read)) => read,
        Ok(Err(response)) => return response,
        Err(_) => return answers::plain(StatusCode::REQUEST_TIMEOUT, "the body did not come in time\n"),
    };
    let messages = match text(sending, request, &body).and_then(|text| messages(&text)) {
        Ok(messages) => messages,
        Err(cause) => return answers::plain(StatusCode::INTERNAL_SERVER_ERROR, cause.to_string()),
    };
    // What is wrong with the body is said before that there is no such session.
    let Some(session) = endpoint.sessions.find(name) else {
        return match neighbours {
            Some(neighbours) => neighbours.send(endpoint.key(name), &entrance.forwarder, request, body.freeze()).await,
            None => answers::not_found(),
        };
    };
    match session.hear(messages).await {
        Some(true) => HttpResponse::build(StatusCode::from_u16(sending.status).expect("a status of the table"))
            .insert_header((header::CACHE_CONTROL, answers::NEVER))
            .insert_header((header::CONTENT_TYPE, answers::TEXT))
            .body(sending.body),
        Some(false) => answers::not_found(),
        None => answers::plain(StatusCode::TOO_MANY_REQUESTS, "too many requests of this session at once\n"),
    }
}

/// The array that the body bears.
fn text(sending: &Sending, request: &HttpRequest, body: &[u8]) -> Result<String, BrokenMessages> {
    let text = std::str::from_utf8(body).map_err(|_| BrokenMessages::NoStrings)?;
    if !sending.takes_form || content_type(request) != "application/x-www-form-urlencoded" {
        return Ok(text.to_owned());
    }
    let fields = Query::<BTreeMap<String, String>>::from_query(text).map_err(|_| BrokenMessages::NoArray)?;
    fields.into_inner().remove("d").ok_or(BrokenMessages::NoArray)
}

/// Without its parameters.
fn content_type(request: &HttpRequest) -> &str {
    let value = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim()
}

/// The whole body, and its share of the memory for bodies.
async fn read(
    mut payload: web::Payload,
    limit: usize,
) -> Result<(BytesMut, Vec<SemaphorePermit<'static>>), HttpResponse> {
    let (mut body, mut permits) = (BytesMut::new(), Vec::new());
    let mut covered = 0;
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| answers::plain(StatusCode::BAD_REQUEST, "the body broke off\n"))?;
        if body.len() + chunk.len() > limit {
            let message = format!("the body has more than {limit} bytes; send fewer messages at once\n");
            return Err(answers::plain(StatusCode::PAYLOAD_TOO_LARGE, message));
        }
        body.extend_from_slice(&chunk);
        let more = body.len().div_ceil(1024) - covered;
        if more > 0 {
            covered += more;
            let share = u32::try_from(more).expect("a chunk of memory");
            permits.push(BUDGET.acquire_many(share).await.expect("it is never closed"));
        }
    }
    Ok((body, permits))
}
