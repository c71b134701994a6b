//! The Rust client and the command line over connections that break: nothing is missed, and each write takes effect once.

use crate::{
    client::{Client as Plain, revision},
    proxy::Proxy,
    random::Random,
    server::{HUNG, Process, Server, Setup, StoreKind, client_command},
};
use backsync_client::{
    Change, Changes, Client, ClientError, ClientOptions, Collection, ConflictPolicy, Event, Listen, PendingReply,
    RequestOptions, WriteOptions,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    process::Stdio,
    time::Duration,
};
use tokio::task::spawn_blocking;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Item {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    n: u64,
    even: bool,
}

fn item(n: u64) -> Item {
    Item { id: None, n, even: n.is_multiple_of(2) }
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(HUNG, future).await.expect("it happens soon")
}

/// A client that comes back quickly.
async fn connect(address: SocketAddr) -> Client {
    let options = ClientOptions {
        initial: backsync_client::Initial::KeepTrying,
        backoff_base: Duration::from_millis(1),
        backoff_max: Duration::from_millis(20),
        ..ClientOptions::default()
    };
    soon(Client::connect(&address.to_string(), options)).await.unwrap()
}

/// On another thread, so that requests are on their way meanwhile.
async fn kill_and_restart(mut server: Server) -> Server {
    let restarted = spawn_blocking(move || {
        server.kill();
        server.restart();
        server
    });
    restarted.await.unwrap()
}

/// A request on its way.
async fn start(client: Client, event: String, data: Value) -> PendingReply {
    soon(client.start(&event, &data, RequestOptions::default())).await.unwrap()
}

/// Many writes at once, each of which is a change: insertions without ids, edits and deletions of what was acknowledged.
async fn write(client: &Client, seed: u64, writes: u64) {
    let mut random = Random::seeded(seed);
    let mut known: Vec<String> = Vec::new();
    let mut inserted = Vec::new();
    let mut others = Vec::new();
    for n in 0..writes {
        let chosen = random.below(100);
        let place = usize::try_from(random.below(known.len().max(1) as u64)).unwrap();
        let start = |method: &str, data: Value| start(client.clone(), format!("Item:{method}"), data);
        if known.is_empty() || chosen < 60 {
            inserted.push(start("upsert", serde_json::to_value(item(n)).unwrap()).await);
        } else if chosen < 85 {
            others.push(start("upsert", json!({"id": known[place], "n": n, "even": n % 2 == 0})).await);
        } else {
            others.push(start("delete", json!({"id": known.swap_remove(place)})).await);
        }
        if inserted.len() >= 20 || n + 1 == writes {
            for reply in inserted.drain(..) {
                known.push(soon(reply).await.unwrap().parse::<Item>().unwrap().id.unwrap());
            }
        }
    }
    for reply in others {
        soon(reply).await.unwrap();
    }
}

/// What somebody has who knows a collection only by its changes.
async fn mirror(mut changes: Changes<Item>, last: u64) -> BTreeMap<String, Item> {
    let mut mirror = BTreeMap::new();
    loop {
        match soon(changes.next()).await.expect("the collection lives") {
            Change::Reset { records } => {
                mirror = records.iter().map(|(id, record)| (id.to_string(), (**record).clone())).collect();
            }
            Change::Insert { id, record } => {
                assert_eq!(mirror.insert(id.to_string(), (*record).clone()), None, "{id} was there already");
            }
            Change::Update { id, record, before } => {
                assert_eq!(mirror.insert(id.to_string(), (*record).clone()).as_ref(), Some(&*before));
            }
            Change::Remove { id, record, .. } => assert_eq!(mirror.remove(&*id).as_ref(), Some(&*record)),
            Change::Disconnected | Change::Reconnected => {}
            other => panic!("{other:?}"),
        }
        if mirror.values().any(|item| item.n == last) {
            return mirror;
        }
    }
}

fn by_id(collection: &Collection<Item>) -> BTreeMap<String, Item> {
    collection.entries().iter().map(|(id, record)| (id.to_string(), (**record).clone())).collect()
}

