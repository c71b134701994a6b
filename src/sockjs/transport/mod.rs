//! The table of transports: each is a row, and how it dresses frames is a file.

mod eventsource;
mod htmlfile;
mod jsonp;
mod xhr;

use bytes::Bytes;

/// The transports of a session; the last segment of its URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// `websocket`.
    WebSocket,
    /// `xhr`: a frame for each request.
    Xhr,
    /// `xhr_streaming`: many frames in a response.
    XhrStreaming,
    /// `xhr_send`: messages to the server.
    XhrSend,
    /// `eventsource`: server-sent events.
    EventSource,
    /// `htmlfile`: scripts in a page that does not end.
    HtmlFile,
    /// `jsonp`: a script for each frame.
    Jsonp,
    /// `jsonp_send`: messages to the server, by a form.
    JsonpSend,
}

/// What a transport is for.
#[derive(Debug, Clone, Copy)]
pub enum Direction {
    /// Both ways, over a WebSocket.
    Both,
    /// Frames to the client.
    Receive(&'static Receiving),
    /// Messages to the server.
    Send(&'static Sending),
}

/// How frames go to the client in a response.
#[derive(Debug, Clone, Copy)]
pub struct Receiving {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// Of the response.
    pub content_type: &'static str,
    /// Whether it ends behind its first frame.
    pub is_poll: bool,
    /// Whether the client names a function that frames are given to (`?c=`).
    pub has_callback: bool,
    /// What comes before any frame; it does not count for the limit of a response.
    pub prelude: fn(callback: &str) -> Bytes,
    /// Dress a frame, which comes with the end of its line.
    pub frame: fn(line: Bytes, callback: &str) -> Bytes,
}

/// How messages come from the client in a request.
#[derive(Debug, Clone, Copy)]
pub struct Sending {
    /// Whether they may come in the field `d` of a form.
    pub takes_form: bool,
    /// The status of the answer,
    pub status: u16,
    /// and its body.
    pub body: &'static str,
}

const JAVASCRIPT: &str = "application/javascript; charset=UTF-8";

impl Transport {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::WebSocket,
        Self::Xhr,
        Self::XhrStreaming,
        Self::XhrSend,
        Self::EventSource,
        Self::HtmlFile,
        Self::Jsonp,
        Self::JsonpSend,
    ];

    /// As it stands in the URL.
    pub const fn name(self) -> &'static str {
        self.row().0
    }

    /// What it is for.
    pub const fn direction(self) -> Direction {
        self.row().1
    }

    /// The transport of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|transport| transport.name() == name)
    }

    /// The table.
    const fn row(self) -> (&'static str, Direction) {
        match self {
            Self::WebSocket => ("websocket", Direction::Both),
            Self::Xhr => ("xhr", Direction::Receive(&xhr::POLLING)),
            Self::XhrStreaming => ("xhr_streaming", Direction::Receive(&xhr::STREAMING)),
            Self::XhrSend => ("xhr_send", Direction::Send(&xhr::SEND)),
            Self::EventSource => ("eventsource", Direction::Receive(&eventsource::STREAMING)),
            Self::HtmlFile => ("htmlfile", Direction::Receive(&htmlfile::STREAMING)),
            Self::Jsonp => ("jsonp", Direction::Receive(&jsonp::POLLING)),
            Self::JsonpSend => ("jsonp_send", Direction::Send(&jsonp::SEND)),
        }
    }
}

/// Whether a function may have this name: anything more could be a program.
pub fn is_callback(name: &str) -> bool {
    (1..=32).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

fn nothing(_: &str) -> Bytes {
    Bytes::new()
}

/// A frame without the end of its line.
fn text(line: &Bytes) -> &str {
    std::str::from_utf8(line).expect("frames are written as text").trim_end_matches('\n')
}

/// A frame as a string of a script that may stand in a page.
fn script_string(line: &Bytes) -> String {
    let mut string = String::with_capacity(line.len() + line.len() / 8);
    super::append_string(text(line), &mut string);
    // Neither the end of the script nor a comment of the page begins in it.
    string.replace('<', "\\u003c")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_transport_is_found_by_its_name() {
        for transport in Transport::ALL {
            assert_eq!(Transport::named(transport.name()), Some(transport));
        }
        assert_eq!(Transport::named("iframe"), None);
    }

    #[test]
    fn a_callback_is_a_name() {
        for good in ["c", "_jp.a1b2", "A-Z", &"x".repeat(32)] {
            assert!(is_callback(good), "{good}");
        }
        for bad in ["", "alert(1)", "a b", "a/*", "a\n", "é", "a;b", "a%28", "<", &"x".repeat(33)] {
            assert!(!is_callback(bad), "{bad}");
        }
    }

    #[test]
    fn frames_wear_what_their_transport_needs() {
        let line = || Bytes::from_static(b"a[\"100%</script><!--\\u2028\"]\n");
        let dressed = |transport: Transport| match transport.direction() {
            Direction::Receive(receiving) => String::from_utf8((receiving.frame)(line(), "cb").to_vec()).unwrap(),
            _ => unreachable!("only asked of those that receive"),
        };
        assert_eq!(dressed(Transport::Xhr), "a[\"100%</script><!--\\u2028\"]\n");
        assert_eq!(dressed(Transport::XhrStreaming), dressed(Transport::Xhr));
        assert_eq!(dressed(Transport::EventSource), "data: a[\"100%25</script><!--\\u2028\"]\r\n\r\n");
        let string = r#""a[\"100%\u003c/script>\u003c!--\\u2028\"]""#;
        assert_eq!(dressed(Transport::HtmlFile), format!("<script>\np({string});\n</script>\r\n"));
        assert_eq!(dressed(Transport::Jsonp), format!("/**/cb({string});\r\n"));
    }

    #[test]
    fn old_browsers_get_enough_to_begin_with() {
        let prelude = |transport: Transport| match transport.direction() {
            Direction::Receive(receiving) => (receiving.prelude)("cb"),
            _ => Bytes::new(),
        };
        assert_eq!(prelude(Transport::XhrStreaming), format!("{}\n", "h".repeat(2048)));
        assert_eq!(prelude(Transport::EventSource), "\r\n");
        let page = prelude(Transport::HtmlFile);
        assert!(page.len() > 1024 && page.windows(9).any(|part| part == b"parent.cb"));
        assert!(prelude(Transport::Xhr).is_empty() && prelude(Transport::Jsonp).is_empty());
    }
}
