//! The way of lines to a server: read, made records, sent in batches, acknowledged. `pipe` and `import` are uses of it.

mod batch;
mod flow;
mod lines;
mod progress;

#[cfg(test)]
mod flow_tests;

pub(super) use batch::Batch;
pub(super) use flow::{Flow, Gathering};
pub(super) use lines::{LONGEST, Piece};
pub(super) use progress::Progress;

use super::{exit::Failure, interrupt::Interrupts};
use backsync_client::{Client, ClientError};
use std::{pin::Pin, time::Duration};
use tokio::sync::watch;

/// Progress is drawn so often.
const FRAME: Duration = Duration::from_millis(100);

/// One record on its way, as JSON text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) json: String,
    /// The number of its line.
    pub(super) line: u64,
    /// Whether the line ends with it.
    pub(super) ends_line: bool,
}

/// Makes records of lines.
pub(super) trait Records {
    /// Those of a line, or of a piece of one.
    ///
    /// # Errors
    /// Why the line is not taken.
    fn records(&mut self, piece: &Piece<'_>) -> Result<Vec<Item>, String>;
}

/// Completes when a batch is stored, or is not.
pub(super) type Acknowledgement = Pin<Box<dyn Future<Output = Result<(), ClientError>>>>;

/// Takes batches: a model of a server, or in tests something less reliable.
pub(super) trait Upload {
    /// Take a batch, behind those taken before; all of it is stored or nothing. The acknowledgement need not be polled
    /// for the batch to be on its way.
    ///
    /// # Errors
    /// Whatever says that no batch will ever be taken again.
    async fn start(&self, batch: &Batch) -> Result<Acknowledgement, ClientError>;

    /// All lines up to this one are stored or refused.
    ///
    /// # Errors
    /// Why that could not be noted.
    fn settled(&self, _line: u64) -> Result<(), String> {
        Ok(())
    }
}

/// Run a flow and show how far it is. The first interrupt asks it to finish, the second ends it. Answers whether it came to the end of
/// its input.
///
/// # Errors
/// What the flow says, and the second interrupt.
pub(super) async fn watch<F: Future<Output = Result<(), Failure>>>(
    flow: impl FnOnce(watch::Receiver<bool>) -> F,
    client: &Client,
    progress: &Progress,
    interrupts: &mut Interrupts,
) -> Result<bool, Failure> {
    let (stop, stopped) = watch::channel(false);
    let mut flow = std::pin::pin!(flow(stopped));
    let mut frames = tokio::time::interval(FRAME);
    let result = loop {
        tokio::select! {
            result = &mut flow => break result,
            () = interrupts.next() => if stop.send_replace(true) { break Err(Failure::Interrupted) },
            _ = frames.tick() => progress.draw(&client.status().borrow()),
        }
    };
    if result.is_ok() {
        client.close().await;
    }
    progress.finish();
    result.map(|()| !*stop.borrow())
}
