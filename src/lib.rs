//! backsync: a message broker for model data. Upsert and delete is the way everything communicates.
//!
//! The modules in reading order. The core (`store`, `bus`, `auth`, `broker`, `sockjs`) knows no web framework;
//! `docs/architecture.md` says who may import whom, and a test holds it.
#![forbid(unsafe_code)]

pub mod store;
