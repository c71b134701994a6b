//! `sort`: the order of what a read answers with.

use super::{
    number::Number,
    path::{Path, Paths},
    text,
    value::Kind,
};
use crate::{
    error::{ErrorCode, ErrorObject},
    json::{self, Raw},
};
use std::{borrow::Cow, cmp::Ordering};

/// An order of records: by the value at one path, among equals by that at the next.
///
/// Values of different kinds are in the order missing, `null`, `false`, `true`, numbers, strings, arrays, objects.
/// Numbers are in the order of their exact values, strings in that of their code points; all arrays are equal to each
/// other, and so are all objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sort {
    paths: Paths,
    /// The slot of each path's value, and whether its order is reversed.
    by: Vec<(usize, bool)>,
}

impl Sort {
    /// The most paths.
    pub const MAX_PATHS: usize = 8;

    /// Read a path such as `"name"` or `"address.city"`, or an array of at most [`Self::MAX_PATHS`]. A `-` before a path
    /// reverses its order.
    ///
    /// # Errors
    /// `invalid_data` for anything else, and for a path that no filter could have either.
    pub fn parse(value: Raw<'_>) -> Result<Self, ErrorObject> {
        let paths = json::elements(value).unwrap_or_else(|| vec![value]);
        if paths.len() > Self::MAX_PATHS {
            return wrong(format!("sort has {} paths; {} are allowed", paths.len(), Self::MAX_PATHS));
        }
        let mut sort = Self { paths: Paths::default(), by: Vec::with_capacity(paths.len()) };
        for path in paths {
            let Some(path) = json::string(path) else {
                let given = json::excerpt(path.get());
                return wrong(format!(
                    "sort is a path, such as \"name\" or \"-age\", or an array of them, not {given}"
                ));
            };
            let (path, is_reversed) = path.strip_prefix('-').map_or((&*path, false), |path| (path, true));
            let path = Path::parse(path).or_else(|message| wrong(format!("sort: {message}")))?;
            sort.by.push((sort.paths.add(&path), is_reversed));
        }
        Ok(sort)
    }

    /// Put records in this order. Those that are equal in it stay in the order they are in. `json` gives a record's text,
    /// which is looked at once.
    pub fn apply<T>(&self, records: &mut Vec<T>, json: impl Fn(&T) -> &str) {
        if self.by.is_empty() {
            return;
        }
        let width = self.by.len();
        let mut keys = Vec::with_capacity(records.len() * width);
        let mut slots = vec![None; self.paths.slots()];
        for record in records.iter() {
            self.paths.read(json(record), &mut slots);
            keys.extend(self.by.iter().map(|(slot, _)| Key::of(slots[*slot])));
        }
        let key = |record: usize| &keys[record * width..][..width];
        let mut order: Vec<usize> = (0..records.len()).collect();
        order.sort_by(|a, b| self.compare(key(*a), key(*b)));
        let mut unsorted: Vec<Option<T>> = std::mem::take(records).into_iter().map(Some).collect();
        records.extend(order.into_iter().map(|at| unsorted[at].take().expect("an order has every place once")));
    }

    /// How many paths there are.
    pub fn width(&self) -> usize {
        self.by.len()
    }

    /// What a record is sorted by, as JSON text: nothing where there is no value, `[]` and `{}` for any array and object.
    pub fn keys(&self, json: &str) -> Vec<Option<Box<str>>> {
        let mut slots = vec![None; self.paths.slots()];
        self.paths.read(json, &mut slots);
        let key = |value: &str| match Kind::of(value) {
            Kind::Array => "[]".into(),
            Kind::Object => "{}".into(),
            _ => value.into(),
        };
        self.by.iter().map(|(slot, _)| slots[*slot].map(key)).collect()
    }

    /// Whether a record comes before or behind what has these [`Self::keys`].
    pub fn compare_with(&self, json: &str, keys: &[Option<Box<str>>]) -> Ordering {
        let mut slots = vec![None; self.paths.slots()];
        self.paths.read(json, &mut slots);
        let own: Vec<Key<'_>> = self.by.iter().map(|(slot, _)| Key::of(slots[*slot])).collect();
        let others: Vec<Key<'_>> = keys.iter().map(|key| Key::of(key.as_deref())).collect();
        self.compare(&own, &others)
    }

    fn compare(&self, a: &[Key<'_>], b: &[Key<'_>]) -> Ordering {
        let each = a.iter().zip(b).zip(&self.by);
        each.map(|((a, b), (_, is_reversed))| if *is_reversed { b.cmp(a) } else { a.cmp(b) })
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    }
}

/// What a value is sorted by, in the order of kinds.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Key<'a> {
    Missing,
    Null,
    False,
    True,
    Number(Number<'a>),
    Text(Cow<'a, [u8]>),
    Array,
    Object,
}

impl<'a> Key<'a> {
    fn of(value: Option<&'a str>) -> Self {
        let Some(value) = value else { return Self::Missing };
        match Kind::of(value) {
            Kind::Null => Self::Null,
            Kind::False => Self::False,
            Kind::True => Self::True,
            Kind::Number => Self::Number(Number::parse(value)),
            Kind::Text => Self::Text(text::decoded(value)),
            Kind::Array => Self::Array,
            Kind::Object => Self::Object,
        }
    }
}

fn wrong<T>(message: String) -> Result<T, ErrorObject> {
    Err(ErrorObject::new(ErrorCode::InvalidData, message))
}
