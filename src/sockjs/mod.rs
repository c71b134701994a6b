//! SockJS 0.3.3 without I/O: its frames, its URLs, and the life of a session. Time is an argument.
//!
//! Source: the SockJS protocol 0.3.3 text, and what its reference servers do where it is silent.

mod frame;
mod session;
mod url;

pub use frame::{append_string, close_frame, greeting, info};
pub use session::{BrokenMessage, Session};
pub use url::{Address, Prefix, Target, Transport, parse};
