//! The log of a program of one's own as records that can be watched live: `tracing` events become records of the model `AppLog`,
//! of a server within this process or of one elsewhere.
//!
//! ```sh
//! cargo run --example tracing_layer                            # its own server; open http://127.0.0.1:9000/?model=AppLog
//! cargo run --example tracing_layer ws://127.0.0.1:9000/ws     # to a server that runs
//! ```

use backsync::{
    Backsync,
    store::Memory,
    telemetry::{Lines, ServerLogLayer},
};
use backsync_client::{Client, ClientOptions};
use std::{error::Error, net::SocketAddr, time::Duration};
use tracing_subscriber::{filter::LevelFilter, layer::SubscriberExt};

const MODEL: &str = "AppLog";

/// A server within this process keeps the lines.
pub(crate) fn server(listen: SocketAddr, lines: Lines) -> Result<Backsync, Box<dyn Error>> {
    let server = Backsync::builder().store(Memory::default()).listen(listen).build()?;
    server.keep_log(MODEL, lines)?;
    Ok(server)
}

/// A server elsewhere is sent them, as many at once as have come. While it cannot be reached, as many lines as the layer's queue
/// holds wait; the first that comes through after that says how many are lost.
pub(crate) async fn send(url: &str, mut lines: Lines) -> Result<(), Box<dyn Error>> {
    let client = Client::connect(url, ClientOptions::default()).await?;
    let mut batch = Vec::new();
    while lines.next_batch(&mut batch, 256).await > 0 {
        let records: Vec<_> = batch.drain(..).map(|line| line.to_json()).collect();
        client.upsert(MODEL, &records).await?;
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    actix_rt::System::new().block_on(run())
}

async fn run() -> Result<(), Box<dyn Error>> {
    let (layer, lines) = ServerLogLayer::new();
    // As any layer, beside others and below filters.
    let to_stderr = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let subscriber = tracing_subscriber::registry().with(to_stderr).with(layer);
    tracing::subscriber::set_global_default(subscriber.with(LevelFilter::INFO))?;
    actix_rt::spawn(work());
    match std::env::args().nth(1) {
        Some(url) => send(&url, lines).await,
        None => Ok(server(([127, 0, 0, 1], 9000).into(), lines)?.run().await?),
    }
}

/// What the program is for.
async fn work() {
    for number in 1_u64.. {
        tokio::time::sleep(Duration::from_millis(700)).await;
        let span = number % 7;
        if span == 0 {
            tracing::warn!(number, queue = "mail", "a job took long");
        } else {
            tracing::info!(number, queue = "mail", elapsed_ms = span * 3, "a job is done");
        }
    }
}
