//! Who reads too slowly.

use crate::{
    broker::{
        Broker, Framing, Hub, Limits, Parts, Progress,
        test_support::{Wire, parts},
    },
    store::Memory,
};
use serde_json::json;
use std::{collections::HashMap, rc::Rc, sync::Arc};

#[test]
fn who_reads_too_slowly_is_told_what_it_missed_or_why_it_is_let_go() {
    let broker = Broker::new(Parts {
        limits: Limits { queue_bytes: 2000, ..Limits::default() },
        ..parts(Arc::new(Memory::default()))
    });
    let hub = Hub::new(broker, 0);
    let open = || {
        let wire = Rc::new(Wire::default());
        (hub.borrow_mut().open(Framing::WebSocket, wire.clone()), wire)
    };
    let send = |key, text: &str| {
        assert_eq!(hub.borrow_mut().receive(key, text), Progress::Taken);
        hub.borrow_mut().flush();
    };
    let ((writer, _), (reader, slow), (other, stalled)) = (open(), open(), open());
    for (key, wire) in [(reader, &slow), (other, &stalled)] {
        send(key, r#"{"id":1,"event":"M:subscribe"}"#);
        send(key, r#"{"id":2,"event":"M:subscribe","data":{"where":{"n":{"$gt":90}}}}"#);
        assert_eq!(wire.take().len(), 2);
        wire.is_full.set(true);
    }
    for n in 0..100 {
        send(writer, &format!(r#"{{"event":"M:upsert","data":{{"id":"r{}","n":{n}}}}}"#, n % 2));
    }
    // Its requests wait; nothing more is kept for it.
    assert_eq!(hub.borrow_mut().receive(reader, r#"{"id":3,"event":"M:read"}"#), Progress::Later);
    slow.is_full.set(false);
    hub.borrow_mut().unblocked(reader);
    let told = slow.take();
    assert!(told.len() < 40, "{} messages", told.len());
    let last = |filtered: bool| {
        let of = told.iter().filter(|push| push.get("filter").is_some() == filtered);
        let states = of.map(|push| (push["data"]["id"].clone(), push["data"]["n"].clone()));
        states.collect::<HashMap<_, _>>()
    };
    let end = HashMap::from([(json!("r0"), json!(98)), (json!("r1"), json!(99))]);
    assert_eq!((last(false), last(true)), (end.clone(), end));
    send(writer, r#"{"event":"M:delete","data":{"id":"r1"}}"#);
    let told = slow.take();
    assert_eq!(told.iter().map(|push| push["event"].as_str().unwrap()).collect::<Vec<_>>(), ["M:delete"; 2]);
    // The other one takes nothing: two heartbeats later it is ended, and what it can still take says why.
    for _ in 0..2 {
        hub.borrow_mut().heartbeat(0, 1, u8::MAX);
    }
    stalled.is_full.set(false);
    hub.borrow_mut().unblocked(other);
    let bytes = stalled.take_bytes();
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.contains(r#""code":"slow_consumer""#) && !text.contains("\"n\":99"), "{text}");
}
