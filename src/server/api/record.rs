//! `/api/{Model}/{id}`: one record.

use super::{
    Answer, Api, begin,
    body::{self, Kind},
    conditions::{self, Condition},
    exchange::{Asker, Exchange},
    object::Object,
    params::Params,
    problem::Problem,
    records::{found, stamp, written},
    reply::Reply,
    schemas::{Asking, Conditions, OfModel, OfRecord, Problems, Record, RecordInput, Returned, Terms, WriteProblems},
    segment,
};
use actix_web::{HttpRequest, HttpResponse, web::Payload};
use backsync_protocol::{
    ErrorCode, ErrorObject,
    json::{self, Members},
    record::record_id,
};

/// So often a write that only asks for a record to be there is begun anew, because that one changed meanwhile.
const ATTEMPTS: usize = 8;

/// What a write may say of itself.
pub(super) const SAID: [&str; 3] = ["policy", "prefer", "base"];

/// One record
#[utoipa::path(get, path = "/api/{model}/{id}", tag = "Records", params(
    OfModel, OfRecord, Asking, ("populate" = Option<String>, Query, description = "References to fill in.")
), responses(
    (status = 200, description = "The record.", body = Record, headers(("ETag" = String))),
    (status = 304, description = "As it is known."),
    Problems
))]
pub(super) async fn read(request: HttpRequest) -> Answer {
    let (model, id) = (segment(&request, "model")?, segment(&request, "id")?);
    let params = Params::of(&request, &["populate"])?;
    let asker = Asker::of(&request, params.client())?;
    let query = params.onto(Object::new().text("id", &id), &["populate"])?.end();
    let message = asker.look(&model, &query);
    let reply = begin(&request, &asker)?.ask(&message).await?;
    // What references lead to may be another while the record is not.
    let tag =
        if reply.positions.is_empty() { conditions::tag_of_record(&reply) } else { conditions::tag_of_list(&reply) };
    if conditions::is_known(&request, tag.as_deref()) {
        let mut response = HttpResponse::NotModified();
        stamp(&mut response, &reply, tag);
        return Ok(response.finish());
    }
    Ok(found(reply, tag))
}

/// Replace or insert a record
///
/// What is sent takes the place of the whole stored one.
#[utoipa::path(put, path = "/api/{model}/{id}", tag = "Records",
    params(OfModel, OfRecord, Terms, Asking, Conditions, Returned),
    request_body = RecordInput, responses(
    (status = 200, description = "The record as it is now; null where the write lost to a deletion.", body = Option<Record>),
    (status = 201, description = "The record, which is new.", body = Record),
    Problems, WriteProblems
))]
pub(super) async fn replace(request: HttpRequest, payload: Payload) -> Answer {
    write(&request, payload, true).await
}

/// Update or insert a record
///
/// Members that are sent are set, `null` to `null`, and the others kept.
#[utoipa::path(patch, path = "/api/{model}/{id}", tag = "Records",
    params(OfModel, OfRecord, Terms, Asking, Conditions, Returned),
    request_body = RecordInput, responses(
    (status = 200, description = "The record as it is now; null where the write lost to a deletion.", body = Option<Record>),
    (status = 201, description = "The record, which is new.", body = Record),
    Problems, WriteProblems
))]
pub(super) async fn update(request: HttpRequest, payload: Payload) -> Answer {
    write(&request, payload, false).await
}

async fn write(request: &HttpRequest, payload: Payload, replace: bool) -> Answer {
    let (model, id) = (segment(request, "model")?, segment(request, "id")?);
    let params = Params::of(request, &SAID)?;
    let asker = Asker::of(request, params.client())?;
    let condition = Condition::of(request, &params)?;
    if Kind::of(request)? != Kind::Json {
        return Err(Problem::unsupported("application/json: this path is one record's"));
    }
    let text = body::whole(request, payload, Api::of(request).doors.options.message_bytes).await?;
    let record = named(&text, &id)?;
    let exchange = begin(request, &asker)?;
    let reply = under(&exchange, &asker, &model, &id, condition, async |condition| {
        let options = conditions::options(&params, condition).raw("replace", &replace.to_string());
        let options = options.text("return", conditions::returned(request)).end();
        exchange.ask(&asker.message(&model, "upsert", Some(&record), Some(&options))).await
    });
    Ok(written(reply.await?, Some(request.path().to_owned())))
}

