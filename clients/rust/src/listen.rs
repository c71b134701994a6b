//! What somebody wants to listen to.

use crate::error::ClientError;
use backsync_protocol::{Filter, FilterLimits, json};
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::BTreeSet;

/// Which records to listen to: those of a model, where nothing else is said.
///
/// ```
/// use backsync_client::Listen;
///
/// let adults = Listen::to("Person").filter(&serde_json::json!({"age": {"$gte": 18}}));
/// let some = Listen::to("Person").ids(["ada", "bob"]);
/// ```
#[derive(Debug)]
pub struct Listen {
    model: String,
    which: Result<Which, serde_json::Error>,
    since: Option<String>,
}

/// Which records of a model.
#[derive(Debug)]
pub(crate) enum Which {
    All,
    /// Those with these ids.
    Ids(BTreeSet<String>),
    /// Those that match.
    Matching(Box<RawValue>),
}

/// What a listener wants to begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// All records.
    Snapshot,
    /// Only what happens from then on.
    ChangesOnly,
}

/// The same, ready to be asked for.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) model: String,
    pub(crate) which: Which,
    pub(crate) mode: Mode,
    pub(crate) since: Option<String>,
}

impl Listen {
    /// To all records of a model.
    pub fn to(model: impl Into<String>) -> Self {
        Self { model: model.into(), which: Ok(Which::All), since: None }
    }

    /// To those that match: a filter as the protocol describes it for `where`. It takes the place of [`Self::ids`].
    #[must_use]
    pub fn filter(self, criteria: &(impl Serialize + ?Sized)) -> Self {
        Self { which: serde_json::value::to_raw_value(criteria).map(Which::Matching), ..self }
    }

    /// To these, whether they are there already or not. It takes the place of [`Self::filter`].
    #[must_use]
    pub fn ids<I: Into<String>>(self, ids: impl IntoIterator<Item = I>) -> Self {
        Self { which: Ok(Which::Ids(ids.into_iter().map(Into::into).collect())), ..self }
    }

    /// To what happened after a position that an event bore, perhaps in an earlier run of the program. The first events are
    /// then what changed since, or a [`Event::Reset`](crate::Event::Reset) where the server no longer knows.
    #[must_use]
    pub fn since(self, position: impl Into<String>) -> Self {
        Self { since: Some(position.into()), ..self }
    }

    /// With all records first, whatever position was given.
    pub(crate) fn without_since(self) -> Self {
        Self { since: None, ..self }
    }

    pub(crate) fn wanted(self, mode: Mode) -> Result<Wanted, ClientError> {
        let which = self.which.map_err(ClientError::Encode)?;
        Ok(Wanted { model: self.model, which, mode, since: self.since })
    }
}

impl From<&str> for Listen {
    fn from(model: &str) -> Self {
        Self::to(model)
    }
}

impl From<String> for Listen {
    fn from(model: String) -> Self {
        Self::to(model)
    }
}

impl From<&String> for Listen {
    fn from(model: &String) -> Self {
        Self::to(model)
    }
}

impl Wanted {
    /// The same for all that ask for the same records, however they put it.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let same = match (&self.which, &other.which) {
            (Which::All, Which::All) => true,
            (Which::Ids(a), Which::Ids(b)) => a == b,
            (Which::Matching(a), Which::Matching(b)) => canonical(a) == canonical(b),
            _ => false,
        };
        same && self.model == other.model
    }

    /// The `data` of a question, from this position on where there is one.
    pub(crate) fn query(&self, since: Option<&str>) -> String {
        let mut members = Vec::new();
        match &self.which {
            Which::All => {}
            Which::Ids(ids) => members.push(format!("\"ids\":{}", ids_json(ids.iter()))),
            Which::Matching(criteria) => members.push(format!("\"where\":{}", criteria.get())),
        }
        if let Some(since) = since {
            let mut member = "\"since\":".to_owned();
            json::append_string(since, &mut member);
            members.push(member);
        }
        if members.is_empty() { String::new() } else { format!("{{{}}}", members.join(",")) }
    }
}

/// What the server will take for one filter; text that is none stands for itself.
fn canonical(criteria: &RawValue) -> String {
    let filter = serde_json::from_str(criteria.get()).ok();
    let filter = filter.and_then(|raw| Filter::parse(raw, &FilterLimits::default()).ok());
    filter.map_or_else(|| criteria.get().to_owned(), |filter| filter.canonical().to_owned())
}

/// An array of ids.
pub(crate) fn ids_json<'a>(ids: impl Iterator<Item = &'a String>) -> String {
    serde_json::to_string(&ids.collect::<Vec<_>>()).expect("strings are JSON")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn wanted(listen: Listen) -> Wanted {
        listen.wanted(Mode::Snapshot).unwrap()
    }

    #[test]
    fn a_question_says_which_records_and_since_when() {
        assert_eq!(wanted("A".into()).query(None), "");
        assert_eq!(wanted(Listen::to("A").ids(["b", "a\""])).query(None), r#"{"ids":["a\"","b"]}"#);
        let adults = wanted(Listen::to("A").filter(&json!({"age": {"$gt": 17}})));
        assert_eq!(adults.query(Some("p.1")), r#"{"where":{"age":{"$gt":17}},"since":"p.1"}"#);
    }

    #[test]
    fn the_same_criteria_put_otherwise_are_the_same() {
        let matching = |criteria| wanted(Listen::to("A").filter(&criteria));
        let a = matching(json!({"a": 1, "b": {"$in": [1, 2]}}));
        assert!(a.is_same(&matching(json!({"b": {"$in": [2, 1]}, "a": {"$eq": 1.0}}))));
        assert!(!a.is_same(&matching(json!({"a": 1}))) && !a.is_same(&wanted("A".into())));
        assert!(!wanted("A".into()).is_same(&wanted("B".into())));
        let ids = |ids: [&str; 2]| wanted(Listen::to("A").ids(ids));
        assert!(ids(["a", "b"]).is_same(&ids(["b", "a"])) && !ids(["a", "b"]).is_same(&ids(["a", "c"])));
    }
}
