//! Filters, and records that they are asked about: the text of what a filter means is a filter that means the same.
#![no_main]

use backsync::protocol::{Filter, FilterLimits, Record, RecordId, RecordInput, Revision, Sort, json::Raw};
use libfuzzer_sys::fuzz_target;
use serde_json::value::RawValue;

fuzz_target!(|input: &str| {
    // A filter, or an order, and then records, each on its line.
    let mut lines = input.lines();
    let Some(Ok(first)) = lines.next().map(serde_json::from_str::<&RawValue>) else { return };
    let parse = |line| {
        let raw: &RawValue = serde_json::from_str(line).ok()?;
        RecordInput::parse(Raw::from(raw), || RecordId::parse("new").expect("a good id")).ok()
    };
    let records: Vec<Record> = lines.filter_map(parse).map(|input| Record::new(&input, Revision(1), None)).collect();
    if let Ok(sort) = Sort::parse(Raw::from(first)) {
        let mut sorted = records.clone();
        sort.apply(&mut sorted, Record::json);
        assert_eq!(sorted.len(), records.len());
    }
    let Ok(filter) = Filter::parse(Raw::from(first), &FilterLimits::default()) else { return };
    let wide = FilterLimits { depth: 128, conditions: usize::MAX, values: usize::MAX };
    let canonical: &RawValue = serde_json::from_str(filter.canonical()).expect("it is JSON");
    let again = Filter::parse(Raw::from(canonical), &wide).expect("it is a filter");
    assert_eq!((again.canonical(), again.name()), (filter.canonical(), filter.name()));
    for record in &records {
        assert_eq!(filter.matches(record.json()), again.matches(record.json()), "{}", record.json());
    }
});
