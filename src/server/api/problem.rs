//! What is answered where something is wrong: problem details (RFC 9457), with the codes of the wire.

use super::schemas::Record;
use crate::server::upgrade::Refusal;
use actix_web::{
    HttpResponse, ResponseError,
    http::{StatusCode, header},
};
use backsync_protocol::{ErrorCode, ErrorObject, error::ErrorRecord};
use serde::Serialize;
use std::fmt;
use utoipa::ToSchema;

/// Why a request was not done.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    status: StatusCode,
    error: ErrorObject,
    headers: Vec<(header::HeaderName, &'static str)>,
}

/// What was wrong, and what would be right (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct Details<'a> {
    /// Always `about:blank`: the code tells which problem it is.
    r#type: &'static str,
    /// The status in words.
    title: &'a str,
    /// The status.
    status: u16,
    /// For people: what was wrong, and what would be right.
    detail: &'a str,
    /// For programs: one of the codes of PROTOCOL.md.
    #[schema(value_type = String, examples("invalid_data"))]
    code: ErrorCode,
    /// Whether the same request may succeed later.
    retry: bool,
    /// Of an array: which element it was, counted from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    element: Option<usize>,
    /// Of a conflict: the record as it is; null where it was deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Record>)]
    record: Option<&'a ErrorRecord>,
    /// Of a conflict under `merge`: the attributes that both sides changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    properties: Option<&'a [String]>,
}

impl Problem {
    fn new(status: StatusCode, error: ErrorObject) -> Self {
        Self { status, error, headers: Vec::new() }
    }

    /// What was sent is not what is taken.
    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        ErrorObject::new(ErrorCode::InvalidData, detail).into()
    }

    /// There is nothing at this path.
    pub(super) fn no_such_path() -> Self {
        let message = "there is nothing here; records are at /api/MODEL and /api/MODEL/ID";
        Self::new(StatusCode::NOT_FOUND, ErrorObject::new(ErrorCode::NotFound, message))
    }

    /// There is, and this is not to be done with it.
    pub(super) fn not_allowed(allowed: &'static str) -> Self {
        let error = ErrorObject::new(ErrorCode::UnknownMethod, format!("this path takes {allowed}"));
        Self { headers: vec![(header::ALLOW, allowed)], ..Self::new(StatusCode::METHOD_NOT_ALLOWED, error) }
    }

    /// A page that may not come in asked.
    pub(super) fn foreign() -> Self {
        let message = "pages of this origin may not use this server; list it in server.allowed_origins";
        Self::new(StatusCode::FORBIDDEN, ErrorObject::new(ErrorCode::Forbidden, message))
    }

    /// Nobody has the token that was shown, or it was shown in another way than there is.
    pub(super) fn unauthorized(reason: impl Into<String>) -> Self {
        let error = ErrorObject::new(ErrorCode::Forbidden, reason);
        let headers = vec![(header::WWW_AUTHENTICATE, "Bearer")];
        Self { headers, ..Self::new(StatusCode::UNAUTHORIZED, error) }
    }

    /// The body is of another kind than is taken.
    pub(super) fn unsupported(takes: &str) -> Self {
        let error = ErrorObject::new(ErrorCode::InvalidData, format!("the body is to be {takes}"));
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, error)
    }

    /// The body is larger than is allowed.
    pub(super) fn too_large(limit: usize) -> Self {
        let message = format!("the body has more than {limit} bytes; send less at once, or one record a line (NDJSON)");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, ErrorObject::new(ErrorCode::LimitExceeded, message))
    }

    /// What is asked about is not known any more.
    pub(super) fn gone(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::GONE, ErrorObject::new(ErrorCode::NotFound, detail))
    }

    /// The record is not as the request's condition says.
    pub(super) fn unmet(error: ErrorObject) -> Self {
        Self::new(StatusCode::PRECONDITION_FAILED, error)
    }

    /// Nobody can come in just now.
    pub(super) fn refused(refusal: Refusal) -> Self {
        let error = ErrorObject::new(ErrorCode::ShuttingDown, refusal.message().trim_end());
        Self { headers: vec![(header::RETRY_AFTER, "5")], ..Self::new(refusal.status(), error) }
    }

    /// What is wrong, in the words of the wire.
    pub(super) fn error(&self) -> &ErrorObject {
        &self.error
    }

    /// As an answer.
    pub(crate) fn response(&self) -> HttpResponse {
        let ErrorObject { code, message, retry, element, record, properties } = &self.error;
        let details = Details {
            r#type: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: message,
            code: *code,
            retry: *retry,
            element: *element,
            record: record.as_ref(),
            properties: properties.as_deref(),
        };
        let mut response = HttpResponse::build(self.status);
        for (name, value) in &self.headers {
            response.insert_header((name.clone(), *value));
        }
        let json = serde_json::to_string(&details).expect("a problem is always serializable");
        response.insert_header((header::CACHE_CONTROL, "no-store"));
        response.content_type("application/problem+json").body(json)
    }
}

impl From<ErrorObject> for Problem {
    fn from(error: ErrorObject) -> Self {
        let status = match error.code {
            ErrorCode::NotFound => StatusCode::NOT_FOUND,
            ErrorCode::Forbidden => StatusCode::FORBIDDEN,
            ErrorCode::Conflict => StatusCode::CONFLICT,
            ErrorCode::LimitExceeded | ErrorCode::TransactionReused => StatusCode::UNPROCESSABLE_ENTITY,
            ErrorCode::StoreFull => StatusCode::INSUFFICIENT_STORAGE,
            ErrorCode::StoreUnavailable | ErrorCode::ShuttingDown => StatusCode::SERVICE_UNAVAILABLE,
            ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        };
        let headers = match status {
            StatusCode::SERVICE_UNAVAILABLE => vec![(header::RETRY_AFTER, "5")],
            _ => Vec::new(),
        };
        Self { headers, ..Self::new(status, error) }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.error.message)
    }
}

/// A door's function may give one in the place of its answer.
impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        self.response()
    }
}
