//! What a filter asks for, in a normal form: conditions that differ only in order or in how they are put are equal.

use super::{
    path::Path,
    text,
    value::{self, Kind},
};
use crate::json;
use memchr::memmem;
use std::cmp::Ordering;

/// A condition on a record. `At` says where a value is: a path, or the slot that its value is read into.
///
/// Made by [`Self::all`], [`Self::any`] and [`Self::not`] only, which keep the normal form: members sorted, none twice,
/// none of its parent's kind, never just one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Condition<At> {
    /// On one value. Sorted before the others, so that the first equality is found at the front.
    Test(At, Test),
    /// All hold; where there are none, always.
    All(Vec<Self>),
    /// At least one holds; where there are none, never.
    Any(Vec<Self>),
    /// Does not hold.
    Not(Box<Self>),
}

/// A condition on one value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Test {
    /// Means the same as the literal.
    Equal(Literal),
    /// Is one of two or more, which are sorted, none twice.
    OneOf {
        values: Vec<Literal>,
        /// The length of the longest.
        longest: usize,
    },
    /// Is there.
    Exists,
    /// Is a number or a string as the literal is, and in this order to it.
    Order(Comparison, Literal),
    /// Is a string that begins with this one.
    Prefix(Literal),
    /// Is a string with this one in it, or an array with this element.
    Contains(Literal),
}

/// A value in its one spelling.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Literal(pub(super) Box<str>);

/// How a value stands to a literal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Comparison {
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl<At: Ord> Condition<At> {
    pub(super) fn always() -> Self {
        Self::All(Vec::new())
    }

    pub(super) fn never() -> Self {
        Self::Any(Vec::new())
    }

    pub(super) fn all(conditions: Vec<Self>) -> Self {
        let mut members = Vec::with_capacity(conditions.len());
        for condition in conditions {
            match condition {
                Self::All(inner) => members.extend(inner),
                other if other == Self::never() => return other,
                other => members.push(other),
            }
        }
        Self::normal(members).unwrap_or_else(Self::All)
    }

    pub(super) fn any(conditions: Vec<Self>) -> Self {
        let mut members = Vec::with_capacity(conditions.len());
        for condition in conditions {
            match condition {
                Self::Any(inner) => members.extend(inner),
                other if other == Self::always() => return other,
                other => members.push(other),
            }
        }
        Self::normal(members).unwrap_or_else(Self::Any)
    }

    /// The only member, or all of them sorted.
    fn normal(mut members: Vec<Self>) -> Result<Self, Vec<Self>> {
        members.sort_unstable();
        members.dedup();
        if members.len() == 1 { Ok(members.remove(0)) } else { Err(members) }
    }

    pub(super) fn not(condition: Self) -> Self {
        match condition {
            Self::Not(inner) => *inner,
            Self::All(none) if none.is_empty() => Self::never(),
            Self::Any(none) if none.is_empty() => Self::always(),
            other => Self::Not(Box::new(other)),
        }
    }

    /// One of these values is at this place.
    pub(super) fn one_of(at: At, mut values: Vec<Literal>) -> Self {
        values.sort_unstable();
        values.dedup();
        match values.len() {
            0 => Self::never(),
            1 => Self::Test(at, Test::Equal(values.remove(0))),
            _ => {
                let longest = values.iter().map(|value| value.0.len()).max().unwrap_or_default();
                Self::Test(at, Test::OneOf { values, longest })
            }
        }
    }
}

impl<At> Condition<At> {
    /// The same with other places.
    pub(super) fn map<To>(&self, place: &mut impl FnMut(&At) -> To) -> Condition<To> {
        let mut each = |conditions: &[Self]| conditions.iter().map(|condition| condition.map(place)).collect();
        match self {
            Self::Test(at, test) => Condition::Test(place(at), test.clone()),
            Self::All(conditions) => Condition::All(each(conditions)),
            Self::Any(conditions) => Condition::Any(each(conditions)),
            Self::Not(condition) => Condition::Not(Box::new(condition.map(place))),
        }
    }

