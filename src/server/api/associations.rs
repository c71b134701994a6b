//! `/api/{Model}/{id}/{association}`: the records that a record's reference leads to. What links two records is an attribute of one of
//! them, written as a client would write it, on the condition that nobody else changed that record meanwhile.

use super::{
    Answer, Api, begin,
    body::{self, Kind},
    conditions,
    exchange::{Asker, Exchange},
    object::{self, Object},
    params::Params,
    problem::Problem,
    record::of_id,
    records::{below, found, written},
    reply::Reply,
    schemas::{
        Asking, Led, OfAssociation, OfModel, OfOther, OfRecord, Problems, Record, RecordInput, Shape, WriteProblems,
    },
    segment,
};
use crate::broker::Reference;
use actix_web::{HttpRequest, HttpResponse, web::Payload};
use backsync_protocol::{
    ErrorCode, ErrorObject,
    json::{self, Members, Raw},
    record::record_id,
};

/// So often a link is written anew because its record changed meanwhile.
const ATTEMPTS: usize = 16;

pub(super) const SHAPE: [&str; 5] = ["where", "sort", "limit", "skip", "populate"];

/// A request for what a record's reference leads to.
struct Visit {
    params: Params,
    asker: Asker,
    exchange: Exchange,
    model: String,
    id: String,
    association: String,
    reference: Reference,
}

impl Visit {
    fn begin(request: &HttpRequest, known: &[&str]) -> Result<Self, Problem> {
        let [model, id, association] = ["model", "id", "association"].map(|name| segment(request, name));
        let (model, id, association) = (model?, id?, association?);
        let params = Params::of(request, known)?;
        let asker = Asker::of(request, params.client())?;
        let reference = Api::of(request).doors.broker.reference(&model, &association)?;
        let exchange = begin(request, &asker)?;
        Ok(Self { params, asker, exchange, model, id, association, reference })
    }

    fn target(&self) -> &str {
        self.reference.model().as_str()
    }

    async fn read(&self, model: &str, query: &str) -> Result<Reply, Problem> {
        Ok(self.exchange.ask(&self.asker.look(model, query)).await?)
    }

    /// The record whose reference it is.
    async fn origin(&self) -> Result<Reply, Problem> {
        self.read(&self.model, &of_id(&self.id)).await
    }

    /// Another record is to be there.
    async fn other(&self, id: &str) -> Result<Reply, Problem> {
        self.read(self.target(), &of_id(id)).await
    }

    /// Where the link to another record is kept: in which record of which model, under which attribute, and whose id it is.
    fn link<'a>(&'a self, other: &'a str) -> Link<'a> {
        match &self.reference {
            Reference::Through(model, attribute) => {
                Link { model: model.as_str(), record: other, attribute, names: &self.id }
            }
            Reference::One(_) | Reference::Many(_) => {
                Link { model: &self.model, record: &self.id, attribute: &self.association, names: other }
            }
        }
    }

    /// Set or remove a link, unless that is so already.
    async fn write(&self, link: &Link<'_>, is_many: bool, is_set: bool) -> Result<(), Problem> {
        for _ in 0..ATTEMPTS {
            let found = self.read(link.model, &of_id(link.record)).await?;
            let ids = ids(found.data(), link.attribute)?;
            let Some(value) = ids.with(link.names, is_many, is_set) else { return Ok(()) };
            let base = found.stamp().and_then(|stamp| stamp.revision).unwrap_or_default();
            let data = Object::new().text("id", link.record).raw(link.attribute, &value).end();
            let options = Object::new().text("policy", "server-wins").raw("base", &base.to_string()).end();
            // A link is set or is not, however often that is done: it needs no name.
            let id = format!("\"{}\"", uuid::Uuid::new_v4());
            let message = super::exchange::message(&id, link.model, "upsert", Some(&data), Some(&options));
            match self.exchange.ask(&message).await {
                Err(error) if error.code == ErrorCode::Conflict => {}
                done => return Ok(done.map(drop)?),
            }
        }
        Err(ErrorObject::new(ErrorCode::Conflict, "the record changes all the time; try again").into())
    }

    /// Whether the attribute of the link has an array.
    fn is_many(&self, request: &HttpRequest, link: &Link<'_>) -> bool {
        let broker = &Api::of(request).doors.broker;
        matches!(broker.reference(link.model, link.attribute), Ok(Reference::Many(_)))
    }
}

struct Link<'a> {
    model: &'a str,
    record: &'a str,
    attribute: &'a str,
    names: &'a str,
}

/// The ids that an attribute has.
#[derive(Debug, PartialEq, Eq)]
struct Ids {
    ids: Vec<String>,
    is_array: bool,
}

