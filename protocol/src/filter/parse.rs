//! From the text of a filter to its condition.

use super::{
    FilterLimits,
    condition::{Comparison, Condition, Literal, Test},
    path::Path,
    value::{self, Kind, MAX_NESTING},
};
use crate::{
    error::{ErrorCode, ErrorObject},
    json,
};
use std::{borrow::Cow, collections::BTreeMap};

const OPERATORS: &str = "$eq, $ne, $gt, $gte, $lt, $lte, $in, $nin, $exists, $prefix, $contains, $not";

/// Read a filter, whose text is valid JSON on one line.
pub(super) fn condition(text: &str, limits: &FilterLimits) -> Result<Condition<Path>, ErrorObject> {
    let depth = limits.depth.min(MAX_NESTING);
    if json::is_deeper_than(text, depth) {
        return wrong(format!("the filter nests too deep; {depth} arrays and objects in each other are allowed"));
    }
    Parser { limits, conditions: 0, values: 0 }.filter(text)
}

fn wrong<T>(message: String) -> Result<T, ErrorObject> {
    Err(ErrorObject::new(ErrorCode::InvalidFilter, message))
}

/// Recursion is as deep as the text nests, which was checked before.
struct Parser<'l> {
    limits: &'l FilterLimits,
    conditions: usize,
    values: usize,
}

impl Parser<'_> {
    fn filter(&mut self, text: &str) -> Result<Condition<Path>, ErrorObject> {
        let Some(members) = object(text) else {
            return wrong(format!("a filter is an object, such as {{\"room\":\"a\"}}, not {}", json::excerpt(text)));
        };
        let members = members.into_iter().map(|(name, value)| self.member(&name, value));
        Ok(Condition::all(members.collect::<Result<_, _>>()?))
    }

    fn member(&mut self, quoted: &str, value: &str) -> Result<Condition<Path>, ErrorObject> {
        let Ok(name) = serde_json::from_str::<Cow<'_, str>>(quoted) else {
            return wrong(format!("the path {quoted} has half of a surrogate pair; a path is valid Unicode"));
        };
        match &*name {
            "$and" => Ok(Condition::all(self.filters("$and", value)?)),
            "$or" => Ok(Condition::any(self.filters("$or", value)?)),
            "$not" => Ok(Condition::not(self.filter(value)?)),
            name if is_operator(name) => {
                wrong(format!("{name} stands under a path, such as {{\"age\":{{\"{name}\":…}}}}, not in its place"))
            }
            name if name.starts_with('$') => {
                let name = json::excerpt(name);
                wrong(format!("unknown operator {name}; in the place of a path there are $and, $or and $not"))
            }
            path => self.value(&Path::parse(path).or_else(wrong)?, value),
        }
    }

    fn filters(&mut self, operator: &str, value: &str) -> Result<Vec<Condition<Path>>, ErrorObject> {
        if Kind::of(value) != Kind::Array {
            return wrong(format!("{operator} takes an array of filters, not {}", json::excerpt(value)));
        }
        value::elements(value).map(|filter| self.filter(filter)).collect()
    }

    /// What is asked of the value at a path: a literal, or an object of operators.
    fn value(&mut self, path: &Path, value: &str) -> Result<Condition<Path>, ErrorObject> {
        let members = object(value).unwrap_or_default();
        let operators = members.keys().filter(|name| name.starts_with("\"$")).count();
        if operators == 0 {
            return self.operator(path, "$eq", value);
        }
        if operators < members.len() {
            let path = json::excerpt(path.as_str());
            return wrong(format!(
                "the object at {path} has operators and other members; it is either all operators, or a value to be \
                 equal to, which {{\"$eq\":…}} takes whatever its members are called"
            ));
        }
        self.operators(path, members)
    }

    fn operators(&mut self, path: &Path, members: Members<'_>) -> Result<Condition<Path>, ErrorObject> {
        let tests = members.into_iter().map(|(name, operand)| self.operator(path, &name[1..name.len() - 1], operand));
        Ok(Condition::all(tests.collect::<Result<_, _>>()?))
    }

    fn operator(&mut self, path: &Path, operator: &str, operand: &str) -> Result<Condition<Path>, ErrorObject> {
        if operator == "$not" {
            return match object(operand) {
                Some(members) if !members.is_empty() && members.keys().all(|name| name.starts_with("\"$")) => {
                    Ok(Condition::not(self.operators(path, members)?))
                }
                _ => takes(
                    operator,
                    path,
                    "an object of operators, such as {\"$gt\":1} ($ne says: not this value)",
                    operand,
                ),
            };
        }
        self.count_condition()?;
        let test = |test| Ok(Condition::Test(path.clone(), test));
        let order = |comparison| test(Test::Order(comparison, ordered(path, operator, operand)?));
        match operator {
            "$eq" => test(Test::Equal(literal(path, operand)?)),
            "$ne" => test(Test::Equal(literal(path, operand)?)).map(Condition::not),
            "$in" => self.one_of(path, operator, operand),
            "$nin" => self.one_of(path, operator, operand).map(Condition::not),
            "$gt" => order(Comparison::Greater),
            "$gte" => order(Comparison::GreaterOrEqual),
            "$lt" => order(Comparison::Less),
            "$lte" => order(Comparison::LessOrEqual),
            "$exists" => match operand {
                "true" => test(Test::Exists),
                "false" => test(Test::Exists).map(Condition::not),
                _ => takes(operator, path, "true or false", operand),
            },
            "$prefix" if Kind::of(operand) == Kind::Text => test(Test::Prefix(literal(path, operand)?)),
            "$prefix" => takes(operator, path, "a string", operand),
            "$contains" => test(Test::Contains(literal(path, operand)?)),
            "$and" | "$or" => wrong(format!(
                "{operator} stands beside paths, not under {}: {{\"{operator}\":[{{…}},{{…}}]}}",
                json::excerpt(path.as_str())
            )),
            _ => {
                let (operator, path) = (json::excerpt(operator), json::excerpt(path.as_str()));
                wrong(format!("unknown operator {operator} at {path}; known: {OPERATORS}"))
            }
        }
    }

    fn one_of(&mut self, path: &Path, operator: &str, operand: &str) -> Result<Condition<Path>, ErrorObject> {
        if Kind::of(operand) != Kind::Array {
            return takes(operator, path, "an array of values", operand);
        }
        let mut values = Vec::new();
        for value in value::elements(operand) {
            self.values += 1;
            if self.values > self.limits.values {
                return wrong(format!(
                    "the filter has too many values in $in and $nin; {} are allowed",
                    self.limits.values
                ));
            }
            values.push(literal(path, value)?);
        }
        Ok(Condition::one_of(path.clone(), values))
    }

    fn count_condition(&mut self) -> Result<(), ErrorObject> {
        self.conditions += 1;
        if self.conditions > self.limits.conditions {
            return wrong(format!("the filter has too many conditions; {} are allowed", self.limits.conditions));
        }
        Ok(())
    }
}