#[tokio::test]
async fn over_cut_connections_collections_equal_the_store_and_each_write_is_applied_once() {
    const WRITES: u64 = 600;
    for (store, seed) in
        [(StoreKind::Memory, 1), (StoreKind::Memory, 2), (StoreKind::Sqlite, 3), (StoreKind::Sqlite, 4)]
    {
        let server = Server::start(Setup::new(store));
        let proxy = Proxy::to(server.address());
        let (reader, writer) = (connect(proxy.address()).await, connect(proxy.address()).await);
        let all = soon(reader.collection::<Item>("Item").open()).await.unwrap();
        let even = soon(reader.collection::<Item>("Item").filter(json!({"even": true})).open()).await.unwrap();
        // This marks the end: an even number, so that both collections have it.
        let mirrors = (tokio::spawn(mirror(all.changes(), WRITES)), tokio::spawn(mirror(even.changes(), WRITES)));

        proxy.cut_at_random(seed);
        proxy.shut();
        proxy.open();
        write(&writer, seed, WRITES).await;
        proxy.calm();
        soon(writer.upsert("Item", &item(WRITES))).await.unwrap();
        let mirrors = (soon(mirrors.0).await.unwrap(), soon(mirrors.1).await.unwrap());
        assert!(proxy.cuts() >= 5, "seed {seed}: only {} cuts", proxy.cuts());

        let mut plain = Plain::connect(&server);
        let reply = plain.ask("Item:read", json!(null));
        assert_eq!(revision(&reply), WRITES + 1, "seed {seed}: each write is one change");
        let stored: Vec<Item> = serde_json::from_value(reply["data"].clone()).unwrap();
        let listed: Vec<Item> = all.iter().map(|item| (*item).clone()).collect();
        assert_eq!(listed, stored, "seed {seed}, {store:?}");
        let stored: BTreeMap<String, Item> = stored.into_iter().map(|item| (item.id.clone().unwrap(), item)).collect();
        assert_eq!(mirrors.0, stored, "seed {seed}, {store:?}");
        let stored: BTreeMap<String, Item> = stored.into_iter().filter(|(_, item)| item.even).collect();
        assert_eq!((by_id(&even), mirrors.1), (stored.clone(), stored), "seed {seed}, {store:?}");
    }
}

#[tokio::test]
async fn records_without_ids_are_there_once_however_often_the_server_is_killed() {
    const WRITES: u64 = 3000;
    let mut server = Server::start(Setup::sqlite().on_a_lasting_port());
    let client = connect(server.address()).await;
    let (acknowledged, mut progress) = tokio::sync::watch::channel(0);
    let writing = tokio::spawn({
        let client = client.clone();
        async move {
            let mut pending = std::collections::VecDeque::new();
            for n in 0..WRITES {
                // Singles, and batches of two.
                let part = |part: u64| json!({"n": n, "part": part});
                let data = if n % 3 == 0 { json!([part(0), part(1)]) } else { part(0) };
                pending.push_back(client.start("Line:upsert", &data, RequestOptions::default()).await.unwrap());
                if pending.len() == 60 {
                    pending.pop_front().unwrap().await.unwrap();
                    acknowledged.send_replace(n);
                }
            }
            for reply in pending {
                reply.await.unwrap();
            }
        }
    });
    let mut random = Random::seeded(5);
    for kill in 0..4 {
        let enough = kill * 700 + random.below(600);
        soon(progress.wait_for(|acknowledged| *acknowledged >= enough)).await.unwrap();
        server = kill_and_restart(server).await;
    }
    soon(writing).await.unwrap();
    soon(client.close()).await;
    let reply = Plain::connect(&server).ask("Line:read", json!(null));
    let stored = reply["data"].as_array().unwrap();
    let wanted: Vec<(u64, u64)> =
        (0..WRITES).flat_map(|n| (0..if n % 3 == 0 { 2 } else { 1 }).map(move |part| (n, part))).collect();
    let stored: Vec<(u64, u64)> =
        stored.iter().map(|record| (record["n"].as_u64().unwrap(), record["part"].as_u64().unwrap())).collect();
    let first_wrong = stored.iter().zip(&wanted).position(|(stored, wanted)| stored != wanted);
    assert_eq!((stored.len(), first_wrong), (wanted.len(), None), "not each record once and in order");
    assert_eq!(revision(&reply), wanted.len() as u64);
}

