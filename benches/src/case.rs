//! What is measured, and the bar each is held to.

use clap::ValueEnum;

use crate::bare::Mode;
use crate::dialect::Topic;
use crate::failure::Failure;
use crate::load::Door;
use crate::record::Ids;
use crate::scenario::{Batches, Cost, Fanout, Lengths, Requests, Shape, Workload, Writers, measure};
use crate::target::{Kept, Place, Target};

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
    /// The same over HTTP, one by one and as lines.
    Http,
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
    /// How many times that one's CPU time the server may take, where that is agreed.
    pub(crate) bar: Option<f64>,
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
    /// What a store on its own does.
    Batches,
}

const ALONE: Place = Place::Alone(Kept::Memory);
const ONE_MODEL: Shape =
    Shape { topics: 1, topic: Topic::Model, listeners: 1_000, at: &[0], door: Door::WebSocket, window: 64 };
const MANY_MODELS: Shape = Shape { topics: 500, listeners: 10, ..ONE_MODEL };
const HALF: Shape = Shape { listeners: 500, ..ONE_MODEL };
const NEW: Writers = Writers { ids: Ids::New, door: Door::WebSocket, connections: 50, outstanding: 8 };
const CHANGED: Writers = Writers { ids: Ids::Rotating, ..NEW };
const ONE_BY_ONE: Writers = Writers { connections: 1, outstanding: 1, ..CHANGED };
const LINES: Writers = Writers { door: Door::Lines, connections: 1, outstanding: 2_000, ..NEW };

/// All comparisons, in the order of the table.
pub(crate) const CASES: [Case; 17] = [
    Case {
        scenario: Scenario::Fanout,
        name: "fanout, window 1",
        unit: "delivery",
        beside: Beside::Bare(Mode::Each),
        bar: Some(1.2),
        place: ALONE,
        work: Work::Fanout(Shape { window: 1, ..ONE_MODEL }),
    },
    Case {
        scenario: Scenario::Fanout,
        name: "fanout, window 64",
        unit: "delivery",
        beside: Beside::Bare(Mode::Batch),
        bar: Some(2.5),
        place: ALONE,
        work: Work::Fanout(ONE_MODEL),
    },
    Case {
        scenario: Scenario::Many,
        name: "many models, window 64",
        unit: "delivery",
        beside: Beside::Bare(Mode::Each),
        bar: Some(1.2),
        place: ALONE,
        work: Work::Fanout(MANY_MODELS),
    },
    Case {
        scenario: Scenario::Rooms,
        name: "rooms, beside many models",
        unit: "delivery",
        beside: Beside::Itself(ALONE, Work::Fanout(MANY_MODELS)),
        bar: Some(1.2),
        place: ALONE,
        work: Work::Fanout(Shape { topic: Topic::Room, ..MANY_MODELS }),
    },
    Case {
        scenario: Scenario::Streaming,
        name: "xhr_streaming, beside /ws",
        unit: "delivery",
        beside: Beside::Itself(ALONE, Work::Fanout(Shape { window: 1, ..ONE_MODEL })),
        bar: Some(1.5),
        place: ALONE,
        work: Work::Fanout(Shape { window: 1, door: Door::Streaming, ..ONE_MODEL }),
    },
    Case {
        scenario: Scenario::Requests,
        name: "requests, new records",
        unit: "request",
        beside: Beside::Bare(Mode::Each),
        bar: Some(2.5),
        place: ALONE,
        work: Work::Requests(NEW),
    },
    Case {
        scenario: Scenario::Requests,
        name: "requests, changed records",
        unit: "request",
        beside: Beside::Bare(Mode::Each),
        bar: Some(2.5),
        place: ALONE,
        work: Work::Requests(CHANGED),
    },
    Case {
        scenario: Scenario::Requests,
        name: "requests, new, equal bytes",
        unit: "request",
        beside: Beside::Bare(Mode::Echo),
        bar: Some(2.5),
        place: ALONE,
        work: Work::Requests(NEW),
    },
    Case {
        scenario: Scenario::Requests,
        name: "requests, changed, equal bytes",
        unit: "request",
        beside: Beside::Bare(Mode::Echo),
        bar: Some(2.5),
        place: ALONE,
        work: Work::Requests(CHANGED),
    },
    Case {
        scenario: Scenario::Http,
        name: "http, one by one, beside /ws",
        unit: "request",
        beside: Beside::Itself(ALONE, Work::Requests(Writers { outstanding: 1, ..CHANGED })),
        bar: None,
        place: ALONE,
        work: Work::Requests(Writers { door: Door::Records, outstanding: 1, ..CHANGED }),
    },
    Case {
        scenario: Scenario::Http,
        name: "http, lines, beside /ws",
        unit: "record",
        beside: Beside::Itself(ALONE, Work::Requests(NEW)),
        bar: None,
        place: ALONE,
        work: Work::Requests(LINES),
    },
    Case {
        scenario: Scenario::Http,
        name: "bulk, memory, beside its store",
        unit: "record",
        beside: Beside::Itself(Place::Store(Kept::Memory, LINES.ids), Work::Batches),
        bar: Some(1.5),
        place: ALONE,
        work: Work::Requests(LINES),
    },
    Case {
        scenario: Scenario::Http,
        name: "bulk, sqlite, beside its store",
        unit: "record",
        beside: Beside::Itself(Place::Store(Kept::Sqlite, LINES.ids), Work::Batches),
        bar: Some(1.5),
        place: Place::Alone(Kept::Sqlite),
        work: Work::Requests(LINES),
    },
    Case {
        scenario: Scenario::Nodes,
        name: "redis, beside one by one",
        unit: "request",
        beside: Beside::Itself(Place::Nodes(1), Work::Requests(ONE_BY_ONE)),
        bar: Some(0.5),
        place: Place::Nodes(1),
        work: Work::Requests(CHANGED),
    },
    Case {
        scenario: Scenario::Nodes,
        name: "nodes, window 64",
        unit: "delivery",
        beside: Beside::Itself(Place::Nodes(1), Work::Fanout(ONE_MODEL)),
        bar: Some(1.2),
        place: Place::Nodes(2),
        work: Work::Fanout(Shape { at: &[1], ..ONE_MODEL }),
    },
    Case {
        scenario: Scenario::Nodes,
        name: "nodes, beside one without Redis",
        unit: "delivery",
        beside: Beside::Itself(ALONE, Work::Fanout(ONE_MODEL)),
        bar: None,
        place: Place::Nodes(2),
        work: Work::Fanout(Shape { at: &[1], ..ONE_MODEL }),
    },
    Case {
        scenario: Scenario::Nodes,
        name: "nodes, twice the listeners",
        unit: "delivery",
        beside: Beside::Itself(Place::Busiest(1), Work::Fanout(HALF)),
        bar: Some(1.2),
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

    /// Whether the bare server can do the work of both sides: it knows WebSocket only, and keeps nothing.
    pub(crate) fn suits_bare(&self) -> bool {
        let door = match self.work {
            Work::Fanout(shape) => shape.door,
            Work::Requests(writers) => writers.door,
            Work::Batches => return false,
        };
        door == Door::WebSocket && !self.has_redis()
    }

    /// Whether it tells something how many are done in a second: something else than a CPU is waited for, too.
    pub(crate) fn has_rate(&self) -> bool {
        matches!(self.scenario, Scenario::Http | Scenario::Nodes)
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
            Work::Batches => Box::new(Batches::prepare(target)?),
            Work::Requests(writers) => Box::new(Requests::prepare(target, writers)?),
        };
        measure(target, workload.as_mut(), lengths)
    }
}
