//! Answers that several targets give.

use super::Endpoint;
use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        ConnectionType, StatusCode, Version,
        header::{self, HeaderValue},
    },
};

/// What is never cached.
pub(super) const NEVER: &str = "no-store, no-cache, no-transform, must-revalidate, max-age=0";

/// What does not change for a year.
pub(super) const ALWAYS: &str = "public, max-age=31536000";

/// One year, in seconds.
pub(super) const YEAR: u64 = 31_536_000;

pub(super) const TEXT: &str = "text/plain; charset=UTF-8";

pub(super) fn plain(status: StatusCode, text: impl Into<String>) -> HttpResponse {
    HttpResponse::build(status).insert_header((header::CACHE_CONTROL, NEVER)).content_type(TEXT).body(text.into())
}

pub(super) fn not_found() -> HttpResponse {
    plain(StatusCode::NOT_FOUND, "not found\n")
}

/// No content type, as SockJS wants it.
pub(super) fn not_allowed(allowed: &str) -> HttpResponse {
    HttpResponse::MethodNotAllowed().insert_header((header::ALLOW, allowed)).finish()
}

/// A body whose length is not known, for who asks: those before HTTP/1.1 know no chunks, and read to the end of the connection.
pub(super) fn suit_version(request: &HttpRequest, response: &mut HttpResponse) {
    if request.version() < Version::HTTP_11 {
        response.head_mut().set_connection_type(ConnectionType::Close);
        response.head_mut().no_chunking(true);
    }
}

/// The answer to a browser that asks whether it may, for a target that has `method`.
pub(super) fn preflight(method: &str) -> HttpResponse {
    let mut answer = HttpResponse::NoContent();
    answer
        .insert_header((header::CACHE_CONTROL, ALWAYS))
        .insert_header((header::EXPIRES, header::HttpDate::from(in_a_year())))
        .insert_header((header::ACCESS_CONTROL_MAX_AGE, YEAR))
        .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, format!("OPTIONS, {method}")));
    answer.finish()
}

pub(super) fn in_a_year() -> std::time::SystemTime {
    std::time::SystemTime::now() + std::time::Duration::from_secs(YEAR)
}

/// Where load balancers go by a cookie, the client gets the one back that it came with.
pub(super) fn keep_cookie(endpoint: &Endpoint, request: &HttpRequest, response: &mut HttpResponse) {
    if !endpoint.options.cookie {
        return;
    }
    let sent = request.headers().get_all(header::COOKIE).filter_map(|value| value.to_str().ok());
    let known = sent.flat_map(|value| value.split(';')).find_map(|cookie| cookie.trim().strip_prefix("JSESSIONID="));
    let value = format!("JSESSIONID={}; path=/", known.unwrap_or("dummy"));
    if let Ok(value) = HeaderValue::from_str(&value) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
}
