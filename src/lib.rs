//! backsync: a message broker for model data. Upsert and delete is the way everything communicates.
//!
//! The program `backsync` is one use of it. Another is within a program of one's own, with behaviour of its own:
//!
//! ```no_run
//! use backsync::{
//!     Backsync,
//!     broker::{Caller, Handler, Step},
//!     protocol::{ErrorCode, Record, RecordInput},
//!     store::Memory,
//! };
//!
//! struct ChatMessages;
//!
//! impl Handler for ChatMessages {
//!     fn upsert(&self, caller: &Caller, mut message: RecordInput) -> Step<RecordInput, Record> {
//!         if !message.has("text") {
//!             return Step::reject(ErrorCode::InvalidData, "a message has a text");
//!         }
//!         message.set("from", caller.principal().unwrap_or("somebody"));
//!         Step::Continue(message)
//!     }
//! }
//!
//! # #[cfg(feature = "server")]
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let server = Backsync::builder().store(Memory::default()).handler("ChatMessage", ChatMessages).build()?;
//! server.broker().upsert("ChatMessage", &serde_json::json!({"text": "welcome"})).await?;
//! server.run().await?;
//! # Ok(())
//! # }
//! ```
//!
//! [`Backsync::mount`] puts it into an actix-web application instead. `examples/` has more.
//!
//! The modules in reading order. The core (`store`, `bus`, `directory`, `auth`, `broker`, `sockjs`) knows no web framework;
//! `docs/architecture.md` says who may import whom, and a test holds it.
#![forbid(unsafe_code)]

pub mod auth;
pub mod broker;
pub mod bus;
pub mod directory;
pub mod link;
pub mod sockjs;
pub mod store;
pub mod websocket;

#[cfg(test)]
mod random;
/// A Redis of the tests' own.
#[cfg(test)]
#[path = "../tests/redis/mod.rs"]
mod real_redis;

#[cfg(feature = "server")]
pub mod app;
#[cfg(feature = "server")]
pub mod cli;
#[cfg(feature = "server")]
pub mod server;
#[cfg(feature = "server")]
pub mod settings;
#[cfg(feature = "server")]
pub mod telemetry;

#[cfg(feature = "server")]
pub use app::{Backsync, Builder};
pub use backsync_protocol as protocol;
