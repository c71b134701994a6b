//! `/api/{Model}`: many records.

use super::{
    Answer, Api, begin,
    body::{self, Kind, MANY},
    conditions::{self, Condition},
    exchange::Asker,
    lines,
    params::{Params, encode},
    problem::Problem,
    reply::Reply,
    schemas::{
        Answered, Asking, Conditions, LineResult, OfModel, Place, Problems, Record, Returned, Sent, Shape, Terms,
        WriteProblems, Written,
    },
    segment,
};
use actix_web::{HttpRequest, HttpResponse, http::header, web::Payload};
use backsync_protocol::{ErrorCode, ErrorObject, json::Value};
use bytes::Bytes;
use std::fmt::Write;
use utoipa::IntoParams;

pub(super) const ASKED: [&str; 8] = ["ids", "where", "sort", "limit", "skip", "after", "populate", "since"];

/// What a write may say of itself.
pub(super) const SAID: [&str; 5] = ["policy", "prefer", "base", "replace", "atomic"];

/// How records are written.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it is described here, and read by hand")]
struct How {
    /// A record takes the place of the whole stored one.
    replace: Option<bool>,
    /// Of lines: all are done, or none.
    atomic: Option<bool>,
}

/// Records of a model
///
/// All, or those that a query asks for, in order of insertion unless it says another. With `since` the answer is an object: what
/// changed since that position. `ETag` and `Backsync-Position` tell where the model stood, `Link` leads to the next page.
#[utoipa::path(get, path = "/api/{model}", tag = "Records", params(OfModel, Shape, Place, Asking), responses(
    (status = 200, description = "The records.", body = Answered, headers(
        ("ETag" = String, description = "For If-None-Match."),
        ("Backsync-Position" = String, description = "For since."),
    )),
    (status = 304, description = "As it is known."),
    Problems
))]
pub(super) async fn list(request: HttpRequest) -> Answer {
    let model = segment(&request, "model")?;
    let params = Params::of(&request, &ASKED)?;
    let asker = Asker::of(&request, params.client())?;
    let message = asker.look(&model, &params.object(&ASKED)?.end());
    let reply = begin(&request, &asker)?.ask(&message).await?;
    let tag = conditions::tag_of_list(&reply);
    let mut response =
        if conditions::is_known(&request, tag.as_deref()) { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    stamp(&mut response, &reply, tag);
    if let Some(next) = &reply.next {
        let Some(next) = next else {
            let message =
                "what is sorted by is too long to page through; take fewer or other paths in sort, or no limit";
            return Err(ErrorObject::new(ErrorCode::LimitExceeded, message).into());
        };
        let link = format!("<{}?{}>; rel=\"next\"", request.path(), params.with("after", next));
        response.insert_header((header::LINK, link));
    }
    response.content_type("application/json");
    Ok(response.body(if params.get("since").is_some() { since(reply) } else { reply.into_data() }))
}

/// What changed since, and what is gone.
fn since(reply: Reply) -> Bytes {
    let mut out = String::from("{\"data\":");
    out.push_str(reply.data());
    match (&reply.deleted, reply.is_reset) {
        (Some(deleted), false) => write!(out, ",\"deleted\":{deleted}").expect("writing to a string cannot fail"),
        _ => out.push_str(",\"reset\":true"),
    }
    if let Some(position) = &reply.position {
        write!(out, ",\"position\":\"{position}\"").expect("writing to a string cannot fail");
    }
    out.push('}');
    out.into()
}

/// The headers that tell where the model stood.
pub(super) fn stamp(response: &mut actix_web::HttpResponseBuilder, reply: &Reply, tag: Option<String>) {
    response.insert_header((header::CACHE_CONTROL, "no-cache"));
    if let Some(position) = &reply.position {
        response.insert_header(("backsync-position", position.as_str()));
    }
    if let Some(tag) = tag {
        response.insert_header((header::ETAG, tag));
    }
}

/// Write records
///
/// One, or an array as one atomic batch: members given are set, others kept, unknown records inserted. As `application/x-ndjson` a
/// record a line, each a write of its own, done as it comes and answered by a line; read while you send.
#[utoipa::path(post, path = "/api/{model}", tag = "Records", params(OfModel, Terms, How, Asking, Conditions, Returned),
    request_body(content((Sent = "application/json"), (String = "application/x-ndjson"))),
    responses(
        (status = 200, description = "The record, or records, as they are now; or a line for each line.", content(
            (Written = "application/json"), (LineResult = "application/x-ndjson"))),
        (status = 201, description = "The record, which is new.", body = Record, headers(("Location" = String))),
        Problems, WriteProblems
    ))]
pub(super) async fn write(request: HttpRequest, payload: Payload) -> Answer {
    let model = segment(&request, "model")?;
    let params = Params::of(&request, &SAID)?;
    let asker = Asker::of(&request, params.client())?;
    let condition = Condition::of(&request, &params)?;
    if condition == Condition::Exists {
        return Err(Problem::invalid("If-Match: * goes with the path of one record"));
    }
    let replace = params.flag("replace")?.to_string();
    let options = conditions::options(&params, condition).raw("replace", &replace);
    let options = options.text("return", conditions::returned(&request)).end();
    let is_atomic = params.flag("atomic")?;
    let one = Api::of(&request).doors.options.message_bytes;
    let text = match Kind::of(&request)? {
        Kind::Lines if !is_atomic => return lines::answer(&request, payload, &asker, model, options),
        Kind::Lines => lines::array(&body::whole(&request, payload, one.saturating_mul(MANY)).await?),
        Kind::Json => body::whole(&request, payload, one.saturating_mul(MANY)).await?,
    };
    let is_one = match serde_json::from_str(&text) {
        Ok(Value::Object(_)) if text.len() > one => return Err(Problem::too_large(one)),
        Ok(value) => matches!(value, Value::Object(_)),
        Err(cause) => return Err(body::no_json(format!("the body is not JSON: {cause}"))),
    };
    let message = asker.message(&model, "upsert", Some(&text), Some(&options));
    let reply = begin(&request, &asker)?.ask(&message).await.map_err(|error| condition.problem(error))?;
    if !is_one {
        return Ok(found(reply, None));
    }
    let place = reply.stamp().map(|stamp| below(&request, &stamp.id));
    Ok(written(reply, place))
}

/// The place of a record among those that a request is about.
pub(super) fn below(request: &HttpRequest, id: &str) -> String {
    format!("{}/{}", request.path().trim_end_matches('/'), encode(id))
}

/// The answer with what was found.
pub(super) fn found(reply: Reply, tag: Option<String>) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    stamp(&mut response, &reply, tag);
    response.content_type("application/json").body(reply.into_data())
}

/// The answer to a write of one record, which is at this place.
pub(super) fn written(reply: Reply, place: Option<String>) -> HttpResponse {
    let mut response = if reply.is_created { HttpResponse::Created() } else { HttpResponse::Ok() };
    let tag = conditions::tag_of_record(&reply);
    stamp(&mut response, &reply, tag);
    if let (true, Some(place)) = (reply.is_created, place) {
        response.insert_header((header::LOCATION, place));
    }
    response.content_type("application/json").body(reply.into_data())
}
