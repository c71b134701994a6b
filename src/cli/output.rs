//! Writing results: safely for a terminal, quietly when nobody reads any more.

use super::exit::Failure;
use std::{borrow::Cow, fmt::Write, io};
use tokio::io::{AsyncWriteExt, Stdout};

/// Characters that make a terminal do something, or show text in another order than it stands: controls, and the
/// overrides of writing direction.
fn is_unsafe(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Text for people, on one line: what a terminal would act on is written out, such as `\n` and `\u{1b}`. Tabs stay.
pub(super) fn for_terminal(text: &str) -> Cow<'_, str> {
    if !text.contains(|c| is_unsafe(c) && c != '\t') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_unsafe(c) && c != '\t' { out.extend(c.escape_default()) } else { out.push(c) }
    }
    Cow::Owned(out)
}

/// JSON text that means the same and is harmless to a terminal: in valid JSON on one line such characters can stand in
/// strings only, where they may be written as `\u….`.
pub(super) fn json_for_terminal(json: &str) -> Cow<'_, str> {
    if !json.contains(is_unsafe) {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if is_unsafe(c) {
            write!(out, "\\u{:04x}", u32::from(c)).expect("writing to a string cannot fail");
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// `1,234,567`.
pub(super) fn grouped(number: u64) -> String {
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

/// Standard output. Slow readers are waited for without stopping the connection.
#[derive(Debug)]
pub(super) struct Output {
    stdout: Stdout,
}

impl Output {
    pub(super) fn stdout() -> Self {
        Self { stdout: tokio::io::stdout() }
    }

    /// Write all of it, now.
    ///
    /// # Errors
    /// [`Failure::OutputClosed`] where nobody reads any more, [`Failure::Failed`] for anything else, as a full disk.
    pub(super) async fn write(&mut self, text: &str) -> Result<(), Failure> {
        let written = match self.stdout.write_all(text.as_bytes()).await {
            Ok(()) => self.stdout.flush().await,
            Err(cause) => Err(cause),
        };
        written.map_err(|cause| match cause.kind() {
            io::ErrorKind::BrokenPipe => Failure::OutputClosed,
            _ => Failure::failed(format!("cannot write to stdout: {cause}")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_record_says_reaches_the_terminal_as_a_command() {
        let evil = "a\u{1b}[2J\tb\nc\u{9b}31m\u{202e}dß🎉";
        assert_eq!(for_terminal(evil), "a\\u{1b}[2J\tb\\nc\\u{9b}31m\\u{202e}dß🎉");
        let json = "{\"m\":\"\u{9b}\u{7f}ß\"}";
        let safe = json_for_terminal(json);
        assert_eq!(safe, "{\"m\":\"\\u009b\\u007fß\"}");
        let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(value(&safe), value(json));
        assert!(matches!(for_terminal("plain"), Cow::Borrowed(_)));
    }

    #[test]
    fn numbers_are_grouped() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
    }
}
