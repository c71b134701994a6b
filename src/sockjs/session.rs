//! The life of a session over HTTP: opened by its first receiver, one receiver at a time, closed once, and gone some time after
//! the last receiver went.
//!
//! A session in a WebSocket has no such life: it is as long as the socket.

use super::frame::{GREETING, close_frame};
use serde::{
    Deserialize,
    de::{Error, IgnoredAny, Visitor},
};
use std::{
    fmt,
    time::{Duration, Instant},
};

/// A session, without what carries it.
#[derive(Debug)]
pub struct Session {
    state: State,
    /// When there was a receiver last; `None` while there is one.
    alone_since: Option<Instant>,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    New,
    Open,
    Closed { frame: String },
}

/// What a receiver gets first.
#[derive(Debug, PartialEq, Eq)]
pub enum Attached {
    /// The greeting: the session is new.
    Greeting(&'static str),
    /// Whatever comes.
    Messages,
    /// What still waits, and then this frame: the session is closed.
    Closed(String),
    /// Only this frame: there is a receiver already, and it stays.
    Refused(String),
}

impl Session {
    /// A session that nobody has received anything of.
    pub fn new(now: Instant) -> Self {
        Self { state: State::New, alone_since: Some(now) }
    }

    /// A receiver comes. Unless it is refused, [`Self::detach`] has to follow.
    pub fn attach(&mut self) -> Attached {
        if self.alone_since.is_none() {
            return Attached::Refused(close_frame(2010, "Another connection still open"));
        }
        self.alone_since = None;
        match &self.state {
            State::New => {
                self.state = State::Open;
                Attached::Greeting(GREETING)
            }
            State::Open => Attached::Messages,
            State::Closed { frame } => Attached::Closed(frame.clone()),
        }
    }

    /// The receiver went: with a whole response, or in the middle of one. Then nobody knows what of it has arrived, and the
    /// session ends. Answers whether it ended by that.
    pub fn detach(&mut self, in_order: bool, now: Instant) -> bool {
        self.alone_since = Some(now);
        let ends = !in_order && self.is_open();
        if ends {
            self.close(&close_frame(1002, "Connection interrupted"));
        }
        ends
    }

    /// It ends, with this frame; of several the first holds.
    pub fn close(&mut self, frame: &str) {
        if self.is_open() {
            self.state = State::Closed { frame: frame.to_owned() };
        }
    }

    /// The frame that it ended with.
    pub fn close_frame(&self) -> Option<&str> {
        match &self.state {
            State::Closed { frame } => Some(frame),
            State::New | State::Open => None,
        }
    }

    /// Whether it has not ended.
    pub fn is_open(&self) -> bool {
        !matches!(self.state, State::Closed { .. })
    }

    /// For how long it still waits for a receiver, where one without a receiver waits for `delay`; zero: no longer. `None` while
    /// there is one.
    pub fn waits_for(&self, delay: Duration, now: Instant) -> Option<Duration> {
        Some(delay.saturating_sub(now.saturating_duration_since(self.alone_since?)))
    }
}

/// What a client sent does not bear messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BrokenMessages {
    /// Nothing, or another JSON value.
    #[error("Payload expected.")]
    NoArray,
    /// No JSON, or an array with other things than strings.
    #[error("Broken JSON encoding.")]
    NoStrings,
}

/// The messages in what a client sent: a JSON array of strings. Half a surrogate pair becomes U+FFFD, as a browser makes it
/// wherever it sends text by itself.
///
/// # Errors
/// [`BrokenMessages`] for anything else.
pub fn messages(text: &str) -> Result<Vec<String>, BrokenMessages> {
    if let Ok(messages) = serde_json::from_str(text) {
        return Ok(messages);
    }
    let is_json = serde_json::from_str::<IgnoredAny>(text).is_ok();
    match serde_json::from_str::<Vec<Lossy>>(text) {
        // Where bytes are asked for, control characters pass, which no JSON string has.
        Ok(messages) if is_json => Ok(messages.into_iter().map(|message| message.0).collect()),
        _ if text.trim_ascii_start().starts_with('[') => Err(BrokenMessages::NoStrings),
        _ if is_json || text.trim_ascii().is_empty() => Err(BrokenMessages::NoArray),
        _ => Err(BrokenMessages::NoStrings),
    }
}

/// The same over a WebSocket, where an empty text bears none and a string of its own is one.
///
/// # Errors
/// [`BrokenMessages`] for anything else.
pub fn messages_of_frame(text: &str) -> Result<Vec<String>, BrokenMessages> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    if text.starts_with('"') {
        // An array of one is read as strictly as any.
        return messages(&format!("[{text}]")).and_then(|messages| match messages.len() {
            1 => Ok(messages),
            _ => Err(BrokenMessages::NoStrings),
        });
    }
    messages(text)
}

