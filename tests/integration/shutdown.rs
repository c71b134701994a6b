//! Stopped in order: everybody is told to come back, and what was acknowledged is there afterwards.

use crate::{
    client::{Client, Door, Seen},
    server::{Server, Setup},
};
use serde_json::json;
use std::collections::HashSet;

#[test]
fn everybody_is_told_and_the_exit_is_clean() {
    let mut server = Server::start(Setup::sqlite());
    let mut clients = Door::ALL.map(|door| Client::through(door, server.address()));
    clients.iter_mut().for_each(|client| drop(client.must("Kept:subscribe", json!(null))));
    server.ask_to_stop();
    for client in &mut clients {
        let notice = client.receive();
        assert_eq!(notice["event"], "$session:close", "{notice}");
        assert_eq!((&notice["data"]["code"], &notice["data"]["reconnect"]), (&json!("shutdown"), &json!(true)));
        let reason = notice["data"]["reason"].as_str().unwrap();
        assert_eq!(client.see(), Seen::Closed { code: 1001, reason: reason.to_owned() });
    }
    // They go when they have read it.
    drop(clients);
    assert!(server.ended().success(), "{:#?}", server.log());
}

#[test]
fn writes_in_the_middle_of_a_shutdown_are_done_or_not_acknowledged() {
    let mut server = Server::start(Setup::sqlite().on_a_lasting_port());
    let mut client = Client::connect(&server);
    for n in 0..2000 {
        client.send(&json!({"id": n, "event": "Kept:upsert", "data": {"id": n}}));
    }
    let mut acknowledged = HashSet::new();
    loop {
        match client.see() {
            Seen::Message(message) if message["event"] == "Kept:upsert" && message.get("error").is_none() => {
                acknowledged.insert(message["data"]["id"].as_str().unwrap().to_owned());
                if acknowledged.len() == 100 {
                    server.ask_to_stop();
                }
            }
            Seen::Message(message) => {
                let notice = message["event"] == "$session:close" || message["error"]["code"] == "shutting_down";
                assert!(notice, "{message}");
            }
            Seen::Closed { code, .. } => break assert_eq!(code, 1001),
            Seen::Lost => panic!("closed without a word"),
        }
    }
    drop(client);
    assert!(server.ended().success());
    server.restart();
    let records = Client::connect(&server).must("Kept:read", json!(null));
    let kept: HashSet<_> = records.as_array().unwrap().iter().map(|r| r["id"].as_str().unwrap().to_owned()).collect();
    assert!(acknowledged.is_subset(&kept), "{:?} are lost", acknowledged.difference(&kept));
}
