//! Where in a model's history something stands.

use std::{fmt, num::NonZeroU64, str::FromStr};

/// The number of a change within its model: 1, 2, 3 … without gaps; 0 is before the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Revision(pub u64);

impl Revision {
    /// The revision after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Names one history: a new one begins whenever changes may have been lost or restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Epoch(pub NonZeroU64);

/// A place in one history of one model. On the wire an opaque string, here 16 hexadecimal digits of the epoch, a dot,
/// and the revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Position {
    /// Which history.
    pub epoch: Epoch,
    /// How far into it.
    pub revision: Revision,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}.{}", self.epoch.0, self.revision.0)
    }
}

impl Position {
    /// Append what [`fmt::Display`] shows, faster.
    pub fn append(&self, out: &mut String) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [b'.'; 17];
        for (at, byte) in self.epoch.0.get().to_be_bytes().into_iter().enumerate() {
            text[2 * at] = DIGITS[usize::from(byte >> 4)];
            text[2 * at + 1] = DIGITS[usize::from(byte & 0xf)];
        }
        out.push_str(std::str::from_utf8(&text).expect("hexadecimal digits are ASCII"));
        crate::json::append_number(self.revision.0, out);
    }
}

/// The text is not a position that any server gave.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a position; give one back exactly as a message bore it")]
pub struct InvalidPosition;

impl FromStr for Position {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<Self, InvalidPosition> {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit());
        let (epoch, revision) = text.split_once('.').ok_or(InvalidPosition)?;
        if epoch.len() != 16 || !digits(epoch) || !digits(revision) {
            return Err(InvalidPosition);
        }
        let epoch = u64::from_str_radix(epoch, 16).ok().and_then(NonZeroU64::new).ok_or(InvalidPosition)?;
        let revision = revision.parse().map_err(|_| InvalidPosition)?;
        Ok(Self { epoch: Epoch(epoch), revision: Revision(revision) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_survives_the_wire() {
        let position = Position { epoch: Epoch(NonZeroU64::new(0xab).unwrap()), revision: Revision(7) };
        assert_eq!(position.to_string(), "00000000000000ab.7");
        assert_eq!(position.to_string().parse(), Ok(position));
        let mut appended = String::new();
        position.append(&mut appended);
        assert_eq!(appended, position.to_string());
        for bad in ["", "ab.7", "00000000000000ab", "00000000000000ab.", "0000000000000000.1", "00000000000000ab.+7"] {
            assert_eq!(bad.parse::<Position>(), Err(InvalidPosition), "{bad}");
        }
    }
}
