//! Messages that are none. Each is answered, its connection goes on, and nobody else and no record is touched.

use crate::{
    client::{Client, Door},
    server::{Server, Setup},
    wire::{TEXT, Wire, frame},
};
use serde_json::{Value, json};

/// Do something bad to `client`, and see that all is well afterwards.
fn survives(setup: Setup, bad: impl Fn(&mut Client)) {
    let server = Server::start(setup);
    let mut witness = Client::connect(&server);
    witness.must("Kept:upsert", json!({"id": "x", "n": 1}));
    witness.must("Kept:read", json!(null));
    for door in Door::ALL {
        let mut client = Client::through(door, server.address());
        bad(&mut client);
        assert_eq!(client.must("Kept:read", json!({"id": "x"})), json!({"id": "x", "n": 1, "_rev": 1}), "{door:?}");
    }
    assert_eq!(witness.must("Kept:read", json!(null)), json!([{"id": "x", "n": 1, "_rev": 1}]));
}

/// The error that a text is answered with: in `$session:error`, or in the reply with this id.
fn error(client: &mut Client, text: &str, id: Option<Value>) -> (String, String) {
    client.send_text(text);
    let answer = client.receive();
    let error = match id {
        None => {
            assert_eq!(answer["event"], "$session:error", "{answer}");
            assert!(answer.get("id").is_none(), "{answer}");
            &answer["data"]
        }
        Some(id) => {
            assert_eq!((&answer["id"], &answer["data"]), (&id, &Value::Null), "{answer}");
            &answer["error"]
        }
    };
    assert_eq!(error["retry"], false, "{answer}");
    let text = |name: &str| error[name].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
    (text("code"), text("message"))
}

#[test]
fn what_is_not_json_is_told_where_it_stops_being_it() {
    survives(Setup::memory(), |client| {
        for text in ["x", "{", "{\"id\":1,\"event\":\"Kept:read\",}", "\u{feff}{}", "{'id':1}", "NaN", "\u{0}"] {
            let (code, message) = error(client, text, None);
            assert_eq!(code, "invalid_message", "{text:?}");
            assert!(message.contains("not JSON") && message.contains("column"), "{message}");
        }
        // The same beside good ones.
        for text in ["7", "\"x\"", "true", "null"] {
            let (code, message) = error(client, text, None);
            assert_eq!(code, "invalid_message", "{text:?}");
            assert!(message.contains("JSON object") && message.contains("event"), "{message}");
        }
    });
}

#[test]
fn a_missing_or_broken_event_is_told_with_an_example() {
    survives(Setup::memory(), |client| {
        for event in ["", ",\"event\":null", ",\"event\":7", ",\"event\":[\"Kept:read\"]", ",\"event\":\"Kept\""] {
            let (code, message) = error(client, &format!("{{\"id\":\"i\"{event}}}"), Some(json!("i")));
            assert_eq!(code, "invalid_event", "{event}");
            assert!(message.contains("Model:method") && message.contains("ChatMessage:"), "{message}");
        }
    });
}

#[test]
fn an_unknown_method_is_told_which_there_are() {
    survives(Setup::memory(), |client| {
        for method in ["on_close", "__init__", "Upsert", "upsert ", "reset", "constructor"] {
            let (code, message) = error(client, &format!("{{\"id\":1,\"event\":\"Kept:{method}\"}}"), Some(json!(1)));
            assert_eq!(code, "unknown_method", "{method}");
            assert!(message.contains("read, subscribe, unsubscribe, upsert, delete"), "{message}");
        }
    });
}

#[test]
fn wrong_data_is_told_what_would_be_right() {
    survives(Setup::memory(), |client| {
        for (method, data, right) in [
            ("upsert", "null", "array of records"),
            ("upsert", "\"x\"", "a JSON object"),
            ("upsert", "[{\"id\":\"new\"},3]", "element 1 of the batch"),
            ("upsert", "{\"id\":1.5}", "a string or an integer"),
            ("delete", "null", "{\"id\""),
            ("delete", "{\"x\":1}", "{\"id\""),
            ("read", "[1]", "takes an object"),
            ("read", "{\"ids\":7}", "an array of record ids"),
        ] {
            let text = format!("{{\"id\":1,\"event\":\"Kept:{method}\",\"data\":{data}}}");
            let (code, message) = error(client, &text, Some(json!(1)));
            assert_eq!(code, "invalid_data", "{text}");
            assert!(message.contains(right), "{text}: {message}");
        }
    });
}

#[test]
fn an_id_of_another_kind_has_no_reply_to_go_to() {
    survives(Setup::memory(), |client| {
        for id in ["{}", "{\"a\":1}", "[]", "true", "false", "null"] {
            let (code, message) =
                error(client, &format!("{{\"id\":{id},\"event\":\"Kept:delete\",\"data\":{{\"id\":\"x\"}}}}"), None);
            assert_eq!(code, "invalid_id", "{id}");
            assert!(message.contains("a string or a number"), "{message}");
        }
    });
}

