//! Both servers in turn, several times: what drifts in the place, drifts under both.

use crate::bare::Mode;
use crate::case::{Case, Side};
use crate::failure::Failure;
use crate::latency::Latencies;
use crate::scenario::{Cost, Growth, Lengths, measure_idle};
use crate::target::{Kept, Place, Target, Targets};

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// How often each of the two has its turn.
    pub(crate) rounds: usize,
    /// How long a turn is.
    pub(crate) lengths: Lengths,
}

/// What one server's turns cost.
#[derive(Debug)]
pub(crate) struct Turns(Vec<Cost>);

impl Turns {
    /// CPU µs for one, smallest first.
    pub(crate) fn cpu_us(&self) -> Vec<f64> {
        let mut all: Vec<f64> = self.0.iter().map(Cost::cpu_us).collect();
        all.sort_by(f64::total_cmp);
        all
    }

    /// The median by some measure.
    pub(crate) fn median(&self, measure: impl Fn(&Cost) -> f64) -> f64 {
        median(self.0.iter().map(measure).collect())
    }

    /// The medians of CPU µs for one, of each node and then of Redis.
    pub(crate) fn each_us(&self) -> Vec<f64> {
        let processes = self.0.first().map_or(0, |cost| cost.processes.len());
        (0..processes).map(|at| self.median(|cost| cost.each_us().nth(at).unwrap_or(f64::NAN))).collect()
    }

    /// How crowded the CPUs were at the worst turn, from 0 to 1.
    pub(crate) fn crowded(&self) -> f64 {
        self.0.iter().map(Cost::crowded).fold(0.0, f64::max)
    }

    /// The times of all turns together.
    pub(crate) fn latencies(&self) -> Latencies {
        let mut all = Latencies::default();
        self.0.iter().for_each(|cost| all.merge(&cost.tally.latencies));
        all
    }
}

/// Measures `case` on the server and beside it, a fresh process each time, who goes first alternating.
///
/// # Errors
/// The first failure, as the server's end explains it.
pub(crate) fn compare(case: &Case, targets: &Targets, plan: Plan) -> Result<(Turns, Turns), Failure> {
    let (mut server, mut bare) = (Vec::new(), Vec::new());
    for round in 0..plan.rounds {
        let order = match round % 2 {
            0 => [Side::Server, Side::Bare],
            _ => [Side::Bare, Side::Server],
        };
        for side in order {
            let place = if targets.server.is_some() { case.place(side) } else { Place::Bare(case.mode()) };
            let cost = on(targets, place, |target| case.measure(side, target, plan.lengths))?;
            match side {
                Side::Server => server.push(cost),
                Side::Bare => bare.push(cost),
            }
        }
    }
    Ok((Turns(server), Turns(bare)))
}

/// Weighs the idle listeners of the server and of the bare one: memory does not drift, once is enough.
///
/// # Errors
/// The first failure, as the server's end explains it.
pub(crate) fn weigh(targets: &Targets) -> Result<(Growth, Growth), Failure> {
    let bare = Place::Bare(Mode::Each);
    let server = if targets.server.is_some() { Place::Alone(Kept::Memory) } else { bare };
    Ok((on(targets, server, measure_idle)?, on(targets, bare, measure_idle)?))
}

fn on<T>(targets: &Targets, place: Place, run: impl FnOnce(&Target) -> Result<T, Failure>) -> Result<T, Failure> {
    let mut target = targets.start(place)?;
    run(&target).map_err(|failure| target.explain(failure))
}

/// The middle one, or between the two in the middle.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() % 2 {
        1 => values[middle],
        _ => (values[middle - 1] + values[middle]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bad_round_does_not_move_the_median() {
        assert_eq!(median(vec![3.0, 1.0, 900.0]), 3.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 900.0]), 3.0);
    }
}
