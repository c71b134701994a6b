//! The record every scenario writes: about 200 bytes of JSON, never twice the same.

use std::io::Write;

use clap::ValueEnum;

/// Records that are written again and again.
const ROTATING: u64 = 10_000;
/// New records of one window: the memory of the place is not what is measured.
const MOST_NEW: u64 = 400_000;

/// Which records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Ids {
    /// A new one each time.
    New,
    /// The same ones in turn, with a change each time.
    Rotating,
}

impl Ids {
    /// The record that writer `number` of `writers` writes with its write `sequence`, which is write `written` of all.
    /// Those of different writers are different.
    pub(crate) fn id(self, number: u64, writers: u64, sequence: u64, written: u64) -> u64 {
        let share = ROTATING / writers;
        match self {
            Self::New => written,
            Self::Rotating => number * share + sequence % share,
        }
    }

    /// How many may be written in one window.
    pub(crate) fn most(self) -> u64 {
        match self {
            Self::New => MOST_NEW,
            Self::Rotating => u64::MAX,
        }
    }
}

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
    fn writers_take_turns_with_records_of_their_own() {
        let of = |number| (1..=200).map(move |sequence| Ids::Rotating.id(number, 50, sequence, 0));
        let mut all: Vec<u64> = (0..50).flat_map(of).collect();
        all.sort_unstable();
        assert_eq!(all, (0..ROTATING).collect::<Vec<_>>());
    }

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
