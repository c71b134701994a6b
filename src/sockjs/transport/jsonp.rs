//! `jsonp`, `jsonp_send`: a script for each frame, and a form for messages.

use super::{JAVASCRIPT, Receiving, Sending, nothing, script_string};
use bytes::Bytes;

pub(super) const POLLING: Receiving = Receiving {
    method: "GET",
    content_type: JAVASCRIPT,
    is_poll: true,
    has_callback: true,
    prelude: nothing,
    frame: call,
};

pub(super) const SEND: Sending = Sending { takes_form: true, status: 200, body: "ok" };

/// The comment keeps the response from being taken for something else; `callback` is a name.
fn call(line: Bytes, callback: &str) -> Bytes {
    format!("/**/{callback}({});\r\n", script_string(&line)).into()
}
