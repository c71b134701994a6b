//! A server with behaviour of its own: orders are checked and completed, paid ones cannot be deleted, statistics are computed
//! when they are read, and a clock is saved every second by the server itself.
//!
//! ```sh
//! cargo run --example custom_handler &
//! backsync tail Order &
//! backsync send Order:upsert '{"id":"o1","amount":12}'
//! backsync send Order:upsert '{"id":"o2","amount":-1}'        # refused
//! backsync send Statistics:read
//! ```

use backsync::{
    Backsync,
    app::AppError,
    broker::{Broker, Caller, Handler, Step, record_of},
    protocol::{ErrorCode, ErrorObject, Query, Record, RecordId, RecordInput},
    store::{Change, Memory},
};
use serde_json::{Value, json};
use std::{
    net::SocketAddr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// The model `Order`.
struct Orders;

impl Handler for Orders {
    /// An amount is positive. When an order was placed is not for the client to say.
    fn upsert(&self, caller: &Caller, mut order: RecordInput) -> Step<RecordInput, Record> {
        match order.get("amount").as_ref().map(Value::as_f64) {
            None => {}
            Some(Some(amount)) if amount > 0.0 => order.set("placed_at", now()),
            Some(_) => return Step::reject(ErrorCode::InvalidData, "the amount of an order is a number above 0"),
        }
        order.set("by", caller.principal().unwrap_or("anonymous"));
        Step::Continue(order)
    }

    /// A paid order stays. Whether it is paid is in the store: while that is looked up, only this connection waits.
    fn delete(&self, caller: &Caller, id: RecordId) -> Step<RecordId, ()> {
        let order = caller.broker().read_one("Order", id.as_str());
        Step::try_later(async move {
            let is_paid = order.await?.and_then(|order| order.get("paid")) == Some(Value::Bool(true));
            Ok(if is_paid { Step::reject(ErrorCode::Forbidden, "a paid order stays") } else { Step::Continue(id) })
        })
    }

    /// Who listens to the statistics hears that they are others now.
    fn changed(&self, caller: &Caller, _: &Change) {
        let broker = caller.broker().clone();
        actix_rt::spawn(async move {
            if let Ok(statistics) = statistics(&broker).await {
                drop(broker.upsert("Statistics", &statistics));
            }
        });
    }
}

/// The model `Statistics`: nobody writes it, and who reads it has it computed.
struct Statistics;

impl Handler for Statistics {
    fn read(&self, caller: &Caller, _: Query) -> Step<Query, Vec<Record>> {
        let broker = caller.broker().clone();
        Step::try_later(async move {
            let computed = record_of(&statistics(&broker).await?)?;
            Ok(Step::Answer(vec![Record::unstored(&computed)]))
        })
    }

    fn upsert(&self, _: &Caller, _: RecordInput) -> Step<RecordInput, Record> {
        Step::reject(ErrorCode::Forbidden, "statistics are computed, not written")
    }
}

async fn statistics(broker: &Broker) -> Result<Value, ErrorObject> {
    let orders = broker.read("Order", Query::default()).await?;
    let amounts = orders.iter().filter_map(|order| order.get("amount")?.as_f64());
    Ok(json!({"id": "all", "orders": orders.len(), "amount": amounts.sum::<f64>()}))
}

/// A save by the server's own code is broadcast like any other.
async fn keep_time(broker: Broker) {
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    loop {
        seconds.tick().await;
        if let Err(error) = broker.upsert("Clock", &json!({"id": "now", "ms": now()})).await {
            eprintln!("the clock stands still: {error}");
        }
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The server, put together.
pub(crate) fn server(listen: SocketAddr) -> Result<Backsync, AppError> {
    let server = Backsync::builder()
        .store(Memory::default())
        .handler("Order", Orders)
        .handler("Statistics", Statistics)
        .listen(listen)
        .build()?;
    actix_rt::spawn(keep_time(server.broker().clone()));
    Ok(server)
}

fn main() -> Result<(), AppError> {
    let listen = SocketAddr::from(([127, 0, 0, 1], 9000));
    println!("listening on {listen}");
    actix_rt::System::new().block_on(async { server(listen)?.run().await })
}
