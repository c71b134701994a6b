//! `ETag`, `If-Match` and `If-None-Match`: a record's tag is its revision, and what a write expects becomes its base.

use super::{object::Object, params::Params, problem::Problem, reply::Reply};
use actix_web::{HttpRequest, http::header};
use backsync_protocol::{ErrorCode, ErrorObject, json};
use std::fmt::Write;

/// What has to hold for a write to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    /// Nothing.
    None,
    /// Nothing; it is made from the record of this revision, and what decides is the policy.
    From(u64),
    /// The record is there, and is of this revision.
    Is(u64),
    /// It is there.
    Exists,
    /// It is not there.
    Absent,
}

impl Condition {
    /// That of a write.
    ///
    /// # Errors
    /// Where it is none that this server could have been the reason for, or the URL says a base that is none.
    pub(super) fn of(request: &HttpRequest, params: &Params) -> Result<Self, Problem> {
        match (Self::of_headers(request)?, params.get("base")) {
            (condition, None) => Ok(condition),
            (Self::None, Some(base)) => base.parse().map(Self::From).map_err(|_| {
                let given = json::excerpt(base);
                Problem::invalid(format!("base is a whole number, as a record bore it in _rev, not {given}"))
            }),
            _ => Err(Problem::invalid("a write takes a base or a condition in its headers, not both")),
        }
    }

    fn of_headers(request: &HttpRequest) -> Result<Self, Problem> {
        let tags = |name| tags(request, name);
        match (tags(header::IF_MATCH)?.as_deref(), tags(header::IF_NONE_MATCH)?.as_deref()) {
            (None, None) => Ok(Self::None),
            (Some(["*"]), None) => Ok(Self::Exists),
            (Some([tag]), None) => tag.trim_matches('"').parse().map(Self::Is).map_err(|_| {
                let given = json::excerpt(tag);
                Problem::invalid(format!("If-Match is *, or the ETag of a record as this server gave it, not {given}"))
            }),
            (None, Some(["*"])) => Ok(Self::Absent),
            (None, Some(_)) => {
                Err(Problem::invalid("a write takes If-None-Match: * only, to insert what is not there"))
            }
            (Some(_), None) => Err(Problem::invalid("a write takes one ETag in If-Match")),
            (Some(_), Some(_)) => Err(Problem::invalid("a write takes If-Match or If-None-Match, not both")),
        }
    }

    /// What an error is here: a conflict with what was expected is a condition that does not hold.
    pub(super) fn problem(self, error: ErrorObject) -> Problem {
        let is_met = matches!(self, Self::None | Self::From(_)) || error.code != ErrorCode::Conflict;
        if is_met { error.into() } else { Problem::unmet(error) }
    }

    /// It does not hold: there is no such record.
    pub(super) fn missing() -> Problem {
        Problem::unmet(ErrorObject::new(
            ErrorCode::NotFound,
            "If-Match: * asks for a record, and there is none of this id",
        ))
    }
}

/// The `options` of a write: what its URL says, and what its condition asks for. [`Condition::Exists`] has become a revision.
pub(super) fn options(params: &Params, condition: Condition) -> Object {
    let policy = match condition {
        Condition::Absent => Some("server-wins"),
        Condition::Is(_) => params.get("policy").or(Some("server-wins")),
        _ => params.get("policy"),
    };
    let said = [("policy", policy), ("prefer", params.get("prefer"))].into_iter();
    let said = said.filter_map(|(name, value)| Some((name, value?)));
    let options = said.fold(Object::new(), |options, (name, value)| options.text(name, value));
    match condition {
        Condition::Is(revision) | Condition::From(revision) => options.raw("base", &revision.to_string()),
        Condition::Absent => options.raw("base", "0"),
        _ => options,
    }
}

/// What is to come back of a write (`Prefer`, RFC 7240), as `options` say it.
pub(super) fn returned(request: &HttpRequest) -> &'static str {
    let preferences = request.headers().get_all("prefer").filter_map(|value| value.to_str().ok());
    let mut preferences = preferences.flat_map(|value| value.split([',', ';']));
    let is_minimal = |preference: &str| preference.replace([' ', '"'], "").eq_ignore_ascii_case("return=minimal");
    if preferences.any(is_minimal) { "minimal" } else { "representation" }
}

