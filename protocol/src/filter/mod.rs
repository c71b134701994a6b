//! Which records are meant, and in what order: `where` and `sort`.
//!
//! A [`Filter`] is an object whose members all have to hold:
//!
//! | member | holds where |
//! |---|---|
//! | `path: value` | the value at the path means the same |
//! | `path: {"$op": operand, …}` | every operator holds for the value at the path |
//! | `"$and": [filter, …]` | every filter holds; with none, always |
//! | `"$or": [filter, …]` | a filter holds; with none, never |
//! | `"$not": filter` | the filter does not hold |
//!
//! | operator | operand | holds where the value |
//! |---|---|---|
//! | `$eq`, `$ne` | a value | means the same; does not, or is missing |
//! | `$in`, `$nin` | an array of values | means the same as one; as none, or is missing |
//! | `$gt`, `$gte`, `$lt`, `$lte` | a number or a string | is of the same kind and in this order to it |
//! | `$exists` | `true`, `false` | is there, be it `null`; is missing |
//! | `$prefix` | a string | is a string that begins with it |
//! | `$contains` | a value | is a string with this string in it, or an array with an element that means the same |
//! | `$not` | `{"$op": operand, …}` | does not fulfil all of these |
//!
//! A path is a member's name, or several joined by `.` that lead into nested objects; never into arrays. Members whose
//! names begin with `_` are the server's and cannot be asked for. Where an object's members do not begin with `$` it is a
//! value to be equal to; `$eq` takes any. `id` is text: an integer is taken as its decimal text there, as ids are.
//!
//! Two values mean the same by value, not by spelling: numbers exactly and at any size (`1`, `1.0` and `10e-1` are one, and
//! nothing is rounded), strings by their code points, objects with their members in any order (the last of a repeated name
//! counts), arrays element by element. Strings are in the order of their code points. Missing is not `null`.
//!
//! ```
//! use backsync_protocol::{Filter, FilterLimits, filter::canonical_at, json::Raw};
//!
//! let parse = |text: &str| Filter::parse(serde_json::from_str(text).unwrap(), &FilterLimits::default());
//! let adults = parse(r#"{"room": "a", "age": {"$gte": 18}, "address.city": {"$in": ["Bern", "Basel"]}}"#)?;
//! let record = r#"{"id":"7","room":"\u0061","age":18.0,"address":{"city":"Bern"},"_rev":3}"#;
//! assert!(adults.matches(record));
//!
//! // The same criteria have the same name, however they are put.
//! let same = parse(r#"{"$and":[{"address.city":{"$in":["Basel","Bern"]}},{"age":{"$gte":1.8e1}}],"room":{"$eq":"a"}}"#)?;
//! assert_eq!(adults.name(), same.name());
//!
//! // Filters with an equality can be found by hash, from a record.
//! let (path, value) = adults.equality().unwrap();
//! let mut found = String::new();
//! assert!(canonical_at(record, path, &mut found));
//! assert_eq!((path, value), ("room", found.as_str()));
//! # Ok::<(), backsync_protocol::ErrorObject>(())
//! ```

mod condition;
mod number;
mod parse;
mod path;
mod sort;
#[cfg(test)]
mod tests;
mod text;
mod value;

pub use sort::Sort;

use crate::{
    error::ErrorObject,
    json::{self, Raw},
};
use condition::{Condition, Literal};
use path::Paths;
use sha2::{Digest, Sha256};
use std::{
    fmt::{self, Write},
    hash::{Hash, Hasher},
    sync::Arc,
};

/// How large a filter may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FilterLimits {
    /// Arrays and objects in each other; never more than 128.
    pub depth: usize,
    /// Conditions on single values: operators other than `$not`, and values to be equal to.
    pub conditions: usize,
    /// Values of all `$in` and `$nin` together. Each of these two is one condition, as looking among its values takes
    /// hardly longer when there are many.
    pub values: usize,
}

impl Default for FilterLimits {
    fn default() -> Self {
        Self { depth: 16, conditions: 256, values: 10_000 }
    }
}

/// What a `where` means. Cheap to clone; equal to every filter of the same criteria.
#[derive(Clone)]
pub struct Filter(Arc<Inner>);

struct Inner {
    canonical: Box<str>,
    name: String,
    equality: Option<(Box<str>, Literal)>,
    paths: Paths,
    condition: Condition<usize>,
}

