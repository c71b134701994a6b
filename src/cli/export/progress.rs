//! What a person sees of an export.

use crate::cli::{output::grouped, style};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{
    cell::Cell,
    io::{self, IsTerminal},
    time::Instant,
};

/// Counts and shows.
#[derive(Debug)]
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    quiet: bool,
    started: Instant,
    records: Cell<u64>,
}

impl Progress {
    pub(super) fn new(quiet: bool) -> Self {
        let bar = (!quiet && io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.set_style(ProgressStyle::with_template("{spinner} {wide_msg}").expect("the template is a constant"));
            bar
        });
        Self { bar, quiet, started: Instant::now(), records: Cell::default() }
    }

    /// So many more were written.
    pub(super) fn records(&self, more: usize) {
        let records = self.records.get() + u64::try_from(more).expect("a count fits");
        self.records.set(records);
        if let Some(bar) = &self.bar {
            let seconds = self.started.elapsed().as_secs_f64().max(0.001);
            bar.set_message(format!("{} records, {}/s", grouped(records), grouped((records as f64 / seconds) as u64)));
            bar.tick();
        }
    }

    /// Take the moving line away and say what was done.
    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        if !self.quiet {
            let seconds = self.started.elapsed().as_secs_f64();
            style::note(format!("{} records in {seconds:.1} s", grouped(self.records.get())));
        }
    }
}
