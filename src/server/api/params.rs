//! What stands behind the `?` of a URL.

use super::{
    object::{self, Object},
    problem::Problem,
};
use actix_web::{HttpRequest, web::Query};
use backsync_protocol::{ErrorCode, ErrorObject, json};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::value::RawValue;

/// Parameters by name.
#[derive(Debug)]
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    /// Those of a request that may have these, and `client`, which every request may.
    ///
    /// # Errors
    /// `unknown_member` for others, and where one is there twice.
    pub(super) fn of(request: &HttpRequest, known: &[&str]) -> Result<Self, Problem> {
        let params = Query::<Vec<(String, String)>>::from_query(request.query_string());
        let params = params.map_err(|cause| Problem::invalid(format!("the query of the URL: {cause}")))?.into_inner();
        let known = [known, &["client"]].concat();
        for (at, (name, _)) in params.iter().enumerate() {
            let unknown = |what: &str| {
                let message = format!("{what} parameter {}; known: {}", json::excerpt(name), known.join(", "));
                Problem::from(ErrorObject::new(ErrorCode::UnknownMember, message))
            };
            if !known.contains(&name.as_str()) {
                return Err(unknown("unknown"));
            }
            if params[..at].iter().any(|(other, _)| other == name) {
                return Err(unknown("repeated"));
            }
        }
        Ok(Self(params))
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Who asks.
    pub(super) fn client(&self) -> Option<String> {
        self.get("client").map(str::to_owned)
    }

    /// Whether something is to be so.
    pub(super) fn flag(&self, name: &str) -> Result<bool, Problem> {
        match self.get(name) {
            None | Some("false") => Ok(false),
            Some("" | "true") => Ok(true),
            Some(other) => Err(Problem::invalid(format!("{name} is true or false, not {}", json::excerpt(other)))),
        }
    }

    /// All of these as members of a JSON object: texts, whole numbers, lists and JSON texts, as their names say.
    pub(super) fn object(&self, names: &[&str]) -> Result<Object, Problem> {
        self.onto(Object::new(), names)
    }

    /// The same, behind members that are there already.
    pub(super) fn onto(&self, object: Object, names: &[&str]) -> Result<Object, Problem> {
        let given = names.iter().filter_map(|name| Some((*name, self.get(name)?)));
        given.into_iter().try_fold(object, |object, (name, value)| {
            Ok(match name {
                "where" => object.raw(name, raw(name, value)?),
                "sort" | "populate" | "ids" => object.raw(name, &list(name, value)?),
                "limit" | "skip" => {
                    let number: u64 = value.parse().map_err(|_| {
                        Problem::invalid(format!("{name} is a whole number of 0 or more, not {}", json::excerpt(value)))
                    })?;
                    object.raw(name, &number.to_string())
                }
                _ => object.text(name, value),
            })
        })
    }

    /// The URL's query again, with this parameter in the place of what it was.
    pub(super) fn with(&self, name: &str, value: &str) -> String {
        let others = self.0.iter().filter(|(known, _)| known != name);
        let others = others.map(|(known, value)| (known.as_str(), value.as_str()));
        let encoded = others.chain([(name, value)]).map(|(name, value)| format!("{}={}", encode(name), encode(value)));
        encoded.collect::<Vec<_>>().join("&")
    }
}

/// A text as a part of a URL.
pub(super) fn encode(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

fn raw<'a>(name: &str, value: &'a str) -> Result<&'a str, Problem> {
    serde_json::from_str::<&RawValue>(value).map(RawValue::get).map_err(|cause| {
        let code = if name == "where" { ErrorCode::InvalidFilter } else { ErrorCode::InvalidData };
        ErrorObject::new(code, format!("{name} is JSON text, as in {name}={{\"done\":false}}: {cause}")).into()
    })
}

/// `a,b` or `["a","b"]`: the second for what has a comma in it.
fn list(name: &str, value: &str) -> Result<String, Problem> {
    if value.starts_with('[') {
        return raw(name, value).map(str::to_owned);
    }
    let elements: Vec<String> = value.split(',').map(object::string).collect();
    Ok(format!("[{}]", elements.join(",")))
}
