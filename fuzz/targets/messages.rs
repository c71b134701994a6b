//! A client's messages: what is taken for a request is one to `serde_json` too, and so is what is made of its records.
#![no_main]

use backsync::protocol::{Event, Record, RecordId, RecordInput, Request, Revision, json::Raw};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, value::RawValue};

fuzz_target!(|input: &str| {
    // A string with half a surrogate is JSON, though there is no such text.
    let is_json = serde_json::from_str::<&RawValue>(input).is_ok();
    match Request::parse(input, 64) {
        Ok(request) => {
            assert!(is_json);
            // Of names that are repeated, which one counts is not laid down.
            if input.matches("\"event\"").count() == 1
                && let Ok(value) = serde_json::from_str::<Value>(input)
                && value.get("event").is_some()
            {
                assert_eq!(value["event"], *request.event);
            }
            if let Some(id) = request.id {
                assert!(serde_json::from_str::<&RawValue>(id).is_ok());
            }
            let _ = Event::parse(&request.event);
        }
        Err(failure) => assert!(!failure.error.message.is_empty()),
    }
    let Ok(raw) = serde_json::from_str::<&RawValue>(input) else { return };
    let Ok(record) = RecordInput::parse(Raw::from(raw), || RecordId::parse("new").expect("a good id")) else { return };
    let stored = Record::new(&record, Revision(7), None);
    assert!(!stored.json().contains('\n'));
    assert!(serde_json::from_str::<&RawValue>(stored.json()).is_ok(), "a record is JSON");
    let again = Record::restore(stored.id(), stored.json(), Revision(7)).expect("a stored record can be read");
    assert_eq!(again.json(), stored.json());
    // Over itself it changes nothing but what it is told to.
    let _ = record.over(&stored, false).expect("a stored record can be read");
});
