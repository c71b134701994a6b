//! Where a page of a read ended, so that the next one goes on behind it whatever changed meanwhile.

use crate::{
    filter::Sort,
    json::{self, Raw},
    position::Revision,
};
use std::{cmp::Ordering, fmt, str::FromStr};

/// The place of a record among those that a read answers with, also when the record is gone: behind it goes on who read so far.
/// Insertion never changes, so whoever pages in that order meets each record that is there all the time exactly once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// The revision of the record's insertion.
    pub inserted: Revision,
    /// What the record was sorted by, as [`Sort::keys`] gives it; empty in the order of insertion.
    pub keys: Vec<Option<Box<str>>>,
}

impl Cursor {
    /// The longest text of one, in bytes. What is sorted by longer values cannot be paged through.
    pub const MAX_BYTES: usize = 1024;

    /// Whether a record comes behind this place.
    pub fn is_before(&self, sort: Option<&Sort>, inserted: Revision, record: &str) -> bool {
        let order = sort.map_or(Ordering::Equal, |sort| sort.compare_with(record, &self.keys));
        order.then(inserted.cmp(&self.inserted)) == Ordering::Greater
    }
}

/// `[12,["ada"],[]]`: the insertion, and for each path the value, or nothing where it is missing.
impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}", self.inserted)?;
        self.keys.iter().try_for_each(|key| write!(f, ",[{}]", key.as_deref().unwrap_or_default()))?;
        f.write_str("]")
    }
}

/// The text is none that [`Cursor`]'s display gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no place that an answer ended at")]
pub struct NoCursor;

impl FromStr for Cursor {
    type Err = NoCursor;

    fn from_str(text: &str) -> Result<Self, NoCursor> {
        if text.len() > Self::MAX_BYTES {
            return Err(NoCursor);
        }
        let parts: Vec<Raw<'_>> = serde_json::from_str(text).map_err(|_| NoCursor)?;
        let (inserted, keys) = parts.split_first().ok_or(NoCursor)?;
        let inserted = Revision(inserted.get().parse().map_err(|_| NoCursor)?);
        let key = |key: &Raw<'_>| match json::elements(*key).as_deref() {
            Some([]) => Ok(None),
            Some([value]) => Ok(Some(value.get().into())),
            _ => Err(NoCursor),
        };
        Ok(Self { inserted, keys: keys.iter().map(key).collect::<Result<_, _>>()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_went() {
        let keys = [None, Some(r#""a,]\"b""#), Some("[]"), Some("-1.50"), Some("{}")].map(|key| key.map(Box::from));
        let cursor = Cursor { inserted: Revision(12), keys: keys.to_vec() };
        assert_eq!(cursor.to_string(), r#"[12,[],["a,]\"b"],[[]],[-1.50],[{}]]"#);
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        assert_eq!("[7]".parse(), Ok(Cursor { inserted: Revision(7), keys: Vec::new() }));
        let long = format!("[7,[\"{}\"]]", "x".repeat(Cursor::MAX_BYTES));
        for text in ["", "7", "[]", "[-1]", "[1.5]", "[7,1]", "[7,[1,2]]", "[7,{}]", "[7", &long] {
            assert_eq!(text.parse::<Cursor>(), Err(NoCursor), "{text}");
        }
    }

    #[test]
    fn what_comes_behind_is_told_by_keys_and_then_by_insertion() {
        let sort = Sort::parse(serde_json::from_str(r#"["-n","s"]"#).unwrap()).unwrap();
        let record = r#"{"id":"x","n":5,"s":"m"}"#;
        let cursor = Cursor { inserted: Revision(10), keys: sort.keys(record) };
        let is_behind = |inserted, record| cursor.is_before(Some(&sort), Revision(inserted), record);
        assert!(!is_behind(10, record) && !is_behind(9, record) && is_behind(11, record));
        assert!(is_behind(1, r#"{"id":"y","n":4.9,"s":"a"}"#), "the order of n is turned around");
        assert!(!is_behind(99, r#"{"id":"y","n":6}"#));
        assert!(is_behind(1, r#"{"id":"y","n":5.0,"s":"n"}"#));
        assert!(!is_behind(99, r#"{"id":"y","n":5}"#), "what is missing comes first");
        let plain = Cursor { inserted: Revision(10), keys: Vec::new() };
        assert!(plain.is_before(None, Revision(11), record) && !plain.is_before(None, Revision(10), record));
    }
}
