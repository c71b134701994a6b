//! A client of the backsync broker: one connection that mends itself, many requests at once, live models.
//!
//! What holds, whatever the network does:
//!
//! - Requests are sent in the order in which they were started, also when they are repeated after a reconnect, and the server
//!   knows a repeated write by the client's name and the request's id: it takes effect once, within the bounds that
//!   [`Retry::Repeat`] tells.
//! - A request is answered exactly once: with its reply, or with a [`ClientError`] that says what is known.
//! - Who listens hears every change once and in order, over lost connections too; where the server no longer knows what was
//!   missed, there are all records anew.
//! - After a reconnect the listening comes first and then the writes, so nobody misses the changes of what is repeated.
//! - Nothing grows without a bound: [`ClientOptions::max_outstanding`] requests, [`ClientOptions::event_buffer`] events
//!   for each subscription. Where a bound is reached, the caller waits, or the socket is not read. Readers of a
//!   [`Collection`] who fall behind are given all records anew.
//!
//! # Typed records, kept as they are on the server
//!
//! ```no_run
//! use backsync_client::{Client, ClientOptions};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize)]
//! struct Message {
//!     id: String,
//!     text: String,
//! }
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::connect("127.0.0.1:9000", ClientOptions::default()).await?;
//! let messages = client.collection::<Message>("ChatMessage").open().await?;
//! messages.upsert(&Message { id: "m1".into(), text: "hello".into() }).await?;
//! for message in &messages {
//!     println!("{}", message.text);
//! }
//! client.close().await;
//! # Ok(())
//! # }
//! ```
//!
//! # Events, as they come
//!
//! ```no_run
//! use backsync_client::{Client, ClientOptions, Event, Listen};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::connect("127.0.0.1:9000", ClientOptions::default()).await?;
//! let of_ada = Listen::to("ChatMessage").filter(&serde_json::json!({"from": "ada"}));
//! let mut messages = client.listen(of_ada).await?;
//! while let Some(event) = messages.next().await {
//!     match event {
//!         Event::Reset { records, .. } => println!("{} messages", records.len()),
//!         Event::Upsert { record, .. } => println!("{record}"),
//!         Event::Delete { id, left, .. } => println!("{id} {}", if left { "is of somebody else" } else { "is gone" }),
//!         _ => {}
//!     }
//! }
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod address;
mod backoff;
mod batch;
mod client;
mod collection;
mod connection;
mod error;
mod heartbeat;
mod ledger;
mod listen;
mod listeners;
mod message;
mod naming;
mod options;
mod record;
mod reply;
mod serve;
mod socket;
mod subscription;
mod write;

pub use address::{DEFAULT_PORT, ServerUrl};
pub use backsync_protocol::{ConflictPolicy, Side};
pub use batch::Batch;
pub use client::{Client, Status};
pub use collection::{Change, Changes, Collection, CollectionBatch, CollectionBuilder};
pub use error::{ClientError, ConnectError, End, ServerError};
pub use listen::Listen;
pub use naming::ClientName;
pub use options::{ClientOptions, Initial, RequestOptions, Retry};
pub use reply::{PendingReply, Reply};
pub use subscription::{Event, Subscription};
pub use write::WriteOptions;
