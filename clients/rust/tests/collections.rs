//! Typed collections: what is in them, what they tell, and what they do with what they cannot read.
#![forbid(unsafe_code)]

#[allow(dead_code, unreachable_pub)]
mod support;

use backsync_client::{Change, Changes, Client, ClientError, Collection};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use support::{MockServer, Peer, quick, soon};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Person {
    id: String,
    age: u32,
}

/// A collection with these records.
async fn open(client: &Client, peer: &mut Peer, records: Value, more: Value) -> Collection<Person> {
    let answer = async {
        let id = peer.expect("A:read").await;
        peer.reply_with(&id, records, more).await;
    };
    let (opened, ()) = tokio::join!(soon(client.collection::<Person>("A").open()), answer);
    opened.unwrap()
}

/// The next change, written short.
async fn told(changes: &mut Changes<Person>) -> String {
    match soon(changes.next()).await {
        Some(Change::Reset { records }) => {
            format!("reset {}", records.iter().map(|(id, _)| &**id).collect::<Vec<_>>().join(","))
        }
        Some(Change::Insert { id, record }) => format!("insert {id} {}", record.age),
        Some(Change::Update { id, record, before }) => format!("update {id} {} {}", before.age, record.age),
        Some(Change::Remove { id, left, .. }) => format!("remove {id}{}", if left { " left" } else { "" }),
        Some(Change::Invalid { id, .. }) => format!("invalid {}", id.unwrap()),
        Some(Change::Disconnected) => "disconnected".to_owned(),
        Some(Change::Reconnected) => "reconnected".to_owned(),
        Some(Change::Failed(error)) => format!("failed {}", error.code),
        Some(other) => panic!("{other:?}"),
        None => "end".to_owned(),
    }
}

fn ids(collection: &Collection<Person>) -> String {
    collection.iter().map(|person| person.id.clone()).collect::<Vec<_>>().join(",")
}

