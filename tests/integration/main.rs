//! The whole server from outside: the real program, real sockets, real data directories.
//!
//! Nothing here waits for a length of time: a test waits for an event, and timeouts only end a run that hangs. Each has
//! servers of its own on free ports, and none of them outlives it.
#![forbid(unsafe_code)]

// ---- what the tests stand on ----

/// Starts the program, kills it, starts it again on the same port and data, stops it in order.
mod server;

/// A client for each door that speaks messages, whatever the framing.
mod client;

/// SockJS over HTTP, for that client.
mod fallback;

/// A client of plain HTTP.
mod http;

/// A socket that says exactly the bytes it is told to, also those that no client library would.
mod wire;

/// Random numbers that are the same in every run.
#[expect(dead_code, reason = "units choose in more ways")]
#[path = "../../src/random.rs"]
mod random;

/// A way to the server that can be cut.
mod proxy;

// ---- what the protocol promises ----

/// Replays `protocol/transcripts/*.jsonl` over every door and every store.
mod transcripts;

/// One order for all listeners, replies behind their own pushes, no hole between a read and what follows: under load.
mod order;

/// Models over plain HTTP: the same records, the same listeners.
mod api;

/// Files of somebody's own application.
mod public_files;

// ---- what comes in broken ----

/// Messages that are none: each gets its answer, and harms nobody.
mod bad_messages;

/// Frames that break WebSocket's rules: the close code for each, and harm to nobody.
mod bad_frames;

/// HTTP that breaks its rules, or never ends.
mod bad_requests;

/// Messages compressed on their way.
mod compression;

/// Handshakes that are refused.
mod refused_upgrades;

/// Peers that fall silent, or never read.
mod bad_peers;

/// What a stranger may make grow, and what happens when the store is full.
mod limits;

// ---- several nodes ----

/// SockJS over HTTP where each request may come to another node.
mod nodes;

// ---- within somebody's own program ----

/// The examples: doors mounted into an actix-web application, behaviour of models, a program's log as records.
mod embedding;

// ---- the life of the process ----

/// Starts that must fail, with an exit code and a message that helps.
mod failing_starts;

/// Stopped in order: everybody is told.
mod shutdown;

/// Killed in the middle of work: what was acknowledged is there, and nothing is there twice.
mod killed;

/// Killed twenty times under writers, listeners and people who are present; and when who is present goes.
mod rounds;

/// Whole models as lines, in and out: each record once, also where that is ended in the middle.
mod bulk;

/// Connections that break under the Rust client and the command line: nothing is missed, and each write takes effect once.
mod resume;

// ---- how it is built ----

/// Who may import whom.
mod architecture;

/// What is promised has tests.
mod invariants;