    /// The first equality without which the condition cannot hold.
    pub(super) fn equality(&self) -> Option<(&At, &Literal)> {
        let members = match self {
            Self::All(members) => members,
            other => std::slice::from_ref(other),
        };
        members.iter().find_map(|member| match member {
            Self::Test(at, Test::Equal(literal)) => Some((at, literal)),
            _ => None,
        })
    }
}

impl Condition<usize> {
    /// Whether it holds for the values in these slots.
    pub(super) fn holds(&self, slots: &[Option<&str>]) -> bool {
        match self {
            Self::Test(slot, test) => slots[*slot].is_some_and(|value| test.holds(value)),
            Self::All(conditions) => conditions.iter().all(|condition| condition.holds(slots)),
            Self::Any(conditions) => conditions.iter().any(|condition| condition.holds(slots)),
            Self::Not(condition) => !condition.holds(slots),
        }
    }
}

impl Test {
    fn holds(&self, value: &str) -> bool {
        match self {
            Self::Equal(Literal(literal)) => value::is_equal(value, literal),
            Self::OneOf { values, longest } => value::canonical(value, *longest)
                .is_some_and(|value| values.binary_search_by(|literal| (*literal.0).cmp(&value)).is_ok()),
            Self::Exists => true,
            Self::Order(comparison, Literal(literal)) => {
                value::order(value, literal).is_some_and(|order| comparison.allows(order))
            }
            Self::Prefix(Literal(literal)) => {
                Kind::of(value) == Kind::Text && text::decoded(value).starts_with(&text::decoded(literal))
            }
            Self::Contains(Literal(literal)) => match Kind::of(value) {
                Kind::Text if Kind::of(literal) == Kind::Text => {
                    memmem::find(&text::decoded(value), &text::decoded(literal)).is_some()
                }
                Kind::Array => value::elements(value).any(|element| value::is_equal(element, literal)),
                _ => false,
            },
        }
    }
}

impl Comparison {
    fn allows(self, order: Ordering) -> bool {
        match self {
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
        }
    }

    fn operator(self) -> &'static str {
        match self {
            Self::Greater => "$gt",
            Self::GreaterOrEqual => "$gte",
            Self::Less => "$lt",
            Self::LessOrEqual => "$lte",
        }
    }
}

impl Condition<Path> {
    /// Append the condition as a filter that means it.
    pub(super) fn append(&self, out: &mut String) {
        match self {
            Self::Test(path, test) => {
                out.push('{');
                json::append_string(path.as_str(), out);
                out.push_str(":{\"");
                test.append(out);
                out.push_str("}}");
            }
            Self::All(none) if none.is_empty() => out.push_str("{}"),
            Self::All(conditions) => append_group("$and", conditions, out),
            Self::Any(conditions) => append_group("$or", conditions, out),
            Self::Not(condition) => {
                out.push_str("{\"$not\":");
                condition.append(out);
                out.push('}');
            }
        }
    }
}

fn append_group(operator: &str, conditions: &[Condition<Path>], out: &mut String) {
    out.push_str("{\"");
    out.push_str(operator);
    out.push_str("\":");
    append_array(conditions, out, Condition::append);
    out.push('}');
}

fn append_array<T>(elements: &[T], out: &mut String, append: impl Fn(&T, &mut String)) {
    out.push('[');
    for (at, element) in elements.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        append(element, out);
    }
    out.push(']');
}

impl Test {
    /// Append operator and operand; the opening quote of the operator is there already.
    fn append(&self, out: &mut String) {
        let (operator, Literal(literal)) = match self {
            Self::Equal(literal) => ("$eq", literal),
            Self::Order(comparison, literal) => (comparison.operator(), literal),
            Self::Prefix(literal) => ("$prefix", literal),
            Self::Contains(literal) => ("$contains", literal),
            Self::Exists => return out.push_str("$exists\":true"),
            Self::OneOf { values, .. } => {
                out.push_str("$in\":");
                return append_array(values, out, |Literal(literal), out| out.push_str(literal));
            }
        };
        out.push_str(operator);
        out.push_str("\":");
        out.push_str(literal);
    }
}
