//! Reads, and what is listened to by them.

use super::*;

/// Whose a record is, is said by the id's beginning; everybody sees their own.
struct Owners(Arc<Mutex<Vec<String>>>);

impl Handler for Owners {
    fn read(&self, caller: &Caller, query: Query) -> Step<Query, Vec<Record>> {
        self.0.lock().unwrap().push(caller.method().unwrap().name().to_owned());
        let Some(client) = caller.client() else {
            return Step::reject(ErrorCode::Forbidden, "say who you are");
        };
        Filter::try_from(&json!({"owner": client})).and_then(|own| Ok(Step::Continue(query.narrow(&own)?))).into()
    }
}

#[test]
fn a_narrowed_read_shows_and_hears_a_part() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    with(
        || Owners(asked.clone()),
        async |node: Node| {
            let (me, stranger) = (node.open(), node.open());
            me.hub.borrow_mut().name_client(me.key, "me").unwrap();
            stranger.send(json!({"id": 1, "event": "M:subscribe"}));
            assert_eq!(code(&stranger.only().await), "forbidden");
            let save = |id: &str, owner: &str| node.broker.upsert("M", &json!({"id": id, "owner": owner, "n": 1}));
            save("a", "me").await.unwrap();
            save("b", "you").await.unwrap();
            me.send(json!({"id": 1, "event": "M:read", "data": {"where": {"n": 1}}}));
            let read = me.only().await;
            assert_eq!((read["data"].as_array().unwrap().len(), &read["data"][0]["id"]), (1, &json!("a")));
            me.send(json!({"id": 2, "event": "M:read", "data": {"id": "b"}}));
            assert_eq!(code(&me.only().await), "not_found");
            save("c", "you").await.unwrap();
            save("d", "me").await.unwrap();
            let push = me.only().await;
            assert_eq!((&push["data"]["id"], &push["filter"]), (&json!("d"), &read["filter"]));
            me.send(json!({"id": 3, "event": "M:unsubscribe", "data": {"where": {"n": 1}}}));
            assert_eq!(me.only().await["data"], json!({}));
            save("e", "me").await.unwrap();
            assert_eq!(me.seen().await, Vec::<Value>::new());
            assert_eq!(stranger.seen().await, Vec::<Value>::new());
            let asked = std::mem::take(&mut *asked.lock().unwrap());
            assert_eq!(asked, ["subscribe", "read", "read", "unsubscribe"]);
        },
    );
}

/// Answers reads by itself when it is told to.
struct Computed(Arc<Notify>);

impl Handler for Computed {
    fn read(&self, caller: &Caller, _: Query) -> Step<Query, Vec<Record>> {
        let (go, broker) = (self.0.clone(), caller.broker().clone());
        Step::try_later(async move {
            let records = broker.read("N", Query::default()).await?;
            go.notified().await;
            let count = crate::broker::record_of(&json!({"id": "count", "n": records.len()}))?;
            Ok(Step::Answer(vec![Record::unstored(&count)]))
        })
    }
}

#[test]
fn an_answered_read_listens_and_misses_nothing_that_happened_meanwhile() {
    let go = Arc::new(Notify::new());
    with(
        || Computed(go.clone()),
        async |node: Node| {
            let peer = node.open();
            node.broker.upsert("N", &json!({"id": "x"})).await.unwrap();
            node.broker.upsert("M", &json!({"id": "count", "n": 0})).await.unwrap();
            peer.send(json!({"id": 1, "event": "M:read"}));
            assert_eq!(peer.seen().await, Vec::<Value>::new());
            node.broker.upsert("M", &json!({"id": "count", "n": 7})).await.unwrap();
            go.notify_one();
            let seen = peer.seen().await;
            assert_eq!(seen.len(), 2, "{seen:#?}");
            assert_eq!(seen[0]["data"], json!([{"id": "count", "n": 1, "_rev": 0}]));
            assert_eq!((&seen[1]["event"], &seen[1]["data"]["n"]), (&json!("M:upsert"), &json!(7)));
            node.broker.delete("M", "count").await.unwrap();
            assert_eq!(peer.only().await["event"], "M:delete");
            // Who comes back with a position is told that this is everything.
            go.notify_one();
            peer.send(json!({"id": 2, "event": "M:read", "data": {"since": seen[1]["position"]}}));
            let again = peer.only().await;
            assert_eq!((&again["reset"], &again["data"][0]["n"]), (&json!(true), &json!(1)));
            go.notify_one();
            peer.send(json!({"id": 3, "event": "M:read", "data": {"id": "count"}, "options": {"listen": false}}));
            assert_eq!(peer.only().await["data"], json!({"id": "count", "n": 1, "_rev": 0}));
        },
    );
}

#[test]
fn a_read_without_a_reply_listens_without_repeating() {
    with(
        || Careful,
        async |node: Node| {
            let quiet = node.open();
            for model in ["M", "N"] {
                node.broker.upsert(model, &json!({"id": "a"})).await.unwrap();
            }
            // What is committed is looked at only when the read has its answer, which covers it.
            node.delivery.abort();
            for model in ["M", "N"] {
                let saving = node.broker.upsert(model, &json!({"id": "a", "n": 1}));
                quiet.send(json!({"event": format!("{model}:read")}));
                saving.await.unwrap();
                assert_eq!(quiet.seen().await, Vec::<Value>::new());
                node.broker.upsert(model, &json!({"id": "a", "n": 2})).await.unwrap();
                assert_eq!(quiet.only().await["data"]["n"], 2);
            }
        },
    );
}

/// What the feed tells somebody since a time: the ids, those of what is gone with a mark, and the time to go on from.
async fn updates(peer: &Peer, since: u64) -> Result<(Vec<String>, u64), String> {
    let asking = peer.hub.borrow_mut().updates(peer.key, "M", since);
    let mut update = asking.await.map_err(|error| error.to_string())?;
    let mut told = Vec::new();
    let mut json = String::new();
    while update.append_next(&mut json) {
        let record: Value = serde_json::from_str(&std::mem::take(&mut json)).unwrap();
        let mark = if record["_removed"] == true { "-" } else { "" };
        told.push(format!("{mark}{}", record["id"].as_str().unwrap()));
    }
    Ok((told, update.now))
}

#[test]
fn a_narrowed_read_is_a_narrowed_feed() {
    with(
        || Owners(Arc::default()),
        async |node: Node| {
            let (me, stranger) = (node.open(), node.open());
            me.hub.borrow_mut().name_client(me.key, "me").unwrap();
            let save = |id: &str, owner: &str| node.broker.upsert("M", &json!({"id": id, "owner": owner}));
            save("a", "me").await.unwrap();
            save("b", "you").await.unwrap();
            assert_eq!(updates(&stranger, 0).await.unwrap_err(), "say who you are");
            let (told, now) = updates(&me, 0).await.unwrap();
            assert_eq!(told, ["a"]);
            save("c", "you").await.unwrap();
            save("d", "me").await.unwrap();
            save("a", "you").await.unwrap();
            let (told, _) = updates(&me, now).await.unwrap();
            assert_eq!(told.iter().filter(|id| !id.starts_with('-')).collect::<Vec<_>>(), ["d"]);
            assert!(told.contains(&"-a".to_owned()), "what is not mine any more is gone: {told:?}");
        },
    );
}

#[test]
fn there_is_no_feed_of_what_is_answered_by_code() {
    let go = Arc::new(Notify::new());
    with(
        || Computed(go.clone()),
        async |node: Node| {
            let me = node.open();
            go.notify_one();
            assert!(updates(&me, 0).await.unwrap_err().contains("no feed"));
        },
    );
}
