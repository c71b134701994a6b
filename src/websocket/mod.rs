//! WebSocket framing (RFC 6455) as pure functions and one small state machine; no I/O.

mod decoder;
mod frame;

pub use decoder::{Decoder, Fault, Received};
pub use frame::{Opcode, append_close_frame, append_frame, append_header};
