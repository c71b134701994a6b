//! `eventsource`: frames as server-sent events.

use super::{Receiving, text};
use bytes::Bytes;

pub(super) const STREAMING: Receiving = Receiving {
    method: "GET",
    content_type: "text/event-stream",
    is_poll: false,
    has_callback: false,
    prelude: |_| Bytes::from_static(b"\r\n"),
    frame: event,
};

/// Clients undo percent-encoding; the ends of lines are escaped in frames already.
fn event(line: Bytes, _: &str) -> Bytes {
    let frame = text(&line);
    let mut event = String::with_capacity(frame.len() + 16);
    event.push_str("data: ");
    for (at, part) in frame.split('%').enumerate() {
        if at > 0 {
            event.push_str("%25");
        }
        event.push_str(part);
    }
    event.push_str("\r\n\r\n");
    event.into()
}
