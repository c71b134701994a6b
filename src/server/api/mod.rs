//! `/api`: models over HTTP, by the same requests that a WebSocket carries. Each HTTP request is a connection of the broker's for as
//! long as it lasts ([`exchange`]), so that policy, handlers, transactions, conflicts and presence are the same, and what comes
//! in here reaches every listener.

mod associations;
mod body;
mod conditions;
mod description;
mod events;
mod exchange;
mod lines;
mod object;
mod params;
mod problem;
mod record;
mod records;
mod reply;
mod schemas;
mod sync;

use super::{Doors, upgrade::Refusal, visitor::Visitor, worker::Worker};
use actix_web::{
    Error, HttpRequest, HttpResponse,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::{Method, header},
    middleware::{Compress, Next, from_fn},
    web::{self, ServiceConfig},
};
use exchange::{Asker, Exchange};
use percent_encoding::percent_decode_str;
use problem::Problem;
use std::{rc::Rc, sync::Arc};

/// What a page of another origin may read of an answer, beside its body.
const EXPOSED: &str = "ETag, Link, Location, Backsync-Position";
/// What it may send.
const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// The door as one thread of an application has it.
pub(super) struct Api {
    doors: Arc<Doors>,
    /// The worker of this thread; none where nobody can come in.
    worker: Box<dyn Fn() -> Result<Rc<Worker>, Refusal>>,
    /// Whether the application's own address tells how it was reached.
    is_mounted: bool,
}

impl Api {
    pub(super) fn new(
        doors: Arc<Doors>,
        is_mounted: bool,
        worker: impl Fn() -> Result<Rc<Worker>, Refusal> + 'static,
    ) -> Rc<Self> {
        Rc::new(Self { doors, worker: Box::new(worker), is_mounted })
    }

    /// Serve it below `/api`, and the feeds below `/sync`.
    pub(super) fn open(self: Rc<Self>, config: &mut ServiceConfig) {
        let refused = |allowed: &'static str| web::to(move || async move { Problem::not_allowed(allowed).response() });
        let models = web::resource("/{model}")
            .route(web::get().to(records::list))
            .route(web::head().to(records::list))
            .route(web::post().to(records::write))
            .default_service(refused("GET, HEAD, POST, OPTIONS"));
        let events = web::resource("/{model}/events")
            .route(web::get().to(events::open))
            .default_service(refused("GET, OPTIONS"));
        let one = web::resource("/{model}/{id}")
            .route(web::get().to(record::read))
            .route(web::head().to(record::read))
            .route(web::put().to(record::replace))
            .route(web::patch().to(record::update))
            .route(web::delete().to(record::delete))
            .default_service(refused("GET, HEAD, PUT, PATCH, DELETE, OPTIONS"));
        let association = web::resource("/{model}/{id}/{association}")
            .route(web::get().to(associations::list))
            .route(web::head().to(associations::list))
            .route(web::post().to(associations::add))
            .default_service(refused("GET, HEAD, POST, OPTIONS"));
        let linked = web::resource("/{model}/{id}/{association}/{other}")
            .route(web::get().to(associations::one))
            .route(web::head().to(associations::one))
            .route(web::put().to(associations::link))
            .route(web::post().to(associations::link))
            .route(web::delete().to(associations::unlink))
            .default_service(refused("GET, HEAD, PUT, POST, DELETE, OPTIONS"));
        let feed = web::resource("/{model}")
            .route(web::get().to(sync::read))
            .route(web::post().to(sync::write))
            .default_service(refused("GET, POST, OPTIONS"));
        let feeds = web::scope("/sync").app_data(self.clone()).wrap(Compress::default()).wrap(from_fn(admit));
        config.service(feeds.service(feed));
        let door = web::scope("/api").app_data(self).wrap(Compress::default()).wrap(from_fn(admit));
        let nothing = web::to(async || Problem::no_such_path().response());
        let door = door.service(models).service(events).service(one).service(association).service(linked);
        config.service(door.default_service(nothing));
        config.route("/openapi.json", web::get().to(description::text));
        config.service(web::redirect("/docs", "docs/")).route("/docs/{file:.*}", web::get().to(description::page));
    }

    /// The one of a request.
    fn of(request: &HttpRequest) -> &Rc<Self> {
        request.app_data().expect("what is below /api is served with it")
    }

    /// Whether the server was reached on a loopback address.
    fn reached_locally(&self, request: &HttpRequest) -> bool {
        if self.is_mounted {
            return request.app_config().local_addr().ip().is_loopback();
        }
        self.doors.options.origins.loopback
    }
}

/// Whether somebody may come in, and whether the page that asks may read the answer.
async fn admit(request: ServiceRequest, next: Next<impl MessageBody + 'static>) -> Result<ServiceResponse, Error> {
    let api = Api::of(request.request()).clone();
    let local = api.reached_locally(request.request());
    let visitor = Visitor::of(request.request(), &api.doors.options.origins, local);
    let mut answer = if request.method() == Method::OPTIONS {
        let preflight = HttpResponse::NoContent()
            .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, METHODS))
            .insert_header((header::ACCESS_CONTROL_MAX_AGE, 86_400))
            .finish();
        request.into_response(preflight)
    } else if !visitor.is_welcome() {
        request.into_response(Problem::foreign().response())
    } else if percent_decode_str(request.uri().path()).decode_utf8().is_err() {
        // What the router makes of it does not show that any more.
        request.into_response(Problem::invalid("the path is not UTF-8").response())
    } else {
        next.call(request).await?.map_into_boxed_body()
    };
    visitor.share(answer.response_mut());
    answer.headers_mut().insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, header::HeaderValue::from_static(EXPOSED));
    Ok(answer)
}

/// A part of the path, as it was meant.
fn segment(request: &HttpRequest, name: &str) -> Result<String, Problem> {
    let encoded = request.match_info().get(name).unwrap_or_default();
    let text = percent_decode_str(encoded).decode_utf8();
    text.map(Into::into).map_err(|_| Problem::invalid(format!("the {name} in the path is not UTF-8")))
}

/// Begin to ask the broker for somebody.
fn begin(request: &HttpRequest, asker: &Asker) -> Result<Exchange, Problem> {
    let worker = (Api::of(request).worker)().map_err(Problem::refused)?;
    Exchange::open(&worker, asker)
}

/// What became of a request: the answer, or why there is none.
type Answer = Result<HttpResponse, Problem>;
