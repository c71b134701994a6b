//! One worker's hub, and the tasks that serve all of its connections at once.

use super::Doors;
use crate::broker::Hub;
use backsync_protocol::CloseCode;
use std::{cell::RefCell, rc::Rc, sync::Arc, time::Duration};
use tokio::{sync::watch, time::MissedTickBehavior};

/// A turn of the heartbeat wheel.
const TURN: Duration = Duration::from_secs(1);

/// A worker's own things.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) hub: Rc<RefCell<Hub>>,
    pub(super) doors: Arc<Doors>,
}

impl Worker {
    /// Make the hub and start its tasks; they end with the worker's thread.
    pub(super) fn start(doors: Arc<Doors>, index: usize) -> Rc<Self> {
        let hub = Hub::new(doors.broker.clone(), index);
        actix_rt::spawn(Hub::run(hub.clone()));
        actix_rt::spawn(beat(hub.clone(), doors.options.heartbeat, doors.options.timeout));
        actix_rt::spawn(close_when_stopping(hub.clone(), doors.stopping.subscribe()));
        Rc::new(Self { hub, doors })
    }
}

/// One timer for all: each second another share of the connections has its turn.
async fn beat(hub: Rc<RefCell<Hub>>, interval: Duration, timeout: Duration) {
    let turns = usize::try_from(interval.as_secs().max(1)).expect("a heartbeat interval of at most an hour");
    let patience = u8::try_from(timeout.as_secs().div_ceil(interval.as_secs().max(1))).unwrap_or(u8::MAX);
    let mut clock = tokio::time::interval(TURN);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut turn = 0;
    loop {
        clock.tick().await;
        hub.borrow_mut().heartbeat(turn, turns, patience);
        turn = (turn + 1) % turns;
    }
}

async fn close_when_stopping(hub: Rc<RefCell<Hub>>, mut stop: watch::Receiver<bool>) {
    // An error means that the server itself is gone.
    if stop.wait_for(|stopping| *stopping).await.is_ok() {
        hub.borrow_mut().close_all(CloseCode::GoingAway, "the server is shutting down", Some(("shutdown", true)));
    }
}
