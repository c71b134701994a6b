//! backsync: a message broker for model data. Upsert and delete is the way everything communicates.
//!
//! The modules in reading order. The core (`store`, `bus`, `auth`, `broker`, `sockjs`) knows no web framework;
//! `docs/architecture.md` says who may import whom, and a test holds it.
#![forbid(unsafe_code)]

pub mod auth;
pub mod broker;
pub mod bus;
pub mod sockjs;
pub mod store;
pub mod websocket;

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
