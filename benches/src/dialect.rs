//! The two languages the load generator speaks: the broker's own, and the bare server's. Everything that differs between
//! the two servers on the wire is in this file.
//!
//! | | backsync | bare |
//! |---|---|---|
//! | listen | `{"id":1,"event":"Bench:subscribe"}` | `S0` |
//! | answer | `{"id":1,"event":"Bench:subscribe","data":{},…}` | `S` |
//! | write | `{"id":7,"event":"Bench:upsert","data":{…}}` | `P0 {…}`: what follows the blank is sent on as it is |
//! | answer | `{"id":7,"event":"Bench:upsert","data":{…},…}` | `A`, or in mode `echo` what was written |
//! | push | `{"event":"Bench:upsert","data":{…,"_rev":7},"position":"….7"}` | the same bytes, finished by the writer |

use std::io::Write;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::failure::Failure;
use crate::record::Revision;

/// `write!` into memory.
macro_rules! put {
    ($out:expr, $($text:tt)*) => {
        write!($out, $($text)*).expect("a vector takes everything")
    };
}
/// Which server is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// The broker, at `/ws`.
    Backsync,
    /// The bare server.
    Bare,
}

/// What is listened to: a model of its own, or a room within one model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Topic {
    /// All of a model, by its number.
    Model(usize),
    /// The records of one model that name this room.
    Room(usize),
}

impl Topic {
    /// Where there is only one.
    pub(crate) const ONE: Self = Self::Model(0);
}

/// What a receiver checks of a push.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Push {
    /// [`Revision::sequence`] as it was sent.
    pub(crate) sequence: u64,
    /// The number the server gave the change within its model.
    pub(crate) revision: u64,
}

#[derive(Deserialize)]
struct PushText {
    event: String,
    data: Stored,
    position: String,
}

#[derive(Deserialize)]
struct Stored {
    sequence: u64,
    #[serde(rename = "_rev")]
    revision: u64,
}

#[derive(Deserialize)]
struct Reply {
    id: u64,
    error: Option<IgnoredAny>,
}

