//! How a write is worded and acknowledged, by the door it comes in by.
//!
//! | | write number 7 | answer |
//! |---|---|---|
//! | message | what [`Dialect`] has for it | the same |
//! | record, in a request of its own | `{"id":"r00000003","sequence":7,…}` | `{"id":"r00000003","sequence":7,…,"_rev":1}` |
//! | line | the same | `{"line":7,"id":"r00000003","_rev":1}` |

use serde::Deserialize;

use crate::dialect::{Dialect, Topic, unexpected};
use crate::failure::Failure;
use crate::load::Door;
use crate::record::Revision;

/// How writes are worded.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wording {
    /// As a message.
    Message(Dialect),
    /// As a record, whose answer comes by itself.
    Record,
    /// As one of many lines.
    Line,
}

/// What is looked at of an answer that is no message.
#[derive(Deserialize)]
struct Answer {
    /// The record's, or the line's.
    #[serde(rename = "sequence", alias = "line")]
    number: u64,
    /// Without it nothing was stored.
    #[serde(rename = "_rev")]
    _revision: u64,
}

impl Wording {
    /// That of a door to a server which speaks `dialect` by messages.
    pub(crate) fn at(door: Door, dialect: Dialect) -> Self {
        match door {
            Door::WebSocket | Door::Streaming => Self::Message(dialect),
            Door::Records => Self::Record,
            Door::Lines => Self::Line,
        }
    }

    /// Appends a write, which is number [`Revision::sequence`] of its connection.
    pub(crate) fn put(self, out: &mut Vec<u8>, write: Revision) {
        match self {
            Self::Message(dialect) => dialect.put_upsert(out, Topic::ONE, write.sequence, write),
            Self::Record | Self::Line => write.put(out),
        }
    }

    /// Whether this can be the acknowledgement of a write, by a glance.
    pub(crate) fn may_acknowledge(self, answer: &[u8]) -> bool {
        match self {
            Self::Message(dialect) => dialect.may_acknowledge(answer),
            // The status told.
            Self::Record => true,
            // An error is an object within the line's.
            Self::Line => !answer.ends_with(b"}}"),
        }
    }

    /// Whether this is the acknowledgement of the connection's write `number`.
    ///
    /// # Errors
    /// [`Failure::Wrong`] when it is anything else.
    pub(crate) fn check_acknowledged(self, answer: &[u8], number: u64) -> Result<(), Failure> {
        if let Self::Message(dialect) = self {
            return dialect.check_acknowledged(answer, number);
        }
        match serde_json::from_slice(answer) {
            Ok(Answer { number: answered, .. }) if answered == number => Ok(()),
            _ => Err(unexpected(&format!("the answer to write {number}"), answer)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_acknowledges_its_own_write_only() {
        let line = br#"{"line":7,"id":"r00000003","_rev":1}"#;
        assert!(Wording::Line.may_acknowledge(line));
        assert!(Wording::Line.check_acknowledged(line, 7).is_ok());
        assert!(Wording::Line.check_acknowledged(line, 8).is_err());
    }

    #[test]
    fn a_refused_line_acknowledges_nothing() {
        let refused = br#"{"line":7,"error":{"code":"invalid_data","message":"no object","retry":false}}"#;
        assert!(!Wording::Line.may_acknowledge(refused));
        assert!(Wording::Line.check_acknowledged(refused, 7).is_err());
    }

    #[test]
    fn a_record_is_acknowledged_by_the_record_as_it_is_stored() {
        let (mut sent, write) = (Vec::new(), Revision { id: 3, sequence: 7 });
        Wording::Record.put(&mut sent, write);
        assert!(Wording::Record.check_acknowledged(&sent, 7).is_err());
        sent.pop();
        sent.extend_from_slice(br#","_rev":1}"#);
        assert!(Wording::Record.check_acknowledged(&sent, 7).is_ok());
        assert!(Wording::Record.check_acknowledged(&sent, 8).is_err());
    }
}
