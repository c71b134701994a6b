//! Whatever is answered when, every listener sees an exact segment of the log.
//!
//! Two hubs, some connections that come and go, listen to everything or with filters and resume where they were, and a
//! store whose work and whose answers are let through one by one, all driven by a seeded random choice in one thread.

use super::{
    client::{Ask, Client, View, something},
    lagging::Lagging,
};
use crate::{
    broker::{
        Broker, Framing, Hub, Parts, Progress,
        test_support::{Wire, parts},
    },
    random::Random,
    store::{Memory, Read, Retention, Store},
};
use backsync_protocol::{Filter, FilterLimits, ModelName};
use serde_json::Value;
use std::{collections::BTreeMap, rc::Rc};
use tokio::task::LocalSet;

async fn run(seed: u64) {
    let context = format!("seed {seed}");
    let mut random = Random::seeded(seed);
    // Little is kept, so that who comes back meets every kind of answer.
    let retention = Retention { log_entries: 6, tombstones: 2, ..Retention::default() };
    let memory = Memory::new(if seed.is_multiple_of(3) { retention } else { Retention::default() });
    let store = Lagging::over(memory);
    let broker = Broker::new(Parts { workers: 2, ..parts(store.clone()) });
    let hubs = [Hub::new(broker.clone(), 0), Hub::new(broker, 1)];
    let connect = |hub: usize| {
        let wire = Rc::new(Wire::default());
        (hubs[hub].borrow_mut().open(Framing::WebSocket, wire.clone()), wire)
    };
    let mut clients: Vec<Client> = (0..4)
        .map(|n| {
            let (key, wire) = connect(n % 2);
            let to_send = (0..14).map(|_| something(&mut random)).collect();
            let (sent, views, lost) = Default::default();
            Client { hub: n % 2, key, wire, to_send, sent, next: 0, views, lost }
        })
        .collect();
    let mut quiet = 0;
    loop {
        let sending: Vec<usize> = (0..clients.len()).filter(|n| !clients[*n].to_send.is_empty()).collect();
        let moved = match random.index(4) {
            0 | 1 if !sending.is_empty() => {
                let client = &mut clients[sending[random.index(sending.len())]];
                if let Ask::Reconnect = client.to_send[0] {
                    hubs[client.hub].borrow_mut().remove(client.key);
                    // What was on its way to it is lost, also resumptions that were.
                    client.sent.drain(..).for_each(|(_, ask)| {
                        if let Ask::Resume(view) = ask {
                            client.lost.push(view);
                        }
                    });
                    client.lost.extend(std::mem::take(&mut client.views).into_values());
                    (client.key, client.wire) = connect(client.hub);
                    client.to_send.pop_front();
                    let later = std::mem::take(&mut client.to_send).into_iter();
                    let later = later.filter_map(|ask| match ask {
                        Ask::Resume(view) => {
                            client.lost.push(view);
                            None
                        }
                        other => Some(other),
                    });
                    let later: Vec<Ask> = later.collect();
                    // The same was perhaps restored twice; the newer view is as good.
                    let mut restored: Vec<View> = Vec::new();
                    for view in client.lost.drain(..) {
                        match restored.iter_mut().find(|known| known.filter == view.filter) {
                            Some(known) if known.position.revision < view.position.revision => *known = view,
                            Some(_) => {}
                            None => restored.push(view),
                        }
                    }
                    client.to_send = restored.into_iter().map(Ask::Resume).chain(later).collect();
                } else {
                    let text = client.to_send[0].message(client.next);
                    if hubs[client.hub].borrow_mut().receive(client.key, &text) == Progress::Taken {
                        client.sent.push_back((client.next, client.to_send.pop_front().unwrap()));
                        client.next += 1;
                    }
                }
                true
            }
            2 => {
                hubs[random.index(2)].borrow_mut().flush();
                !sending.is_empty()
            }
            _ => store.step(&mut random),
        };
        tokio::task::yield_now().await;
        clients.iter_mut().for_each(|client| client.take_in(&context));
        let all_answered = clients.iter().all(|client| client.to_send.is_empty() && client.sent.is_empty());
        // Writes of lost connections are done too; who answers may ask again.
        quiet = if !moved && all_answered && store.is_idle() { quiet + 1 } else { 0 };
        if quiet > 3 {
            break;
        }
    }
    hubs.iter().for_each(|hub| hub.borrow_mut().flush());
    let model = ModelName::parse("M").unwrap();
    for client in &mut clients {
        client.take_in(&context);
        for view in client.views.values() {
            let filter = view.filter.as_ref().map(|filter| {
                let text = filter.to_string();
                Filter::parse(serde_json::from_str(&text).unwrap(), &FilterLimits::default()).unwrap()
            });
            let truth = store.memory.read(&model, Read { filter, ..Read::default() }).await.unwrap();
            let truth = truth.records.iter().map(|r| (r.id().to_owned(), serde_json::from_str(r.json()).unwrap()));
            let truth: BTreeMap<String, Value> = truth.collect();
            assert_eq!(view.records, truth, "{context}: at rest a listener's view is the store's");
        }
    }
}

#[test]
fn listeners_see_exact_segments_of_the_log_however_slow_the_store_is() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for seed in 0..2000 {
        LocalSet::new().block_on(&runtime, run(seed));
    }
}
