//! Attributes by name, for code that looks at records and changes them. What is not touched keeps its text.

use crate::{
    error::{ErrorCode, ErrorObject},
    json::{Members, Raw},
    record::{Record, RecordInput, is_attribute},
};
use serde::de::DeserializeOwned;
use serde_json::Value;

impl RecordInput {
    /// The value of an attribute; `id` is one here.
    ///
    /// ```
    /// use backsync_protocol::{RecordId, RecordInput};
    ///
    /// let text = serde_json::from_str(r#"{"id":"m1","text":"hello"}"#)?;
    /// let mut message = RecordInput::parse(text, || unreachable!("it has an id"))?;
    /// assert_eq!(message.get("text").as_ref().and_then(|text| text.as_str()), Some("hello"));
    /// message.set("at", 1_700_000_000_000_u64);
    /// message.remove("text");
    /// assert_eq!(message.json(), r#"{"id":"m1","at":1700000000000}"#);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn get(&self, name: &str) -> Option<Value> {
        value_of(self.json(), name)
    }

    /// Whether it has an attribute, be it `null`.
    pub fn has(&self, name: &str) -> bool {
        members(self.json()).find(name).is_some()
    }

    /// Set an attribute: in its place where it is there, else at the end.
    ///
    /// # Panics
    /// For `id`, which a record keeps, and for names that begin with `_`, which are not attributes.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.put(name, Some(&value.into().to_string()));
    }

    /// Take an attribute out, if it is there. In an upsert that does not replace the record this keeps what is stored: what is
    /// to go has to be set to `null`, or the record replaced.
    ///
    /// # Panics
    /// As for [`Self::set`].
    pub fn remove(&mut self, name: &str) {
        self.put(name, None);
    }

    /// All of it as a value of `T`.
    ///
    /// # Errors
    /// `invalid_data` where it is none; the message says why.
    pub fn to<T: DeserializeOwned>(&self) -> Result<T, ErrorObject> {
        value(self.json())
    }

    fn put(&mut self, name: &str, value: Option<&str>) {
        assert!(is_attribute(name), "{name:?} is no attribute that can be set: `id` and names with `_` are not");
        let members = members(self.json());
        let new = value.map(|value| (name, Raw::trusted(value)));
        let is_there = members.find(name).is_some();
        let kept = members.0.iter().skip(1).filter_map(|(known, old)| match known == name {
            true => new,
            false => Some((known.as_ref(), *old)),
        });
        let added = new.filter(|_| !is_there);
        let size = self.size() + value.map_or(0, str::len) + name.len();
        let mut changed = Self::from_members(self.id(), kept.chain(added), size);
        (changed.base, changed.last_change) = (self.base, self.last_change);
        *self = changed;
    }
}

impl Record {
    /// A record that no store keeps, such as the answer to a computed read: its revision is 0.
    pub fn unstored(input: &RecordInput) -> Self {
        Self::new(input, crate::position::Revision(0), None)
    }

    /// The value of a member, be it `id`, an attribute or one of the server's.
    pub fn get(&self, name: &str) -> Option<Value> {
        value_of(self.json(), name)
    }

    /// All of it as a value of `T`.
    ///
    /// # Errors
    /// `invalid_data` where it is none; the message says why.
    pub fn to<T: DeserializeOwned>(&self) -> Result<T, ErrorObject> {
        value(self.json())
    }
}

fn members(json: &str) -> Members<'_> {
    Members::parse(json).expect("a record's text is a JSON object")
}

fn value_of(json: &str, name: &str) -> Option<Value> {
    // A number that JSON has and a `Value` has not, such as 1e400, is not there.
    serde_json::from_str(members(json).find(name)?.get()).ok()
}

fn value<T: DeserializeOwned>(json: &str) -> Result<T, ErrorObject> {
    let is_none = |cause: serde_json::Error| ErrorObject::new(ErrorCode::InvalidData, format!("a record: {cause}"));
    serde_json::from_str(json).map_err(is_none)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{name::RecordId, position::Revision};
    use serde_json::json;

    fn input(text: &str) -> RecordInput {
        RecordInput::parse(serde_json::from_str(text).unwrap(), || RecordId::parse("made").unwrap()).unwrap()
    }

    #[test]
    fn what_is_not_touched_keeps_its_text() {
        let mut record = input(
            r#"{"id":"a\"b","n":1.50,"big":123456789012345678901234567890,"o":{"x": [1] },"_rev":7,"_lastChange":8}"#,
        );
        record.set("n", 2);
        record.set("new", json!({"k": ["line\nbreak"]}));
        record.remove("absent");
        assert_eq!(
            record.json(),
            r#"{"id":"a\"b","n":2,"big":123456789012345678901234567890,"o":{"x": [1] },"new":{"k":["line\nbreak"]}}"#
        );
        assert_eq!((record.id(), record.base, record.last_change), ("a\"b", Some(Revision(7)), Some(8)));
        record.remove("n");
        record.remove("o");
        assert_eq!(record.json(), r#"{"id":"a\"b","big":123456789012345678901234567890,"new":{"k":["line\nbreak"]}}"#);
        assert_eq!(Record::unstored(&record).id(), "a\"b");
    }

    #[test]
    fn attributes_are_found_by_what_their_names_say() {
        let mut record = input(r#"{"\u0061":1,"b":null,"c":1e400}"#);
        assert_eq!((record.get("a"), record.get("b"), record.get("c")), (Some(json!(1)), Some(Value::Null), None));
        assert_eq!((record.has("b"), record.has("c"), record.has("d")), (true, true, false));
        assert_eq!(record.get("id"), Some(json!("made")));
        record.set("a", "x");
        assert_eq!(record.json(), r#"{"id":"made","a":"x","b":null,"c":1e400}"#);
        let mut alone = input("{}");
        alone.set("quote\"", Value::Null);
        assert_eq!(alone.json(), r#"{"id":"made","quote\"":null}"#);
        alone.remove("quote\"");
        assert_eq!(alone.json(), r#"{"id":"made"}"#);
    }

    #[test]
    fn the_servers_names_cannot_be_set() {
        for name in ["id", "_rev", "_"] {
            let set = std::panic::catch_unwind(|| input("{}").set(name, 1));
            assert!(set.is_err(), "{name}");
        }
    }

    #[test]
    fn a_record_can_be_a_value_of_a_type() {
        #[derive(Debug, PartialEq, serde::Deserialize)]
        struct Message {
            text: String,
        }
        assert_eq!(input(r#"{"text":"x"}"#).to::<Message>().unwrap(), Message { text: "x".into() });
        let record = Record::new(&input(r#"{"text":"x"}"#), Revision(3), None);
        assert_eq!(record.to::<Message>().unwrap(), Message { text: "x".into() });
        assert_eq!((record.get("_rev"), record.get("no")), (Some(json!(3)), None));
        assert_eq!(input(r#"{"text":5}"#).to::<Message>().unwrap_err().code, ErrorCode::InvalidData);
    }
}
