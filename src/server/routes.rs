//! The whole URL map of what is answered over plain HTTP. WebSockets are in `transports`.

use super::{Doors, console, mount, transports, upgrade};
use crate::sockjs::{self, Prefix};
use actix_web::{
    App, HttpRequest, HttpResponse, HttpResponseBuilder,
    body::MessageBody,
    dev::{ServiceFactory, ServiceRequest, ServiceResponse},
    http::{Method, header},
    web,
};
use std::sync::Arc;

/// What the console may load and talk to: this server, nothing else.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A SockJS answer is never cached.
const NEVER: &str = "no-store, no-cache, no-transform, must-revalidate, max-age=0";

/// One year, for what a browser may remember of a preflight.
const PREFLIGHT_SECONDS: &str = "31536000";

type Shared = web::Data<Doors>;

/// The application of one worker.
pub(super) fn app(
    doors: Arc<Doors>,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody>,
        Error = actix_web::Error,
        InitError = (),
    >,
> {
    let with_console = doors.options.console;
    let app = App::new().app_data(Shared::from(doors)).route("/healthz", web::get().to(health));
    let app = app.configure(sockjs_pages).configure(|config| {
        if with_console {
            config.route("/", web::get().to(index)).route("/console/{file}", web::get().to(asset));
        }
    });
    app.default_service(web::to(elsewhere))
}

/// What the SockJS doors answer to plain requests.
pub(super) fn sockjs_pages(config: &mut web::ServiceConfig) {
    for prefix in Prefix::ALL {
        config
            .route(prefix.path(), web::get().to(greeting))
            .route(&format!("{}/", prefix.path()), web::get().to(greeting))
            .service(
                web::resource(format!("{}/info", prefix.path()))
                    .route(web::get().to(info))
                    .route(web::method(Method::OPTIONS).to(preflight))
                    .default_service(web::to(|| async {
                        HttpResponse::MethodNotAllowed().insert_header((header::ALLOW, "OPTIONS, GET")).finish()
                    })),
            );
    }
}

/// What is no page: nothing, or a WebSocket's door that somebody came to without an upgrade.
async fn elsewhere(request: HttpRequest) -> HttpResponse {
    if transports::door(request.path()).is_none() {
        return HttpResponse::NotFound().content_type("text/plain; charset=UTF-8").body("not found\n");
    }
    if request.method() != Method::GET {
        return HttpResponse::MethodNotAllowed().insert_header((header::ALLOW, "GET")).finish();
    }
    HttpResponse::BadRequest().content_type("text/plain; charset=UTF-8").body(upgrade::NO_UPGRADE)
}

async fn health() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .content_type("application/json")
        .body(r#"{"status":"ok"}"#)
}

async fn greeting() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=UTF-8").body("Welcome to SockJS!\n")
}

async fn info(request: HttpRequest, doors: Shared) -> HttpResponse {
    let entropy = u32::try_from(uuid::Uuid::new_v4().as_u128() >> 96).expect("the upper 32 of 128 bits");
    let mut answer = HttpResponse::Ok();
    answer.insert_header((header::CACHE_CONTROL, NEVER)).content_type("application/json; charset=UTF-8");
    share(&mut answer, &request, &doors);
    answer.body(sockjs::info(true, false, entropy))
}

async fn preflight(request: HttpRequest, doors: Shared) -> HttpResponse {
    let mut answer = HttpResponse::NoContent();
    answer
        .insert_header((header::CACHE_CONTROL, "public, max-age=31536000"))
        .insert_header((header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_SECONDS))
        .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, "OPTIONS, GET"));
    share(&mut answer, &request, &doors);
    if let Some(asked) = request.headers().get(header::ACCESS_CONTROL_REQUEST_HEADERS).filter(|asked| !asked.is_empty())
    {
        answer.insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, asked.clone()));
    }
    answer.finish()
}

/// Let pages of allowed origins read the answer.
fn share(answer: &mut HttpResponseBuilder, request: &HttpRequest, doors: &Doors) {
    answer.insert_header((header::VARY, "Origin"));
    let Some(value) = request.headers().get(header::ORIGIN) else {
        answer.insert_header((header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"));
        return;
    };
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let local = mount::reached_locally(request).unwrap_or(doors.options.origins.loopback);
    if doors.options.origins.allow(Some(value.to_str().unwrap_or("null")), host, local) {
        answer
            .insert_header((header::ACCESS_CONTROL_ALLOW_ORIGIN, value.clone()))
            .insert_header((header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true"));
    }
}

async fn index() -> HttpResponse {
    file("index.html")
}

async fn asset(name: web::Path<String>) -> HttpResponse {
    file(&name)
}

fn file(name: &str) -> HttpResponse {
    let Some(asset) = console::asset(name) else { return HttpResponse::NotFound().body("not found\n") };
    HttpResponse::Ok()
        .insert_header((header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .content_type(asset.content_type)
        .body(asset.body)
}
