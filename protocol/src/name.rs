//! Names: of models and of records.

use crate::error::{ErrorCode, ErrorObject};
use std::{borrow::Borrow, fmt, sync::Arc};

/// The name of a model: 1 to 128 of ASCII letters, digits, `_`, `-`, `.`; a leading `$` marks the system's own.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModelName(Arc<str>);

impl ModelName {
    /// The longest name, in bytes.
    pub const MAX_BYTES: usize = 128;

    /// Check and keep a name.
    ///
    /// # Errors
    /// `invalid_model` for any other character, an empty or too long name, and for names that begin with `$`: those
    /// are not to be read or written like a model.
    pub fn parse(name: &str) -> Result<Self, ErrorObject> {
        if Self::is_valid(name) {
            return Ok(Self(name.into()));
        }
        let why = if name.starts_with('$') {
            "names that begin with '$' belong to the system"
        } else {
            "a model's name is 1 to 128 of letters, digits, '_', '-' and '.'"
        };
        Err(ErrorObject::new(ErrorCode::InvalidModel, format!("model {}: {why}", crate::json::excerpt(name))))
    }

    /// A model of the system's own that goes with this one: `$what:Name`, which no client can name. Stores keep the two together.
    #[must_use]
    pub fn beside(&self, what: &str) -> Self {
        Self(format!("${what}:{self}").into())
    }

    /// The model that it goes with; any other goes with itself.
    pub fn subject(&self) -> &str {
        self.0.split_once(':').map_or(&*self.0, |(_, subject)| subject)
    }

    /// Whether `name` may be the name of a model.
    pub fn is_valid(name: &str) -> bool {
        (1..=Self::MAX_BYTES).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for ModelName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The identity of a record within its model: 1 to 256 bytes of text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordId(Arc<str>);

impl RecordId {
    /// The longest id, in bytes.
    pub const MAX_BYTES: usize = 256;

    /// Check and keep an id.
    ///
    /// # Errors
    /// `invalid_data` where it is empty or longer than [`Self::MAX_BYTES`].
    pub fn parse(id: &str) -> Result<Self, ErrorObject> {
        if (1..=Self::MAX_BYTES).contains(&id.len()) {
            return Ok(Self(id.into()));
        }
        Err(ErrorObject::new(
            ErrorCode::InvalidData,
            format!("a record's id has 1 to {} bytes, this one has {}", Self::MAX_BYTES, id.len()),
        ))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for RecordId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_with_a_model_has_a_name_that_nobody_can_say() {
        let model = ModelName::parse("Task").unwrap();
        let beside = model.beside("feed");
        assert_eq!((beside.as_str(), beside.subject(), model.subject()), ("$feed:Task", "Task", "Task"));
        assert_eq!(ModelName::parse(beside.as_str()).unwrap_err().code, ErrorCode::InvalidModel);
    }

    #[test]
    fn model_names_are_of_a_closed_alphabet() {
        for good in ["A", "ChatMessage", "a-b_c.9", &"x".repeat(128)] {
            assert_eq!(ModelName::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "$session", "a b", "ä", "a/b", "a\0", &"x".repeat(129)] {
            assert_eq!(ModelName::parse(bad).unwrap_err().code, ErrorCode::InvalidModel, "{bad}");
        }
    }
}
