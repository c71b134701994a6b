//! Thousands of filters, records and orders by chance, against the plain evaluators.

use super::{
    plain,
    spelling::{rearranged, record_text_of, text_of},
    *,
};
use crate::filter::canonical_at;
use serde_json::{Map, Value, json};

const NAMES: [&str; 5] = ["a", "b", "c", "é\"\n", "longer-name"];
const TEXTS: [&str; 10] = ["", "a", "ab", "b", "ba", "é", "😀", "\u{ffff}", "\n\"\\/", "1"];
const ONE_LINE: [&str; 4] = ["", "", " ", "\t "];
const ANY_SPACE: [&str; 4] = ["", " ", "\n", "\r\n\t"];
/// Another spelling may nest deeper, and count more.
const LIMITS: FilterLimits = FilterLimits { depth: 128, conditions: 10_000, values: 10_000 };

fn scalar(random: &mut Random) -> Value {
    match random.below(8) {
        0 => Value::Null,
        1 => json!(random.one_in(2)),
        2..5 => match random.below(17) as i64 - 8 {
            whole if whole % 4 == 0 => json!(whole / 4),
            quarters => json!(quarters as f64 / 4.0),
        },
        _ => json!(random.pick(&TEXTS)),
    }
}

fn value(random: &mut Random, depth: usize) -> Value {
    match random.below(8) {
        0 | 1 if depth > 0 => (0..random.below(3)).map(|_| value(random, depth - 1)).collect(),
        2..5 if depth > 0 => {
            let mut members = object(random, depth - 1);
            if random.one_in(8) {
                members.insert("$gt".to_owned(), scalar(random));
            }
            Value::Object(members)
        }
        _ => scalar(random),
    }
}

fn object(random: &mut Random, depth: usize) -> Map<String, Value> {
    (0..random.below(4)).map(|_| (random.pick(&NAMES).to_owned(), value(random, depth))).collect()
}

fn record(random: &mut Random) -> Value {
    let mut members = object(random, 3);
    members.insert("id".to_owned(), json!(random.pick(&["a", "ab", "1"])));
    members.insert("_rev".to_owned(), json!(random.below(9)));
    Value::Object(members)
}

fn path(random: &mut Random) -> String {
    if random.one_in(12) {
        return "id".to_owned();
    }
    let names: Vec<&str> = (0..random.pick(&[1, 1, 1, 2, 2, 3])).map(|_| random.pick(&NAMES)).collect();
    names.join(".")
}

fn literal(random: &mut Random, path: &str) -> Value {
    if path == "id" { json!(random.pick(&TEXTS)) } else { value(random, 2) }
}

fn operators(random: &mut Random, path: &str, depth: usize) -> Value {
    let mut operators = Map::new();
    for _ in 0..=random.below(2) {
        let operator = random.pick(&[
            "$eq",
            "$ne",
            "$gt",
            "$gte",
            "$lt",
            "$lte",
            "$in",
            "$nin",
            "$exists",
            "$prefix",
            "$contains",
            "$not",
        ]);
        let operand = match operator {
            "$in" | "$nin" => (0..random.below(4)).map(|_| literal(random, path)).collect(),
            "$exists" => json!(random.one_in(2)),
            "$prefix" => json!(random.pick(&TEXTS)),
            "$not" if depth == 0 => continue,
            "$not" => self::operators(random, path, depth - 1),
            "$gt" | "$gte" | "$lt" | "$lte" if random.one_in(2) && path != "id" => json!(random.below(5) as i64 - 2),
            "$gt" | "$gte" | "$lt" | "$lte" => json!(random.pick(&TEXTS)),
            _ => literal(random, path),
        };
        operators.insert(operator.to_owned(), operand);
    }
    if operators.is_empty() { json!({ "$exists": true }) } else { Value::Object(operators) }
}

fn criteria(random: &mut Random, depth: usize) -> Value {
    let mut members = Map::new();
    for _ in 0..random.pick(&[0, 1, 1, 1, 2, 2, 3]) {
        let (name, operand) = match random.below(9) {
            0 if depth > 0 => ("$and".to_owned(), (0..random.below(3)).map(|_| criteria(random, depth - 1)).collect()),
            1 | 2 if depth > 0 => {
                ("$or".to_owned(), (0..random.below(4)).map(|_| criteria(random, depth - 1)).collect())
            }
            3 if depth > 0 => ("$not".to_owned(), criteria(random, depth - 1)),
            4 | 5 => {
                let path = path(random);
                let literal = literal(random, &path);
                (path, if plain::has_operators(&literal) { json!({ "$eq": literal }) } else { literal })
            }
            _ => {
                let path = path(random);
                let operators = operators(random, &path, 1);
                (path, operators)
            }
        };
        members.insert(name, operand);
    }
    Value::Object(members)
}

/// Criteria, of which many are about what the record has.
fn criteria_for(record: &Value, random: &mut Random) -> Value {
    let mut criteria = criteria(random, 2);
    let path = path(random);
    if let Some(value) = plain::at(record, &path).filter(|_| random.one_in(2)) {
        criteria.as_object_mut().unwrap().insert(path, json!({ "$eq": value }));
    }
    criteria
}

