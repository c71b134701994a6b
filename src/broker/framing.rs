//! How a message is wrapped for the sockets: finished bytes, made once for all who share a framing.

use crate::{
    sockjs,
    websocket::{Opcode, append_close_frame, append_compressed, append_frame, append_header},
};
use backsync_protocol::message;
use std::borrow::Cow;

/// The framings in use by listeners; each has a row in [`Framing::ALL`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// One message, one WebSocket text frame.
    WebSocket,
    /// SockJS in a WebSocket, messages as JSON values: `a[{…}]`.
    SockJsValues,
    /// SockJS in a WebSocket, messages as JSON strings: `a["{…}"]`.
    SockJsStrings,
    /// SockJS over HTTP: the same frames as lines, which the transport of the moment dresses.
    SockJsValueLines,
    /// Lines with messages as JSON strings.
    SockJsStringLines,
    /// [`Self::WebSocket`], compressed from a certain size on.
    CompressedWebSocket,
    /// [`Self::SockJsValues`], compressed from a certain size on.
    CompressedSockJsValues,
    /// [`Self::SockJsStrings`], compressed from a certain size on.
    CompressedSockJsStrings,
    /// One message a line, for a request that stays within HTTP. Replies say what HTTP wants to know beside.
    Lines,
    /// Server-sent events: `data` is the message, and `id` its position, where it has one.
    Events,
}

impl Framing {
    /// All of them; the place in it is [`Self::index`].
    pub const ALL: [Self; 10] = [
        Self::WebSocket,
        Self::SockJsValues,
        Self::SockJsStrings,
        Self::SockJsValueLines,
        Self::SockJsStringLines,
        Self::CompressedWebSocket,
        Self::CompressedSockJsValues,
        Self::CompressedSockJsStrings,
        Self::Lines,
        Self::Events,
    ];

    /// A small number for tables.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The same, for a client that takes compressed messages.
    #[must_use]
    pub const fn compressed(self) -> Self {
        match self {
            Self::WebSocket | Self::CompressedWebSocket => Self::CompressedWebSocket,
            Self::SockJsValues | Self::CompressedSockJsValues => Self::CompressedSockJsValues,
            Self::SockJsStrings | Self::CompressedSockJsStrings => Self::CompressedSockJsStrings,
            // What HTTP compresses is not compressed here.
            _ => self,
        }
    }

    /// The same, for one that does not.
    const fn plain(self) -> Self {
        match self {
            Self::WebSocket | Self::CompressedWebSocket => Self::WebSocket,
            Self::SockJsValues | Self::CompressedSockJsValues => Self::SockJsValues,
            Self::SockJsStrings | Self::CompressedSockJsStrings => Self::SockJsStrings,
            _ => self,
        }
    }

    /// Append one message; compressed, where this framing is and the message has `compress_from` bytes or more.
    pub fn append(self, json: &str, compress_from: usize, out: &mut Vec<u8>) {
        if json.len() >= compress_from && self != self.plain() {
            return append_compressed(Opcode::Text, self.text(json).as_bytes(), out);
        }
        match self.plain() {
            Self::SockJsValues => {
                append_header(Opcode::Text, json.len() + 3, out);
                out.extend_from_slice(b"a[");
                out.extend_from_slice(json.as_bytes());
                out.push(b']');
            }
            Self::SockJsValueLines => sockjs::append_line(|line| sockjs::append_value(json, line), out),
            Self::SockJsStringLines => sockjs::append_line(|line| sockjs::append_string(json, line), out),
            Self::Lines => {
                out.extend_from_slice(json.as_bytes());
                out.push(b'\n');
            }
            Self::Events => append_event(json, out),
            _ => append_frame(Opcode::Text, self.text(json).as_bytes(), out),
        }
    }

