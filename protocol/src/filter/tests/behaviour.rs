//! What is promised, one promise a test.

use super::*;
use crate::{error::ErrorCode, filter::canonical_at};

const RECORD: &str = r#"{"id":"7","s":"aé😀\"\u0041","n":9007199254740993,"x":null,"l":[1,"b",{"c":[]}],"o":{"p":{"q":1.50},"r":"t"},"_rev":9}"#;

fn holds(text: &str) -> bool {
    filter(text).matches(RECORD)
}

fn all_hold(texts: &[&str]) {
    texts.iter().for_each(|text| assert!(holds(text), "{text}"));
}

fn none_holds(texts: &[&str]) {
    texts.iter().for_each(|text| assert!(!holds(text), "{text}"));
}

#[test]
fn all_members_have_to_hold() {
    all_hold(&[
        "{}",
        r#"{"id":"7","x":null}"#,
        r#"{"$and":[]}"#,
        r#"{"$and":[{"id":"7"},{}]}"#,
        r#"{"$or":[{},{"id":1}]}"#,
    ]);
    none_holds(&[r#"{"id":"7","x":1}"#, r#"{"$or":[]}"#, r#"{"$not":{}}"#, r#"{"$or":[{"id":"8"},{"x":0}]}"#]);
    all_hold(&[
        r#"{"n":{"$gt":1,"$lt":1e300}}"#,
        r#"{"n":{"$not":{"$gt":1,"$lt":2}}}"#,
        r#"{"$not":{"id":"7","x":1}}"#,
    ]);
}

#[test]
fn equality_is_of_meaning_and_exact() {
    all_hold(&[
        r#"{"s":"a\u00e9\ud83d\ude00\u0022A"}"#,
        r#"{"n":9007199254740993.0}"#,
        r#"{"n":900719925474099300e-2}"#,
        r#"{"o.p.q":15e-1}"#,
        r#"{"o":{"r":"\u0074","p":{"q":9,"q":1.5}}}"#,
        r#"{"l":[1.0,"b",{"c":[ ]}]}"#,
    ]);
    none_holds(&[
        r#"{"n":9007199254740992}"#,
        r#"{"n":"9007199254740993"}"#,
        r#"{"l":["b",1,{"c":[]}]}"#,
        r#"{"l":[1,"b"]}"#,
        r#"{"o":{"r":"t"}}"#,
        r#"{"o":{"p":{"q":1.5},"r":"t","x":1}}"#,
    ]);
}

#[test]
fn missing_is_not_null() {
    all_hold(&[r#"{"x":null}"#, r#"{"x":{"$exists":true}}"#, r#"{"y":{"$exists":false}}"#, r#"{"y":{"$ne":null}}"#]);
    all_hold(&[r#"{"y":{"$nin":[1,null]}}"#, r#"{"y":{"$not":{"$gt":1}}}"#]);
    none_holds(&[r#"{"y":null}"#, r#"{"y":{"$in":[null]}}"#, r#"{"x":{"$ne":null}}"#, r#"{"y":{"$exists":true}}"#]);
}

#[test]
fn order_is_between_two_numbers_or_two_strings() {
    all_hold(&[r#"{"n":{"$gt":9007199254740992}}"#, r#"{"n":{"$lte":9007199254740993}}"#, r#"{"s":{"$gt":"a"}}"#]);
    all_hold(&[r#"{"n":{"$lt":1e999999999}}"#, r#"{"n":{"$gt":1e-999999999}}"#, r#"{"n":{"$gt":-1e999999999}}"#]);
    all_hold(&["{\"s\":{\"$lt\":\"a\u{ffff}\"}}", r#"{"id":{"$gte":"7"}}"#]);
    none_holds(&[
        r#"{"n":{"$gt":""}}"#,
        r#"{"s":{"$gt":0}}"#,
        r#"{"x":{"$gte":0}}"#,
        r#"{"l":{"$lt":9}}"#,
        r#"{"y":{"$lt":9}}"#,
    ]);
}

#[test]
fn prefix_and_contains_look_into_what_is_said() {
    all_hold(&[r#"{"s":{"$prefix":""}}"#, r#"{"s":{"$prefix":"\u0061é"}}"#, r#"{"s":{"$contains":"😀\""}}"#]);
    all_hold(&[r#"{"l":{"$contains":1.0}}"#, r#"{"l":{"$contains":{"c":[]}}}"#, r#"{"o.r":{"$contains":"t"}}"#]);
    none_holds(&[r#"{"s":{"$prefix":"é"}}"#, r#"{"l":{"$prefix":"b"}}"#, r#"{"s":{"$contains":"\\"}}"#]);
    none_holds(&[r#"{"l":{"$contains":"c"}}"#, r#"{"o":{"$contains":"t"}}"#, r#"{"n":{"$contains":9}}"#]);
}

#[test]
fn a_path_leads_into_objects_and_never_into_arrays() {
    all_hold(&[r#"{"o.p.q":1.5}"#, r#"{"o.p":{"q":1.5}}"#, r#"{"l.0":{"$exists":false}}"#]);
    none_holds(&[r#"{"l.0":1}"#, r#"{"l.c":[]}"#, r#"{"o.q":1.5}"#, r#"{"s.x":{"$exists":true}}"#]);
    assert!(filter(r#"{"a\"b.\n":1}"#).matches(r#"{"id":"1","\u0061\"b":{"\u000a":1}}"#));
    assert!(filter(r#"{"o.a":2}"#).matches(r#"{"id":"1","o":{"a":1,"\u0061":2}}"#));
}

#[test]
fn an_id_is_text_and_an_integer_its_digits() {
    all_hold(&[r#"{"id":7}"#, r#"{"id":{"$in":[1,7]}}"#, r#"{"id":{"$nin":[8]}}"#, r#"{"id":{"$eq":7}}"#]);
    assert_eq!(filter(r#"{"id":7}"#), filter(r#"{"id":"7"}"#));
    let big = "123456789012345678901234567890";
    assert!(filter(&format!(r#"{{"id":{big}}}"#)).matches(&format!(r#"{{"id":"{big}"}}"#)));
}

#[test]
fn half_surrogate_pairs_are_compared_like_any_character() {
    let record = r#"{"id":"1","a":"\ud83dx","b":"😀","l":["\ude00"],"\ud800":1}"#;
    for (text, holds) in [
        (r#"{"a":"\uD83Dx"}"#, true),
        (r#"{"a":"\uD83Ex"}"#, false),
        (r#"{"a":{"$prefix":"\ud83d"}}"#, true),
        (r#"{"b":{"$prefix":"\ud83d"}}"#, false),
        (r#"{"b":{"$contains":"\ude00"}}"#, false),
        (r#"{"l":{"$contains":"\uDE00"}}"#, true),
        (r#"{"b":"\ud83d\ude00"}"#, true),
        (r#"{"a":{"$in":["\ud83dx","y"]}}"#, true),
    ] {
        assert_eq!(filter(text).matches(record), holds, "{text}");
    }
}

#[test]
fn what_is_no_filter_is_refused_and_the_message_says_what_is_right() {
    for (text, says) in [
        ("[]", "a filter is an object, such as {\"room\":\"a\"}, not \"[]\""),
        ("null", "a filter is an object"),
        (
            r#"{"a":{"$gte":1,"$le":2}}"#,
            "unknown operator \"$le\" at \"a\"; known: $eq, $ne, $gt, $gte, $lt, $lte, $in",
        ),
        (r#"{"$gt":1}"#, "$gt stands under a path, such as {\"age\":{\"$gt\":…}}"),
        (r#"{"$xor":[]}"#, "unknown operator \"$xor\"; in the place of a path there are $and, $or and $not"),
        (r#"{"a":{"$or":[]}}"#, "$or stands beside paths, not under \"a\": {\"$or\":[{…},{…}]}"),
        (r#"{"$and":{}}"#, "$and takes an array of filters, not \"{}\""),
        (r#"{"$or":[1]}"#, "a filter is an object"),
        (r#"{"$not":[]}"#, "a filter is an object"),
        (r#"{"a":{"$gt":1,"b":2}}"#, "the object at \"a\" has operators and other members"),
        (r#"{"a":{"$gt":null}}"#, "$gt at \"a\" takes a number or a string, not \"null\""),
        (r#"{"id":{"$gt":7}}"#, "$gt at \"id\" takes a string, as ids are text"),
        (r#"{"id":1.0}"#, "a record's id is a string or an integer, not \"1.0\""),
        (r#"{"id":{"$in":[null]}}"#, "a record's id is a string or an integer, not \"null\""),
        (r#"{"a":{"$in":1}}"#, "$in at \"a\" takes an array of values, not \"1\""),
        (r#"{"a":{"$exists":1}}"#, "$exists at \"a\" takes true or false, not \"1\""),
        (r#"{"a":{"$prefix":1}}"#, "$prefix at \"a\" takes a string, not \"1\""),
        (
            r#"{"a":{"$not":5}}"#,
            "$not at \"a\" takes an object of operators, such as {\"$gt\":1} ($ne says: not this value)",
        ),
        (r#"{"a":{"$not":{}}}"#, "$not at \"a\" takes an object of operators"),
        (r#"{"":1}"#, "the path \"\" has an empty name"),
        (r#"{"a..b":1}"#, "the path \"a..b\" has an empty name"),
        (r#"{"_rev":1}"#, "the path \"_rev\" begins with '_': such members are the server's"),
        (r#"{"a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q":1}"#, "has 17 names; 16 are allowed"),
        (r#"{"\ud800":1}"#, "has half of a surrogate pair"),
        (r#"{"a":1e1000000000000000}"#, "a number with an exponent out of range"),
        (r#"{"a":{"$lt":[1e-99999999999999999999]}}"#, "takes a number or a string"),
        (r#"{"a":[1e-99999999999999999999]}"#, "a number with an exponent out of range"),
    ] {
        let error = parse(text, &FilterLimits::default()).unwrap_err();
        assert_eq!((error.code, error.retry), (ErrorCode::InvalidFilter, false), "{text}");
        assert!(error.message.contains(says), "{text}: {}", error.message);
    }
}

#[test]
fn a_filter_has_limits() {
    let limits = FilterLimits { depth: 4, conditions: 2, values: 3 };
    for (good, bad, says) in [
        (r#"{"a":[[[1]]]}"#, r#"{"a":[[[[1]]]]}"#, "nests too deep; 4 arrays and objects"),
        (r#"{"a":1,"b":{"$gt":2}}"#, r#"{"a":1,"b":{"$gt":2,"$lt":4}}"#, "too many conditions; 2 are"),
        (r#"{"a":{"$in":[1,2]},"b":{"$nin":[1]}}"#, r#"{"a":{"$in":[1,2]},"b":{"$nin":[1,2]}}"#, "too many values"),
    ] {
        assert!(parse(good, &limits).is_ok(), "{good}");
        let error = parse(bad, &limits).unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidFilter);
        assert!(error.message.contains(says), "{bad}: {}", error.message);
    }
    // However many empty ones there are, they come to nothing.
    let empty = format!("{{\"$or\":[{}{{}}]}}", "{},".repeat(100_000));
    assert_eq!(parse(&empty, &limits).unwrap().canonical(), "{}");
    let deepest = FilterLimits { depth: usize::MAX, ..limits };
    let nested = |depth: usize| format!("{}{{}}{}", "{\"$not\":".repeat(depth), "}".repeat(depth));
    assert!(parse(&nested(100), &deepest).is_ok());
    assert!(parse(&nested(100_000), &deepest).is_err());
}

#[test]
fn the_same_criteria_have_one_text_and_one_name() {
    for (one, texts) in [
        ("{}", &["{ }", r#"{"$and":[{},{"$or":[{},{"a":1}]}]}"#, r#"{"$not":{"$or":[]}}"#, r#"{"a":{"$nin":[]}}"#][..]),
        (r#"{"$or":[]}"#, &[r#"{"a":{"$in":[]},"b":1}"#, r#"{"$not":{}}"#]),
        (
            r#"{"a":{"$eq":1}}"#,
            &[
                "{\n\"\\u0061\" : 1.0}",
                r#"{"a":{"$in":[1,10e-1]}}"#,
                r#"{"$or":[{"a":1},{"a":{"$eq":1}}]}"#,
                r#"{"a":2,"a":1}"#,
            ],
        ),
        (
            r#"{"$not":{"a":{"$eq":1}}}"#,
            &[r#"{"a":{"$ne":1}}"#, r#"{"a":{"$not":{"$eq":1}}}"#, r#"{"a":{"$nin":[1]}}"#],
        ),
        (
            r#"{"$and":[{"a":{"$eq":1}},{"b":{"$in":["x","y"]}},{"$not":{"c":{"$exists":true}}}]}"#,
            &[
                r#"{"c":{"$exists":false},"b":{"$in":["y","x","\u0079"]},"a":1}"#,
                r#"{"$and":[{"$and":[{"b":{"$in":["x","y"]}}]},{"a":1,"$not":{"c":{"$exists":true}}}]}"#,
            ],
        ),
    ] {
        for text in texts {
            let parsed = filter(text);
            assert_eq!(parsed.canonical(), one, "{text}");
            assert_eq!((&parsed, parsed.name()), (&filter(one), filter(one).name()), "{text}");
        }
    }
    // SHA-256 of "{}".
    assert_eq!(filter("{}").name(), "44136fa355b3678a1146ad16f7e8649e");
    assert_ne!(filter(r#"{"a":1}"#), filter(r#"{"a":"1"}"#));
}

#[test]
fn the_first_equality_that_must_hold_is_told() {
    for (text, equality) in [
        (r#"{"b":1.0,"$and":[{"aa":"x"},{"aa":{"$lt":"y"}}]}"#, Some(("aa", "\"x\""))),
        (r#"{"id":5}"#, Some(("id", "\"5\""))),
        (r#"{"a":{"y":1e0,"x":null}}"#, Some(("a", r#"{"x":null,"y":1}"#))),
        (r#"{"$or":[{"a":1}]}"#, Some(("a", "1"))),
        (r#"{"$or":[{"a":1},{"a":2}]}"#, None),
        (r#"{"a":{"$ne":1},"b":{"$in":[1,2]}}"#, None),
        ("{}", None),
    ] {
        assert_eq!(filter(text).equality(), equality, "{text}");
    }
}

#[test]
fn the_value_at_a_path_is_appended_where_there_is_one_that_a_filter_can_name() {
    let mut out = "kept".to_owned();
    for missing in ["y", "l.0", "o.x", "id.x"] {
        assert!(!canonical_at(RECORD, missing, &mut out), "{missing}");
    }
    assert!(!canonical_at(r#"{"a":[1,1e99999999999999999999]}"#, "a", &mut out));
    let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert!(!canonical_at(&deep, "a", &mut out));
    assert!(!filter(r#"{"a":[]}"#).matches(&deep));
    assert_eq!(out, "kept");
    assert!(canonical_at(RECORD, "o.p", &mut out));
    assert_eq!(out, r#"kept{"q":1.5}"#);
}

#[test]
fn sorting_is_by_kind_then_value_and_keeps_the_order_of_equals() {
    let mut records: Vec<String> =
        ["[1]", "\"b\"", "{}", "2", "\"\\u0061\"", "10", "true", "[0]", "null", "-1e99", "false"]
            .iter()
            .map(|value| format!(r#"{{"id":"1","a":{{"b":{value}}}}}"#))
            .collect();
    records.push(r#"{"id":"1","a":1}"#.to_owned());
    let sorted = |by: &str| {
        let mut records = records.clone();
        sort(by).unwrap().apply(&mut records, |record| record);
        let values = records.iter().map(|record| record.get(19..record.len() - 2).unwrap_or("-").to_owned());
        values.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(sorted("\"a.b\""), r#"- null false true -1e99 2 10 "\u0061" "b" [1] [0] {}"#);
    assert_eq!(sorted("[\"-a.b\"]"), r#"{} [1] [0] "b" "\u0061" 10 2 -1e99 true false null -"#);
    assert_eq!(sorted("[]"), sorted("[\"x\",\"-id\"]"));
}

#[test]
fn what_is_no_sort_is_refused() {
    for (text, says) in [
        ("1", "sort is a path, such as \"name\" or \"-age\", or an array of them, not \"1\""),
        (r#"[["a"]]"#, "sort is a path"),
        (r#""""#, "sort: the path \"\" has an empty name"),
        (r#"["a","-"]"#, "has an empty name"),
        (r#""-_rev""#, "begins with '_'"),
        (r#"["a","a","a","a","a","a","a","a","a"]"#, "sort has 9 paths; 8 are allowed"),
        (r#""\ud800""#, "sort is a path"),
    ] {
        let error = sort(text).unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidData, "{text}");
        assert!(error.message.contains(says), "{text}: {}", error.message);
    }
}