impl Dialect {
    /// The request that makes a connection hear of all changes of a topic.
    pub(crate) fn subscribe(self, topic: Topic) -> String {
        match (self, topic) {
            (Self::Backsync, Topic::Model(_)) => format!(r#"{{"id":1,"event":"{topic}:subscribe"}}"#),
            (Self::Backsync, Topic::Room(room)) => {
                format!(r#"{{"id":1,"event":"{topic}:subscribe","data":{{"where":{{"room":"room {room}"}}}}}}"#)
            }
            (Self::Bare, Topic::Model(number) | Topic::Room(number)) => format!("S{number}"),
        }
    }

    /// Whether this is the answer that a subscription was made.
    pub(crate) fn check_subscribed(self, answer: &[u8]) -> Result<(), Failure> {
        match self {
            Self::Backsync => check_reply(answer, 1),
            Self::Bare if answer == b"S" => Ok(()),
            Self::Bare => Err(unexpected("an answer to a subscription", answer)),
        }
    }

    /// Appends the request number `request` that writes a record.
    pub(crate) fn put_upsert(self, out: &mut Vec<u8>, topic: Topic, request: u64, write: Revision) {
        match self {
            Self::Backsync => {
                put!(out, r#"{{"id":{request},"event":"{topic}:upsert","data":"#);
                match topic {
                    Topic::Model(_) => write.put(out),
                    Topic::Room(room) => {
                        write.put_open(out);
                        put!(out, r#","room":"room {room}"}}"#);
                    }
                }
                out.push(b'}');
            }
            Self::Bare => {
                let (Topic::Model(number) | Topic::Room(number)) = topic;
                put!(out, "P{number} ");
                put_push(out, topic, write);
            }
        }
    }

    /// Whether this can be the acknowledgement of a write, by its size alone: an answer with an error has no record in
    /// it, and is far shorter.
    pub(crate) fn may_acknowledge(self, answer: &[u8]) -> bool {
        match self {
            Self::Backsync => answer.len() > 200,
            Self::Bare => answer == b"A" || answer.len() > 200,
        }
    }

    /// Whether this is the acknowledgement of the write number `request`.
    pub(crate) fn check_acknowledged(self, answer: &[u8], request: u64) -> Result<(), Failure> {
        match self {
            Self::Backsync => check_reply(answer, request),
            Self::Bare if answer == b"A" || answer.starts_with(b"{\"event\":") => Ok(()),
            Self::Bare => Err(unexpected("an acknowledgement", answer)),
        }
    }
}

/// Reads a push of `topic`, which both servers send in the same form.
pub(crate) fn read_push(text: &[u8], topic: Topic) -> Result<Push, Failure> {
    let push: PushText = serde_json::from_slice(text).map_err(|_| unexpected("a push", text))?;
    let Stored { sequence, revision } = push.data;
    let number = push.position.rsplit_once('.').and_then(|(_, number)| number.parse().ok());
    if push.event != format!("{topic}:upsert") || number != Some(revision) {
        return Err(unexpected(&format!("a push of {topic:?}"), text));
    }
    Ok(Push { sequence, revision })
}

/// The push as the broker builds it for the first, second … change of a new model, byte for byte as long.
fn put_push(out: &mut Vec<u8>, topic: Topic, write: Revision) {
    let revision = write.sequence;
    put!(out, r#"{{"event":"{topic}:upsert","data":"#);
    write.put_open(out);
    put!(out, r#","_rev":{revision}}},"position":"0123456789abcdef.{revision}"}}"#);
}

fn check_reply(answer: &[u8], request: u64) -> Result<(), Failure> {
    match serde_json::from_slice(answer) {
        Ok(Reply { id, error: None }) if id == request => Ok(()),
        _ => Err(unexpected(&format!("the answer to request {request}"), answer)),
    }
}

/// That something else came.
pub(crate) fn unexpected(expected: &str, got: &[u8]) -> Failure {
    let got = String::from_utf8_lossy(&got[..got.len().min(300)]);
    Failure::Wrong(format!("instead of {expected} came {got}"))
}

impl std::fmt::Display for Topic {
    /// The name of its model.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Model(0) | Self::Room(_) => out.write_str("Bench"),
            Self::Model(number) => write!(out, "Bench{number}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITE: Revision = Revision { id: 3, sequence: 12 };

    #[test]
    fn a_push_made_for_the_bare_server_reads_like_the_brokers() {
        let mut request = Vec::new();
        Dialect::Bare.put_upsert(&mut request, Topic::Model(4), 1, WRITE);
        let push = request.strip_prefix(b"P4 ").unwrap();
        assert_eq!(read_push(push, Topic::Model(4)).unwrap(), Push { sequence: 12, revision: 12 });
        assert!(read_push(push, Topic::Model(5)).is_err());
    }

    #[test]
    fn a_failed_reply_acknowledges_nothing() {
        let failed = br#"{"id":5,"event":"Bench:upsert","data":null,"error":{"code":"x","message":"","retry":false}}"#;
        assert!(!Dialect::Backsync.may_acknowledge(failed));
        assert!(Dialect::Backsync.check_acknowledged(failed, 5).is_err());
    }

    #[test]
    fn a_reply_acknowledges_its_own_request_only() {
        let reply = br#"{"id":5,"event":"Bench:upsert","data":{"id":"r1","_rev":1},"position":"0.1"}"#;
        assert!(Dialect::Backsync.check_acknowledged(reply, 5).is_ok());
        assert!(Dialect::Backsync.check_acknowledged(reply, 6).is_err());
    }

    #[test]
    fn requests_are_json() {
        let mut request = Vec::new();
        Dialect::Backsync.put_upsert(&mut request, Topic::ONE, 9, WRITE);
        let request: serde_json::Value = serde_json::from_slice(&request).unwrap();
        assert_eq!((&request["id"], &request["event"]), (&9.into(), &"Bench:upsert".into()));
        assert_eq!(request["data"]["sequence"], 12);
    }
}
