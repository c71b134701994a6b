//! One value or filter, put in another of its many ways.

use super::{Random, plain};
use serde_json::{Map, Value, json};

/// A value's text, with anything in it that makes no difference left to chance. Between tokens stands some of `space`.
pub(super) fn text_of(value: &Value, random: &mut Random, space: &[&str]) -> String {
    let mut out = String::new();
    write(value, random, space, &mut out);
    out
}

/// A record's text, on one line. Its own members have their names once.
pub(super) fn record_text_of(record: &Value, random: &mut Random) -> String {
    const SPACE: &[&str] = &["", "", " ", "\t "];
    let mut out = String::new();
    let mut members: Vec<(&String, &Value)> = record.as_object().unwrap().iter().collect();
    random.shuffle(&mut members);
    write_group('{', '}', members.into_iter(), random, SPACE, &mut out, |(name, value), random, out| {
        write_string(name, random, out);
        out.push(':');
        write(value, random, SPACE, out);
    });
    out
}

fn write(value: &Value, random: &mut Random, space: &[&str], out: &mut String) {
    match value {
        Value::Number(number) => out.push_str(&number_text(number.as_f64().unwrap(), random)),
        Value::String(text) => write_string(text, random, out),
        Value::Array(elements) => {
            let write = |element: &Value, random: &mut Random, out: &mut String| write(element, random, space, out);
            write_group('[', ']', elements.iter(), random, space, out, write);
        }
        Value::Object(members) => {
            let mut members: Vec<(&str, &Value)> = members.iter().map(|(name, value)| (name.as_str(), value)).collect();
            random.shuffle(&mut members);
            // Now and then a name twice, of which the last counts.
            if let Some((name, _)) = members.last().copied().filter(|_| random.one_in(8)) {
                members.insert(random.below(members.len()), (name, &Value::Null));
            }
            write_group('{', '}', members.into_iter(), random, space, out, |(name, value), random, out| {
                write_string(name, random, out);
                out.push_str(random.pick(space));
                out.push(':');
                out.push_str(random.pick(space));
                write(value, random, space, out);
            });
        }
        other => out.push_str(&other.to_string()),
    }
}

fn write_group<T>(
    open: char,
    close: char,
    items: impl Iterator<Item = T>,
    random: &mut Random,
    space: &[&str],
    out: &mut String,
    write: impl Fn(T, &mut Random, &mut String),
) {
    out.push(open);
    for (at, item) in items.enumerate() {
        if at > 0 {
            out.push(',');
        }
        out.push_str(random.pick(space));
        write(item, random, out);
        out.push_str(random.pick(space));
    }
    out.push(close);
}

fn number_text(number: f64, random: &mut Random) -> String {
    let hundredfold = number * 100.0;
    assert_eq!(hundredfold.fract(), 0.0);
    match random.below(6) {
        0 => format!("{number:.3}"),
        1 => format!("{hundredfold}e-2"),
        2 => format!("{hundredfold}.000E-02"),
        3 => format!("{:.4}e1", number / 10.0),
        4 if number == 0.0 => "-0.0e7".to_owned(),
        _ => format!("{number}"),
    }
}

fn write_string(text: &str, random: &mut Random, out: &mut String) {
    out.push('"');
    for char in text.chars() {
        let must = char < ' ' || matches!(char, '"' | '\\');
        match char {
            '\n' if random.one_in(2) => out.push_str("\\n"),
            '"' | '\\' | '/' if random.one_in(2) => out.extend(['\\', char]),
            _ if must || random.one_in(6) => {
                for unit in char.encode_utf16(&mut [0; 2]) {
                    out.push_str(&if random.one_in(2) { format!("\\u{unit:04x}") } else { format!("\\u{unit:04X}") });
                }
            }
            _ => out.push(char),
        }
    }
    out.push('"');
}

/// A filter of the same criteria: what has no order in another, and one construct for another that means the same.
pub(super) fn rearranged(filter: &Value, random: &mut Random) -> Value {
    let mut parts: Vec<Value> = Vec::new();
    for (name, operand) in filter.as_object().unwrap() {
        match name.as_str() {
            "$and" | "$or" => {
                let mut filters: Vec<Value> =
                    operand.as_array().unwrap().iter().map(|filter| rearranged(filter, random)).collect();
                random.shuffle(&mut filters);
                if name == "$or" && filters.len() > 1 && random.one_in(3) {
                    let rest = filters.split_off(1);
                    filters.push(json!({ "$or": rest }));
                }
                parts.push(json!({ name: filters }));
            }
            "$not" => parts.push(json!({ "$not": rearranged(operand, random) })),
            path if plain::has_operators(operand) => {
                let operators = operand.as_object().unwrap().iter();
                parts.extend(operators.map(|(operator, operand)| one_operator(path, operator, operand, random)));
            }
            path => parts.push(one_operator(path, "$eq", operand, random)),
        }
    }
    joined(parts, random)
}

fn one_operator(path: &str, operator: &str, operand: &Value, random: &mut Random) -> Value {
    let under = |operand: Value| json!({ path: operand });
    let otherwise = random.one_in(2);
    match operator {
        "$eq" if otherwise && !plain::has_operators(operand) => under(operand.clone()),
        "$eq" if random.one_in(2) => under(json!({ "$in": [operand, operand] })),
        "$ne" if otherwise => json!({ "$not": { path: { "$eq": operand } } }),
        "$exists" if otherwise => under(json!({ "$not": { "$exists": !operand.as_bool().unwrap() } })),
        "$in" | "$nin" => {
            let mut values = operand.as_array().unwrap().clone();
            values.extend(values.first().cloned());
            random.shuffle(&mut values);
            if operator == "$nin" && otherwise {
                under(json!({ "$not": { "$in": values } }))
            } else {
                under(json!({ operator: values }))
            }
        }
        "$not" if otherwise => json!({ "$not": rearranged(&under(operand.clone()), random) }),
        _ => under(json!({ operator: operand })),
    }
}

/// All of these: side by side where their names allow it, or under `$and`s.
fn joined(mut parts: Vec<Value>, random: &mut Random) -> Value {
    random.shuffle(&mut parts);
    let (mut beside, mut below) = (Map::new(), Vec::new());
    for part in parts {
        let (name, operand) = part.as_object().unwrap().iter().next().unwrap();
        if !beside.contains_key(name) && !random.one_in(4) {
            beside.insert(name.clone(), operand.clone());
        } else {
            below.push(part);
        }
    }
    if below.is_empty() { Value::Object(beside) } else { json!({ "$and": [below.pop(), { "$and": below }, beside] }) }
}
