//! From an HTTP request to a socket of our own: who asks for a WebSocket, where, and whether it may be.

use super::{
    connection::{Connection, Handshake},
    origin::Origins,
    party::{Host, Place},
    transports::Door,
    worker::Worker,
};
use crate::websocket::{Agreed, negotiate};
use actix_codec::Framed;
use actix_http::{
    Method, Request, RequestHead, StatusCode, Version,
    h1::Codec,
    header,
    ws::{HandshakeError, hash_key, verify_handshake},
};
use actix_rt::net::TcpStream;
use actix_web::{HttpResponse, web::Query};
use std::{collections::BTreeMap, fmt::Write, rc::Rc};
use tokio::io::AsyncWriteExt;

/// What a WebSocket's door says to a request that is none (the words are SockJS').
pub(super) const NO_UPGRADE: &str = "Can \"Upgrade\" only to \"WebSocket\".\n";

/// Serve one upgrade request. When this returns the socket has a task of its own, and actix's buffers are freed.
pub(super) async fn upgrade(
    worker: Rc<Worker>,
    request: Request,
    framed: Framed<TcpStream, Codec>,
) -> Result<(), actix_http::Error> {
    let parts = framed.into_parts();
    let origins = &worker.doors.options.origins;
    let door = worker.doors.door(request.path());
    let admitted = judge(door, &*worker, request.head(), origins, origins.loopback);
    match admitted.and_then(|(door, place)| Ok((door, place, compression(&worker, request.head())?))) {
        Ok((mut door, place, compression)) => {
            if compression.is_some_and(Agreed::sends) {
                door.framing = door.framing.compressed();
            }
            let handshake = Handshake {
                head: switching(request.head(), compression),
                early: parts.read_buf.to_vec(),
                client: client(request.uri().query().unwrap_or_default()),
                inflates: compression.is_some(),
            };
            Connection::adopt(&worker, place, door, parts.io, handshake);
        }
        Err(refusal) => {
            let mut io = parts.io;
            let answer = refusal.answer();
            actix_rt::spawn(async move {
                // Somebody who has gone does not need an answer.
                let _ = io.write_all(answer.as_bytes()).await;
                let _ = io.shutdown().await;
            });
        }
    }
    Ok(())
}

/// What is agreed to of the extensions that a request offers.
fn compression(worker: &Worker, head: &RequestHead) -> Result<Option<Agreed>, Refusal> {
    if !worker.doors.options.compression {
        return Ok(None);
    }
    // What is no text is no list of extensions either.
    let offers = head.headers().get_all(header::SEC_WEBSOCKET_EXTENSIONS).map(|value| value.to_str().unwrap_or(";"));
    negotiate(offers).map_err(|_| {
        Refusal::new(
            StatusCode::BAD_REQUEST,
            "sec-websocket-extensions is no list of extensions with their parameters\n",
        )
    })
}

/// The answer that leaves HTTP.
fn switching(request: &RequestHead, compression: Option<Agreed>) -> Vec<u8> {
    let key = request.headers().get(header::SEC_WEBSOCKET_KEY).expect("checked by the handshake");
    let mut head = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n".to_vec();
    if let Some(agreed) = compression {
        head.extend_from_slice(format!("sec-websocket-extensions: {}\r\n", agreed.header()).as_bytes());
    }
    head.extend_from_slice(b"sec-websocket-accept: ");
    head.extend_from_slice(&hash_key(key.as_bytes()));
    head.extend_from_slice(b"\r\n\r\n");
    head
}

/// The client that a URL names: `?client=…`.
pub(super) fn client(query: &str) -> Option<String> {
    let query = Query::<BTreeMap<String, String>>::from_query(query).ok()?;
    query.into_inner().remove("client")
}

/// Why there is no WebSocket.
pub(super) struct Refusal {
    status: StatusCode,
    headers: &'static [(&'static str, &'static str)],
    message: &'static str,
}

impl Refusal {
    const fn new(status: StatusCode, message: &'static str) -> Self {
        Self { status, headers: &[], message }
    }

    /// The server ends.
    pub(super) const fn ending() -> Self {
        Self::unavailable("this server is shutting down\n")
    }

    /// There is no room.
    pub(super) const fn full() -> Self {
        Self::unavailable("this server has all the connections it may have\n")
    }

    const fn unavailable(message: &'static str) -> Self {
        Self { status: StatusCode::SERVICE_UNAVAILABLE, headers: &[("retry-after", "5")], message }
    }

    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    /// For people.
    pub(super) fn message(&self) -> &'static str {
        self.message
    }

    /// For a request that stays with actix-web.
    pub(super) fn response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        for header in self.headers {
            response.insert_header(*header);
        }
        if self.message.is_empty() {
            return response.finish();
        }
        response.content_type("text/plain; charset=UTF-8").body(self.message)
    }

    fn answer(&self) -> String {
        let Self { status, headers, message } = self;
        let mut answer = format!("HTTP/1.1 {status}\r\n");
        for (name, value) in *headers {
            write!(answer, "{name}: {value}\r\n").expect("writing to a string cannot fail");
        }
        write!(answer, "connection: close\r\ncontent-length: {}\r\n", message.len())
            .expect("writing to a string cannot fail");
        if !message.is_empty() {
            answer.push_str("content-type: text/plain; charset=UTF-8\r\n");
        }
        write!(answer, "\r\n{message}").expect("writing to a string cannot fail");
        answer
    }
}

/// Whether a request to this door may become a WebSocket. `local` is whether the server was reached on a loopback address.
pub(super) fn judge(
    door: Option<Door>,
    host: &dyn Host,
    head: &RequestHead,
    origins: &Origins,
    local: bool,
) -> Result<(Door, Place), Refusal> {
    let door = door.ok_or(Refusal::new(StatusCode::NOT_FOUND, "no WebSocket here; there is one at /ws\n"))?;
    if head.method != Method::GET {
        // No content type, as SockJS wants it.
        return Err(Refusal { status: StatusCode::METHOD_NOT_ALLOWED, headers: &[("allow", "GET")], message: "" });
    }
    verify_handshake(head).map_err(|cause| match cause {
        HandshakeError::UnsupportedVersion | HandshakeError::NoVersionHeader => Refusal {
            status: StatusCode::UPGRADE_REQUIRED,
            headers: &[("upgrade", "websocket"), ("sec-websocket-version", "13")],
            message: "this server speaks version 13 of the WebSocket protocol\n",
        },
        HandshakeError::BadWebsocketKey => {
            Refusal::new(StatusCode::BAD_REQUEST, "sec-websocket-key is not 16 bytes in base64\n")
        }
        _ => Refusal::new(StatusCode::BAD_REQUEST, NO_UPGRADE),
    })?;
    // A body would be taken for frames here, and for something else by whoever stands before this server.
    let has_body = head.headers().get(header::CONTENT_LENGTH).is_some_and(|length| length != "0");
    if head.version < Version::HTTP_11 || has_body || head.headers().contains_key(header::TRANSFER_ENCODING) {
        return Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "a WebSocket begins with a request of HTTP/1.1 without a body\n",
        ));
    }
    let text = |name| head.headers().get(name).and_then(|value| value.to_str().ok());
    // An origin that is no text is of nobody known.
    let origin = head.headers().get(header::ORIGIN).map(|value| value.to_str().unwrap_or("null"));
    if !origins.allow(origin, text(header::HOST), local) {
        return Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "pages of this origin may not connect; list it in server.allowed_origins\n",
        ));
    }
    let place = host.place()?;
    Ok((door, place))
}