fn ids(record: &str, attribute: &str) -> Result<Ids, Problem> {
    let value =
        Members::parse(record).ok().and_then(|members| members.find(attribute).map(|value| value.get().to_owned()));
    let Some(value) = value.filter(|value| value != "null") else {
        return Ok(Ids { ids: Vec::new(), is_array: false });
    };
    let raw: Raw<'_> = serde_json::from_str(&value).map_err(|cause| body::no_json(cause.to_string()))?;
    let elements = json::elements(raw);
    let is_array = elements.is_some();
    let ids = elements.unwrap_or_else(|| vec![raw]).into_iter();
    let ids = ids.map(|id| record_id(id).map(|id| id.as_str().to_owned())).collect::<Result<_, _>>().map_err(|_| {
        let message = format!("{attribute} of the record has other things than ids in it: {}", json::excerpt(&value));
        Problem::from(ErrorObject::new(ErrorCode::Conflict, message))
    })?;
    Ok(Ids { ids, is_array })
}

impl Ids {
    /// The attribute's value with an id or without it; none where that is as it is.
    fn with(&self, id: &str, is_many: bool, is_set: bool) -> Option<String> {
        let has = self.ids.iter().any(|known| known == id);
        let is_many = is_many || self.is_array;
        if has == is_set && (is_many || !is_set || self.ids.len() == 1) {
            return None;
        }
        let mut value = String::new();
        match (is_many, is_set) {
            (true, _) => {
                let kept = self.ids.iter().map(String::as_str).filter(|known| *known != id);
                value.push('[');
                for (at, id) in kept.chain(is_set.then_some(id)).enumerate() {
                    if at > 0 {
                        value.push(',');
                    }
                    json::append_string(id, &mut value);
                }
                value.push(']');
            }
            (false, true) => json::append_string(id, &mut value),
            (false, false) => value.push_str("null"),
        }
        Some(value)
    }
}

/// What a reference leads to
///
/// An array, or the one record.
#[utoipa::path(get, path = "/api/{model}/{id}/{association}", tag = "Associations",
    params(OfModel, OfRecord, OfAssociation, Shape, Asking), responses(
    (status = 200, description = "The records, or the one.", body = Led), Problems
))]
pub(super) async fn list(request: HttpRequest) -> Answer {
    let visit = Visit::begin(&request, &SHAPE)?;
    let origin = visit.origin().await?;
    // A wrong one is told, whatever is asked of whom.
    let query = visit.params.object(&SHAPE)?;
    let reply = match &visit.reference {
        Reference::Through(model, attribute) => {
            let model = model.as_str();
            let query = narrowed(&visit.params, attribute, &visit.id)?;
            visit.read(model, &query).await?
        }
        reference => {
            let ids = ids(origin.data(), &visit.association)?;
            if matches!(reference, Reference::One(_)) && !ids.is_array {
                let Some(id) = ids.ids.first() else {
                    let message = format!("{} {} has no {}", visit.model, json::excerpt(&visit.id), visit.association);
                    return Err(ErrorObject::new(ErrorCode::NotFound, message).into());
                };
                let reply = visit.other(id).await?;
                let tag = conditions::tag_of_record(&reply);
                return Ok(found(reply, tag));
            }
            if visit.params.get("where").is_some() {
                return Err(Problem::invalid(
                    "where goes with associations that the other side keeps; sort, skip and limit with all",
                ));
            }
            let list = serde_json::to_string(&ids.ids).expect("strings are always serializable");
            visit.read(visit.target(), &query.raw("ids", &list).end()).await?
        }
    };
    Ok(found(reply, None))
}

/// A query for the records whose attribute names this one.
fn narrowed(params: &Params, attribute: &str, id: &str) -> Result<String, Problem> {
    let value = object::string(id);
    let names = |value: &str| Object::new().raw(attribute, value).end();
    let names = [
        names(&value),
        // An array that has it: a text that has it somewhere within is another's.
        names(&Object::new().raw("$contains", &value).raw("$not", r#"{"$gte":""}"#).end()),
        names(&Object::new().raw("$in", &format!("[{value}]")).end()),
    ];
    let names = Object::new().raw("$or", &format!("[{}]", names.join(","))).end();
    let filter = match params.get("where") {
        Some(own) => Object::new().raw("$and", &format!("[{names},{own}]")).end(),
        None => names,
    };
    Ok(params.object(&["sort", "limit", "skip", "populate"])?.raw("where", &filter).end())
}

/// Insert or update a record, and have the reference lead to it
#[utoipa::path(post, path = "/api/{model}/{id}/{association}", tag = "Associations",
    params(OfModel, OfRecord, OfAssociation, Asking), request_body = RecordInput, responses(
    (status = 200, description = "The record, which was there.", body = Record),
    (status = 201, description = "The record, which is new.", body = Record),
    Problems, WriteProblems
))]
pub(super) async fn add(request: HttpRequest, payload: Payload) -> Answer {
    let visit = Visit::begin(&request, &[])?;
    if Kind::of(&request)? != Kind::Json {
        return Err(Problem::unsupported("application/json: one record"));
    }
    let text = body::whole(&request, payload, Api::of(&request).doors.options.message_bytes).await?;
    if !text.trim_start().starts_with('{') {
        return Err(Problem::invalid(format!("a record is a JSON object, not {}", json::excerpt(text.trim()))));
    }
    if let Err(cause) = Members::parse(&text) {
        return Err(body::no_json(format!("the body is not JSON: {cause}")));
    }
    visit.origin().await?;
    let message = visit.asker.message(visit.target(), "upsert", Some(&text), None);
    let reply = visit.exchange.ask(&message).await?;
    let Some(made) = reply.stamp() else {
        return Err(ErrorObject::new(ErrorCode::Conflict, "a later change has deleted the record").into());
    };
    let link = visit.link(&made.id);
    visit.write(&link, visit.is_many(&request, &link), true).await?;
    // As it is with the link, which may be its own.
    let mut linked = visit.other(&made.id).await?;
    linked.is_created = reply.is_created;
    Ok(written(linked, Some(below(&request, &made.id))))
}

