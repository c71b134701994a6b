//! The process' own log as lines that a task can put into a model.
//!
//! A layer runs inside whatever logs, so it never waits, never panics and never logs: lines go into a bounded queue;
//! where that is full they are dropped and counted, and the next line that passes bears the count.

use super::{field, time};
use serde_json::{Map, Value};
use std::{
    cell::Cell,
    sync::atomic::{AtomicU64, Ordering},
};
use tokio::sync::mpsc::{self, error::TrySendError};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

/// Lines that wait for their reader; further ones are dropped.
const QUEUE_LINES: usize = 4096;

/// Events of the task that reads the lines: its own would keep it busy for ever.
const OWN_TARGET: &str = "backsync::server_log";

/// One event of the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// When it happened: RFC 3339 in UTC with milliseconds, `2026-01-31T23:59:59.123Z`.
    pub time: String,
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub level: &'static str,
    /// The part of the program it comes from, usually a module's path.
    pub target: String,
    /// What happened, as a sentence; may be empty.
    pub message: String,
    /// The event's other fields, each with its type.
    pub fields: Map<String, Value>,
    /// How many lines before this one were dropped because the queue was full.
    pub dropped: u64,
}

impl Line {
    /// One object: the fields, and over them `time`, `level`, `target`, `message` and, unless it is 0, `dropped`.
    pub fn to_json(&self) -> Value {
        let mut object = self.fields.clone();
        object.insert("time".to_owned(), self.time.as_str().into());
        object.insert("level".to_owned(), self.level.into());
        object.insert("target".to_owned(), self.target.as_str().into());
        object.insert("message".to_owned(), self.message.as_str().into());
        if self.dropped > 0 {
            object.insert("dropped".to_owned(), self.dropped.into());
        }
        Value::Object(object)
    }
}

/// The reading end of a [`ServerLogLayer`]. Once it is dropped, the layer does nothing any more.
#[derive(Debug)]
pub struct Lines {
    queue: mpsc::Receiver<Line>,
}

impl Lines {
    /// The next line, as soon as there is one; `None` once the layer is gone and all its lines are read. A call that is
    /// cancelled takes no line.
    pub async fn next(&mut self) -> Option<Line> {
        self.queue.recv().await
    }

    /// Wait for a line, then move what is there, `most` lines at most, to the end of `into`. Gives the number of
    /// lines, 0 once the layer is gone and all its lines are read. A call that is cancelled takes no line.
    pub async fn next_batch(&mut self, into: &mut Vec<Line>, most: usize) -> usize {
        self.queue.recv_many(into, most).await
    }

    /// The next line if there is one now.
    pub fn try_next(&mut self) -> Option<Line> {
        self.queue.try_recv().ok()
    }
}

/// A layer of a `tracing` subscriber that turns each event into a [`Line`]. What becomes of the lines is for whoever has the other
/// half: `Backsync::keep_log` makes them records of a model, which everybody who listens to it sees at once.
///
/// It goes beside other layers and below filters. In a program of one's own:
///
/// ```no_run
/// use backsync::{Backsync, store::Memory, telemetry::ServerLogLayer};
/// use tracing_subscriber::{filter::LevelFilter, layer::SubscriberExt};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let (layer, lines) = ServerLogLayer::new();
/// tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer).with(LevelFilter::INFO))?;
/// let server = Backsync::builder().store(Memory::default()).build()?;
/// server.keep_log("AppLog", lines)?;
/// tracing::info!(jobs = 3, "ready");
/// # Ok(())
/// # }
/// ```
///
/// An event never waits for its line: where lines are not read fast enough, they are dropped and counted.
///
/// Left out are events whose target begins with `backsync::server_log`, and events that happen while another one of the
/// same thread is being turned into a line, which a value's `Debug` can cause.
#[derive(Debug)]
pub struct ServerLogLayer {
    queue: mpsc::Sender<Line>,
    dropped: AtomicU64,
}

impl ServerLogLayer {
    /// A layer, and the lines it will give; 4096 may wait.
    // The pair is what makes sense of either half, as for a channel.
    #[allow(clippy::new_ret_no_self)]
    pub fn new() -> (Self, Lines) {
        Self::with_queue(QUEUE_LINES)
    }

    fn with_queue(lines: usize) -> (Self, Lines) {
        let (sender, receiver) = mpsc::channel(lines);
        (Self { queue: sender, dropped: AtomicU64::new(0) }, Lines { queue: receiver })
    }

    fn put(&self, event: &Event<'_>) {
        // The place first: a line that has none is not made.
        match self.queue.try_reserve() {
            Ok(place) => {
                let metadata = event.metadata();
                let (message, fields) = field::read(event);
                place.send(Line {
                    time: time::now(),
                    level: level(*metadata.level()),
                    target: metadata.target().to_owned(),
                    message,
                    fields,
                    dropped: self.dropped.swap(0, Ordering::Relaxed),
                });
            }
            Err(TrySendError::Full(())) => {
                self.dropped.fetch_add(1, Ordering::Relaxed);
            }
            Err(TrySendError::Closed(())) => {}
        }
    }
}

impl<S: Subscriber> Layer<S> for ServerLogLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target().starts_with(OWN_TARGET) {
            return;
        }
        if let Some(_turn) = Turn::take() {
            self.put(event);
        }
    }
}

thread_local! {
    static BUSY: Cell<bool> = const { Cell::new(false) };
}

/// The right of a thread to make a line, one at a time.
struct Turn;

impl Turn {
    /// `None` inside another turn, and while the thread ends.
    fn take() -> Option<Self> {
        match BUSY.try_with(|busy| busy.replace(true)) {
            Ok(false) => Some(Self),
            Ok(true) | Err(_) => None,
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let _ = BUSY.try_with(|busy| busy.set(false));
    }
}

fn level(level: tracing::Level) -> &'static str {
    match level {
        tracing::Level::ERROR => "error",
        tracing::Level::WARN => "warn",
        tracing::Level::INFO => "info",
        tracing::Level::DEBUG => "debug",
        tracing::Level::TRACE => "trace",
    }
}

#[cfg(test)]
#[path = "server_log_tests.rs"]
mod tests;
