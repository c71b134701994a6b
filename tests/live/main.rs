//! Several servers over a real Redis, and what goes wrong with each of them: real programs, real sockets, real kills.
#![forbid(unsafe_code)]

// ---- what the tests stand on ----

/// A real Redis, in each of its topologies.
#[path = "../redis/mod.rs"]
mod redis;

/// The program as a child process.
#[allow(dead_code, reason = "the tests from outside take more of it")]
#[path = "../integration/server.rs"]
mod server;

/// Random numbers that are the same in every run.
#[expect(dead_code, reason = "units choose in more ways")]
#[path = "../../src/random.rs"]
mod random;

/// A way to Redis that can swallow what is said.
mod proxy;

/// That the Redis of the tests is what they take it for.
mod topologies;

// ---- nodes together ----

/// What `deploy/two-nodes.sh` starts, and the command line on it.
mod two_nodes;

// ---- nodes together while things go wrong ----

/// The nodes, each of which has several lives.
mod fleet;

/// A WebSocket to one of them.
mod connection;

/// What everybody in a run shares: the nodes, what was counted, and what was seen.
mod world;

/// Clients that write, and repeat what they do not know the outcome of.
mod writer;

/// Clients that listen, and go on from where they were.
mod listener;

/// People who are present, and people who were.
mod presence;

/// What goes wrong, and is mended again.
mod faults;

/// What has to be so when everything is quiet.
mod judge;

/// The runs.
mod runs;
