//! What is measured, and the bar each is held to.

use clap::ValueEnum;

use crate::bare::Mode;
use crate::dialect::Channel;
use crate::failure::Failure;
use crate::scenario::{Cost, Fanout, Ids, Lengths, Requests, Shape, Workload, measure};
use crate::target::Target;

/// What can be asked for on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// Everything below.
    All,
    /// One model, 1000 listeners, 1 and 64 messages outstanding.
    Fanout,
    /// 500 models with 10 listeners each.
    Many,
    /// 500 rooms of one model, told apart by a filter, with 10 listeners each.
    Rooms,
    /// 10,000 listeners and nothing to hear.
    Idle,
    /// Acknowledged writes that nobody hears.
    Requests,
}

impl Scenario {
    /// Whether asking for `self` asks for `other`.
    pub(crate) fn includes(self, other: Self) -> bool {
        self == Self::All || self == other
    }
}

/// One comparison of CPU time between the server and the bare one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    /// What asks for it.
    pub(crate) scenario: Scenario,
    /// Its line in the table.
    pub(crate) name: &'static str,
    /// What is counted.
    pub(crate) unit: &'static str,
    /// How the bare server delivers.
    pub(crate) mode: Mode,
    /// How many times the bare server's CPU time the server may take.
    pub(crate) bar: f64,
    work: Work,
}

#[derive(Clone, Copy, Debug)]
enum Work {
    Fanout(Shape),
    Requests(Ids),
}

/// All comparisons, in the order of the table.
pub(crate) const CASES: [Case; 8] = [
    Case {
        scenario: Scenario::Fanout,
        name: "fanout, window 1",
        unit: "delivery",
        mode: Mode::Each,
        bar: 1.2,
        work: Work::Fanout(Shape { channel: Channel::Model, channels: 1, listeners: 1_000, window: 1 }),
    },
    Case {
        scenario: Scenario::Fanout,
        name: "fanout, window 64",
        unit: "delivery",
        mode: Mode::Batch,
        bar: 2.5,
        work: Work::Fanout(Shape { channel: Channel::Model, channels: 1, listeners: 1_000, window: 64 }),
    },
    Case {
        scenario: Scenario::Many,
        name: "many models, window 64",
        unit: "delivery",
        mode: Mode::Each,
        bar: 1.2,
        work: Work::Fanout(Shape { channel: Channel::Model, channels: 500, listeners: 10, window: 64 }),
    },
    Case {
        scenario: Scenario::Rooms,
        name: "many rooms, window 64",
        unit: "delivery",
        mode: Mode::Each,
        // As many models as there are rooms may cost 1.2, and rooms 1.2 times that.
        bar: 1.44,
        work: Work::Fanout(Shape { channel: Channel::Room, channels: 500, listeners: 10, window: 64 }),
    },
    Case {
        scenario: Scenario::Requests,
        name: "requests, new records",
        unit: "request",
        mode: Mode::Each,
        bar: 2.5,
        work: Work::Requests(Ids::New),
    },
    Case {
        scenario: Scenario::Requests,
        name: "requests, changed records",
        unit: "request",
        mode: Mode::Each,
        bar: 2.5,
        work: Work::Requests(Ids::Rotating),
    },
    Case {
        scenario: Scenario::Requests,
        name: "requests, new, equal bytes",
        unit: "request",
        mode: Mode::Echo,
        bar: 2.5,
        work: Work::Requests(Ids::New),
    },
    Case {
        scenario: Scenario::Requests,
        name: "requests, changed, equal bytes",
        unit: "request",
        mode: Mode::Echo,
        bar: 2.5,
        work: Work::Requests(Ids::Rotating),
    },
];

impl Case {
    /// Does the work on `target` once.
    ///
    /// # Errors
    /// When it could not be done as it should.
    pub(crate) fn measure(&self, target: &Target, lengths: Lengths) -> Result<Cost, Failure> {
        let mut workload: Box<dyn Workload> = match self.work {
            Work::Fanout(shape) => Box::new(Fanout::prepare(target, shape)?),
            Work::Requests(ids) => Box::new(Requests::prepare(target, ids)?),
        };
        measure(target, workload.as_mut(), lengths)
    }
}
