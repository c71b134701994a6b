//! What stands behind the `?` of a URL.

use super::problem::Problem;
use actix_web::{HttpRequest, web::Query};
use backsync_protocol::{ErrorCode, ErrorObject, json};
use serde_json::value::RawValue;

/// Parameters by name.
#[derive(Debug)]
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    /// Those of a request that may have these.
    ///
    /// # Errors
    /// `unknown_member` for others, and where one is there twice.
    pub(super) fn of(request: &HttpRequest, known: &[&str]) -> Result<Self, Problem> {
        let params = Query::<Vec<(String, String)>>::from_query(request.query_string());
        let params = params.map_err(|cause| Problem::invalid(format!("the query of the URL: {cause}")))?.into_inner();
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
    pub(super) fn object(&self, names: &[&str]) -> Result<String, Problem> {
        let mut out = String::from("{");
        for name in names {
            let Some(value) = self.get(name) else { continue };
            if out.len() > 1 {
                out.push(',');
            }
            json::append_string(name, &mut out);
            out.push(':');
            match *name {
                "where" => out.push_str(raw(name, value)?),
                "sort" | "populate" | "ids" => append_list(name, value, &mut out)?,
                "limit" | "skip" => {
                    let number: u64 = value.parse().map_err(|_| {
                        Problem::invalid(format!("{name} is a whole number of 0 or more, not {}", json::excerpt(value)))
                    })?;
                    json::append_number(number, &mut out);
                }
                _ => json::append_string(value, &mut out),
            }
        }
        out.push('}');
        Ok(out)
    }

    /// The URL's query again, with this parameter in the place of what it was.
    pub(super) fn with(&self, name: &str, value: &str) -> String {
        let others =
            self.0.iter().filter(|(known, _)| known != name).map(|(known, value)| (known.as_str(), value.as_str()));
        serde_urlencoded(others.chain([(name, value)]))
    }
}

fn serde_urlencoded<'a>(params: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    params.map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect::<Vec<_>>().join("&")
}

fn raw<'a>(name: &str, value: &'a str) -> Result<&'a str, Problem> {
    serde_json::from_str::<&RawValue>(value).map(RawValue::get).map_err(|cause| {
        let code = if name == "where" { ErrorCode::InvalidFilter } else { ErrorCode::InvalidData };
        ErrorObject::new(code, format!("{name} is JSON text, as in {name}={{\"done\":false}}: {cause}")).into()
    })
}

/// `a,b` or `["a","b"]`: the second for what has a comma in it.
fn append_list(name: &str, value: &str, out: &mut String) -> Result<(), Problem> {
    if value.starts_with('[') {
        out.push_str(raw(name, value)?);
        return Ok(());
    }
    out.push('[');
    for (at, element) in value.split(',').enumerate() {
        if at > 0 {
            out.push(',');
        }
        json::append_string(element, out);
    }
    out.push(']');
    Ok(())
}