    /// What a message is wrapped in, within its WebSocket frame.
    fn text(self, json: &str) -> Cow<'_, str> {
        match self.plain() {
            Self::SockJsValues => format!("a[{json}]").into(),
            Self::SockJsStrings => {
                let mut text = String::with_capacity(json.len() + json.len() / 4 + 8);
                text.push_str("a[");
                sockjs::append_string(json, &mut text);
                text.push(']');
                text.into()
            }
            _ => json.into(),
        }
    }

    /// What shows the other side that this one lives, and makes it answer where it can.
    pub const fn heartbeat(self) -> &'static [u8] {
        match self.plain() {
            Self::WebSocket => &[0x89, 0],
            // The client library wants the SockJS heartbeat, and only a ping is answered.
            Self::SockJsValueLines | Self::SockJsStringLines => b"h\n",
            Self::Lines => b"\n",
            // A comment.
            Self::Events => b":\n\n",
            _ => &[0x81, 1, b'h', 0x89, 0],
        }
    }

    /// Whether the other side answers to it. Where it does not, whoever carries the bytes sees that nobody takes them.
    pub const fn is_answered(self) -> bool {
        !matches!(self, Self::SockJsValueLines | Self::SockJsStringLines | Self::Lines | Self::Events)
    }

    /// The last words to a connection.
    pub fn append_close(self, code: u16, reason: &str, out: &mut Vec<u8>) {
        match self.plain() {
            Self::WebSocket => append_close_frame(code, reason, out),
            Self::SockJsValueLines | Self::SockJsStringLines => {
                out.extend_from_slice(sockjs::close_frame(code, reason).as_bytes());
                out.push(b'\n');
            }
            // The end of the response says it.
            Self::Lines | Self::Events => {}
            _ => {
                append_frame(Opcode::Text, sockjs::close_frame(code, reason).as_bytes(), out);
                append_close_frame(1000, "", out);
            }
        }
    }
}

/// A message as an event. Who comes back says the `id` of the last one.
fn append_event(json: &str, out: &mut Vec<u8>) {
    if let Some(position) = message::position_of(json) {
        for piece in ["id: ", position, "\n"] {
            out.extend_from_slice(piece.as_bytes());
        }
    }
    for piece in ["data: ", json, "\n\n"] {
        out.extend_from_slice(piece.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::websocket::{Decoder, Received};

    fn framed(framing: Framing, json: &str) -> Vec<u8> {
        let mut out = Vec::new();
        framing.append(json, 100, &mut out);
        out
    }

    #[test]
    fn sockjs_bears_values_or_strings() {
        let json = "{\"a\":\"\\u2028 \u{2028}\"}";
        assert_eq!(&framed(Framing::SockJsValues, json)[2..], format!("a[{json}]").as_bytes());
        let string = String::from_utf8(framed(Framing::SockJsStrings, json)[2..].to_vec()).unwrap();
        assert_eq!(string, r#"a["{\"a\":\"\\u2028 \u2028\"}"]"#);
        let lines = |framing| String::from_utf8(framed(framing, json)).unwrap();
        assert_eq!(lines(Framing::SockJsStringLines), format!("{string}\n"));
        assert_eq!(lines(Framing::SockJsValueLines), "a[{\"a\":\"\\u2028 \\u2028\"}]\n");
    }

    #[test]
    fn within_http_a_message_is_a_line_or_an_event() {
        let text = |framing, json| String::from_utf8(framed(framing, json)).unwrap();
        let push = r#"{"event":"A:upsert","data":{"id":"x","position":"no\"}"},"position":"3f.7"}"#;
        assert_eq!(text(Framing::Lines, push), format!("{push}\n"));
        assert_eq!(text(Framing::Events, push), format!("id: 3f.7\ndata: {push}\n\n"));
        let without = r#"{"event":"$session:close","data":{"reason":",\"position\":\"x"}}"#;
        assert_eq!(text(Framing::Events, without), format!("data: {without}\n\n"));
    }

    #[test]
    fn long_messages_are_compressed_for_those_who_take_them() {
        let [short, long] = [10, 200].map(|count| format!("{{\"a\":\"{}\"}}", "b".repeat(count)));
        for plain in Framing::ALL.into_iter().filter(|framing| *framing != framing.compressed()) {
            assert_eq!(framed(plain.compressed(), &short), framed(plain, &short));
            let frame = framed(plain.compressed(), &long);
            assert_eq!((frame[0], usize::from(frame[1])), (0xc1, frame.len() - 2));
            let mut masked = vec![frame[0], frame[1] | 0x80, 0, 0, 0, 0];
            masked.extend(&frame[2..]);
            let mut decoder = Decoder::new(1000, true);
            let Ok(Some((_, Received::Text(text)))) = decoder.decode(&mut masked) else { panic!("{plain:?}") };
            assert!(framed(plain, &long).ends_with(text.as_bytes()), "{text}");
            assert_eq!(plain.compressed().heartbeat(), plain.heartbeat());
            let [mut one, mut other] = [Vec::new(), Vec::new()];
            plain.append_close(3000, "x", &mut one);
            plain.compressed().append_close(3000, "x", &mut other);
            assert_eq!(one, other);
        }
    }
}