#[tokio::test]
async fn lines_that_somebody_takes_away_do_not_come_back_when_the_server_is_killed() {
    const PART: usize = 1500;
    const PARTS: usize = 3;
    let mut server = Server::start(Setup::sqlite().on_a_lasting_port());
    let client = connect(server.address()).await;
    let mut lines = soon(client.listen("Line")).await.unwrap();
    let mut command = client_command(&server, &["pipe", "Line", "--raw", "--quiet", "--batch", "50"]);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut pipe = Process(command.spawn().unwrap());
    let mut stdin = pipe.0.stdin.take().unwrap();
    let (mut taken, mut deletions) = (Vec::new(), Vec::new());
    for part in 0..PARTS {
        let text: String = (part * PART..(part + 1) * PART).map(|n| format!("{n}\n")).collect();
        let feed = std::thread::spawn(move || {
            stdin.write_all(text.as_bytes()).unwrap();
            stdin
        });
        let mut killed = false;
        while taken.len() < (part + 1) * PART {
            match soon(lines.next()).await.expect("the client lives") {
                Event::Upsert { record, .. } => {
                    let record: Value = serde_json::from_str(record.get()).unwrap();
                    taken.push(record["message"].as_str().unwrap().to_owned());
                    // Taken away at once: a batch that was stored and not acknowledged would bring it back.
                    let (id, client) = (record["id"].as_str().unwrap().to_owned(), client.clone());
                    deletions.push(tokio::spawn(async move { client.delete("Line", &id).await.map(drop) }));
                }
                Event::Reset { records, .. } => assert!(records.is_empty(), "the history is kept over a kill"),
                _ => {}
            }
            if !killed && part + 1 < PARTS && taken.len() > part * PART + 200 {
                killed = true;
                server = kill_and_restart(server).await;
            }
        }
        stdin = feed.join().unwrap();
    }
    // Events that nobody reads would keep the replies waiting.
    drop((stdin, lines));
    for deletion in deletions {
        soon(deletion).await.unwrap().unwrap();
    }
    assert_eq!(spawn_blocking(move || pipe.wait().code()).await.unwrap(), Some(0));
    let wanted: Vec<String> = (0..PART * PARTS).map(|n| n.to_string()).collect();
    let first_wrong = taken.iter().zip(&wanted).position(|(taken, wanted)| taken != wanted);
    assert_eq!((taken.len(), first_wrong), (wanted.len(), None), "not each line once and in order");
    assert_eq!(Plain::connect(&server).must("Line:read", json!(null)), json!([]));
}

