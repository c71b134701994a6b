//! A request is asked again of another node, and what that one answers goes to the client as it comes.
//!
//! It is one step: what was forwarded bears the token of the node that it is for, and is answered there or refused as misdirected,
//! never forwarded again. Who asks is judged at both nodes, so the token opens nothing but this one step.

use super::answers;
use crate::directory::Node;
use actix_web::{
    HttpRequest, HttpResponse,
    body::{BodyStream, SizedStream},
    http::{
        StatusCode,
        header::{HeaderName, HeaderValue},
    },
};
use bytes::Bytes;
use http_body_util::{BodyDataStream, Full};
use hyper::{
    Request, Response,
    body::{Body, Incoming},
};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use std::time::Duration;

/// The header with the token of the node that a request was forwarded to.
const FORWARDED: &str = "backsync-forwarded-to";

/// How long a node may take to accept a connection. One that does not has gone.
const CONNECT: Duration = Duration::from_secs(2);

/// How long it may take to begin its answer: messages may wait for earlier ones.
const ANSWER: Duration = Duration::from_secs(60);

/// A machine that has gone without a word is noticed after so long.
const SILENCE: Duration = Duration::from_secs(20);

/// A connection that is not used is closed, before the other side does so ([`super::super::KEEP_ALIVE`]).
const IDLE: Duration = Duration::from_secs(30);

/// So many are kept to each node meanwhile.
const IDLE_CONNECTIONS: usize = 64;

/// What comes of another node and waits for a slow client, in bytes for each request; more waits at that node.
const BUFFER: usize = 64 << 10;

/// What is told of the client.
const OF_REQUEST: [&str; 12] = [
    "host",
    "origin",
    "referer",
    "sec-fetch-site",
    "access-control-request-headers",
    "authorization",
    "cookie",
    "content-type",
    "user-agent",
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-proto",
];

/// What is told of the answer; the rest is this node's to say.
const OF_ANSWER: [&str; 4] = ["content-type", "cache-control", "x-content-type-options", "retry-after"];

/// Why there is no answer.
pub(super) enum Failure {
    /// Nobody is there.
    Gone,
    /// Somebody is there, but not that node any more.
    Replaced,
    /// It did not answer, or not to the end of the answer's head. What was asked of it may be done.
    Silent,
}

/// What asks other nodes, for one thread.
pub(super) struct Forwarder(legacy::Client<HttpConnector, Full<Bytes>>);

impl Forwarder {
    pub(super) fn new() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT));
        connector.set_keepalive(Some(SILENCE / 2));
        connector.set_keepalive_interval(Some(SILENCE / 4));
        connector.set_keepalive_retries(Some(2));
        #[cfg(target_os = "linux")]
        connector.set_tcp_user_timeout(Some(SILENCE));
        let client = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .http1_max_buf_size(BUFFER)
            .build(connector);
        Self(client)
    }

    /// Ask `node` what was asked here. When the answer is dropped, the node sees the client go away.
    ///
    /// # Errors
    /// [`Failure`] where there is no answer.
    pub(super) async fn ask(&self, node: &Node, request: &HttpRequest, body: Bytes) -> Result<HttpResponse, Failure> {
        let asked = again(node, request, body).map_err(|_| Failure::Gone)?;
        let answer = match tokio::time::timeout(ANSWER, self.0.request(asked)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(cause)) if cause.is_connect() => return Err(Failure::Gone),
            Ok(Err(_)) | Err(_) => return Err(Failure::Silent),
        };
        match StatusCode::from_u16(answer.status().as_u16()) {
            Ok(StatusCode::MISDIRECTED_REQUEST) => Err(Failure::Replaced),
            Ok(status) => Ok(pass_on(status, answer, request)),
            Err(_) => Err(Failure::Silent),
        }
    }
}

/// The token that a request came with, if another node forwarded it.
pub(super) fn token(request: &HttpRequest) -> Option<&[u8]> {
    request.headers().get(FORWARDED).map(HeaderValue::as_bytes)
}

/// The answer to a request that was forwarded and is for somebody else.
pub(super) fn misdirected() -> HttpResponse {
    answers::plain(StatusCode::MISDIRECTED_REQUEST, "this request was forwarded to another node\n")
}

/// The same request, for that node.
fn again(node: &Node, request: &HttpRequest, body: Bytes) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let mut again = Request::builder()
        .method(request.method().as_str())
        .uri(format!("{}{path}", node.address()))
        .header(FORWARDED, node.token());
    for name in OF_REQUEST {
        for value in request.headers().get_all(name) {
            again = again.header(name, value.as_bytes());
        }
    }
    again.body(Full::new(body))
}

/// The same answer, for the client.
fn pass_on(status: StatusCode, answer: Response<Incoming>, request: &HttpRequest) -> HttpResponse {
    let mut passed = HttpResponse::build(status);
    for name in OF_ANSWER {
        if let Some(value) = answer.headers().get(name)
            && let Ok(value) = HeaderValue::from_bytes(value.as_bytes())
        {
            passed.insert_header((HeaderName::from_static(name), value));
        }
    }
    let body = answer.into_body();
    match body.size_hint().exact() {
        Some(0) => passed.finish(),
        Some(length) => passed.body(SizedStream::new(length, BodyDataStream::new(body))),
        None => {
            let mut response = passed.body(BodyStream::new(BodyDataStream::new(body)));
            answers::suit_version(request, &mut response);
            response
        }
    }
}
