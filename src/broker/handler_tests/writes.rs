//! Writes: before they are done, and after.

use super::*;

#[test]
fn a_write_is_changed_refused_or_answered() {
    with(
        || Careful,
        async |node: Node| {
            let (writer, listener) = (node.open(), node.open());
            listener.send(json!({"id": 0, "event": "M:read"}));
            listener.only().await;
            writer.send(json!({"id": 1, "event": "M:upsert", "data": {"id": "a", "n": 1}}));
            assert_eq!(writer.only().await["data"], json!({"id": "a", "n": 1, "by": "somebody, false", "_rev": 1}));
            assert_eq!(listener.only().await["data"]["by"], "somebody, false");
            writer.send(json!({"id": 2, "event": "M:upsert", "data": {"id": "b", "n": 100}}));
            let refused = writer.only().await;
            assert_eq!((code(&refused), &refused["error"]["message"]), ("invalid_data", &json!("100 is too much")));
            writer.send(json!({"id": 3, "event": "M:upsert", "data": {"id": "b", "n": 50}}));
            assert_eq!(writer.only().await["data"], json!({"id": "b", "n": 50, "answered": true, "_rev": 0}));
            writer.send(
                json!({"id": 4, "event": "M:upsert", "data": {"id": "kept", "n": 4}, "options": {"replace": true}}),
            );
            assert_eq!(writer.only().await["data"]["by"], "somebody, true");
            for (id, outcome) in [("kept", Some("forbidden")), ("elsewhere", None), ("a", None)] {
                writer.send(json!({"id": 5, "event": "M:delete", "data": {"id": id}}));
                let reply = writer.only().await;
                assert_eq!(reply.get("error").map(|_| code(&reply)), outcome, "{id}");
            }
            assert_eq!(listener.seen().await.len(), 2, "an upsert and a deletion");
            assert_eq!(node.stored().await, [("kept".to_owned(), json!(4))]);
        },
    );
}

#[test]
fn of_a_batch_all_is_done_or_nothing_and_the_element_is_named() {
    with(
        || Careful,
        async |node: Node| {
            let peer = node.open();
            let records = |last: u64| json!([{"id": "a", "n": 1}, {"id": "b", "n": 50}, {"id": "c", "n": last}]);
            peer.send(json!({"id": 1, "event": "M:upsert", "data": records(200)}));
            let refused = peer.only().await;
            assert_eq!((code(&refused), &refused["error"]["element"]), ("invalid_data", &json!(2)));
            assert_eq!(node.stored().await, []);
            peer.send(json!({"id": 2, "event": "M:upsert", "data": records(3)}));
            let data = peer.only().await["data"].clone();
            let ids = |data: &Value| data.as_array().unwrap().iter().map(|r| r["id"].clone()).collect::<Vec<_>>();
            assert_eq!((ids(&data), &data[1]["answered"]), (vec![json!("a"), json!("b"), json!("c")], &json!(true)));
            // The store sees two operations; what it refuses is told by what was sent.
            let stale = json!([{"id": "x", "n": 50}, {"id": "y", "n": 50}, {"id": "c", "n": 9, "_rev": 0}]);
            peer.send(json!({"id": 3, "event": "M:upsert", "data": stale}));
            let conflict = peer.only().await;
            assert_eq!((code(&conflict), &conflict["error"]["element"]), ("conflict", &json!(2)));

            let entry = |event: &str, data: Value| json!({"event": event, "data": data});
            let batch = |last: Value| json!([entry("N:upsert", json!({"id": "n"})), entry("M:upsert", last)]);
            peer.send(json!({"id": 4, "event": "$batch:commit", "data": batch(json!({"id": "d", "n": 300}))}));
            let refused = peer.only().await;
            assert_eq!((code(&refused), &refused["error"]["element"]), ("invalid_data", &json!(1)));
            assert_eq!(node.broker.read("N", Query::default()).await.unwrap(), []);
            let last = json!([{"id": "d", "n": 50}, {"id": "e", "n": 5}]);
            peer.send(json!({"id": 5, "event": "$batch:commit", "data": batch(last)}));
            let done = peer.only().await;
            assert_eq!(done["data"][0]["data"]["id"], "n");
            assert_eq!((&done["data"][1]["data"][0]["_rev"], &done["data"][1]["data"][1]["n"]), (&json!(0), &json!(5)));
            let stored: Vec<String> = node.stored().await.into_iter().map(|(id, _)| id).collect();
            assert_eq!(stored, ["a", "c", "e"]);
        },
    );
}

#[test]
fn replies_keep_their_order_also_behind_a_refusal() {
    with(
        || Careful,
        async |node: Node| {
            let peer = node.open();
            // Those of one model follow each other without waiting; the fourth may have to.
            for (id, n) in [(1, 1), (2, 500), (3, 2)] {
                let message = json!({"id": id, "event": "M:upsert", "data": {"id": "a", "n": n}});
                while peer.offer(&message) == Progress::Later {
                    yield_now().await;
                }
            }
            let ids: Vec<Value> = peer.seen().await.iter().map(|reply| reply["id"].clone()).collect();
            assert_eq!(ids, [1, 2, 3]);
        },
    );
}

/// Gives every write another number.
#[derive(Default)]
struct Counting(Mutex<u64>);

impl Handler for Counting {
    fn upsert(&self, _: &Caller, mut record: RecordInput) -> Step<RecordInput, Record> {
        let mut count = self.0.lock().unwrap();
        *count += 1;
        record.set("n", *count);
        Step::Continue(record)
    }
}