#[tokio::test]
async fn conflicts_and_batches_are_typed() {
    let server = Server::start(Setup::memory().set("models.Item.group", "g").set("models.Other.group", "g"));
    let client = connect(server.address()).await;
    let items = soon(client.collection::<Item>("Item").open()).await.unwrap();
    let first = soon(items.upsert(&item(1))).await.unwrap().unwrap();
    let id = first.id.clone().unwrap();
    // What is answered is in the collection.
    assert_eq!((items.get(&id).as_deref(), items.revision(&id)), (Some(&first), Some(1)));
    soon(items.update(&id, json!({"n": 2}))).await.unwrap();
    let terms = WriteOptions { policy: Some(ConflictPolicy::Merge), base: Some(1), ..WriteOptions::default() };
    match soon(items.update_with(&id, json!({"n": 3}), terms)).await {
        Err(ClientError::Refused(error)) => {
            assert!(error.is_conflict() && error.properties == ["n"], "{error:?}");
            assert_eq!(error.current::<Item>().unwrap().unwrap().n, 2);
        }
        other => panic!("{other:?}"),
    }
    let ours = WriteOptions { prefer: Some(backsync_client::Side::Client), ..terms };
    assert_eq!(soon(items.update_with(&id, json!({"n": 3}), ours)).await.unwrap().unwrap().n, 3);
    let batch = client.batch().upsert("Other", &json!({"id": "x"})).delete("Item", &id);
    let replies = soon(batch.commit()).await.unwrap();
    assert_eq!((replies.len(), items.len()), (2, 0));
    let refused = items.batch().upsert(&item(4)).update_with(&id, json!({"n": 5}), terms);
    match soon(refused.commit()).await {
        Err(ClientError::Refused(error)) => {
            assert_eq!((error.is_conflict(), error.element), (true, Some(1)), "{error:?}");
            assert_eq!(error.current::<Item>().unwrap(), None);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!((items.len(), items.is_empty()), (0, true));
}

/// Lines of a child's output, as they come.
fn lines(output: impl std::io::Read) -> impl Iterator<Item = String> {
    BufReader::new(output).lines().map_while(Result::ok)
}

#[test]
fn tail_shows_after_a_reconnect_exactly_what_was_missed() {
    let server = Server::start(Setup::sqlite());
    let proxy = Proxy::to(server.address());
    let mut writer = Plain::connect(&server);
    let mut put = |id: &str, level: &str| writer.must("Line:upsert", json!({"id": id, "level": level}));
    for (id, level) in [("gone", "error"), ("fixed", "error"), ("other", "info")] {
        put(id, level);
    }
    let filter = r#"{"level":"error"}"#;
    let url = format!("ws://{}/ws", proxy.address());
    let mut command = crate::server::program();
    command.args(["tail", "Line", "--json", "--where", filter, "--url", &url]);
    let mut tail = Process(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    let mut printed = lines(tail.0.stdout.take().unwrap());
    let mut said = lines(tail.0.stderr.take().unwrap());
    let mut next = || -> String {
        let line: Value = serde_json::from_str(&printed.next().unwrap()).unwrap();
        let left = if line["left"] == true { " left" } else { "" };
        format!("{} {}{left}", line["event"].as_str().unwrap(), line["data"]["id"].as_str().unwrap())
    };
    assert_eq!((next(), next()), ("Line:upsert gone".into(), "Line:upsert fixed".into()));
    put("live", "error");
    assert_eq!(next(), "Line:upsert live");
    put("live", "info");
    assert_eq!(next(), "Line:delete live left");

    proxy.shut();
    assert!(said.next().unwrap().ends_with("connection lost; connecting again"));
    for (id, level) in [("fixed", "info"), ("new", "info"), ("other", "error"), ("new", "error")] {
        put(id, level);
    }
    let mut writer = Plain::connect(&server);
    writer.must("Line:delete", json!([{"id": "gone"}]));
    proxy.open();
    // Net, and in this order; nothing twice, and nothing of what was seen before.
    let mut missed = [next(), next()];
    missed.sort();
    assert_eq!(missed, ["Line:delete fixed", "Line:delete gone"]);
    assert_eq!((next(), next()), ("Line:upsert other".into(), "Line:upsert new".into()));
    assert!(said.next().unwrap().ends_with("connected again"));
    writer.must("Line:upsert", json!({"id": "live again", "level": "error"}));
    assert_eq!(next(), "Line:upsert live again");
}

#[test]
fn tail_says_when_the_server_has_forgotten_what_was_missed() {
    let mut server = Server::start(Setup::memory().on_a_lasting_port());
    Plain::connect(&server).must("Line:upsert", json!({"id": "1"}));
    let mut command = client_command(&server, &["tail", "Line", "--deletes"]);
    let mut tail = Process(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    let mut printed = lines(tail.0.stdout.take().unwrap());
    let mut said = lines(tail.0.stderr.take().unwrap());
    assert!(printed.next().unwrap().contains("\"id\":\"1\""));
    server.kill();
    server.restart();
    assert_eq!(printed.next().unwrap(), "- 1");
    let wanted = ["connection lost", "connected again", "no longer knows what was missed"];
    for wanted in wanted {
        let said = said.next().unwrap();
        assert!(said.contains(wanted), "{said}");
    }
}

/// What a listener hears of 3000 insertions while its own connection reads the whole model again and again.
async fn heard_beside_reads(what: Listen) -> usize {
    const RECORDS: usize = 3000;
    let server = Server::start(Setup::memory());
    let (reader, writer) = (connect(server.address()).await, connect(server.address()).await);
    let mut events = soon(reader.listen(what)).await.unwrap();
    assert!(matches!(soon(events.next()).await, Some(Event::Reset { .. })));
    let writing = tokio::spawn(async move {
        let mut replies = Vec::new();
        for n in 0..RECORDS {
            let record = json!({"id": n.to_string(), "even": true});
            replies.push(soon(writer.start("Item:upsert", &record, RequestOptions::default())).await.unwrap());
        }
        for reply in replies {
            soon(reply).await.unwrap();
        }
        soon(writer.upsert("Item", &json!({"id": "the end", "even": true}))).await.unwrap();
    });
    let reading = tokio::spawn({
        let reader = reader.clone();
        async move { while soon(reader.read("Item")).await.unwrap().len() < RECORDS {} }
    });
    let mut heard = 0;
    loop {
        match soon(events.next()).await {
            Some(Event::Upsert { record, .. }) if record.get().contains("the end") => break,
            Some(Event::Upsert { .. }) => heard += 1,
            other => panic!("{other:?}"),
        }
    }
    soon(writing).await.unwrap();
    soon(reading).await.unwrap();
    heard
}

#[tokio::test]
async fn a_look_at_the_model_takes_nothing_from_a_listener_of_the_same_connection() {
    assert_eq!(heard_beside_reads(Listen::to("Item")).await, 3000);
    assert_eq!(heard_beside_reads(Listen::to("Item").filter(&json!({"even": true}))).await, 3000);
}
