//! The wire values of the backsync protocol: what `PROTOCOL.md` beside this crate says, as types.
//!
//! Nothing here does I/O, knows a clock or waits. Everything borrowed from a received message stays raw JSON text until
//! somebody needs it parsed, so that numbers of any size, and text of any kind, go through unharmed.
#![forbid(unsafe_code)]

mod attributes;
pub mod close;
pub mod conflict;
pub mod cursor;
pub mod error;
pub mod event;
pub mod filter;
pub mod json;
pub mod message;
pub mod name;
mod options;
mod over;
pub mod position;
pub mod query;
#[cfg(test)]
mod random;
pub mod record;
mod scan;
mod walk;

pub use close::CloseCode;
pub use conflict::{ConflictPolicy, Side};
pub use cursor::Cursor;
pub use error::{ErrorCode, ErrorObject};
pub use event::{Event, Method};
pub use filter::{Filter, FilterLimits, Sort};
pub use message::{Incoming, MessageError, Request};
pub use name::{ModelName, RecordId};
pub use options::Options;
pub use position::{Epoch, Position, Revision};
pub use query::{Query, Since, Which};
pub use record::{Record, RecordInput};

/// The version that a server names and a client may ask for.
pub const PROTOCOL_VERSION: u32 = 1;
