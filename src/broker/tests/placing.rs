//! A node that is told of changes before it knows where the model stands.

use super::{
    lagging::Lagging,
    truth::{Truth, model},
};
use crate::{
    broker::{
        Broker, Framing, Hub, Parts, Progress,
        test_support::{Wire, parts},
    },
    bus::faulty::Faulty,
    random::Random,
    store::Retention,
};
use serde_json::json;
use std::{
    rc::Rc,
    sync::{Arc, Mutex},
};
use tokio::task::{LocalSet, yield_now};

#[test]
fn what_others_tell_while_the_store_is_asked_where_a_model_stands_is_not_lost() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let truth = Arc::new(Mutex::new(Truth::new(true, Retention::default(), usize::MAX, false)));
        let (bus, mut random) = (Arc::new(Faulty::default()), Random::seeded(1));
        let start = || {
            let store = Lagging::new(truth.clone());
            let hub = Hub::new(Broker::new(Parts { bus: bus.clone(), ..parts(store.clone()) }), 0);
            let wire = Rc::new(Wire::default());
            let key = hub.borrow_mut().open(Framing::WebSocket, wire.clone());
            let send = {
                let hub = hub.clone();
                move |message: serde_json::Value| {
                    assert_eq!(hub.borrow_mut().receive(key, &message.to_string()), Progress::Taken);
                }
            };
            (store, hub, wire, send)
        };
        let (here, there) = (start(), start());
        here.3(json!({"id": 1, "event": format!("{}:read", model())}));
        assert!(bus.step(&mut random), "the node hears of the model from now on");
        yield_now().await;
        assert!(here.0.step(&mut random), "the store says where the model stands, and is not heard yet");
        there.3(json!({"id": 1, "event": "M:upsert", "data": {"id": "a"}}));
        for _ in 0..20 {
            bus.step(&mut random);
            there.0.step(&mut random);
            yield_now().await;
        }
        while bus.step(&mut random) {}
        for _ in 0..20 {
            here.0.step(&mut random);
            yield_now().await;
            here.1.borrow_mut().flush();
        }
        let told = here.2.take();
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(told[0]["data"], json!([{"id": "a", "_rev": 1}]));
    });
}
