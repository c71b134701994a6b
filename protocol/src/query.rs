//! What a read and a subscription may ask for.

use crate::{
    cursor::Cursor,
    error::{ErrorCode, ErrorObject},
    event::Method,
    filter::{Filter, FilterLimits, Sort},
    json::{self, Members, Raw, Value},
    name::RecordId,
    position::Position,
    record::record_id,
};
use std::fmt;

/// What to read, or to listen to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Query {
    /// Which records of the model,
    pub which: Which,
    /// and of all of them only those that match.
    pub filter: Option<Filter>,
    /// In which order.
    pub sort: Option<Sort>,
    /// So many are left out at the beginning.
    pub skip: usize,
    /// No more than so many.
    pub limit: Option<usize>,
    /// Only those behind the place at which another answer ended.
    pub after: Option<Cursor>,
    /// Only what became of them after this position.
    pub since: Option<Since>,
    /// References to expand, each a path of names.
    pub populate: Vec<Vec<Box<str>>>,
}

/// Which records of a model.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Which {
    /// All of them.
    #[default]
    All,
    /// The one with this id.
    One(RecordId),
    /// Those with these ids.
    Ids(Vec<RecordId>),
}

/// A position as a client gave it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// As this server writes them.
    Known(Position),
    /// Somebody else's: it is of another history, whatever it says.
    Foreign,
}

/// How deep references may be followed, and how many may be asked for.
const POPULATE_DEPTH: usize = 4;
const POPULATE_PATHS: usize = 16;
/// Longer texts are no position.
const POSITION_BYTES: usize = 256;

impl Query {
    /// Read the `data` of a read, a subscription or its end; `max_ids` bounds the `ids`.
    ///
    /// # Errors
    /// `invalid_data` for what is no object or has a wrong value, `invalid_filter`, `unknown_member`, `limit_exceeded`.
    pub fn parse(data: Option<&Value<'_>>, method: Method, max_ids: usize) -> Result<Self, ErrorObject> {
        let members = match data {
            None => return Ok(Self::default()),
            Some(Value::Object(members)) => members,
            Some(other) => {
                let takes = "takes an object, such as {\"ids\":[\"a\"]}, or nothing";
                return Err(invalid(format!("{} {takes}, not {}", method.name(), other.kind())));
            }
        };
        let known: &[&str] = match method {
            Method::Read => &["id", "ids", "where", "sort", "limit", "skip", "after", "populate", "since"],
            Method::Subscribe => &["ids", "where", "since"],
            _ => &["ids", "where"],
        };
        refuse_others(members, known, format_args!("the data of {}", method.name()))?;
        let mut query = Self::default();
        for (name, value) in &members.0 {
            let value = *value;
            match name.as_ref() {
                // An absent member and `null` are the same, but for the id: a client that has none wants an error.
                "id" => query.which = Which::One(record_id(value)?),
                _ if value.get() == "null" => {}
                "ids" => query.which = Which::Ids(ids(value, max_ids)?),
                "where" => query.filter = Some(Filter::parse(value, &FilterLimits::default())?),
                "sort" => query.sort = Some(Sort::parse(value)?),
                "limit" => query.limit = Some(count(name, value)?),
                "skip" => query.skip = count(name, value)?,
                "after" => query.after = Some(after(value)?),
                "since" => query.since = Some(since(value)?),
                _ => query.populate = populate(value)?,
            }
        }
        query.check(members)?;
        Ok(query)
    }

    /// The same, and of that only what matches `filter`. Who listens with it hears what matches, too; where it names records
    /// by their ids, of these alone.
    ///
    /// # Errors
    /// As for [`Filter::and`].
    pub fn narrow(self, filter: &Filter) -> Result<Self, ErrorObject> {
        let ids: &[RecordId] = match &self.which {
            Which::All => &[],
            Which::One(id) => std::slice::from_ref(id),
            Which::Ids(ids) => ids,
        };
        let filter = match &self.filter {
            Some(own) => own.and(filter)?,
            None if self.which == Which::All => filter.clone(),
            None => {
                let ids: Vec<&str> = ids.iter().map(RecordId::as_str).collect();
                Filter::try_from(&serde_json::json!({"id": {"$in": ids}}))?.and(filter)?
            }
        };
        Ok(Self { filter: Some(filter), ..self })
    }

    fn is_of_another_sort(&self) -> bool {
        self.after.as_ref().is_some_and(|after| after.keys.len() != self.sort.as_ref().map_or(0, Sort::width))
    }

