//! WebSocket's rules, section by section of RFC 6455 and RFC 7692, as streams of a client's bytes and what is heard in them:
//! the same however they are cut. `run.sh` beside this runs another hand's suite.
#![forbid(unsafe_code)]

/// Streams made of frames, and what is heard in them.
mod stream;

/// Section 5: frames, fragments, control frames, reserved bits and opcodes, lengths.
mod framing;

/// Section 8.1: text that is not UTF-8 is noticed with its first wrong byte.
mod text;

/// Sections 5.5.1 and 7.4: the end, and its codes.
mod closing;

/// RFC 7692: compressed messages.
mod compression;
