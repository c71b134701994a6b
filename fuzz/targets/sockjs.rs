//! SockJS: paths, what clients send, and what is sent to them.
#![no_main]

use backsync::sockjs::{
    append_line, append_string, append_value, close_frame, messages, messages_of_frame, parse, take_frame,
};
use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, value::RawValue};

fuzz_target!(|input: &str| {
    if let Some(address) = parse(input) {
        assert!(input.starts_with(address.prefix.path()));
    }
    // Read once more by the library that everybody trusts; it knows no halves of surrogate pairs.
    let strings: Option<Vec<String>> = serde_json::from_str(input).ok();
    let received = messages(input);
    match (&received, strings) {
        (Ok(received), Some(strings)) => assert_eq!(*received, strings),
        (Ok(_), None) => assert!(serde_json::from_str::<Vec<&RawValue>>(input).is_ok()),
        (Err(_), strings) => assert_eq!(strings, None),
    }
    match messages_of_frame(input) {
        Ok(none) if input.is_empty() => assert!(none.is_empty()),
        Ok(one) if input.starts_with('"') => {
            if let Ok(string) = serde_json::from_str::<String>(input) {
                assert_eq!(one, [string]);
            }
        }
        of_frame => assert_eq!(of_frame.ok(), received.ok()),
    }

    let mut text = String::new();
    append_string(input, &mut text);
    assert_eq!(serde_json::from_str::<String>(&text).as_deref().ok(), Some(input));
    let frame = close_frame(3000, input);
    assert_eq!(serde_json::from_str::<(u16, String)>(&frame[1..]).expect("a close frame is JSON").1, input);
    if let Ok(value) = serde_json::from_str::<Value>(input) {
        let mut text = String::new();
        append_value(input, &mut text);
        assert!(!text.contains(['\r', '\n']));
        assert_eq!(serde_json::from_str::<Value>(&text).expect("a value stays JSON"), value);
    }

    let mut lines = Vec::new();
    for line in input.lines() {
        append_line(|out| append_string(line, out), &mut lines);
    }
    let (mut lines, mut seen) = (BytesMut::from(&*lines), Vec::new());
    while let Some(frame) = take_frame(&mut lines) {
        let array = frame.strip_prefix(b"a").expect("a frame of messages");
        seen.extend(serde_json::from_slice::<Vec<String>>(array).expect("an array of strings"));
    }
    assert!(lines.is_empty() && seen.iter().map(String::as_str).eq(input.lines()));
});