#[test]
fn a_write_that_is_sent_again_has_its_first_outcome() {
    with(Counting::default, async |node: Node| {
        let write = json!({"id": "w", "event": "M:upsert", "data": {"id": "a"}});
        for _ in 0..2 {
            let peer = node.open();
            node.hub.borrow_mut().name_client(peer.key, "me").unwrap();
            peer.send(write.clone());
            assert_eq!(peer.only().await["data"]["n"], 1);
            peer.close();
        }
        assert_eq!(node.stored().await, [("a".to_owned(), json!(1))]);
    });
}

/// Keeps a history in another model.
#[derive(Default)]
struct Historian(Arc<Mutex<Vec<String>>>);

impl Handler for Historian {
    fn changed(&self, caller: &Caller, change: &Change) {
        let kind = format!("{:?} {}", change.kind, change.record.id());
        // Begun with the call; nobody waits for it.
        drop(caller.broker().upsert("History", &json!({"what": kind})));
        drop(caller.broker().upsert("M", &json!({"id": "last", "what": kind})));
    }
    fn on_open(&self, caller: &Caller) {
        self.0.lock().unwrap().push(format!("{} opened {}", caller.client().unwrap_or("nobody"), caller.model()));
    }
    fn on_close(&self, caller: &Caller) {
        self.0.lock().unwrap().push(format!("{} closed {}", caller.client().unwrap_or("nobody"), caller.model()));
    }
}

#[test]
fn what_clients_changed_is_told_and_the_servers_own_writes_are_not() {
    with(Historian::default, async |node: Node| {
        let (peer, listener) = (node.open(), node.open());
        listener.send(json!({"id": 1, "event": "History:subscribe"}));
        listener.only().await;
        node.broker.upsert("M", &json!({"id": "own"})).await.unwrap();
        peer.send(json!({"id": 1, "event": "M:upsert", "data": {"id": "a"}}));
        peer.only().await;
        peer.send(json!({"id": 2, "event": "M:delete", "data": {"id": "nothing there"}}));
        peer.only().await;
        let entries = json!([{"event": "N:upsert", "data": {"id": "n"}}, {"event": "M:upsert", "data": [{"id": "b"}, {"id": "a", "n": 1}]}, {"event": "M:delete", "data": {"id": "b"}}]);
        peer.send(json!({"id": 3, "event": "$batch:commit", "data": entries}));
        peer.only().await;
        let heard: Vec<Value> = listener.seen().await.iter().map(|push| push["data"]["what"].clone()).collect();
        assert_eq!(heard, ["Insert a", "Insert b", "Update a", "Delete b"]);
        let last = node.broker.read_one("M", "last").await.unwrap().unwrap();
        assert_eq!(last.get("what"), Some(json!("Delete b")));
    });
}

#[test]
fn handlers_are_told_who_comes_and_goes_once() {
    let told = Arc::new(Mutex::new(Vec::new()));
    with(
        || Historian(told.clone()),
        async |node: Node| {
            let (peer, silent) = (node.open(), node.open());
            node.hub.borrow_mut().name_client(peer.key, "me").unwrap();
            for _ in 0..2 {
                node.hub.borrow_mut().announce(peer.key);
            }
            peer.close();
            peer.close();
            silent.close();
            let mut told = std::mem::take(&mut *told.lock().unwrap());
            told.sort();
            assert_eq!(told, ["me closed Here", "me closed M", "me opened Here", "me opened M"]);
        },
    );
}

#[test]
fn the_servers_own_code_writes_as_anybody_and_is_heard() {
    with(
        || Careful,
        async |node: Node| {
            let listener = node.open();
            listener.send(json!({"id": 1, "event": "M:read"}));
            listener.only().await;
            let broker = &node.broker;
            let made = broker.upsert("M", &json!({"n": 1000, "x": 1})).await.unwrap();
            let id = made.id().to_owned();
            assert_eq!(made.get("by"), None, "no handler is asked");
            broker.upsert("M", &json!({"id": id, "n": 2})).await.unwrap();
            let replaced = broker.replace("M", &json!({"id": id, "n": 3})).await.unwrap();
            assert_eq!(replaced.json(), format!(r#"{{"id":"{id}","n":3,"_rev":3}}"#));
            let stale = json!({"id": id, "n": 4, "_rev": 1});
            assert_eq!(broker.upsert("M", &stale).await.unwrap_err().code, ErrorCode::Conflict);
            let both = broker.upsert_all("M", [json!({"id": "b", "n": 5}), json!({"id": "c", "n": 6})]).await.unwrap();
            assert_eq!(numbers(&both), [("b".to_owned(), json!(5)), ("c".to_owned(), json!(6))]);
            assert!(broker.upsert_all("M", [json!({"id": "d"}), json!(7)]).await.is_err());
            broker.delete("M", "b").await.unwrap();
            broker.delete("M", "not there").await.unwrap();
            let query = Query::try_from(&json!({"where": {"n": {"$gt": 3}}})).unwrap();
            assert_eq!(numbers(&broker.read("M", query).await.unwrap()), [("c".to_owned(), json!(6))]);
            assert_eq!(broker.read_one("M", "b").await.unwrap(), None);
            assert_eq!(broker.upsert("no name", &json!({})).await.unwrap_err().code, ErrorCode::InvalidModel);
            let heard: Vec<Value> = listener.seen().await.iter().map(|push| push["event"].clone()).collect();
            assert_eq!(heard, ["M:upsert", "M:upsert", "M:upsert", "M:upsert", "M:upsert", "M:delete"]);
        },
    );
}
