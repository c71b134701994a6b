//! Who asks over HTTP, as far as a browser tells: which pages may read, and which may do anything.

use crate::server::origin::Origins;
use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{self, HeaderName, HeaderValue},
};

/// Who asks.
pub(super) struct Visitor {
    origin: Option<HeaderValue>,
    /// Headers that the page wants to send.
    asks_for: Option<HeaderValue>,
    is_welcome: bool,
}

impl Visitor {
    /// The one behind this request. `local` is whether the server was reached on a loopback address.
    pub(super) fn of(request: &HttpRequest, origins: &Origins, local: bool) -> Self {
        let text = |name: HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok());
        let origin = request.headers().get(header::ORIGIN).cloned();
        let host = text(header::HOST);
        let is_welcome = match &origin {
            Some(origin) => origins.allow(Some(origin.to_str().unwrap_or("null")), host, local),
            // A script or a frame of another page's comes without an origin.
            None => match text(HeaderName::from_static("sec-fetch-site")) {
                Some("same-origin" | "none") => origins.knows(host, local),
                site => {
                    let page = text(header::REFERER).and_then(origin_of);
                    match (site, page) {
                        (None, None) => origins.knows(host, local),
                        (_, page) => origins.allow(Some(page.unwrap_or("null")), host, local),
                    }
                }
            },
        };
        let asks_for = request.headers().get(header::ACCESS_CONTROL_REQUEST_HEADERS);
        let asks_for = asks_for.filter(|asked| !asked.is_empty()).cloned();
        Self { origin, asks_for, is_welcome }
    }

    /// Whether it may use this server.
    pub(super) fn is_welcome(&self) -> bool {
        self.is_welcome
    }

    /// Let pages of allowed origins read the answer, whatever it is.
    pub(super) fn share(&self, response: &mut HttpResponse) {
        let headers = response.headers_mut();
        headers.insert(header::VARY, HeaderValue::from_static("Origin"));
        match &self.origin {
            None => {
                headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
            }
            Some(origin) if self.is_welcome => {
                headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
                headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
            }
            Some(_) => return,
        }
        if let Some(asked) = &self.asks_for {
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
        }
    }
}

/// The origin of an address.
fn origin_of(address: &str) -> Option<&str> {
    let scheme = address.find("://")? + 3;
    let end = address[scheme..].find(['/', '?', '#']).map_or(address.len(), |at| scheme + at);
    Some(&address[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn pages_are_known_by_what_the_browser_says() {
        let origins = Origins { allowed: vec!["https://app.example".into()], loopback: true };
        let welcome = |headers: &[(&str, &str)]| {
            let mut request = TestRequest::default().insert_header(("host", "localhost:9000"));
            for header in headers {
                request = request.insert_header(*header);
            }
            Visitor::of(&request.to_http_request(), &origins, true).is_welcome()
        };
        assert!(welcome(&[]), "no browser");
        assert!(welcome(&[("origin", "https://app.example")]));
        assert!(!welcome(&[("origin", "https://other.example")]));
        assert!(!welcome(&[("origin", "null")]));
        assert!(welcome(&[("sec-fetch-site", "same-origin"), ("referer", "http://localhost:9000/page")]));
        assert!(welcome(&[("sec-fetch-site", "none")]), "typed by hand");
        assert!(welcome(&[("sec-fetch-site", "cross-site"), ("referer", "https://app.example/page?x")]));
        assert!(!welcome(&[("sec-fetch-site", "cross-site"), ("referer", "https://app.example.evil/")]));
        assert!(!welcome(&[("sec-fetch-site", "cross-site")]), "it hides its address");
        assert!(!welcome(&[("sec-fetch-site", "same-site"), ("referer", "http://localhost:3000/")]));
        assert!(!welcome(&[("referer", "https://other.example/page")]), "an old browser");
        assert!(welcome(&[("referer", "http://localhost:9000/page")]));
    }
}
