//! The process' own log: events of `tracing` to stderr, and a copy of them as lines for the model `ServerLog`.
//!
//! A log never holds up what it reports: the copy is dropped and counted where its reader falls behind.

mod field;
mod server_log;
mod stderr;
mod time;

pub use server_log::{Line, Lines, ServerLogLayer};

use crate::settings::LogSettings;
use tracing::Subscriber;
use tracing_subscriber::{filter::Targets, fmt::MakeWriter, layer::SubscriberExt, registry::Registry};

/// Why logging could not begin.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// [`LogSettings::level`] is no filter. Settings that were loaded or checked have one.
    #[error("`log.level` cannot be used: {0}")]
    Level(String),
    /// The process logs already, by an earlier call or by its own subscriber.
    #[error("the log of this process is set up already, do it once and before the server starts")]
    AlreadySet(#[from] tracing::subscriber::SetGlobalDefaultError),
}

/// Send the events of this process to stderr, as `settings` say, and to `server_log` where there is one. Once for a
/// process.
///
/// The level holds for both. For people there is one coloured line an event (uncoloured where `NO_COLOR` is set or
/// stderr is no terminal), for machines one JSON object a line; times are RFC 3339 in UTC.
///
/// Whether there is a copy is the caller's to decide, by [`LogSettings::server_log`].
///
/// # Errors
/// [`TelemetryError`].
pub fn init(settings: &LogSettings, server_log: Option<ServerLogLayer>) -> Result<(), TelemetryError> {
    let filter = settings.filter().map_err(TelemetryError::Level)?;
    let look = stderr::Look::of_process(settings.format);
    tracing::subscriber::set_global_default(subscriber(filter, look, std::io::stderr, server_log))?;
    Ok(())
}

fn subscriber<W>(
    filter: Targets,
    look: stderr::Look,
    writer: W,
    server_log: Option<ServerLogLayer>,
) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    Registry::default().with(stderr::layer(look, writer)).with(server_log).with(filter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::level_filters::LevelFilter;

    #[test]
    fn the_level_holds_for_stderr_and_for_the_copy() {
        let filter = || LogSettings { level: "info,noise=off".into(), ..Default::default() }.filter().unwrap();
        let (layer, mut lines) = ServerLogLayer::new();
        let both = subscriber(filter(), stderr::Look::Json, std::io::sink, Some(layer));
        let one = subscriber(filter(), stderr::Look::Json, std::io::sink, None);
        // The hint is what lets a disabled event cost one comparison.
        assert_eq!(both.max_level_hint(), Some(LevelFilter::INFO));
        assert_eq!(one.max_level_hint(), Some(LevelFilter::INFO));
        tracing::subscriber::with_default(both, || {
            tracing::debug!("quiet");
            tracing::info!(target: "noise", "quiet");
            tracing::info!("heard");
        });
        assert_eq!(lines.try_next().map(|line| line.message), Some("heard".into()));
        assert_eq!(lines.try_next(), None);
    }

    #[test]
    fn a_level_that_is_none_is_refused() {
        let settings = LogSettings { level: "loud".into(), ..Default::default() };
        assert!(matches!(init(&settings, None), Err(TelemetryError::Level(_))));
    }
}
