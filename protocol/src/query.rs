//! What a read, a subscription and a write may ask for, beside the record itself.

use crate::{
    error::{ErrorCode, ErrorObject},
    event::Method,
    json::{self, Members, Raw, Value},
    name::RecordId,
    record::record_id,
};

/// Which records of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    /// All of them.
    All,
    /// The one with this id.
    One(RecordId),
    /// Those with these ids.
    Ids(Vec<RecordId>),
}

/// Members that belong to the protocol and wait for their implementation.
const NOT_YET_IN_QUERIES: [&str; 6] = ["where", "sort", "limit", "skip", "populate", "since"];
const NOT_YET_IN_OPTIONS: [&str; 3] = ["policy", "base", "prefer"];

impl Query {
    /// Read the `data` of a read, a subscription or its end; `max_ids` bounds the `ids`.
    ///
    /// # Errors
    /// `invalid_data` for what is no object or has a wrong value, `unknown_member`, `unsupported`, `limit_exceeded`.
    pub fn parse(data: Option<&Value<'_>>, method: Method, max_ids: usize) -> Result<Self, ErrorObject> {
        let members = match data {
            None => return Ok(Self::All),
            Some(Value::Object(members)) => members,
            Some(other) => {
                let takes = "takes an object, such as {\"ids\":[\"a\"]}, or nothing";
                let message = format!("{} {takes}, not {}", method.name(), other.kind());
                return Err(ErrorObject::new(ErrorCode::InvalidData, message));
            }
        };
        let known: &[&str] = if method == Method::Read { &["id", "ids"] } else { &["ids"] };
        refuse_others(members, known, &NOT_YET_IN_QUERIES, method, "data")?;
        match (members.find("id"), members.find("ids")) {
            (None, None) => Ok(Self::All),
            (Some(id), None) => Ok(Self::One(record_id(id)?)),
            (None, Some(ids)) => {
                let ids = json::elements(ids)
                    .ok_or_else(|| ErrorObject::new(ErrorCode::InvalidData, "ids is an array of record ids"))?;
                if ids.len() > max_ids {
                    let message = format!("{} ids in one request; {max_ids} are allowed", ids.len());
                    return Err(ErrorObject::new(ErrorCode::LimitExceeded, message));
                }
                Ok(Self::Ids(ids.into_iter().map(record_id).collect::<Result<_, _>>()?))
            }
            (Some(_), Some(_)) => Err(ErrorObject::new(ErrorCode::InvalidData, "a read takes id or ids, not both")),
        }
    }
}

/// The `options` of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Of a read: also listen to what was read. Default true.
    pub listen: bool,
    /// Of an upsert: the record takes the place of the whole stored one. Default false.
    pub replace: bool,
}

impl Options {
    /// Read the `options` of a request for `method`.
    ///
    /// # Errors
    /// `invalid_options` for what is no object or has a wrong value, `unknown_member`, `unsupported`.
    pub fn parse(options: Option<Raw<'_>>, method: Method) -> Result<Self, ErrorObject> {
        let mut parsed = Self { listen: true, replace: false };
        let Some(options) = options else { return Ok(parsed) };
        let invalid = |message: String| ErrorObject::new(ErrorCode::InvalidOptions, message);
        let members = Members::parse(options.get())
            .map_err(|_| invalid(format!("options is an object, not {}", json::excerpt(options.get()))))?;
        let known: &[&str] = match method {
            Method::Read => &["listen"],
            Method::Upsert => &["replace"],
            Method::Subscribe | Method::Unsubscribe | Method::Delete => &[],
        };
        refuse_others(&members, known, &NOT_YET_IN_OPTIONS, method, "options")?;
        for (name, value) in &members.0 {
            let flag = match value.get() {
                "true" => true,
                "false" => false,
                other => return Err(invalid(format!("{name} is true or false, not {}", json::excerpt(other)))),
            };
            if name == "listen" { parsed.listen = flag } else { parsed.replace = flag }
        }
        Ok(parsed)
    }
}

fn refuse_others(
    members: &Members<'_>,
    known: &[&str],
    not_yet: &[&str],
    method: Method,
    place: &str,
) -> Result<(), ErrorObject> {
    let Some((name, _)) = members.0.iter().find(|(name, _)| !known.contains(&name.as_ref())) else { return Ok(()) };
    let method = method.name();
    if not_yet.contains(&name.as_ref()) {
        let message = format!("'{name}' in the {place} of {method} is not supported by this server yet");
        return Err(ErrorObject::new(ErrorCode::Unsupported, message));
    }
    let takes = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    let message = format!("unknown member {} in the {place} of {method}; known: {takes}", json::excerpt(name));
    Err(ErrorObject::new(ErrorCode::UnknownMember, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str, method: Method) -> Result<Query, ErrorCode> {
        Query::parse(Some(&serde_json::from_str(text).unwrap()), method, 2).map_err(|error| error.code)
    }

    #[test]
    fn a_query_names_records_or_all() {
        let id = |id| RecordId::parse(id).unwrap();
        assert_eq!(Query::parse(None, Method::Read, 2), Ok(Query::All));
        assert_eq!(query("{}", Method::Subscribe), Ok(Query::All));
        assert_eq!(query(r#"{"id":5}"#, Method::Read), Ok(Query::One(id("5"))));
        assert_eq!(query(r#"{"ids":["a",1]}"#, Method::Subscribe), Ok(Query::Ids(vec![id("a"), id("1")])));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for (text, method, code) in [
            ("[]", Method::Read, ErrorCode::InvalidData),
            (r#"{"ids":"a"}"#, Method::Read, ErrorCode::InvalidData),
            (r#"{"ids":[null]}"#, Method::Read, ErrorCode::InvalidData),
            (r#"{"id":1,"ids":[1]}"#, Method::Read, ErrorCode::InvalidData),
            (r#"{"ids":[1,2,3]}"#, Method::Read, ErrorCode::LimitExceeded),
            (r#"{"id":1}"#, Method::Subscribe, ErrorCode::UnknownMember),
            (r#"{"wher":{}}"#, Method::Read, ErrorCode::UnknownMember),
            (r#"{"where":{}}"#, Method::Read, ErrorCode::Unsupported),
            (r#"{"since":"x"}"#, Method::Subscribe, ErrorCode::Unsupported),
        ] {
            assert_eq!(query(text, method), Err(code), "{text}");
        }
    }

    #[test]
    fn options_are_flags_of_their_method() {
        let options =
            |text, method| Options::parse(Some(serde_json::from_str(text).unwrap()), method).map_err(|e| e.code);
        assert!(!options(r#"{"listen":false}"#, Method::Read).unwrap().listen);
        assert!(options(r#"{"replace":true}"#, Method::Upsert).unwrap().replace);
        assert_eq!(options(r#"{"replace":true}"#, Method::Read), Err(ErrorCode::UnknownMember));
        assert_eq!(options(r#"{"listen":1}"#, Method::Read), Err(ErrorCode::InvalidOptions));
        assert_eq!(options(r#"{"policy":"merge"}"#, Method::Upsert), Err(ErrorCode::Unsupported));
        assert_eq!(options("[]", Method::Upsert), Err(ErrorCode::InvalidOptions));
    }
}
