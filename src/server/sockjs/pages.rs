//! What below a prefix is no session: the greeting, `/info`, the page for iframes, and the client's script.

use super::{
    Endpoint,
    answers::{ALWAYS, NEVER, TEXT, in_a_year, not_found},
};
use crate::sockjs::{self, Target};
use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{self, EntityTag, Header, HttpDate, IfNoneMatch},
};
use sha2::{Digest, Sha256};
use std::fmt::Write;

pub(super) async fn page(endpoint: &Endpoint, target: Target<'_>, request: &HttpRequest) -> HttpResponse {
    match target {
        Target::Greeting => HttpResponse::Ok().content_type(TEXT).body("Welcome to SockJS!\n"),
        Target::Info => info(endpoint),
        Target::Iframe => iframe(endpoint, request),
        Target::Client { file } => client(endpoint, file).await,
        Target::RawWebSocket | Target::Session { .. } => unreachable!("no pages"),
    }
}

fn info(endpoint: &Endpoint) -> HttpResponse {
    let entropy = u32::try_from(uuid::Uuid::new_v4().as_u128() >> 96).expect("the upper 32 of 128 bits");
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, NEVER))
        .content_type("application/json; charset=UTF-8")
        .body(sockjs::info(endpoint.options.websocket, endpoint.options.cookie, entropy))
}

/// The page is the same for all versions of clients, and cached by its content. What runs in it is of this server's origin, so only
/// pages that may connect can have it in a frame; the browser sees to that for the copies that it keeps, too.
fn iframe(endpoint: &Endpoint, request: &HttpRequest) -> HttpResponse {
    if endpoint.options.client_url.is_empty() {
        return not_found();
    }
    let page = sockjs::iframe(&endpoint.options.client_url);
    let mut ancestors = "frame-ancestors 'self'".to_owned();
    for origin in &endpoint.origins.allowed {
        write!(ancestors, " {origin}").expect("writing to a string cannot fail");
    }
    let mut digest = String::new();
    for byte in &Sha256::digest(format!("{page}{ancestors}"))[..16] {
        write!(digest, "{byte:02x}").expect("writing to a string cannot fail");
    }
    let tag = EntityTag::new_strong(digest);
    let is_known = match IfNoneMatch::parse(request) {
        Ok(IfNoneMatch::Any) => request.headers().contains_key(header::IF_NONE_MATCH),
        Ok(IfNoneMatch::Items(tags)) => tags.iter().any(|known| known.weak_eq(&tag)),
        Err(_) => false,
    };
    let mut answer = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    answer
        .insert_header((header::CACHE_CONTROL, ALWAYS))
        .insert_header((header::EXPIRES, HttpDate::from(in_a_year())))
        .insert_header((header::CONTENT_SECURITY_POLICY, ancestors))
        .insert_header((header::ETAG, header::ETag(tag)));
    if is_known {
        return answer.finish();
    }
    answer.content_type("text/html; charset=UTF-8").body(page)
}

async fn client(endpoint: &Endpoint, file: &str) -> HttpResponse {
    let Some(folder) = &endpoint.options.client_dir else { return not_found() };
    let path = folder.join(file);
    let read = web_block(move || std::fs::read(path)).await;
    let Ok(bytes) = read else { return not_found() };
    let content_type = match file.rsplit_once('.').map(|(_, extension)| extension) {
        Some("js" | "mjs") => "text/javascript; charset=UTF-8",
        Some("map" | "json") => "application/json; charset=UTF-8",
        _ => "application/octet-stream",
    };
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "public, max-age=3600"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .content_type(content_type)
        .body(bytes)
}

/// Reading a file may wait for a disk.
async fn web_block(read: impl FnOnce() -> std::io::Result<Vec<u8>> + Send + 'static) -> std::io::Result<Vec<u8>> {
    actix_web::web::block(read).await.unwrap_or_else(|_| Err(std::io::ErrorKind::Interrupted.into()))
}
