//! The log on stderr, for people or for machines.

use crate::settings::LogFormat;
use std::io::IsTerminal;
use tracing::Subscriber;
use tracing_subscriber::{
    Layer,
    fmt::{MakeWriter, time::SystemTime},
    registry::LookupSpan,
};

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// A line of text.
    Text { colours: bool },
    /// A JSON object.
    Json,
}

impl Look {
    /// The look that `format` asks for, on the stderr of this process.
    pub(super) fn of_process(format: LogFormat) -> Self {
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self::of(format, std::io::stderr().is_terminal(), no_colour)
    }

    fn of(format: LogFormat, terminal: bool, no_colour: bool) -> Self {
        match format {
            LogFormat::Json => Self::Json,
            LogFormat::Auto if !terminal => Self::Json,
            LogFormat::Auto | LogFormat::Pretty => Self::Text { colours: terminal && !no_colour },
        }
    }
}

/// A layer that writes each event as one line to `writer`.
pub(super) fn layer<S, W>(look: Look, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(writer)
        .with_timer(SystemTime)
        // A line that cannot be written would be reported on stderr: where that is closed, by a panic.
        .log_internal_errors(false);
    match look {
        Look::Text { colours } => layer.with_ansi(colours).compact().boxed(),
        Look::Json => layer.with_ansi(false).json().flatten_event(true).with_span_list(false).boxed(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::LogSettings;
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(look: Look) -> String {
        let buffer = Written::default();
        let writer = buffer.clone();
        let filter = LogSettings { level: "info,noise=off".into(), ..Default::default() }.filter().unwrap();
        let subscriber = crate::telemetry::subscriber(filter, look, move || writer.clone(), None);
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(model = "Todo", count = 3, "listener added");
            tracing::info!(target: "noise", "unheard");
            tracing::debug!("unheard");
        });
        let bytes = buffer.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn machines_get_one_flat_object_a_line() {
        let text = written(Look::Json);
        assert_eq!(text.lines().count(), 1, "{text}");
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (&line["message"], &line["model"], &line["count"]),
            (&"listener added".into(), &"Todo".into(), &3.into())
        );
        assert_eq!(line["level"], "INFO");
        assert!(line["timestamp"].as_str().unwrap().ends_with('Z'));
    }

    #[test]
    fn people_get_one_line_of_text() {
        let text = written(Look::Text { colours: false });
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains("INFO") && text.contains("listener added") && !text.contains('\u{1b}'), "{text}");
        assert!(written(Look::Text { colours: true }).contains('\u{1b}'));
    }

    #[test]
    fn the_look_follows_the_setting_and_then_the_terminal() {
        let (coloured, plain) = (Look::Text { colours: true }, Look::Text { colours: false });
        assert_eq!(Look::of(LogFormat::Auto, true, false), coloured);
        assert_eq!(Look::of(LogFormat::Auto, true, true), plain);
        assert_eq!(Look::of(LogFormat::Auto, false, false), Look::Json);
        assert_eq!(Look::of(LogFormat::Pretty, false, false), plain);
        assert_eq!(Look::of(LogFormat::Json, true, false), Look::Json);
    }
}
