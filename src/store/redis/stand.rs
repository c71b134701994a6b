//! Where a model stands, and which histories lead there.
//!
//! The name of a history comes from the process that wrote it: one that began again, or took over, has another, because it may
//! lack the end of what the one before had, and will use the same revisions again. The chain tells where each began.

use super::{
    Damaged,
    value::{exactly, number, parse, text},
};
use crate::store::epoch::of_model;
use backsync_protocol::{Epoch, ModelName, Position, Revision};
use redis::Value;
use std::num::NonZeroU64;

/// As a script finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stand {
    pub(super) process: Process,
    pub(super) revision: Revision,
    /// Processes, each with the revision at which it began; the last is the present one.
    chain: Vec<(Process, Revision)>,
    /// Every deletion after it has a grave.
    pub(super) graves_floor: Revision,
    /// Every change after it is in the log.
    pub(super) log_floor: Revision,
}

/// Names a run of Redis as a primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Process(NonZeroU64);

impl Process {
    /// Out of 16 hexadecimal digits.
    pub(crate) fn parse(text: &str) -> Result<Self, Damaged> {
        let number = u64::from_str_radix(text, 16);
        let number = number.map_err(|_| Damaged("a process without a name".into()))?;
        Ok(Self(NonZeroU64::new(number).unwrap_or(NonZeroU64::MIN)))
    }

    /// The history that it writes of a model.
    pub(crate) fn epoch(self, model: &ModelName) -> Epoch {
        of_model(Epoch(self.0), model)
    }
}

impl Stand {
    pub(super) fn read(value: Value) -> Result<Self, Damaged> {
        let [process, revision, chain, floor, length] = exactly(value)?;
        let (process, revision) = (Process::parse(&text(process)?)?, number(revision)?);
        let mut links = Vec::new();
        for link in text(chain)?.split_ascii_whitespace() {
            let (process, began) = link.split_once(':').ok_or_else(|| Damaged("a chain of epochs".into()))?;
            links.push((Process::parse(process)?, Revision(parse(began)?)));
        }
        if links.last().is_none_or(|(last, _)| *last != process) {
            links.push((process, Revision(revision)));
        }
        let (graves_floor, log_floor) = (Revision(number(floor)?), Revision(revision.saturating_sub(number(length)?)));
        Ok(Self { process, revision: Revision(revision), chain: links, graves_floor, log_floor })
    }

    pub(super) fn position(&self, model: &ModelName) -> Position {
        Position { epoch: self.process.epoch(model), revision: self.revision }
    }

    /// Whether a position is in the history that leads here. At the very fork it is: what follows is the present's.
    pub(super) fn has(&self, model: &ModelName, position: Position) -> bool {
        let then = self.chain.iter().position(|(process, _)| process.epoch(model) == position.epoch);
        then.is_some_and(|then| {
            let end = self.chain.get(then + 1).map_or(self.revision, |(_, fork)| *fork);
            position.revision <= end
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stand(process: &str, revision: &str, chain: &str) -> Stand {
        let text = |text: &str| Value::BulkString(text.into());
        Stand::read(Value::Array(vec![text(process), text(revision), text(chain), text("3"), Value::Int(5)])).unwrap()
    }

    #[test]
    fn only_who_is_ahead_of_a_fork_is_elsewhere() {
        let model = ModelName::parse("M").unwrap();
        let at = |process: &str, revision| Position {
            epoch: Process::parse(process).unwrap().epoch(&model),
            revision: Revision(revision),
        };
        let here = stand("00000000000000cc", "20", "00000000000000aa:0 00000000000000bb:10");
        assert_eq!((here.position(&model), here.log_floor), (at("cc", 20), Revision(15)));
        for (process, revision, is_here) in [
            ("aa", 0, true),
            ("aa", 10, true),
            ("aa", 11, false),
            ("bb", 11, true),
            ("bb", 20, true),
            ("bb", 21, false),
            ("cc", 5, true),
            ("cc", 20, true),
            ("cc", 21, false),
            ("dd", 0, false),
        ] {
            assert_eq!(here.has(&model, at(process, revision)), is_here, "{process} {revision}");
        }
        let known = stand("00000000000000bb", "20", "00000000000000aa:0 00000000000000bb:10");
        assert!(known.has(&model, at("bb", 20)) && !known.has(&model, at("aa", 11)));
    }
}