/// A string that may have halves of surrogate pairs.
struct Lossy(String);

impl<'de> Deserialize<'de> for Lossy {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Lossy;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            // What the parser makes of half a pair is three bytes that no text has.
            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Lossy, E> {
                let mut text = String::with_capacity(bytes.len());
                for chunk in bytes.utf8_chunks() {
                    text.push_str(chunk.valid());
                    if chunk.invalid().first() == Some(&0xed) {
                        text.push('\u{fffd}');
                    }
                }
                Ok(Lossy(text))
            }
        }
        deserializer.deserialize_bytes(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELAY: Duration = Duration::from_secs(5);

    #[test]
    fn a_session_greets_once_and_has_one_receiver() {
        let start = Instant::now();
        let mut session = Session::new(start);
        assert_eq!(session.attach(), Attached::Greeting("o"));
        assert_eq!(session.waits_for(DELAY, start + DELAY * 9), None);
        let refused = Attached::Refused(r#"c[2010,"Another connection still open"]"#.into());
        assert_eq!(session.attach(), refused);
        assert_eq!(session.waits_for(DELAY, start + DELAY * 9), None);
        assert!(!session.detach(true, start + DELAY));
        assert_eq!(session.attach(), Attached::Messages);
        assert!(session.is_open());
    }

    #[test]
    fn it_waits_for_a_receiver_but_not_forever() {
        let start = Instant::now();
        let mut session = Session::new(start);
        assert_eq!(session.waits_for(DELAY, start), Some(DELAY));
        session.attach();
        session.detach(true, start + DELAY * 2);
        let second = Duration::from_secs(1);
        assert_eq!(session.waits_for(DELAY, start + DELAY * 2 + second), Some(DELAY - second));
        assert_eq!(session.waits_for(DELAY, start + DELAY * 4), Some(Duration::ZERO));
        // A clock that is read out of order does no harm.
        assert_eq!(session.waits_for(DELAY, start), Some(DELAY));
    }

    #[test]
    fn it_ends_once_and_says_so_to_everybody_who_comes() {
        let now = Instant::now();
        let mut session = Session::new(now);
        session.attach();
        session.close(r#"c[3000,"Go away!"]"#);
        session.close(r#"c[1000,"again"]"#);
        assert!(!session.is_open());
        assert!(!session.detach(false, now), "it had ended before");
        for _ in 0..2 {
            assert_eq!(session.attach(), Attached::Closed(r#"c[3000,"Go away!"]"#.into()));
            session.detach(true, now);
        }
    }

    #[test]
    fn a_receiver_that_is_cut_off_ends_it() {
        let now = Instant::now();
        let mut session = Session::new(now);
        session.attach();
        assert!(session.detach(false, now));
        assert_eq!(session.attach(), Attached::Closed(r#"c[1002,"Connection interrupted"]"#.into()));
    }

    #[test]
    fn messages_are_strings_in_an_array() {
        let strings = |texts: &[&str]| Ok(texts.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(messages(r#"["a","b\u2028"]"#), strings(&["a", "b\u{2028}"]));
        assert_eq!(messages(" [] "), strings(&[]));
        let halves = r#"["x\ud800","\udc00\ud800y","\ud83d\ude00 é\u0000"]"#;
        assert_eq!(messages(halves), strings(&["x\u{fffd}", "\u{fffd}\u{fffd}y", "😀 é\0"]));
        for none in ["", " \n", "\"a\"", "1", "null", "{}"] {
            assert_eq!(messages(none), Err(BrokenMessages::NoArray), "{none}");
        }
        for broken in [
            "x",
            "[1]",
            "[\"a\"",
            "[\"a\"] x",
            "[null]",
            "[[\"a\"]]",
            "[\"\\x\"]",
            "{",
            "[\"\\ud800",
            "[\"a\nb\"]",
            "[\"\t\\ud800\"]",
        ] {
            assert_eq!(messages(broken), Err(BrokenMessages::NoStrings), "{broken}");
        }
        assert_eq!(messages_of_frame(""), strings(&[]));
        assert_eq!(messages_of_frame(r#""a\ud800""#), strings(&["a\u{fffd}"]));
        for broken in ["\"a\nb\"", "\"a\",\"b\"", "\"a\"],[\"b\"", "\"a"] {
            assert_eq!(messages_of_frame(broken), Err(BrokenMessages::NoStrings), "{broken}");
        }
        assert_eq!(messages_of_frame(r#"["a"]"#), strings(&["a"]));
        for broken in ["\"a", "x", "{}", "1"] {
            assert!(messages_of_frame(broken).is_err(), "{broken}");
        }
    }
}
