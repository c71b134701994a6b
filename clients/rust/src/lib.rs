//! A client of the backsync broker: one connection that mends itself, many requests at once, live models.
//!
//! What holds, whatever the network does:
//!
//! - Requests are sent in the order in which they were started, also when they are repeated after a reconnect.
//! - Nothing grows without a bound: [`ClientOptions::max_outstanding`] requests, [`ClientOptions::event_buffer`] events
//!   for each subscription. Where a bound is reached, the caller waits, or the socket is not read.
//! - A request is answered exactly once: with its reply, or with a [`ClientError`] that says what is known.
//!
//! ```no_run
//! use backsync_client::{Client, ClientOptions, Event};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::connect("127.0.0.1:9000", ClientOptions::default()).await?;
//! client.upsert("ChatMessage", &serde_json::json!({"id": "m1", "text": "hello"})).await?;
//!
//! let mut messages = client.listen("ChatMessage").await?;
//! while let Some(event) = messages.next().await {
//!     match event {
//!         Event::Snapshot { records, .. } => println!("{} messages", records.len()),
//!         Event::Upsert { record, .. } => println!("{record}"),
//!         _ => {}
//!     }
//! }
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod address;
mod backoff;
mod client;
mod connection;
mod error;
mod heartbeat;
mod ledger;
mod listeners;
mod message;
mod options;
mod serve;
mod socket;
mod subscription;

pub use address::{DEFAULT_PORT, ServerUrl};
pub use client::{Client, PendingReply, Reply, Status};
pub use error::{ClientError, ConnectError, End, ServerError};
pub use options::{ClientOptions, Initial, RequestOptions, Retry};
pub use subscription::{Event, Subscription};
