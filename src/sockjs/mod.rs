//! SockJS 0.3.3 without I/O: its frames, its URLs, its transports, and the life of a session. Time is an argument.
//!
//! Source: the SockJS protocol 0.3.3 text, and what its reference servers do where it is silent.

mod frame;
mod iframe;
mod session;
mod transport;
mod url;

pub use frame::{GREETING, HEARTBEAT, append_line, append_string, append_value, close_frame, info, take_frame};
pub use iframe::iframe;
pub use session::{Attached, BrokenMessages, Session, messages, messages_of_frame};
pub use transport::{Direction, Receiving, Sending, Transport, is_callback};
pub use url::{Address, Prefix, Target, parse, parse_below};