type Members<'a> = BTreeMap<Cow<'a, str>, &'a str>;

/// The members of an object; `None` for any other value.
fn object(text: &str) -> Option<Members<'_>> {
    (Kind::of(text) == Kind::Object).then(|| value::members(text, usize::MAX)).flatten()
}

fn is_operator(name: &str) -> bool {
    OPERATORS.split(", ").any(|operator| operator == name)
}

fn takes<T>(operator: &str, path: &Path, what: &str, operand: &str) -> Result<T, ErrorObject> {
    let path = json::excerpt(path.as_str());
    wrong(format!("{operator} at {path} takes {what}, not {}", json::excerpt(operand)))
}

/// The operand of an ordering operator.
fn ordered(path: &Path, operator: &str, operand: &str) -> Result<Literal, ErrorObject> {
    match Kind::of(operand) {
        Kind::Text => literal(path, operand),
        Kind::Number if !path.is_id() => literal(path, operand),
        // As text, 10 is before 9: better refused than taken for what it is not.
        Kind::Number => takes(operator, path, "a string, as ids are text and in the order of text", operand),
        _ => takes(operator, path, "a number or a string", operand),
    }
}

/// A value in its one spelling; at `id` as the text that a record's id of this value is kept as.
fn literal(path: &Path, value: &str) -> Result<Literal, ErrorObject> {
    if path.is_id() && Kind::of(value) != Kind::Text {
        let digits = value.strip_prefix('-').unwrap_or(value);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return wrong(format!("a record's id is a string or an integer, not {}", json::excerpt(value)));
        }
        return Ok(Literal(format!("\"{value}\"").into()));
    }
    match value::canonical(value, usize::MAX) {
        Some(value) => Ok(Literal(value.into())),
        // It cannot be too deep, which was checked for the whole.
        None => wrong(format!(
            "in {} is a number with an exponent out of range; 10^15, plus or minus, is the utmost",
            json::excerpt(value)
        )),
    }
}
