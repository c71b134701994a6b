//! WebSocket framing (RFC 6455) and compressed messages (RFC 7692) as pure functions and one small state machine; no I/O.

mod decoder;
mod deflate;
mod frame;
mod negotiate;
mod utf8;

pub use decoder::{Decoder, Fault, Received};
pub use frame::{Opcode, append_close_frame, append_compressed, append_frame, append_header};
pub use negotiate::{Agreed, BrokenHeader, negotiate};
