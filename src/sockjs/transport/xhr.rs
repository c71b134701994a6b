//! `xhr`, `xhr_streaming`, `xhr_send`: frames as lines.

use super::{JAVASCRIPT, Receiving, Sending, nothing};
use bytes::Bytes;

pub(super) const POLLING: Receiving = Receiving {
    method: "POST",
    content_type: JAVASCRIPT,
    is_poll: true,
    has_callback: false,
    prelude: nothing,
    frame: as_it_is,
};

pub(super) const STREAMING: Receiving = Receiving { is_poll: false, prelude: padding, ..POLLING };

pub(super) const SEND: Sending = Sending { takes_form: false, status: 204, body: "" };

fn as_it_is(line: Bytes, _: &str) -> Bytes {
    line
}

/// Some browsers show nothing of a response before they have so much of it.
fn padding(_: &str) -> Bytes {
    const PADDING: [u8; 2049] = {
        let mut padding = [b'h'; 2049];
        padding[2048] = b'\n';
        padding
    };
    Bytes::from_static(&PADDING)
}
