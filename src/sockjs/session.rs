//! The life of a session: opened once, then messages, closed once. What it says goes out as frames, whoever carries them.

use super::frame::{close_frame, greeting};

/// A session, without its transport.
#[derive(Debug, Default)]
pub struct Session {
    state: State,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    New,
    Open,
    Closed {
        frame: String,
    },
}

/// What a client sent is not an array of strings; the session ends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("broken message framing: a JSON array of strings is what SockJS clients send")]
pub struct BrokenMessage;

impl Session {
    /// A receiver is there: the frame it gets first, if any. The greeting comes once; after the end it is always the close
    /// frame.
    pub fn attach(&mut self) -> Option<&str> {
        match self.state {
            State::New => {
                self.state = State::Open;
                Some(greeting())
            }
            State::Open => None,
            State::Closed { ref frame } => Some(frame),
        }
    }

    /// The messages in what the client sent. An empty text, and an empty array, bear none.
    ///
    /// # Errors
    /// [`BrokenMessage`] for anything but a JSON array of strings, or one JSON string.
    pub fn receive(&self, text: &str) -> Result<Vec<String>, BrokenMessage> {
        if self.state != State::Open || text.is_empty() {
            return Ok(Vec::new());
        }
        let messages = if text.starts_with('"') {
            serde_json::from_str(text).map(|message| vec![message])
        } else {
            serde_json::from_str(text)
        };
        messages.map_err(|_| BrokenMessage)
    }

    /// End it. Answers the close frame, which is the first one's however often this is called.
    pub fn close(&mut self, code: u16, reason: &str) -> &str {
        if !matches!(self.state, State::Closed { .. }) {
            self.state = State::Closed { frame: close_frame(code, reason) };
        }
        match &self.state {
            State::Closed { frame } => frame,
            State::New | State::Open => unreachable!("closed above"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_greets_once_and_ends_once() {
        let mut session = Session::default();
        assert_eq!(session.receive(r#"["early"]"#), Ok(vec![]));
        assert_eq!(session.attach(), Some("o"));
        assert_eq!(session.attach(), None);
        assert_eq!(session.receive(r#"["a","b"]"#), Ok(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(session.receive(r#""a""#), Ok(vec!["a".to_owned()]));
        assert_eq!(session.receive("[]"), Ok(vec![]));
        assert_eq!(session.receive(""), Ok(vec![]));
        for broken in ["x", "[1]", "{}", "[\"a\"", "[\"a\"] x", "[\"\\ud800\"]"] {
            assert_eq!(session.receive(broken), Err(BrokenMessage), "{broken}");
        }
        assert_eq!(session.close(3000, "Go away!"), r#"c[3000,"Go away!"]"#);
        assert_eq!(session.close(1000, "again"), r#"c[3000,"Go away!"]"#);
        assert_eq!(session.attach(), Some(r#"c[3000,"Go away!"]"#));
        assert_eq!(session.receive(r#"["late"]"#), Ok(vec![]));
    }
}
