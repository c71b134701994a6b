//! What the door is, as OpenAPI 3.1 says it: made of what stands at its functions. And the page to try it on.

use super::{
    associations, events,
    problem::Details,
    record, records,
    schemas::{Answered, Fed, Feed, Led, LineResult, Record, RecordInput, Sent, Written},
    sync,
};
use actix_web::{HttpRequest, HttpResponse, http::header, web};
use std::sync::{Arc, LazyLock};
use utoipa::{
    Modify, OpenApi,
    openapi::security::{Http, HttpAuthScheme, SecurityScheme},
};

/// What the page may load and talk to: this server, nothing else. It has styles within, and pictures as `data:`.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                                       base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The door.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "backsync over HTTP",
        description = "Models and their records over plain HTTP. What is written here reaches every listener on every door, and \
                       codes, conflicts, filters and limits are those of PROTOCOL.md."
    ),
    paths(
        records::list,
        records::write,
        record::read,
        record::replace,
        record::update,
        record::delete,
        events::open,
        associations::list,
        associations::add,
        associations::one,
        associations::link,
        associations::unlink,
        sync::read,
        sync::write,
    ),
    components(schemas(Record, RecordInput, Sent, Written, Answered, Led, LineResult, Feed, Fed, Details)),
    security((), ("token" = [])),
    modifiers(&Token)
)]
struct Door;

/// Who somebody is.
struct Token;

impl Modify for Token {
    fn modify(&self, door: &mut utoipa::openapi::OpenApi) {
        let components = door.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    }
}

static TEXT: LazyLock<String> =
    LazyLock::new(|| Door::openapi().to_json().expect("a description is always serializable"));

/// The description.
pub(super) async fn text() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .content_type("application/json")
        .body(TEXT.as_str())
}

/// A file of the page to try it on.
pub(super) async fn page(request: HttpRequest, file: web::Path<String>) -> HttpResponse {
    let config = utoipa_swagger_ui::Config::from("../openapi.json").try_it_out_enabled(true);
    match utoipa_swagger_ui::serve(&file, Arc::new(config)) {
        Ok(Some(file)) => HttpResponse::Ok()
            .insert_header((header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY))
            .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
            .insert_header((header::CACHE_CONTROL, "no-cache"))
            .content_type(file.content_type)
            .body(file.bytes.into_owned()),
        Ok(None) => super::Problem::no_such_path().response(),
        Err(cause) => {
            tracing::error!(error = %cause, path = request.path(), "the page of the HTTP door cannot be made");
            HttpResponse::InternalServerError().finish()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn what_is_described_is_what_there_is() {
        let door: Value = serde_json::from_str(&TEXT).unwrap();
        assert!(door["openapi"].as_str().unwrap().starts_with("3.1"), "{}", door["openapi"]);
        let names = |path: &str, method: &str| -> Vec<String> {
            let parameters = door["paths"][path][method]["parameters"].as_array().unwrap().iter();
            let asked = parameters.filter(|parameter| parameter["in"] == "query");
            asked.map(|parameter| parameter["name"].as_str().unwrap().to_owned()).collect()
        };
        let same = |mut described: Vec<String>, known: &[&str]| {
            described.sort();
            let mut known: Vec<String> = known.iter().chain(&["client"]).map(ToString::to_string).collect();
            known.sort();
            assert_eq!(described, known);
        };
        same(names("/api/{model}", "get"), &records::ASKED);
        same(names("/api/{model}", "post"), &records::SAID);
        same(names("/api/{model}/{id}", "put"), &record::SAID);
        same(names("/api/{model}/{id}", "delete"), &record::SAID);
        same(names("/api/{model}/events", "get"), &events::ASKED);
        same(names("/api/{model}/{id}/{association}", "get"), &associations::SHAPE);
    }
}
