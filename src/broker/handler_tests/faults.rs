//! Handlers that take their time, for ever, or fail, and connections that go meanwhile.

use super::*;

/// Everything waits for a sign; counts what it is asked.
struct Slow {
    go: Arc<Notify>,
    asked: Arc<Mutex<usize>>,
}

impl Slow {
    fn wait<I: Send + 'static, O: 'static>(&self, input: I) -> Step<I, O> {
        *self.asked.lock().unwrap() += 1;
        let go = self.go.clone();
        Step::later(async move {
            go.notified().await;
            // A step may be followed by another.
            Step::later(async move { Step::Continue(input) })
        })
    }
}

impl Handler for Slow {
    fn read(&self, _: &Caller, query: Query) -> Step<Query, Vec<Record>> {
        self.wait(query)
    }
    fn upsert(&self, _: &Caller, record: RecordInput) -> Step<RecordInput, Record> {
        self.wait(record)
    }
}

#[test]
fn while_a_handler_thinks_only_its_connection_waits() {
    let (go, asked) = (Arc::new(Notify::new()), Arc::new(Mutex::new(0)));
    with(
        || Slow { go: go.clone(), asked: asked.clone() },
        async |node: Node| {
            let (peer, other) = (node.open(), node.open());
            peer.send(json!({"id": 1, "event": "M:upsert", "data": {"id": "a", "n": 1}}));
            let next = json!({"id": 2, "event": "N:upsert", "data": {"id": "b"}});
            assert_eq!(peer.offer(&next), Progress::Later);
            assert_eq!(peer.offer(&json!({"id": 2, "event": "no event"})), Progress::Later, "refusals wait, too");
            other.send(json!({"id": 1, "event": "N:upsert", "data": {"id": "c"}}));
            assert_eq!(other.only().await["data"]["id"], "c");
            assert_eq!(peer.seen().await, Vec::<Value>::new());
            assert!(!peer.wire.is_resumed.get());
            go.notify_one();
            assert_eq!(peer.only().await["id"], 1);
            assert!(peer.wire.is_resumed.take());
            peer.send(next);
            assert_eq!(peer.only().await["id"], 2);
            peer.send(json!({"id": 3, "event": "M:read"}));
            assert_eq!(peer.offer(&json!({"id": 4, "event": "M:read"})), Progress::Later);
            go.notify_one();
            assert_eq!(peer.only().await["data"][0]["n"], 1);
            assert_eq!(std::mem::take(&mut *asked.lock().unwrap()), 2, "each request is asked about once");
        },
    );
}

#[test]
fn who_never_decides_is_not_waited_for_without_end() {
    with(
        || Slow { go: Arc::default(), asked: Arc::default() },
        async |node: Node| {
            let peer = node.open();
            for message in
                [json!({"id": 1, "event": "M:upsert", "data": {"id": "a"}}), json!({"id": 1, "event": "M:read"})]
            {
                peer.send(message);
                // The clock is the only thing that can move it.
                let mut seen = Vec::new();
                while seen.is_empty() {
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                    seen = peer.seen().await;
                }
                assert_eq!((seen.len(), code(&seen[0])), (1, "internal"));
            }
            peer.send(json!({"id": 2, "event": "N:read"}));
            assert_eq!(peer.only().await["data"], json!([]));
            assert_eq!(node.stored().await, []);
        },
    );
}

#[test]
fn a_connection_that_goes_while_a_handler_thinks_harms_nothing() {
    let go = Arc::new(Notify::new());
    with(
        || Slow { go: go.clone(), asked: Arc::default() },
        async |node: Node| {
            for (event, data) in [
                ("M:upsert", json!({"id": "a", "n": 1})),
                ("Here:upsert", json!({"id": "a", "n": 1})),
                ("M:read", Value::Null),
                ("M:unsubscribe", json!({"where": {"n": 1}})),
            ] {
                let peer = node.open();
                peer.send(json!({"id": 1, "event": event, "data": data}));
                peer.close();
                go.notify_one();
                assert_eq!(peer.seen().await, Vec::<Value>::new());
            }
            assert_eq!(node.stored().await, [("a".to_owned(), json!(1))], "a write that was sent is done");
            let here = node.broker.read("Here", Query::default()).await.unwrap();
            assert_eq!(here, [], "but not if its owner is gone");
            let peer = node.open();
            peer.send(json!({"id": 1, "event": "N:read"}));
            assert_eq!(peer.only().await["data"], json!([]));
        },
    );
}

/// Fails in every way there is.
struct Broken;

impl Handler for Broken {
    fn read(&self, _: &Caller, query: Query) -> Step<Query, Vec<Record>> {
        assert!(query.limit.is_none(), "a read with a limit");
        Step::Continue(query)
    }
    fn upsert(&self, _: &Caller, record: RecordInput) -> Step<RecordInput, Record> {
        match record.get("fail").as_ref().and_then(Value::as_str) {
            Some("now") => panic!("at once"),
            Some("later") => Step::later(async {
                yield_now().await;
                std::panic::panic_any(7)
            }),
            _ => Step::Continue(record),
        }
    }
    fn changed(&self, _: &Caller, _: &Change) {
        panic!("after the fact");
    }
    fn on_open(&self, _: &Caller) {
        panic!("at the door");
    }
}

#[test]
fn a_handler_that_panics_fails_its_request_and_no_other() {
    with(
        || Broken,
        async |node: Node| {
            let peer = node.open();
            node.hub.borrow_mut().announce(peer.key);
            for fail in ["now", "later"] {
                let records = json!([{"id": "a", "n": 1}, {"id": "b", "fail": fail}]);
                peer.send(json!({"id": 1, "event": "M:upsert", "data": records}));
                let refused = peer.only().await;
                assert_eq!((code(&refused), &refused["error"]["element"]), ("internal", &json!(1)));
                assert!(!refused.to_string().contains("at once"), "what is internal stays in the log");
            }
            assert_eq!(node.stored().await, []);
            peer.send(json!({"id": 2, "event": "M:read", "data": {"limit": 1}}));
            assert_eq!(code(&peer.only().await), "internal");
            peer.send(json!({"id": 3, "event": "M:read"}));
            assert_eq!(peer.only().await["data"], json!([]));
            peer.send(json!({"id": 4, "event": "M:upsert", "data": [{"id": "a", "n": 1}, {"id": "b"}]}));
            let seen = peer.seen().await;
            assert_eq!(seen.len(), 3, "two pushes and the reply: {seen:#?}");
            assert_eq!(node.stored().await.len(), 2);
        },
    );
}
