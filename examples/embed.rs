//! backsync within an actix-web application of one's own: a page, an endpoint that saves a note from the server's own code,
//! and the realtime doors below `/realtime`.
//!
//! ```sh
//! cargo run --example embed
//! ```
//!
//! Open <http://127.0.0.1:8080> in two windows.

use actix_web::{
    App, HttpResponse, HttpServer,
    dev::Server,
    web::{self, Data},
};
use backsync::{
    Backsync,
    app::AppError,
    protocol::{ErrorCode, ErrorObject, Query},
    store::Memory,
};
use serde_json::json;
use std::net::SocketAddr;

const PAGE: &str = include_str!("embed.html");

async fn page() -> HttpResponse {
    HttpResponse::Ok().content_type("text/html; charset=utf-8").body(PAGE)
}

/// A save from an HTTP handler: everybody who listens hears it.
async fn add(text: String, backsync: Data<Backsync>) -> HttpResponse {
    match backsync.broker().upsert("Note", &json!({"text": text})).await {
        Ok(note) => HttpResponse::Created().content_type("application/json").body(note.json().to_owned()),
        Err(error) => failure(&error),
    }
}

/// A read from an HTTP handler.
async fn list(backsync: Data<Backsync>) -> HttpResponse {
    match backsync.broker().read("Note", Query::default()).await {
        Ok(notes) => {
            let notes: Vec<&str> = notes.iter().map(|note| note.json()).collect();
            HttpResponse::Ok().content_type("application/json").body(format!("[{}]", notes.join(",")))
        }
        Err(error) => failure(&error),
    }
}

fn failure(error: &ErrorObject) -> HttpResponse {
    match error.code {
        ErrorCode::InvalidData => HttpResponse::BadRequest().json(error),
        _ => HttpResponse::InternalServerError().json(error),
    }
}

/// The application, and backsync within it.
pub(crate) fn server(listen: SocketAddr) -> Result<(Server, Backsync, SocketAddr), AppError> {
    let backsync = Backsync::builder().store(Memory::default()).build()?;
    let shared = backsync.clone();
    let server = HttpServer::new(move || {
        App::new()
            .app_data(Data::new(shared.clone()))
            .route("/", web::get().to(page))
            .service(web::resource("/notes").route(web::get().to(list)).route(web::post().to(add)))
            .configure(shared.mount("/realtime"))
    });
    let server = server.workers(2).disable_signals().bind(listen)?;
    let address = server.addrs()[0];
    Ok((server.run(), backsync, address))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    actix_rt::System::new().block_on(run())
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let (server, backsync, address) = server(([127, 0, 0, 1], 8080).into())?;
    println!("open http://{address}");
    let handle = server.handle();
    actix_rt::spawn(async move {
        if actix_rt::signal::ctrl_c().await.is_ok() {
            // First the connections, which would keep the application from ending.
            backsync.close().await;
            handle.stop(true).await;
        }
    });
    Ok(server.await?)
}
