//! Signals that ask a command to end, and the runtime that commands run on.

use super::exit::Failure;
use std::io;

/// Completes when the user or the system asks to end: Ctrl-C, on Unix also SIGTERM. Each wait is for one more signal.
#[derive(Debug)]
pub(super) struct Interrupts {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

impl Interrupts {
    #[cfg(unix)]
    pub(super) fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    #[cfg(not(unix))]
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self {})
    }

    /// Cancel safe.
    #[cfg(unix)]
    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// Cancel safe.
    #[cfg(not(unix))]
    pub(super) async fn next(&mut self) {
        // Where signals cannot be heard the system ends the process by itself.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Run a command to its end on this thread.
pub(super) fn run<F>(command: impl FnOnce(Interrupts) -> F) -> Result<(), Failure>
where
    F: Future<Output = Result<(), Failure>>,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::failed)?;
    let result = runtime.block_on(async { command(Interrupts::listen().map_err(Failure::failed)?).await });
    // A read of stdin cannot be called off: leave its thread behind, the process ends now.
    runtime.shutdown_background();
    result
}
