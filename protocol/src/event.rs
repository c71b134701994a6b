//! `Model:method`, the address of every message.

use crate::error::{ErrorCode, ErrorObject};

/// What a client may ask of a model: the whole list, nothing is looked up by reflection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// Answer with records, and listen to them.
    Read,
    /// Listen without reading.
    Subscribe,
    /// Stop listening.
    Unsubscribe,
    /// Update or insert.
    Upsert,
    /// Remove.
    Delete,
}

impl Method {
    /// All methods, in the order of `PROTOCOL.md`.
    pub const ALL: [Self; 5] = [Self::Read, Self::Subscribe, Self::Unsubscribe, Self::Upsert, Self::Delete];

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Subscribe => "subscribe",
            Self::Unsubscribe => "unsubscribe",
            Self::Upsert => "upsert",
            Self::Delete => "delete",
        }
    }

    /// The method of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name() == name)
    }
}

/// An event, split at its first colon; both parts are still unchecked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event<'a> {
    /// Before the first colon.
    pub model: &'a str,
    /// After it.
    pub method: &'a str,
}

impl<'a> Event<'a> {
    /// Split `Model:method`.
    ///
    /// # Errors
    /// `invalid_event` where there is no colon, or nothing on one of its sides.
    pub fn parse(event: &'a str) -> Result<Self, ErrorObject> {
        let colon = event.bytes().position(|byte| byte == b':');
        match colon.map(|at| (&event[..at], &event[at + 1..])) {
            Some((model, method)) if !model.is_empty() && !method.is_empty() => Ok(Self { model, method }),
            _ => Err(ErrorObject::new(
                ErrorCode::InvalidEvent,
                format!("event {} is not 'Model:method', as in 'ChatMessage:upsert'", crate::json::excerpt(event)),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_at_the_first_colon() {
        assert_eq!(Event::parse("A:b:c").unwrap(), Event { model: "A", method: "b:c" });
        for broken in ["", ":", "A", "A:", ":read"] {
            assert_eq!(Event::parse(broken).unwrap_err().code, ErrorCode::InvalidEvent, "{broken}");
        }
    }

    #[test]
    fn every_method_parses_from_its_name() {
        for method in Method::ALL {
            assert_eq!(Method::parse(method.name()), Some(method));
        }
        assert_eq!(Method::parse("on_close"), None);
    }
}
