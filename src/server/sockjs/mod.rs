//! SockJS over HTTP: everything below a prefix, for the broker or for a message service of somebody's own.
//!
//! A session lives on the thread that its first receiver came to, as an actor; receivers and senders may come to any thread, and
//! meet it in [`session::Session`]. Where nodes share a directory, what comes for a session of another node is asked again there
//! ([`neighbours`]); a session that nobody has is opened anew by its receiver, a sender gets 404, and what is above resumes by
//! position.

mod actor;
mod answers;
mod body;
mod forward;
mod neighbours;
mod pages;
mod receive;
mod send;
mod service;
mod session;

pub(crate) use neighbours::{Neighbours, keep};
pub use service::{Message, Peer, Service, ServiceOptions, SockJs, Talk};

use super::{
    mount,
    origin::Origins,
    party::Host,
    transports::Door,
    upgrade::{self, Refusal},
    visitor::Visitor,
};
use crate::{
    directory::SessionKey,
    sockjs::{Direction, Prefix, Target, Transport, parse_below},
};
use actix_web::{
    HttpRequest, HttpResponse,
    http::{Method, StatusCode},
    web::{self, ServiceConfig},
};
use forward::Forwarder;
use session::Sessions;
use std::{
    path::PathBuf,
    rc::Rc,
    sync::{Arc, OnceLock},
    time::Duration,
};

/// What may be chosen about SockJS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SockJsOptions {
    /// Whether clients may use a WebSocket.
    pub websocket: bool,
    /// Whether clients are to send cookies, for load balancers that go by `JSESSIONID`.
    pub cookie: bool,
    /// After so many bytes a streaming response ends, and the client asks for the next.
    pub response_bytes: usize,
    /// How long a session without a receiver lives.
    pub disconnect_delay: Duration,
    /// Where pages of other origins get the client's script from, for their iframes; empty: there is no page for iframes.
    pub client_url: String,
    /// A folder whose files are served at `<prefix>/client/`, such as the one with that script.
    pub client_dir: Option<PathBuf>,
}

impl Default for SockJsOptions {
    fn default() -> Self {
        Self {
            websocket: true,
            cookie: false,
            response_bytes: 128 << 10,
            disconnect_delay: Duration::from_secs(5),
            client_url: String::new(),
            client_dir: None,
        }
    }
}

/// What is served below one prefix; the same for all threads.
#[derive(Debug)]
pub(super) struct Endpoint {
    /// How messages are framed.
    pub(super) messages: Prefix,
    /// A WebSocket without SockJS' frames.
    pub(super) raw: Door,
    pub(super) options: SockJsOptions,
    pub(super) origins: Origins,
    /// The largest message, in bytes.
    pub(super) message_bytes: usize,
    pub(super) sessions: Sessions,
    /// Other nodes that may have more of them, once they know of this one.
    neighbours: OnceLock<Arc<Neighbours>>,
}

impl Endpoint {
    pub(super) fn new(
        messages: Prefix,
        raw: Door,
        options: SockJsOptions,
        origins: Origins,
        message_bytes: usize,
    ) -> Self {
        let (sessions, neighbours) = (Sessions::default(), OnceLock::new());
        Self { messages, raw, options, origins, message_bytes, sessions, neighbours }
    }

    /// Find sessions that are not here at these; the first ones hold.
    pub(super) fn share(&self, neighbours: Arc<Neighbours>) {
        self.neighbours.get_or_init(|| neighbours);
    }

    fn neighbours(&self) -> Option<&Neighbours> {
        self.neighbours.get().map(|neighbours| &**neighbours)
    }

    /// A session's name for all nodes.
    fn key(&self, session: &str) -> SessionKey {
        SessionKey::new(self.messages.path(), session)
    }

    /// The WebSocket door of this target, if it is one and is open.
    pub(super) fn door(&self, target: Target<'_>) -> Option<Door> {
        let door = match target {
            Target::RawWebSocket => self.raw,
            Target::Session { transport: Transport::WebSocket, .. } => Door::sockjs(self.messages),
            _ => return None,
        };
        self.options.websocket.then_some(door)
    }
}

/// An endpoint as one thread of an application serves it.
pub(super) struct Entrance {
    endpoint: Arc<Endpoint>,
    /// Where connections of this thread lead; none where nobody can come in.
    host: Box<dyn Fn() -> Result<Rc<dyn Host>, Refusal>>,
    /// Whether the application's own address tells how it was reached.
    is_mounted: bool,
    forwarder: Forwarder,
}

