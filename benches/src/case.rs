//! What is measured, and the bar each is held to.

use clap::ValueEnum;

use crate::bare::Mode;
use crate::dialect::Topic;
use crate::failure::Failure;
use crate::load::Door;
use crate::scenario::{Cost, Fanout, Ids, Lengths, Requests, Shape, Workload, Writers, measure};
use crate::target::{Place, Target};

/// What can be asked for on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// Everything below.
    All,
    /// One model, 1000 listeners, 1 and 64 messages outstanding.
    Fanout,
    /// 500 models with 10 listeners each.
    Many,
    /// 500 rooms of one model with 10 listeners each.
    Rooms,
    /// Listeners by SockJS' streaming over HTTP.
    Streaming,
    /// Nodes over one Redis, which is started for it.
    Nodes,
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

/// The two of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// What is to be known.
    Server,
    /// What it is held against.
    Bare,
}

/// One comparison of CPU time: the server, and what it is held against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    /// What asks for it.
    pub(crate) scenario: Scenario,
    /// Its line in the table.
    pub(crate) name: &'static str,
    /// What is counted.
    pub(crate) unit: &'static str,
    /// What is beside it.
    pub(crate) beside: Beside,
    /// How many times that one's CPU time the server may take.
    pub(crate) bar: f64,
    place: Place,
    work: Work,
}

/// What a case is held against.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Beside {
    /// The bare server with the same work, delivering like this.
    Bare(Mode),
    /// The server itself, with work that is known to cost little, or at a place where it does.
    Itself(Place, Work),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Work {
    Fanout(Shape),
    Requests(Writers),
}

const ONE_MODEL: Shape =
    Shape { topics: 1, topic: Topic::Model, listeners: 1_000, at: &[0], door: Door::WebSocket, window: 64 };
const MANY_MODELS: Shape = Shape { topics: 500, listeners: 10, ..ONE_MODEL };
const HALF: Shape = Shape { listeners: 500, ..ONE_MODEL };
const NEW: Writers = Writers { ids: Ids::New, connections: 50, outstanding: 8 };
const CHANGED: Writers = Writers { ids: Ids::Rotating, ..NEW };
const ONE_BY_ONE: Writers = Writers { connections: 1, outstanding: 1, ..CHANGED };

/// All comparisons, in the order of the table.
pub(crate) const CASES: [Case; 12] = [
    Case {
        scenario: Scenario::Fanout,
        name: "fanout, window 1",
        unit: "delivery",
        beside: Beside::Bare(Mode::Each),
        bar: 1.2,
        place: Place::Alone,
        work: Work::Fanout(Shape { window: 1, ..ONE_MODEL }),
    },
    Case {
        scenario: Scenario::Fanout,
        name: "fanout, window 64",
        unit: "delivery",
        beside: Beside::Bare(Mode::Batch),
        bar: 2.5,
        place: Place::Alone,
        work: Work::Fanout(ONE_MODEL),
    },
    Case {
        scenario: Scenario::Many,
        name: "many models, window 64",
        unit: "delivery",
        beside: Beside::Bare(Mode::Each),
        bar: 1.2,
        place: Place::Alone,
        work: Work::Fanout(MANY_MODELS),
    },
    Case {
        scenario: Scenario::Rooms,
        name: "rooms, beside many models",
        unit: "delivery",
        beside: Beside::Itself(Place::Alone, Work::Fanout(MANY_MODELS)),
        bar: 1.2,
        place: Place::Alone,
        work: Work::Fanout(Shape { topic: Topic::Room, ..MANY_MODELS }),
    },
    Case {
        scenario: Scenario::Streaming,
        name: "xhr_streaming, beside /ws",
        unit: "delivery",
        beside: Beside::Itself(Place::Alone, Work::Fanout(Shape { window: 1, ..ONE_MODEL })),
        bar: 1.5,
        place: Place::Alone,
        work: Work::Fanout(Shape { window: 1, door: Door::Streaming, ..ONE_MODEL }),
    },
    Case {
        scenario: Scenario::Requests,
        name: "requests, new records",
        unit: "request",
        beside: Beside::Bare(Mode::Each),
        bar: 2.5,
        place: Place::Alone,
        work: Work::Requests(NEW),
    },
    Case {
        scenario: Scenario::Requests,
        name: "requests, changed records",
        unit: "request",
        beside: Beside::Bare(Mode::Each),
        bar: 2.5,
        place: Place::Alone,
        work: Work::Requests(CHANGED),
    },
    Case {
        scenario: Scenario::Requests,
        name: "requests, new, equal bytes",
        unit: "request",
        beside: Beside::Bare(Mode::Echo),
        bar: 2.5,
        place: Place::Alone,
        work: Work::Requests(NEW),
    },
    Case {
        scenario: Scenario::Requests,
        name: "requests, changed, equal bytes",
        unit: "request",
        beside: Beside::Bare(Mode::Echo),
        bar: 2.5,
        place: Place::Alone,
        work: Work::Requests(CHANGED),
    },
    Case {
        scenario: Scenario::Nodes,
        name: "redis, beside one by one",
        unit: "request",
        beside: Beside::Itself(Place::Nodes(1), Work::Requests(ONE_BY_ONE)),
        bar: 0.5,
        place: Place::Nodes(1),
        work: Work::Requests(CHANGED),
    },
    Case {
        scenario: Scenario::Nodes,
        name: "nodes, window 64",
        unit: "delivery",
        beside: Beside::Itself(Place::Alone, Work::Fanout(ONE_MODEL)),
        bar: 1.2,
        place: Place::Nodes(2),
        work: Work::Fanout(Shape { at: &[1], ..ONE_MODEL }),
    },
    Case {
        scenario: Scenario::Nodes,
        name: "nodes, twice the listeners",
        unit: "delivery",
        beside: Beside::Itself(Place::Busiest(1), Work::Fanout(HALF)),
        bar: 1.2,
        place: Place::Busiest(2),
        work: Work::Fanout(Shape { at: &[0, 1], ..ONE_MODEL }),
    },
];

impl Case {
    /// Where one side is measured.
    pub(crate) fn place(&self, side: Side) -> Place {
        match (side, self.beside) {
            (Side::Server, _) => self.place,
            (Side::Bare, Beside::Bare(mode)) => Place::Bare(mode),
            (Side::Bare, Beside::Itself(place, _)) => place,
        }
    }

    /// How a bare server delivers that is measured in the place of both.
    pub(crate) fn mode(&self) -> Mode {
        match self.beside {
            Beside::Bare(mode) => mode,
            Beside::Itself(..) => Mode::Each,
        }
    }

    /// Whether Redis is needed for it.
    pub(crate) fn has_redis(&self) -> bool {
        self.place.has_redis()
    }

    /// Does the work of one side on `target` once.
    ///
    /// # Errors
    /// When it could not be done as it should.
    pub(crate) fn measure(&self, side: Side, target: &Target, lengths: Lengths) -> Result<Cost, Failure> {
        let work = match (side, self.beside) {
            (Side::Bare, Beside::Itself(_, work)) => work,
            _ => self.work,
        };
        let mut workload: Box<dyn Workload> = match work {
            Work::Fanout(shape) => Box::new(Fanout::prepare(target, shape)?),
            Work::Requests(writers) => Box::new(Requests::prepare(target, writers)?),
        };
        measure(target, workload.as_mut(), lengths)
    }
}
