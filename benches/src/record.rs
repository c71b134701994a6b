//! The record every scenario writes: about 200 bytes of JSON, never twice the same.

use std::io::Write;

/// One write of a record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Revision {
    /// Which record of its model.
    pub(crate) id: u64,
    /// Which write of its sequence, from 1. It makes every write a change, and a receiver checks the order by it.
    pub(crate) sequence: u64,
}

impl Revision {
    /// Appends the record's members, without the closing brace, so that a server's own can follow.
    pub(crate) fn put_open(self, out: &mut Vec<u8>) {
        let Self { id, sequence } = self;
        let title = "Reading room, second floor, by the window";
        let note = "Quiet until noon; the lamp on the left was replaced";
        write!(
            out,
            r#"{{"id":"r{id:08}","sequence":{sequence},"title":"{title}","state":"open","seats":24,"owner":"u-4821","note":"{note}""#
        )
        .expect("a vector takes everything");
    }

    /// Appends the record as JSON.
    pub(crate) fn put(self, out: &mut Vec<u8>) {
        self.put_open(out);
        out.push(b'}');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_about_200_bytes_of_json() {
        let mut out = Vec::new();
        Revision { id: 7, sequence: 123_456 }.put(&mut out);
        assert!((190..=210).contains(&out.len()), "{}", out.len());
        let record: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(record["id"], "r00000007");
        assert_eq!(record["sequence"], 123_456);
    }
}