/// Values of as many paths are read without an allocation.
const USUAL_SLOTS: usize = 8;

impl Filter {
    /// Read a filter.
    ///
    /// # Errors
    /// `invalid_filter` for what is no object, an operator that does not exist or stands in the wrong place, an operand or a
    /// path that is not allowed, and for more than the limits allow; the message says what would be right.
    pub fn parse(value: Raw<'_>, limits: &FilterLimits) -> Result<Self, ErrorObject> {
        let mut text = String::with_capacity(value.get().len());
        json::append_one_line(value.get(), &mut text);
        let condition = parse::condition(&text, limits)?;
        let mut canonical = String::new();
        condition.append(&mut canonical);
        let equality = condition.equality().map(|(path, literal)| (path.as_str().into(), literal.clone()));
        let mut paths = Paths::default();
        let condition = condition.map(&mut |path| paths.add(path));
        let name = name_of(&canonical);
        Ok(Self(Arc::new(Inner { canonical: canonical.into(), name, equality, paths, condition })))
    }

    /// What both mean.
    ///
    /// # Errors
    /// `invalid_filter` where that would nest deeper than a filter may.
    pub fn and(&self, other: &Self) -> Result<Self, ErrorObject> {
        let both = format!("{{\"$and\":[{},{}]}}", self.canonical(), other.canonical());
        let limits = FilterLimits { depth: 128, conditions: usize::MAX, values: usize::MAX };
        Self::parse(Raw::trusted(&both), &limits)
    }

    /// Whether a record is meant. `record_json` is a record's text: a valid JSON object on one line.
    ///
    /// Takes one pass over the record's members, and at most one over the value at its path for each condition.
    pub fn matches(&self, record_json: &str) -> bool {
        let Inner { paths, condition, .. } = &*self.0;
        let holds_in = |slots: &mut [_]| {
            paths.read(record_json, slots);
            condition.holds(slots)
        };
        match paths.slots() {
            needed @ 0..=USUAL_SLOTS => holds_in(&mut [None; USUAL_SLOTS][..needed]),
            needed => holds_in(&mut vec![None; needed]),
        }
    }

    /// The text of these criteria: the same for criteria that differ only in the order of what has no order, in white
    /// space, in the spelling of strings and numbers, in `{"a":1}` or `{"a":{"$eq":1}}`, or in how `$and`s and `$or`s
    /// are nested.
    ///
    /// It is a filter itself that means the same, though it may nest deeper than the one it comes from.
    pub fn canonical(&self) -> &str {
        &self.0.canonical
    }

    /// A short name of these criteria that is the same everywhere: 32 hexadecimal digits of [`Self::canonical`]'s SHA-256.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// A path and the value, as [`canonical_at`] writes it, that every record which matches has there. Filters can be found
    /// by hash with it. `None` where the criteria have no equality that must hold.
    pub fn equality(&self) -> Option<(&str, &str)> {
        self.0.equality.as_ref().map(|(path, Literal(value))| (&**path, &**value))
    }
}

/// Append the text of the value that a record has at a path, spelled so that it is equal to the value of a filter's
/// [`Filter::equality`] exactly where both mean the same. False, with nothing appended, where the record has no such value
/// or one that no filter can name, for its depth or a number's exponent.
pub fn canonical_at(record_json: &str, path: &str, out: &mut String) -> bool {
    let before = out.len();
    let found = path::value_at(record_json, path);
    let is_written = found.is_some_and(|found| value::append_canonical(found, out, usize::MAX).is_some());
    if !is_written {
        out.truncate(before);
    }
    is_written
}

fn name_of(canonical: &str) -> String {
    let digest = Sha256::digest(canonical.as_bytes());
    let mut name = String::with_capacity(32);
    for byte in &digest[..16] {
        write!(name, "{byte:02x}").expect("writing to a string cannot fail");
    }
    name
}

/// A filter made in code, within the usual limits.
impl TryFrom<&serde_json::Value> for Filter {
    type Error = ErrorObject;

    fn try_from(value: &serde_json::Value) -> Result<Self, ErrorObject> {
        Self::parse(Raw::trusted(&value.to_string()), &FilterLimits::default())
    }
}

impl PartialEq for Filter {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.canonical == other.0.canonical
    }
}

impl Eq for Filter {}

impl Hash for Filter {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.canonical.hash(state);
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Filter").field(&self.0.canonical).finish()
    }
}