#[test]
fn nesting_without_end_is_refused_and_does_not_overflow() {
    survives(Setup::memory(), |client| {
        let (code, message) = error(client, &"[".repeat(1_000_000), None);
        assert_eq!(code, "invalid_message", "{message}");
        let (code, _) = error(client, &"{\"a\":".repeat(100_000), None);
        assert_eq!(code, "invalid_message");
        // Closed brackets are JSON, and still nest too deep.
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        for depth in [65, 1000, 450_000] {
            let text = format!("{{\"id\":1,\"event\":\"Kept:read\",\"data\":{}}}", nested(depth));
            let (code, message) = error(client, &text, Some(json!(1)));
            assert_eq!(code, "too_deep", "{depth}");
            assert!(message.contains("64"), "{message}");
        }
        // What the envelope does not know counts as well, for somebody has to walk through it.
        let text = format!("{{\"id\":1,\"event\":\"Kept:read\",\"other\":{}}}", nested(100_000));
        assert_eq!(error(client, &text, Some(json!(1))).0, "too_deep");
        // At the limit all is well. The record is one level of it.
        let text = format!("{{\"id\":1,\"event\":\"Other:upsert\",\"data\":{{\"id\":\"x\",\"a\":{}}}}}", nested(63));
        client.send_text(&text);
        assert_eq!(client.receive()["data"]["id"], "x");
    });
}

#[test]
fn an_array_of_nonsense_is_answered_piece_by_piece() {
    let server = Server::memory();
    let mut client = Client::connect(&server);
    client.send_text("[1, [], null, {\"id\":5}, {\"id\":6,\"event\":\"Kept:read\"}]");
    let codes: Vec<Value> = (0..3).map(|_| client.receive()["data"]["code"].clone()).collect();
    assert_eq!(codes, ["invalid_message"; 3]);
    assert_eq!(client.receive()["error"]["code"], "invalid_event");
    assert_eq!(client.receive()["id"], 6);
    // Half an array is no array: nothing of it is done.
    client.send_text("[{\"event\":\"Kept:upsert\",\"data\":{\"id\":\"x\"}}");
    assert_eq!(client.receive()["data"]["code"], "invalid_message");
    assert_eq!(client.must("Kept:read", json!(null)), json!([]));
}

#[test]
fn binary_frames_are_told_and_go_by() {
    survives(Setup::memory(), |client| {
        if !client.has_frames() {
            return;
        }
        for bytes in [&b""[..], b"{\"id\":1,\"event\":\"Kept:delete\",\"data\":{\"id\":\"x\"}}", &[0xff; 70_000]] {
            client.send_binary(bytes);
            let answer = client.receive();
            assert_eq!(
                (&answer["event"], &answer["data"]["code"]),
                (&json!("$session:error"), &json!("binary_message"))
            );
        }
    });
}

#[test]
fn numbers_of_any_size_and_repeated_members_go_through_unharmed() {
    let server = Server::start(Setup::sqlite());
    let mut wire = Wire::upgraded(&server);
    let digits = "9".repeat(100_000);
    let request = format!(
        "{{\"id\":{digits},\"event\":\"Kept:upsert\",\"data\":{{\"id\":{}1,\"n\":-0.{digits}e{}}}}}",
        "1".repeat(255),
        "8".repeat(9)
    );
    wire.write(&frame(TEXT, request.as_bytes()));
    let reply = wire.beyond_heartbeats().unwrap().payload;
    let expected =
        request.replace("\"id\":1", "\"id\":\"1").replace("1,\"n\"", "1\",\"n\"").replace("}}", ",\"_rev\":1},");
    let reply = String::from_utf8(reply).unwrap();
    assert!(reply.starts_with(&expected), "{} bytes, not these {}", reply.len(), expected.len());
    // Of what is there twice, the last counts.
    let mut client = Client::connect(&server);
    let data = r#"{"id":"a","b":1,"id":"c","b":2}"#;
    client.send_text(&format!(r#"{{"id":1,"id":2,"event":"Kept:x","event":"Kept:upsert","data":{data}}}"#));
    let reply = client.receive();
    assert_eq!((&reply["id"], &reply["data"]), (&json!(2), &json!({"id": "c", "b": 2, "_rev": 2})));
}

#[test]
fn names_that_are_none_are_refused() {
    survives(Setup::memory(), |client| {
        for event in
            ["../../etc:read", "a/b:read", "a\u{0}b:read", "$other:read", &format!("{}:read", "A".repeat(10_000))]
        {
            client.send(&json!({"id": 1, "event": event}));
            let reply = client.receive();
            assert_eq!((&reply["event"], &reply["error"]["code"]), (&json!(event), &json!("invalid_model")));
        }
    });
}