#[tokio::test]
async fn a_collection_follows_its_model_over_a_lost_connection() {
    let server = MockServer::bind().await;
    let (client, mut peer) = server.client(quick()).await;
    let people = open(&client, &mut peer, json!([{"id": "ada", "age": 36, "_rev": 4}]), json!({})).await;
    assert_eq!((people.len(), people.revision("ada"), people.is_live()), (1, Some(4), true));
    let mut changes = people.changes();
    assert_eq!(told(&mut changes).await, "reset ada");
    peer.push("A:upsert", json!({"id": "bob", "age": 7})).await;
    assert_eq!(told(&mut changes).await, "insert bob 7");
    drop(peer);
    assert_eq!(told(&mut changes).await, "disconnected");
    assert!(!people.is_live() && ids(&people) == "ada,bob");
    let mut peer = server.accept().await;
    peer.answer_since(1, 5, json!([{"id": "bob", "age": 8}, {"id": "eve", "age": 1}]), json!(["ada", "unheard of"]))
        .await;
    for change in ["reconnected", "remove ada", "update bob 7 8", "insert eve 1"] {
        assert_eq!(told(&mut changes).await, change);
    }
    assert_eq!((ids(&people), people.get("bob").unwrap().age), ("bob,eve".to_owned(), 8));
    drop(people);
    assert_eq!(told(&mut changes).await, "end");
    peer.expect("A:unsubscribe").await;
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_told_and_the_stream_goes_on() {
    let server = MockServer::bind().await;
    let (client, mut peer) = server.client(quick()).await;
    let begin = json!([{"id": "ada", "age": 36}, {"id": "odd", "age": "old"}]);
    let people = open(&client, &mut peer, begin, json!({})).await;
    assert_eq!((people.len(), people.unreadable(), people.get("odd")), (1, 1, None));
    let mut changes = people.changes();
    peer.push("A:upsert", json!({"id": "ada", "age": -1})).await;
    peer.push("A:upsert", json!({"id": "odd", "age": 9})).await;
    for change in ["reset ada", "invalid ada", "insert odd 9"] {
        assert_eq!(told(&mut changes).await, change);
    }
    assert_eq!(ids(&people), "odd");
}

#[tokio::test]
async fn what_was_written_and_answered_is_in_the_collection() {
    let server = MockServer::bind().await;
    let (client, mut peer) = server.client(quick()).await;
    let people = open(&client, &mut peer, json!([]), json!({})).await;
    for n in 0..50 {
        let person = Person { id: n.to_string(), age: n };
        let serve = async {
            let request = peer.request().await;
            peer.push("A:upsert", request["data"].clone()).await;
            peer.reply(&request["id"], request["data"].clone()).await;
        };
        let (stored, ()) = tokio::join!(soon(people.upsert(&person)), serve);
        assert_eq!(stored.unwrap().as_ref(), Some(&person));
        // Without a moment for anybody else.
        assert_eq!(people.get(&person.id).as_deref(), Some(&person));
    }
}

#[tokio::test]
async fn writes_say_what_the_protocol_wants() {
    let server = MockServer::bind().await;
    let (client, mut peer) = server.client(quick()).await;
    let people = open(&client, &mut peer, json!([]), json!({})).await;
    let serve = async {
        let update = peer.request().await;
        assert_eq!((&update["event"], &update["data"]), (&json!("A:upsert"), &json!({"id": "ada", "age": 37})));
        // It lost to a deletion.
        peer.reply(&update["id"], json!(null)).await;
        let delete = peer.request().await;
        assert_eq!((&delete["event"], &delete["data"]), (&json!("A:delete"), &json!({"id": "ada"})));
        peer.reply(&delete["id"], json!({})).await;
        let batch = peer.request().await;
        let entries = json!([{"event": "A:upsert", "data": {"id": "ada", "age": 1}}, {"event": "A:delete", "data": {"id": "bob"}}]);
        assert_eq!(batch["data"], entries);
        peer.reply(&batch["id"], json!([{"data": {}}, {"data": {}}])).await;
    };
    let write = async {
        assert_eq!(soon(people.update("ada", json!({"age": 37}))).await.unwrap(), None);
        soon(people.delete("ada")).await.unwrap();
        let batch = people.batch().upsert(&Person { id: "ada".into(), age: 1 }).delete("bob");
        assert_eq!(soon(batch.commit()).await.unwrap().len(), 2);
    };
    tokio::join!(serve, write);
}

#[tokio::test]
async fn a_slow_reader_delays_nobody_and_begins_anew() {
    let server = MockServer::bind().await;
    let (client, mut peer) = server.client(quick()).await;
    let answer = async {
        peer.answer_read("A", json!([])).await;
    };
    let opening = client.collection::<Person>("A").change_buffer(2).open();
    let (people, ()) = tokio::join!(soon(opening), answer);
    let people = people.unwrap();
    let (mut slow, mut quick) = (people.changes(), people.changes());
    assert_eq!((told(&mut slow).await.as_str(), told(&mut quick).await.as_str()), ("reset ", "reset "));
    for n in 0..50 {
        peer.push("A:upsert", json!({"id": n.to_string(), "age": n})).await;
        assert_eq!(told(&mut quick).await, format!("insert {n} {n}"));
    }
    for change in ["insert 0 0", "insert 1 1"] {
        assert_eq!(told(&mut slow).await, change);
    }
    let all = (0..50).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    assert_eq!(told(&mut slow).await, format!("reset {all}"));
    peer.push("A:delete", json!({"id": "7"})).await;
    assert_eq!(told(&mut slow).await, "remove 7");
}

#[tokio::test]
async fn a_bounded_model_is_bounded_here_too() {
    let server = MockServer::bind().await;
    let (client, mut peer) = server.client(quick()).await;
    let begin = json!([{"id": "1", "age": 1}, {"id": "2", "age": 1}]);
    let people = open(&client, &mut peer, begin, json!({"max_records": 2})).await;
    let mut changes = people.changes();
    peer.push("A:upsert", json!({"id": "3", "age": 1})).await;
    for change in ["reset 1,2", "insert 3 1", "remove 1"] {
        assert_eq!(told(&mut changes).await, change);
    }
    assert_eq!(ids(&people), "2,3");
}

#[tokio::test]
async fn who_may_not_read_has_no_collection() {
    let server = MockServer::bind().await;
    let (client, mut peer) = server.client(quick()).await;
    let refuse = async {
        let id = peer.expect("A:read").await;
        let error = json!({"code": "forbidden", "message": "not yours", "retry": false});
        peer.send(json!({"id": id, "event": "A:read", "data": null, "error": error})).await;
    };
    let (opened, ()) = tokio::join!(soon(client.collection::<Person>("A").open()), refuse);
    assert!(matches!(opened, Err(ClientError::Refused(error)) if error.code == "forbidden"));
    // Somebody who is refused later is told, and keeps what was known.
    let people = open(&client, &mut peer, json!([{"id": "1", "age": 1}]), json!({})).await;
    let mut changes = people.changes();
    assert_eq!(told(&mut changes).await, "reset 1");
    drop(peer);
    let mut peer = server.accept().await;
    let id = peer.expect("A:read").await;
    let error = json!({"code": "forbidden", "message": "no longer", "retry": false});
    peer.send(json!({"id": id, "event": "A:read", "data": null, "error": error})).await;
    for change in ["disconnected", "failed forbidden", "end"] {
        assert_eq!(told(&mut changes).await, change);
    }
    assert_eq!(told(&mut people.changes()).await, "reset 1");
    assert_eq!((people.failure().unwrap().code.as_str(), ids(&people).as_str()), ("forbidden", "1"));
}

#[tokio::test]
async fn the_end_of_the_client_is_the_end_of_the_changes() {
    let server = MockServer::bind().await;
    let (client, mut peer) = server.client(quick()).await;
    let people = open(&client, &mut peer, json!([]), json!({})).await;
    let mut changes = people.changes();
    assert_eq!(told(&mut changes).await, "reset ");
    soon(client.close()).await;
    assert_eq!(told(&mut changes).await, "end");
    assert!(matches!(soon(people.delete("1")).await, Err(ClientError::Ended(_))));
}
