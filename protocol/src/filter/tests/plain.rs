//! The plainest evaluators of filters and orders, to compare with: over trees, for numbers that a double holds exactly.

use serde_json::Value;
use std::cmp::Ordering;

pub(super) fn matches(filter: &Value, record: &Value) -> bool {
    filter.as_object().unwrap().iter().all(|(name, operand)| match name.as_str() {
        "$and" => operand.as_array().unwrap().iter().all(|filter| matches(filter, record)),
        "$or" => operand.as_array().unwrap().iter().any(|filter| matches(filter, record)),
        "$not" => !matches(operand, record),
        path => holds(operand, at(record, path)),
    })
}

/// Whether an object is one of operators.
pub(super) fn has_operators(operand: &Value) -> bool {
    operand.as_object().is_some_and(|members| members.keys().any(|name| name.starts_with('$')))
}

pub(super) fn at<'r>(record: &'r Value, path: &str) -> Option<&'r Value> {
    path.split('.').try_fold(record, |value, name| value.as_object()?.get(name))
}

fn holds(operand: &Value, value: Option<&Value>) -> bool {
    if has_operators(operand) {
        let operators = operand.as_object().unwrap();
        operators.iter().all(|(operator, operand)| operator_holds(operator, operand, value))
    } else {
        value == Some(operand)
    }
}

fn operator_holds(operator: &str, operand: &Value, value: Option<&Value>) -> bool {
    let is_one = |values: &Value| value.is_some_and(|value| values.as_array().unwrap().contains(value));
    let order = || match (value?, operand) {
        (Value::Number(a), Value::Number(b)) => a.as_f64()?.partial_cmp(&b.as_f64()?),
        (Value::String(a), Value::String(b)) => Some(a.chars().cmp(b.chars())),
        _ => None,
    };
    match operator {
        "$eq" => value == Some(operand),
        "$ne" => value != Some(operand),
        "$in" => is_one(operand),
        "$nin" => !is_one(operand),
        "$gt" => order() == Some(Ordering::Greater),
        "$gte" => matches!(order(), Some(Ordering::Greater | Ordering::Equal)),
        "$lt" => order() == Some(Ordering::Less),
        "$lte" => matches!(order(), Some(Ordering::Less | Ordering::Equal)),
        "$exists" => value.is_some() == operand.as_bool().unwrap(),
        "$prefix" => value.and_then(Value::as_str).is_some_and(|text| text.starts_with(operand.as_str().unwrap())),
        "$contains" => match value {
            Some(Value::String(text)) => operand.as_str().is_some_and(|part| text.contains(part)),
            Some(Value::Array(elements)) => elements.contains(operand),
            _ => false,
        },
        "$not" => !holds(operand, value),
        _ => unreachable!("{operator}"),
    }
}

pub(super) fn compare(paths: &[(&str, bool)], a: &Value, b: &Value) -> Ordering {
    for (path, is_reversed) in paths {
        let (a, b) = (at(a, path), at(b, path));
        let order = rank(a).cmp(&rank(b)).then_with(|| match (a, b) {
            (Some(Value::Number(a)), Some(Value::Number(b))) => a.as_f64().unwrap().total_cmp(&b.as_f64().unwrap()),
            (Some(Value::String(a)), Some(Value::String(b))) => a.chars().cmp(b.chars()),
            _ => Ordering::Equal,
        });
        if order.is_ne() {
            return if *is_reversed { order.reverse() } else { order };
        }
    }
    Ordering::Equal
}

fn rank(value: Option<&Value>) -> usize {
    match value {
        None => 0,
        Some(Value::Null) => 1,
        Some(Value::Bool(false)) => 2,
        Some(Value::Bool(true)) => 3,
        Some(Value::Number(_)) => 4,
        Some(Value::String(_)) => 5,
        Some(Value::Array(_)) => 6,
        Some(Value::Object(_)) => 7,
    }
}
