//! What a person sees of a pipe: a line that moves, reports of refused lines, a summary.

use crate::cli::style;
use backsync_client::{ServerError, Status};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{
    cell::{Cell, RefCell},
    fmt::Display,
    io::{self, IsTerminal},
    time::{Duration, Instant},
};

/// Refused lines that are reported one by one; the others are counted.
const REPORTED: u64 = 20;

/// Counts and shows.
#[derive(Debug)]
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    quiet: bool,
    started: Instant,
    read: Cell<u64>,
    acknowledged: Cell<u64>,
    refused: Cell<u64>,
    last_refused: Cell<u64>,
    /// Why nothing goes on.
    waits: RefCell<Option<String>>,
}

impl Progress {
    pub(super) fn new(quiet: bool) -> Self {
        let bar = (!quiet && io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{spinner} {wide_msg}").expect("the template is a constant");
            bar.set_style(style);
            bar
        });
        Self {
            bar,
            quiet,
            started: Instant::now(),
            read: Cell::default(),
            acknowledged: Cell::default(),
            refused: Cell::default(),
            last_refused: Cell::default(),
            waits: RefCell::default(),
        }
    }

    pub(super) fn line_read(&self) {
        self.read.set(self.read.get() + 1);
    }

    pub(super) fn lines_acknowledged(&self, lines: u64) {
        self.acknowledged.set(self.acknowledged.get() + lines);
        self.waits.take();
    }

    /// The server refused a record of this line for itself.
    pub(super) fn line_refused(&self, line: u64, cause: impl Display) {
        if self.last_refused.replace(line) == line {
            return;
        }
        self.refused.set(self.refused.get() + 1);
        match self.refused.get() {
            ..=REPORTED => self.report(format!("line {line} was refused: {cause}")),
            n if n == REPORTED + 1 => self.report("more lines were refused; from here on they are only counted".into()),
            _ => {}
        }
    }

    fn report(&self, message: String) {
        match &self.bar {
            Some(bar) => bar.suspend(|| style::report(message)),
            None => style::report(message),
        }
    }

    /// Nothing goes on until the server can take more.
    pub(super) fn waits_for_server(&self, cause: &ServerError) {
        let first = self.waits.replace(Some(format!("waiting: {cause}"))).is_none();
        if first && self.bar.is_none() && !self.quiet {
            style::note(format!("{cause}; trying again until it succeeds"));
        }
    }

    pub(super) fn refused(&self) -> u64 {
        self.refused.get()
    }

    /// Lines that are read and neither stored nor refused.
    pub(super) fn outstanding(&self) -> u64 {
        self.read.get().saturating_sub(self.acknowledged.get() + self.refused.get())
    }

    pub(super) fn draw(&self, status: &Status) {
        let Some(bar) = &self.bar else { return };
        let state = match status {
            Status::Connecting { .. } => ", no connection, trying again".to_owned(),
            _ => self.waits.borrow().as_ref().map_or(String::new(), |why| format!(", {why}")),
        };
        let seconds = self.started.elapsed().as_secs_f64().max(0.001);
        let rate = grouped((self.read.get() as f64 / seconds) as u64);
        let (read, outstanding) = (grouped(self.read.get()), grouped(self.outstanding()));
        let message = format!("{read} lines, {rate}/s, {outstanding} not acknowledged{state}");
        bar.set_message(crate::cli::output::for_terminal(&message).into_owned());
        bar.tick();
    }

    /// Take the moving line away and say what was done.
    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        if !self.quiet {
            eprintln_quietly(&self.summary(self.started.elapsed()));
        }
    }

    fn summary(&self, elapsed: Duration) -> String {
        let (read, refused, outstanding) = (self.read.get(), self.refused.get(), self.outstanding());
        let lines = if read == 1 { "1 line".to_owned() } else { format!("{} lines", grouped(read)) };
        let mut text = format!("{lines} in {:.1} s", elapsed.as_secs_f64());
        if refused == 0 && outstanding == 0 {
            text.push_str(", all acknowledged");
            return text;
        }
        text.push_str(&format!(", {} acknowledged", grouped(self.acknowledged.get())));
        if refused > 0 {
            text.push_str(&format!(", {} refused", grouped(refused)));
        }
        if outstanding > 0 {
            text.push_str(&format!(", {} NOT acknowledged", grouped(outstanding)));
        }
        text
    }
}

fn eprintln_quietly(text: &str) {
    use io::Write;
    // Nobody is left to read it: nothing to do.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_says_what_became_of_every_line() {
        let progress = Progress::new(true);
        progress.read.set(100_000);
        progress.lines_acknowledged(100_000);
        let took = Duration::from_millis(2_140);
        assert_eq!(progress.summary(took), "100,000 lines in 2.1 s, all acknowledged");
        progress.acknowledged.set(99_990);
        progress.line_refused(5, "x");
        progress.line_refused(5, "another part of it");
        assert_eq!(
            progress.summary(took),
            "100,000 lines in 2.1 s, 99,990 acknowledged, 1 refused, 9 NOT acknowledged"
        );
    }

    #[test]
    fn numbers_are_grouped() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
    }
}