/// The tag of a record.
pub(super) fn tag_of_record(reply: &Reply) -> Option<String> {
    reply.stamp()?.revision.map(|revision| format!("\"{revision}\""))
}

/// The tag of an answer of many: where the models stood that it was read from.
pub(super) fn tag_of_list(reply: &Reply) -> Option<String> {
    let mut tag = format!("\"{}", reply.position.as_deref()?);
    for (model, position) in &reply.positions {
        write!(tag, ",{model}@{position}").expect("writing to a string cannot fail");
    }
    tag.push('"');
    Some(tag)
}

/// Whether who asks has what bears this tag already.
pub(super) fn is_known(request: &HttpRequest, tag: Option<&str>) -> bool {
    let Ok(Some(known)) = tags(request, header::IF_NONE_MATCH) else { return false };
    tag.is_some_and(|tag| known.iter().any(|known| *known == "*" || known.trim_start_matches("W/") == tag))
}

/// The tags in a header.
fn tags(request: &HttpRequest, name: header::HeaderName) -> Result<Option<Vec<&str>>, Problem> {
    let Some(value) = request.headers().get(&name) else { return Ok(None) };
    let text = value.to_str().map_err(|_| Problem::invalid(format!("the header {name} is not ASCII text")))?;
    // Tags of this server may have commas, between their quotes.
    let (mut tags, mut is_quoted, mut start) = (Vec::new(), false, 0);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'"' => is_quoted = !is_quoted,
            b',' if !is_quoted => {
                tags.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    tags.push(text[start..].trim());
    Ok(Some(tags))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn with(headers: &[(&str, &str)]) -> HttpRequest {
        let request = TestRequest::default();
        headers.iter().fold(request, |request, header| request.insert_header(*header)).to_http_request()
    }

    #[test]
    fn a_condition_is_read_from_the_headers() {
        let of = |headers: &[(&str, &str)]| {
            let request = with(headers);
            let params = Params::of(&request, &["base"]).ok()?;
            Condition::of(&request, &params).ok()
        };
        assert_eq!(of(&[]), Some(Condition::None));
        assert_eq!(of(&[("if-match", "\"12\"")]), Some(Condition::Is(12)));
        assert_eq!(of(&[("if-match", "*")]), Some(Condition::Exists));
        assert_eq!(of(&[("if-none-match", "*")]), Some(Condition::Absent));
        for wrong in ["", "W/\"12\"", "\"a\"", "\"1\",\"2\"", "-1"] {
            assert_eq!(of(&[("if-match", wrong)]), None, "{wrong}");
        }
        assert_eq!(of(&[("if-none-match", "\"1\"")]), None);
        assert_eq!(of(&[("if-match", "*"), ("if-none-match", "*")]), None);
        let from = |uri, headers: &[(&'static str, &'static str)]| {
            let request = TestRequest::with_uri(uri);
            let request =
                headers.iter().fold(request, |request, header| request.insert_header(*header)).to_http_request();
            Condition::of(&request, &Params::of(&request, &["base"]).unwrap()).ok()
        };
        assert_eq!(from("/?base=7", &[]), Some(Condition::From(7)));
        assert_eq!((from("/?base=x", &[]), from("/?base=-1", &[])), (None, None));
        assert_eq!(from("/?base=7", &[("if-match", "\"7\"")]), None);
    }

    #[test]
    fn how_much_is_to_come_back_is_read_from_the_headers() {
        let minimal = |value| returned(&with(&[("prefer", value)])) == "minimal";
        assert!(minimal("return=minimal") && minimal("wait=5, Return = \"minimal\"; foo"));
        assert!(!minimal("return=representation") && !minimal("minimal") && !minimal(""));
    }

    #[test]
    fn what_is_known_is_told_by_its_tag() {
        let known = |value| is_known(&with(&[("if-none-match", value)]), Some("\"3f.7,User@3f.2\""));
        assert!(known("\"3f.7,User@3f.2\"") && known("\"1\", W/\"3f.7,User@3f.2\"") && known("*"));
        assert!(!known("\"3f.7\"") && !known("3f.7") && !known(""));
        assert!(!is_known(&with(&[("if-none-match", "*")]), None));
    }
}