    /// What does not go together.
    fn check(&self, members: &Members<'_>) -> Result<(), ErrorObject> {
        let given = |name: &str| members.find(name).is_some_and(|value| value.get() != "null");
        let shaped = ["sort", "limit", "skip", "after"].into_iter().find(|name| given(name));
        let message = match (given("id") || given("ids"), shaped) {
            _ if given("id") && given("ids") => "a read takes id or ids, not both".to_owned(),
            (true, _) if given("where") => "where goes without id and ids: it chooses among all records".to_owned(),
            _ if given("id") && given("since") => "since goes with ids, with where, or alone, not with id".to_owned(),
            (_, Some(name)) if given("since") => format!("{name} goes without since, which answers with changes"),
            (_, Some(name)) if given("id") => format!("{name} goes without id, which gives one record"),
            _ if given("populate") && given("since") => "populate goes without since".to_owned(),
            _ if given("after") && given("ids") => {
                "after goes without ids, which are answered in their own order".to_owned()
            }
            _ if self.is_of_another_sort() => "after goes with the sort of the answer that it is from".to_owned(),
            _ => return Ok(()),
        };
        Err(invalid(message))
    }
}

/// A query made in code, as the `data` of a `read`.
impl TryFrom<&serde_json::Value> for Query {
    type Error = ErrorObject;

    fn try_from(value: &serde_json::Value) -> Result<Self, ErrorObject> {
        let text = value.to_string();
        let data = serde_json::from_str::<Value<'_>>(&text).expect("a value's text is JSON");
        let data = Some(data).filter(|data| !matches!(data, Value::Other("null")));
        Self::parse(data.as_ref(), Method::Read, usize::MAX)
    }
}

fn invalid(message: impl Into<String>) -> ErrorObject {
    ErrorObject::new(ErrorCode::InvalidData, message)
}

fn ids(value: Raw<'_>, max_ids: usize) -> Result<Vec<RecordId>, ErrorObject> {
    let ids = json::elements(value).ok_or_else(|| invalid("ids is an array of record ids"))?;
    if ids.len() > max_ids {
        let message = format!("{} ids in one request; {max_ids} are allowed", ids.len());
        return Err(ErrorObject::new(ErrorCode::LimitExceeded, message));
    }
    ids.into_iter().map(record_id).collect()
}

fn count(name: &str, value: Raw<'_>) -> Result<usize, ErrorObject> {
    let message = || invalid(format!("{name} is a whole number of 0 or more, not {}", json::excerpt(value.get())));
    value.get().parse().map_err(|_| message())
}

fn after(value: Raw<'_>) -> Result<Cursor, ErrorObject> {
    json::string(value)
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| invalid(format!("after is what an answer bore as next, not {}", json::excerpt(value.get()))))
}

fn since(value: Raw<'_>) -> Result<Since, ErrorObject> {
    match json::string(value).filter(|text| text.len() <= POSITION_BYTES) {
        Some(text) => Ok(text.parse().map_or(Since::Foreign, Since::Known)),
        None => Err(invalid(format!(
            "since is a position, a string as a message bore it, not {}",
            json::excerpt(value.get())
        ))),
    }
}

fn populate(value: Raw<'_>) -> Result<Vec<Vec<Box<str>>>, ErrorObject> {
    let wrong = || invalid("populate is a reference's name, a path such as \"spouse.father\", or an array of such");
    let paths = match json::elements(value) {
        Some(paths) => paths,
        None => vec![value],
    };
    if paths.len() > POPULATE_PATHS {
        let message = format!("{} references to populate; {POPULATE_PATHS} are allowed", paths.len());
        return Err(ErrorObject::new(ErrorCode::LimitExceeded, message));
    }
    let path = |value| {
        let path = json::string(value).ok_or_else(wrong)?;
        let names: Vec<Box<str>> = path.split('.').map(Box::from).collect();
        if names.iter().any(|name| name.is_empty()) {
            return Err(wrong());
        }
        if names.len() > POPULATE_DEPTH {
            let message = format!("populate follows {POPULATE_DEPTH} references in a row, not {}", names.len());
            return Err(ErrorObject::new(ErrorCode::LimitExceeded, message));
        }
        Ok(names)
    };
    paths.into_iter().map(path).collect()
}

