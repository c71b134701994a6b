//! The URL map of what is answered over plain HTTP; below the SockJS prefixes it goes on in `sockjs`.

use super::{api::Api, console, sockjs::Entrance, upgrade, worker::Worker};
use actix_files::Files;
use actix_service::fn_service;
use actix_web::{
    App, HttpRequest, HttpResponse,
    body::MessageBody,
    dev::{ServiceFactory, ServiceRequest, ServiceResponse},
    http::{Method, header},
    middleware::DefaultHeaders,
    web,
};
use std::rc::Rc;

/// What the console may load and talk to: this server, nothing else.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The application of one worker.
pub(super) fn app(
    worker: Rc<Worker>,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody>,
        Error = actix_web::Error,
        InitError = (),
    >,
> {
    let with_console = worker.doors.options.console;
    let app = App::new().route("/healthz", web::get().to(health)).configure(|config| {
        for endpoint in &worker.doors.endpoints {
            let worker = worker.clone();
            let prefix = endpoint.messages.path();
            Entrance::new(endpoint.clone(), false, move || Ok(worker.clone())).open(prefix, config);
        }
        let of = worker.clone();
        Api::new(worker.doors.clone(), false, move || Ok(of.clone())).open(config);
        let public_dir = worker.doors.options.public_dir.clone();
        if with_console {
            let place = if public_dir.is_some() { "/console/" } else { "/" };
            config.route(place, web::get().to(index)).route("/console/{file}", web::get().to(asset));
        }
        if let Some(folder) = public_dir {
            let files = Files::new("/", folder).index_file("index.html").prefer_utf8(true);
            let files = files.default_handler(fn_service(async |request: ServiceRequest| {
                let (request, _) = request.into_parts();
                let answer = elsewhere(request.clone()).await;
                Ok(ServiceResponse::new(request, answer))
            }));
            // What else its pages may do is for them to say.
            let headers = DefaultHeaders::new()
                .add((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
                .add((header::X_FRAME_OPTIONS, "SAMEORIGIN"));
            config.service(web::scope("").wrap(headers).service(files));
        }
    });
    app.default_service(web::to(elsewhere))
}

/// What is no page: nothing, or the WebSocket's door that somebody came to without an upgrade.
async fn elsewhere(request: HttpRequest) -> HttpResponse {
    if request.path() != "/ws" {
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
