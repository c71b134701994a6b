//! How a message is wrapped for the sockets: finished bytes, made once for all who share a framing.

use crate::{
    sockjs,
    websocket::{Opcode, append_close_frame, append_frame, append_header},
};

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
}

impl Framing {
    /// All of them; the place in it is [`Self::index`].
    pub const ALL: [Self; 5] =
        [Self::WebSocket, Self::SockJsValues, Self::SockJsStrings, Self::SockJsValueLines, Self::SockJsStringLines];

    /// A small number for tables.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Append one message.
    pub fn append(self, json: &str, out: &mut Vec<u8>) {
        match self {
            Self::WebSocket => append_frame(Opcode::Text, json.as_bytes(), out),
            Self::SockJsValues => {
                append_header(Opcode::Text, json.len() + 3, out);
                out.extend_from_slice(b"a[");
                out.extend_from_slice(json.as_bytes());
                out.push(b']');
            }
            Self::SockJsStrings => {
                let mut text = String::with_capacity(json.len() + json.len() / 4 + 8);
                text.push_str("a[");
                sockjs::append_string(json, &mut text);
                text.push(']');
                append_frame(Opcode::Text, text.as_bytes(), out);
            }
            Self::SockJsValueLines => sockjs::append_line(|line| sockjs::append_value(json, line), out),
            Self::SockJsStringLines => sockjs::append_line(|line| sockjs::append_string(json, line), out),
        }
    }

    /// What shows the other side that this one lives, and makes it answer where it can.
    pub const fn heartbeat(self) -> &'static [u8] {
        match self {
            Self::WebSocket => &[0x89, 0],
            // The client library wants the SockJS heartbeat, and only a ping is answered.
            Self::SockJsValues | Self::SockJsStrings => &[0x81, 1, b'h', 0x89, 0],
            Self::SockJsValueLines | Self::SockJsStringLines => b"h\n",
        }
    }

    /// Whether the other side answers to it. Where it does not, whoever carries the bytes sees that nobody takes them.
    pub const fn is_answered(self) -> bool {
        !matches!(self, Self::SockJsValueLines | Self::SockJsStringLines)
    }

    /// The last words to a connection.
    pub fn append_close(self, code: u16, reason: &str, out: &mut Vec<u8>) {
        match self {
            Self::WebSocket => append_close_frame(code, reason, out),
            Self::SockJsValues | Self::SockJsStrings => {
                append_frame(Opcode::Text, sockjs::close_frame(code, reason).as_bytes(), out);
                append_close_frame(1000, "", out);
            }
            Self::SockJsValueLines | Self::SockJsStringLines => {
                out.extend_from_slice(sockjs::close_frame(code, reason).as_bytes());
                out.push(b'\n');
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(framing: Framing, json: &str) -> Vec<u8> {
        let mut out = Vec::new();
        framing.append(json, &mut out);
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
}