/// Refuse an object that has members beside those that are `known` in the `place` where it stands.
///
/// # Errors
/// `unknown_member`, naming the first of them.
pub fn refuse_others(members: &Members<'_>, known: &[&str], place: impl fmt::Display) -> Result<(), ErrorObject> {
    let Some((name, _)) = members.0.iter().find(|(name, _)| !known.contains(&name.as_ref())) else { return Ok(()) };
    let takes = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    let message = format!("unknown member {} in {place}; known: {takes}", json::excerpt(name));
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
        let of = |which| Query { which, ..Query::default() };
        assert_eq!(Query::parse(None, Method::Read, 2), Ok(Query::default()));
        assert_eq!(query("{}", Method::Subscribe), Ok(Query::default()));
        assert_eq!(query(r#"{"id":5}"#, Method::Read), Ok(of(Which::One(id("5")))));
        assert_eq!(query(r#"{"ids":["a",1]}"#, Method::Subscribe), Ok(of(Which::Ids(vec![id("a"), id("1")]))));
    }

    #[test]
    fn a_query_shapes_what_is_read() {
        let text = r#"{"where":{"a":1},"sort":"-b","limit":5,"skip":2,"populate":["spouse","friends.spouse"]}"#;
        let got = query(text, Method::Read).unwrap();
        assert!(got.filter.unwrap().matches(r#"{"id":"x","a":1}"#));
        assert_eq!((got.limit, got.skip, got.sort.is_some()), (Some(5), 2, true));
        assert_eq!(
            got.populate,
            [vec!["spouse".into()], vec!["friends".into(), "spouse".into()]] as [Vec<Box<str>>; 2]
        );
        let since = |text: &str| query(text, Method::Subscribe).unwrap().since;
        let position: Position = "00000000000000ab.7".parse().unwrap();
        assert_eq!(since(r#"{"since":"00000000000000ab.7"}"#), Some(Since::Known(position)));
        assert_eq!(since(r#"{"since":"of another kind"}"#), Some(Since::Foreign));
        assert_eq!(since(r#"{"since":null,"where":null}"#), None);
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for (text, method, code) in [
            ("[]", Method::Read, ErrorCode::InvalidData),
            (r#"{"ids":"a"}"#, Method::Read, ErrorCode::InvalidData),
            (r#"{"ids":[null]}"#, Method::Read, ErrorCode::InvalidData),
            (r#"{"id":1,"ids":[1]}"#, Method::Read, ErrorCode::InvalidData),
            (r#"{"ids":[1],"where":{}}"#, Method::Read, ErrorCode::InvalidData),
            (r#"{"since":"x","limit":1}"#, Method::Read, ErrorCode::InvalidData),
            (r#"{"id":"x","since":"x"}"#, Method::Read, ErrorCode::InvalidData),
            (r#"{"since":7}"#, Method::Read, ErrorCode::InvalidData),
            (r#"{"limit":-1}"#, Method::Read, ErrorCode::InvalidData),
            (r#"{"skip":"1"}"#, Method::Read, ErrorCode::InvalidData),
            (r#"{"after":7}"#, Method::Read, ErrorCode::InvalidData),
            (r#"{"after":"[7,[1]]"}"#, Method::Read, ErrorCode::InvalidData),
            (r#"{"after":"[7]","sort":"a"}"#, Method::Read, ErrorCode::InvalidData),
            (r#"{"after":"[7]","ids":[]}"#, Method::Read, ErrorCode::InvalidData),
            (r#"{"after":"[7]","since":"x"}"#, Method::Read, ErrorCode::InvalidData),
            (r#"{"after":"[7]"}"#, Method::Subscribe, ErrorCode::UnknownMember),
            (r#"{"populate":7}"#, Method::Read, ErrorCode::InvalidData),
            (r#"{"populate":"a..b"}"#, Method::Read, ErrorCode::InvalidData),
            (r#"{"populate":"a.b.c.d.e"}"#, Method::Read, ErrorCode::LimitExceeded),
            (r#"{"ids":[1,2,3]}"#, Method::Read, ErrorCode::LimitExceeded),
            (r#"{"id":1}"#, Method::Subscribe, ErrorCode::UnknownMember),
            (r#"{"sort":"a"}"#, Method::Subscribe, ErrorCode::UnknownMember),
            (r#"{"since":"x"}"#, Method::Unsubscribe, ErrorCode::UnknownMember),
            (r#"{"wher":{}}"#, Method::Read, ErrorCode::UnknownMember),
            (r#"{"where":{"a":{"$near":1}}}"#, Method::Read, ErrorCode::InvalidFilter),
        ] {
            assert_eq!(query(text, method), Err(code), "{text}");
        }
    }

    #[test]
    fn a_narrowed_query_means_both() {
        let of = |value: serde_json::Value| Query::try_from(&value).unwrap();
        let mine = Filter::try_from(&serde_json::json!({"owner": "me"})).unwrap();
        let narrowed = |value| of(value).narrow(&mine).unwrap();
        assert_eq!(narrowed(serde_json::json!(null)).filter, Some(mine.clone()));
        let both = of(serde_json::json!({"where": {"owner": "me", "n": 1}})).filter;
        assert_eq!(narrowed(serde_json::json!({"where": {"n": 1}, "limit": 3})).filter, both);
        let one = narrowed(serde_json::json!({"id": 7}));
        assert_eq!(one.which, Which::One(RecordId::parse("7").unwrap()));
        let filter = one.filter.unwrap();
        assert!(filter.matches(r#"{"id":"7","owner":"me"}"#));
        assert!(!filter.matches(r#"{"id":"8","owner":"me"}"#) && !filter.matches(r#"{"id":"7","owner":"x"}"#));
    }
}