impl Entrance {
    pub(super) fn new(
        endpoint: Arc<Endpoint>,
        is_mounted: bool,
        host: impl Fn() -> Result<Rc<dyn Host>, Refusal> + 'static,
    ) -> Rc<Self> {
        Rc::new(Self { endpoint, host: Box::new(host), is_mounted, forwarder: Forwarder::new() })
    }

    /// Serve it below `prefix`, which begins with a slash.
    pub(super) fn open(self: Rc<Self>, prefix: &str, config: &mut ServiceConfig) {
        let resource = web::resource([prefix.to_owned(), format!("{prefix}/{{rest:.*}}")]);
        config.service(resource.app_data(self).route(web::to(serve)));
    }

    /// Whether the server was reached on a loopback address.
    fn reached_locally(&self, request: &HttpRequest) -> bool {
        if self.is_mounted {
            return request.app_config().local_addr().ip().is_loopback();
        }
        self.endpoint.origins.loopback
    }
}

/// One request, whatever it is for.
async fn serve(request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let entrance = request.app_data::<Rc<Entrance>>().expect("it is served with one").clone();
    let below = request.match_info().get("rest").map(|rest| format!("/{rest}")).unwrap_or_default();
    let visitor = Visitor::of(&request, &entrance.endpoint.origins, entrance.reached_locally(&request));
    let mut response = match parse_below(&below) {
        None => answers::not_found(),
        Some(target) => answer(&entrance, target, &request, payload, &visitor).await,
    };
    visitor.share(&mut response);
    response
}

async fn answer(
    entrance: &Rc<Entrance>,
    target: Target<'_>,
    request: &HttpRequest,
    payload: web::Payload,
    visitor: &Visitor,
) -> HttpResponse {
    let endpoint = &entrance.endpoint;
    let direction = match target {
        Target::Greeting | Target::Iframe | Target::Client { .. } | Target::Info => {
            return match *request.method() {
                Method::GET => pages::page(endpoint, target, request).await,
                Method::OPTIONS if target == Target::Info => answers::preflight("GET"),
                _ if target == Target::Info => answers::not_allowed("OPTIONS, GET"),
                _ => answers::not_allowed("GET"),
            };
        }
        Target::RawWebSocket => Direction::Both,
        Target::Session { transport, .. } => transport.direction(),
    };
    let method = match direction {
        Direction::Both => return websocket(entrance, target, request, payload),
        Direction::Receive(receiving) => receiving.method,
        Direction::Send(_) => "POST",
    };
    let Target::Session { session, .. } = target else { unreachable!("only sessions receive and send") };
    if request.method() == Method::OPTIONS {
        let mut response = answers::preflight(method);
        answers::keep_cookie(endpoint, request, &mut response);
        return response;
    }
    if request.method().as_str() != method {
        return answers::not_allowed(&format!("OPTIONS, {method}"));
    }
    if !visitor.is_welcome() {
        return answers::plain(
            StatusCode::FORBIDDEN,
            "pages of this origin may not connect; list it in server.allowed_origins\n",
        );
    }
    // Where the session may be, beside here: nowhere for what another node has sent here.
    let neighbours = match forward::token(request) {
        None => endpoint.neighbours(),
        Some(token) if endpoint.neighbours().is_some_and(|here| here.are_meant_by(token)) => None,
        Some(_) => return forward::misdirected(),
    };
    let mut response = match direction {
        Direction::Receive(receiving) => receive::receive(entrance, session, receiving, request, neighbours).await,
        Direction::Send(sending) => send::send(entrance, session, sending, request, payload, neighbours).await,
        Direction::Both => unreachable!("answered before"),
    };
    answers::keep_cookie(endpoint, request, &mut response);
    response
}

/// A WebSocket within the application; where the server is our own, those that ask for one do not come here.
fn websocket(entrance: &Entrance, target: Target<'_>, request: &HttpRequest, payload: web::Payload) -> HttpResponse {
    let endpoint = &entrance.endpoint;
    let Some(door) = endpoint.door(target) else { return answers::not_found() };
    let host = match (entrance.host)() {
        Ok(host) => host,
        Err(refusal) => return refusal.response(),
    };
    let local = entrance.reached_locally(request);
    match upgrade::judge(Some(door), &*host, request.head(), &endpoint.origins, local) {
        Ok((door, place)) => mount::adopt(request, payload, &*host, place, &door, endpoint.message_bytes),
        Err(refusal) => refusal.response(),
    }
}
