use super::*;

fn input(text: &str) -> Result<RecordInput, ErrorObject> {
    RecordInput::parse(serde_json::from_str(text).unwrap(), || RecordId::parse("made").unwrap())
}

fn stored(text: &str) -> Record {
    Record::new(&input(text).unwrap(), Revision(1), None)
}

#[test]
fn a_record_keeps_what_is_its_owners() {
    let got =
        input("{\"_rev\":3,\"b\":123456789012345678901234567890,\"id\":7,\n\"a\":{\"x\": [] },\"b\":1e400}").unwrap();
    assert_eq!((got.id(), got.base), ("7", Some(Revision(3))));
    let record = Record::new(&got, Revision(9), None);
    assert_eq!(record.json(), r#"{"id":"7","a":{"x": [] },"b":1e400,"_rev":9}"#);
    assert_eq!(got.over(&record, true).unwrap(), None);
}

#[test]
fn ids_are_text_or_integers() {
    for (text, id) in [
        (r#"{"id":"x"}"#, "x"),
        (r#"{"id":-12}"#, "-12"),
        (r#"{"id":123456789012345678901234567890}"#, "123456789012345678901234567890"),
        ("{}", "made"),
        (r#"{"a":1}"#, "made"),
    ] {
        assert_eq!(input(text).unwrap().id(), id, "{text}");
    }
    for bad in [r#"{"id":""}"#, r#"{"id":1.5}"#, r#"{"id":1e3}"#, r#"{"id":null}"#, r#"{"id":[]}"#, "[]", "3"] {
        assert_eq!(input(bad).unwrap_err().code, ErrorCode::InvalidData, "{bad}");
    }
    let long = format!(r#"{{"id":"{}","a":1}}"#, "x".repeat(257));
    assert_eq!(input(&long).unwrap_err().code, ErrorCode::InvalidData);
}

#[test]
fn ids_that_need_escapes_are_found_again() {
    for id in ["a", "a\"b", "\\", "tab\there", "é😀", "nul\0"] {
        let text = format!(r#"{{"id":{},"a":1}}"#, serde_json::to_string(id).unwrap());
        let input = input(&text).unwrap();
        let record = Record::new(&input, Revision(2), Some(17));
        assert_eq!((input.id(), record.id(), record.last_change()), (id, id, Some(17)));
        let read: serde_json::Value = serde_json::from_str(record.json()).unwrap();
        assert_eq!(read, serde_json::json!({"id": id, "a": 1, "_lastChange": 17, "_rev": 2}));
        assert_eq!(Record::restore(id, record.json(), Revision(2)), Some(record));
    }
    assert_eq!(Record::restore("b", stored(r#"{"id":"a"}"#).json(), Revision(1)), None);
    assert_eq!(Record::restore("a", "x", Revision(1)), None);
}

#[test]
fn what_the_server_gave_is_read_back_as_what_was_edited() {
    let got = input(r#"{"id":"x","a":1,"_lastChange":5,"_rev":4}"#).unwrap();
    assert_eq!((got.json(), got.base, got.last_change), (r#"{"id":"x","a":1}"#, Some(Revision(4)), Some(5)));
    assert_eq!(input(r#"{"id":"x","_rev":null}"#).unwrap().base, None);
    for bad in [r#"{"_rev":"4"}"#, r#"{"_rev":-1}"#, r#"{"_lastChange":1.5}"#] {
        assert_eq!(input(bad).unwrap_err().code, ErrorCode::InvalidData, "{bad}");
    }
}

#[test]
fn a_time_within_an_attribute_is_not_the_records() {
    let record = stored(r#"{"id":"x","a":{"b":1,"_lastChange":5}}"#);
    assert_eq!(record.last_change(), None);
    assert_eq!(stored(r#"{"id":"x","a":",\"_lastChange\":5"}"#).last_change(), None);
}

#[test]
fn a_date_takes_the_place_of_what_is_the_servers() {
    let dated = |record: &Record| {
        let mut out = String::new();
        record.append_dated(17, &mut out);
        out
    };
    let record = input(r#"{"id":"a\"b","x":{"_lastChange":5,"_rev":1}}"#).unwrap();
    for last_change in [None, Some(5)] {
        let dated = dated(&Record::new(&record, Revision(9), last_change));
        assert_eq!(dated, r#"{"id":"a\"b","x":{"_lastChange":5,"_rev":1},"_lastChange":17}"#);
    }
    assert_eq!(dated(&stored(r#"{"id":"a"}"#)), r#"{"id":"a","_lastChange":17}"#);
}

#[test]
fn the_usual_record_is_kept_as_it_came() {
    for (text, kept) in [
        (r#"{"id":"x","a":1,"b" : [ 2 ]}"#, r#"{"id":"x","a":1,"b" : [ 2 ]}"#),
        (r#"{ "id" : "x" , "a":1 }"#, r#"{"id":"x","a":1}"#),
        (r#"{"id":"x","a":1,"a":2}"#, r#"{"id":"x","a":2}"#),
        (r#"{"id":"x","a":1,"_b":2}"#, r#"{"id":"x","a":1}"#),
        (r#"{"id":"x","_b":2,"a":1}"#, r#"{"id":"x","a":1}"#),
        (r#"{"a":1,"id":"x"}"#, r#"{"id":"x","a":1}"#),
        ("{\"id\":\"x\",\"a\":\n1}", r#"{"id":"x","a":1}"#),
        (r#"{"id":"x"}"#, r#"{"id":"x"}"#),
        (r#"{"id":"x","a":1,"id":"y"}"#, r#"{"id":"y","a":1}"#),
    ] {
        assert_eq!(input(text).unwrap().json(), kept, "{text}");
    }
}
