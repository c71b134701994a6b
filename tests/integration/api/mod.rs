//! Models over plain HTTP.

/// What is done to records, and under which conditions.
mod records;

/// What references lead to.
mod associations;

/// A record a line.
mod lines;

/// Server-sent events.
mod events;

/// What became of a model since a time.
mod sync;

/// What is wrong, and what is said then.
mod wrong;

use crate::{http::Http, server::Server};

/// A server that has these records.
fn with(model: &str, records: &str) -> (Server, Http) {
    let server = Server::memory();
    let mut http = Http::to(&server);
    assert_eq!(http.json(&format!("POST /api/{model}"), records).status, 200);
    (server, http)
}
