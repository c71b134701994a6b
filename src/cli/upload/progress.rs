//! What a person sees of a pipe: a line that moves, reports of refused lines, a summary.

use crate::cli::{
    exit::Failure,
    output::{for_terminal, grouped},
    style,
};
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
pub(in crate::cli) struct Progress {
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
    /// Of an input of so many bytes, where that is known.
    pub(in crate::cli) fn new(quiet: bool, bytes: Option<u64>) -> Self {
        let bar = (!quiet && io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::with_draw_target(bytes, ProgressDrawTarget::stderr());
            let template = if bytes.is_some() { "{bar:30} {percent:>3}% {wide_msg}" } else { "{spinner} {wide_msg}" };
            bar.set_style(ProgressStyle::with_template(template).expect("the templates are constants"));
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

    pub(in crate::cli) fn bytes_read(&self, bytes: usize) {
        if let Some(bar) = &self.bar {
            bar.inc(u64::try_from(bytes).expect("a length fits"));
        }
    }

    pub(in crate::cli) fn line_read(&self) {
        self.read.set(self.read.get() + 1);
    }

    pub(in crate::cli) fn lines_acknowledged(&self, lines: u64) {
        self.acknowledged.set(self.acknowledged.get() + lines);
        self.waits.take();
    }

    /// The server refused a record of this line for itself.
    pub(in crate::cli) fn line_refused(&self, line: u64, cause: impl Display) {
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

    /// Whether no line was refused.
    ///
    /// # Errors
    /// How many were.
    pub(in crate::cli) fn verdict(&self) -> Result<(), Failure> {
        match self.refused.get() {
            0 => Ok(()),
            1 => Err(Failure::failed("1 line was refused")),
            refused => Err(Failure::failed(format!("{refused} lines were refused"))),
        }
    }

    /// Lines that are read and neither stored nor refused.
    pub(super) fn outstanding(&self) -> u64 {
        self.read.get().saturating_sub(self.acknowledged.get() + self.refused.get())
    }

    pub(in crate::cli) fn draw(&self, status: &Status) {
        let Some(bar) = &self.bar else { return };
        let state = match status {
            Status::Connecting { .. } => ", no connection, trying again".to_owned(),
            _ => self.waits.borrow().as_ref().map_or(String::new(), |why| format!(", {why}")),
        };
        let seconds = self.started.elapsed().as_secs_f64().max(0.001);
        let rate = grouped((self.read.get() as f64 / seconds) as u64);
        let (read, outstanding) = (grouped(self.read.get()), grouped(self.outstanding()));
        let message = format!("{read} lines, {rate}/s, {outstanding} not acknowledged{state}");
        bar.set_message(for_terminal(&message).into_owned());
        bar.tick();
    }

    /// Take the moving line away and say what was done.
    pub(in crate::cli) fn finish(&self) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_says_what_became_of_every_line() {
        let progress = Progress::new(true, None);
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
}