/// Delete a record
///
/// To delete what is not there succeeds.
#[utoipa::path(delete, path = "/api/{model}/{id}", tag = "Records", params(OfModel, OfRecord, Terms, Asking, Conditions), responses(
    (status = 200, description = "The deletion lost against a later edit: the record that stays.", body = Record),
    (status = 204, description = "It is not there any more."),
    Problems, WriteProblems
))]
pub(super) async fn delete(request: HttpRequest) -> Answer {
    let (model, id) = (segment(&request, "model")?, segment(&request, "id")?);
    let params = Params::of(&request, &SAID)?;
    let asker = Asker::of(&request, params.client())?;
    let condition = Condition::of(&request, &params)?;
    if condition == Condition::Absent {
        return Err(Problem::invalid(
            "what is not there cannot be deleted: If-None-Match goes with writes of a record",
        ));
    }
    let exchange = begin(&request, &asker)?;
    let reply = under(&exchange, &asker, &model, &id, condition, async |condition| {
        let options = conditions::options(&params, condition).end();
        exchange.ask(&asker.message(&model, "delete", Some(&of_id(&id)), Some(&options))).await
    });
    let reply = reply.await?;
    if reply.data() == "{}" {
        let mut response = HttpResponse::NoContent();
        stamp(&mut response, &reply, None);
        return Ok(response.finish());
    }
    // The deletion lost against a later edit: this is what stays.
    Ok(written(reply, None))
}

/// Write under a condition. That a record has to be there becomes that it is still the one that was found.
async fn under(
    exchange: &Exchange,
    asker: &Asker,
    model: &str,
    id: &str,
    condition: Condition,
    write: impl AsyncFn(Condition) -> Result<Reply, ErrorObject>,
) -> Result<Reply, Problem> {
    if condition != Condition::Exists {
        return write(condition).await.map_err(|error| condition.problem(error));
    }
    if asker.is_keyed() {
        // What is sent to be done once has to be the same each time, and what was found is not.
        return Err(Problem::invalid("If-Match: * does not go with an Idempotency-Key; say the record's ETag"));
    }
    let look = asker.look(model, &of_id(id));
    for _ in 0..ATTEMPTS {
        let found = exchange.ask(&look).await.map_err(|error| match error.code {
            ErrorCode::NotFound => Condition::missing(),
            _ => error.into(),
        })?;
        let revision = found.stamp().and_then(|stamp| stamp.revision).ok_or_else(Condition::missing)?;
        match write(Condition::Is(revision)).await {
            Err(error) if error.code == ErrorCode::Conflict => {}
            done => return done.map_err(Problem::from),
        }
    }
    Err(Problem::unmet(ErrorObject::new(
        ErrorCode::Conflict,
        "the record changes all the time; say its ETag in If-Match",
    )))
}

/// `{"id":…}`.
pub(super) fn of_id(id: &str) -> String {
    Object::new().text("id", id).end()
}

/// A record's text, with the id that its path says.
///
/// # Errors
/// Where it is no record, or says another id.
fn named(text: &str, id: &str) -> Result<String, Problem> {
    let members = Members::parse(text).map_err(|cause| match serde_json::from_str::<serde::de::IgnoredAny>(text) {
        Ok(_) => Problem::invalid(format!("a record is a JSON object, not {}", json::excerpt(text.trim()))),
        Err(_) => body::no_json(format!("the body is not JSON: {cause}")),
    })?;
    match members.find("id") {
        Some(own) if record_id(own)?.as_str() == id => Ok(text.to_owned()),
        Some(own) => {
            let own = json::excerpt(own.get());
            Err(Problem::invalid(format!("the record says the id {own}, its path {}", json::excerpt(id))))
        }
        None => {
            let mut named = of_id(id);
            let rest = text.trim_start().strip_prefix('{').expect("the text of an object").trim_start();
            if !rest.starts_with('}') {
                named.pop();
                named.push(',');
                named.push_str(rest);
            }
            Ok(named)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_gets_the_id_of_its_path() {
        let of = |text| named(text, "a\"b").ok();
        assert_eq!(of(" { } ").as_deref(), Some(r#"{"id":"a\"b"}"#));
        assert_eq!(of("\n{ \"x\":1}\n").as_deref(), Some("{\"id\":\"a\\\"b\",\"x\":1}\n"));
        assert_eq!(of(r#"{"x":1,"id":"a\u0022b"}"#).as_deref(), Some(r#"{"x":1,"id":"a\u0022b"}"#));
        assert_eq!(named(r#"{"id":7}"#, "7").ok().as_deref(), Some(r#"{"id":7}"#));
        for wrong in ["", "7", "[]", "{", r#"{"id":"c"}"#, r#"{"id":null}"#, r#"{"x":1} {"#] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }
}