/// Have the reference lead to a record that is there
///
/// POST does the same.
#[utoipa::path(put, path = "/api/{model}/{id}/{association}/{other}", tag = "Associations",
    params(OfModel, OfRecord, OfAssociation, OfOther, Asking), responses(
    (status = 204, description = "It does."), Problems, WriteProblems
))]
pub(super) async fn link(request: HttpRequest) -> Answer {
    change(request, true).await
}

/// Have the reference lead there no more
#[utoipa::path(delete, path = "/api/{model}/{id}/{association}/{other}", tag = "Associations",
    params(OfModel, OfRecord, OfAssociation, OfOther, Asking), responses(
    (status = 204, description = "It does not."), Problems, WriteProblems
))]
pub(super) async fn unlink(request: HttpRequest) -> Answer {
    change(request, false).await
}

async fn change(request: HttpRequest, is_set: bool) -> Answer {
    let visit = Visit::begin(&request, &[])?;
    let other = segment(&request, "other")?;
    visit.origin().await?;
    let link = visit.link(&other);
    // Who has gone names nobody any more; a name of one who has gone can be removed.
    if is_set || matches!(visit.reference, Reference::Through(..)) {
        match visit.other(&other).await {
            Err(problem) if !is_set && problem.error().code == ErrorCode::NotFound => {
                return Ok(HttpResponse::NoContent().finish());
            }
            found => drop(found?),
        }
    }
    visit.write(&link, visit.is_many(&request, &link), is_set).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// One record of those that a reference leads to
#[utoipa::path(get, path = "/api/{model}/{id}/{association}/{other}", tag = "Associations",
    params(OfModel, OfRecord, OfAssociation, OfOther, Asking), responses(
    (status = 200, description = "The record.", body = Record), Problems
))]
pub(super) async fn one(request: HttpRequest) -> Answer {
    let visit = Visit::begin(&request, &[])?;
    let other = segment(&request, "other")?;
    let (origin, record) = (visit.origin().await?, visit.other(&other).await?);
    let link = visit.link(&other);
    let keeper = if matches!(visit.reference, Reference::Through(..)) { &record } else { &origin };
    if !ids(keeper.data(), link.attribute)?.ids.iter().any(|known| known == link.names) {
        let message =
            format!("{} of {} does not lead to {}", visit.association, json::excerpt(&visit.id), json::excerpt(&other));
        return Err(ErrorObject::new(ErrorCode::NotFound, message).into());
    }
    let tag = conditions::tag_of_record(&record);
    Ok(found(record, tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_set_in_the_shape_that_the_attribute_has() {
        let of = |value: &str| ids(&format!(r#"{{"id":"x","a":{value}}}"#), "a").unwrap();
        let none = || ids(r#"{"id":"x"}"#, "a").unwrap();
        let json = |value: Option<&str>| value.map(str::to_owned);
        assert_eq!(none().with("b", false, true), json(Some(r#""b""#)));
        assert_eq!(none().with("b", true, true), json(Some(r#"["b"]"#)));
        assert_eq!(none().with("b", true, false), None);
        assert_eq!(of("\"c\"").with("b", false, true), json(Some(r#""b""#)), "one takes the place of another");
        assert_eq!(of("\"c\"").with("b", true, true), json(Some(r#"["c","b"]"#)));
        assert_eq!(of("\"b\"").with("b", false, true), None);
        assert_eq!(of("\"b\"").with("b", false, false), json(Some("null")));
        assert_eq!(of("\"c\"").with("b", false, false), None);
        assert_eq!(of(r#"["b",7]"#).with("7", false, true), None, "an array stays one");
        assert_eq!(of(r#"["b",7]"#).with("b", false, false), json(Some(r#"["7"]"#)));
        assert!(ids(r#"{"id":"x","a":{}}"#, "a").is_err());
    }
}