#[test]
fn filters_by_chance_mean_what_the_plain_evaluator_says() {
    let (mut held, rounds) = (0, 30_000);
    for seed in 0..rounds {
        let random = &mut Random::new(seed);
        let record = record(random);
        let criteria = criteria_for(&record, random);
        let text = text_of(&criteria, random, &ANY_SPACE);
        let record_text = record_text_of(&record, random);
        let expected = plain::matches(&criteria, &record);
        held += u64::from(expected);
        let filter = parse(&text, &LIMITS).unwrap_or_else(|error| panic!("{seed}: {text}: {error}"));
        assert_eq!(filter.matches(&record_text), expected, "{seed}: {text} for {record_text}");
        // Whoever looks the filter up by its equality finds it.
        if let Some((path, value)) = filter.equality().filter(|_| expected) {
            let mut found = String::new();
            assert!(canonical_at(&record_text, path, &mut found), "{seed}: {text} for {record_text}");
            assert_eq!(found, value, "{seed}: {text} for {record_text}");
        }
    }
    assert!((rounds / 5..rounds * 4 / 5).contains(&held), "{held} of {rounds} held");
}

#[test]
fn the_same_criteria_put_otherwise_have_the_same_text_and_name() {
    for seed in 0..10_000 {
        let random = &mut Random::new(seed);
        let criteria = criteria(random, 3);
        let mut spell = || {
            let text = text_of(&rearranged(&criteria, random), random, &ANY_SPACE);
            (parse(&text, &LIMITS).unwrap_or_else(|error| panic!("{seed}: {text}: {error}")), text)
        };
        let ((one, one_text), (other, other_text)) = (spell(), spell());
        assert_eq!(one.canonical(), other.canonical(), "{seed}: {one_text} {other_text}");
        assert_eq!((&one, one.name(), one.equality()), (&other, other.name(), other.equality()));
        let again = parse(one.canonical(), &LIMITS).unwrap();
        assert_eq!(again.canonical(), one.canonical(), "{seed}: {one_text}");
        for _ in 0..4 {
            let record = record(random);
            let text = record_text_of(&record, random);
            let expected = plain::matches(&criteria, &record);
            assert_eq!(one.matches(&text), expected, "{seed}: {one_text} for {text}");
            assert_eq!(other.matches(&text), expected, "{seed}: {other_text} for {text}");
            assert_eq!(again.matches(&text), expected, "{seed}: {} for {text}", again.canonical());
        }
    }
}

#[test]
fn values_have_the_same_text_exactly_where_they_mean_the_same() {
    let mut equal = 0;
    for seed in 0..20_000 {
        let random = &mut Random::new(seed);
        let (one, other) = (value(random, 1), value(random, 1));
        let filter = format!("{{\"a\":{{\"$eq\":{}}}}}", text_of(&one, random, &ANY_SPACE));
        let record = format!("{{\"id\":\"1\",\"a\":{}}}", text_of(&other, random, &ONE_LINE));
        let filter = parse(&filter, &LIMITS).unwrap();
        let mut found = String::new();
        assert!(canonical_at(&record, "a", &mut found));
        assert_eq!(filter.equality() == Some(("a", found.as_str())), one == other, "{seed}: {one} {other} {found}");
        assert_eq!(filter.matches(&record), one == other, "{seed}: {one} {other}");
        equal += usize::from(one == other);
    }
    assert!(equal > 300, "only {equal} were equal");
}

#[test]
fn orders_by_chance_are_those_of_the_plain_evaluator() {
    for seed in 0..3_000 {
        let random = &mut Random::new(seed);
        let records: Vec<Value> = (0..random.below(20)).map(|_| record(random)).collect();
        let texts: Vec<String> = records.iter().map(|record| record_text_of(record, random)).collect();
        let paths: Vec<(String, bool)> = (0..random.below(4)).map(|_| (path(random), random.one_in(2))).collect();
        let by: Vec<String> =
            paths.iter().map(|(path, is_down)| format!("{}{path}", if *is_down { "-" } else { "" })).collect();
        let mut sorted: Vec<(usize, &String)> = texts.iter().enumerate().collect();
        sort(&json!(by).to_string()).unwrap().apply(&mut sorted, |(_, text)| text);
        let sorted: Vec<usize> = sorted.into_iter().map(|(record, _)| record).collect();
        let paths: Vec<(&str, bool)> = paths.iter().map(|(path, is_down)| (path.as_str(), *is_down)).collect();
        let mut expected: Vec<usize> = (0..records.len()).collect();
        expected.sort_by(|a, b| plain::compare(&paths, &records[*a], &records[*b]));
        assert_eq!(sorted, expected, "{seed}: {by:?} {texts:?}");
    }
}

/// A store may give back what was damaged: no answer for it is right, and none may be a panic.
#[test]
fn a_damaged_record_does_no_harm() {
    for seed in 0..20_000 {
        let random = &mut Random::new(seed);
        let whole = record(random);
        let filter = parse(&criteria_for(&whole, random).to_string(), &LIMITS).unwrap();
        let mut text: Vec<char> = record_text_of(&whole, random).chars().collect();
        for _ in 0..=random.below(3) {
            let at = random.below(text.len());
            match random.below(3) {
                0 => text[at] = random.pick(&['"', '\\', '{', '}', '[', ']', ',', ':', 'u', 'é', '-', 'e']),
                1 => text.truncate(at + 1),
                _ => text.insert(at, random.pick(&['"', '\\', '{', '}', '[', ']', ',', ':'])),
            }
        }
        let text: String = text.into_iter().collect();
        let _ = filter.matches(&text);
        for path in NAMES {
            canonical_at(&text, path, &mut String::new());
        }
        sort(r#"["a","-b.c"]"#).unwrap().apply(&mut vec![&text, &text], |text| text);
    }
}
