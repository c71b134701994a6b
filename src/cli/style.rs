//! Colours, where somebody sees them.

use anstyle::{AnsiColor, Style};
use std::{
    env,
    fmt::Display,
    io::{self, IsTerminal, Write},
};

pub(super) const DIM: Style = Style::new().dimmed();

/// Whether to colour: on a terminal that can, unless `NO_COLOR` says no.
pub(super) fn wanted(stream: &impl IsTerminal) -> bool {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty());
    stream.is_terminal() && set("NO_COLOR").is_none() && set("TERM").is_none_or(|term| term != "dumb")
}

/// The colour of a log level.
pub(super) fn of_level(level: &str) -> Style {
    const fn colour(colour: AnsiColor) -> Style {
        colour.on_default()
    }
    match level.to_ascii_lowercase().as_str() {
        "trace" | "debug" => DIM,
        "info" => colour(AnsiColor::Green),
        "notice" => colour(AnsiColor::Cyan),
        "warn" | "warning" => colour(AnsiColor::Yellow),
        "error" | "err" => colour(AnsiColor::Red),
        "critical" | "alert" | "emergency" | "fatal" | "panic" => colour(AnsiColor::Red).bold(),
        _ => Style::new(),
    }
}

/// Append `text` in `style`, or plain.
pub(super) fn paint(style: Style, coloured: bool, text: &str, out: &mut String) {
    use std::fmt::Write;
    if coloured && style != Style::new() {
        write!(out, "{style}{text}{style:#}").expect("writing to a string cannot fail");
    } else {
        out.push_str(text);
    }
}

/// `backsync: error: …` on stderr.
pub(super) fn report(message: impl Display) {
    say("error", AnsiColor::Red.on_default().bold(), message);
}

/// `backsync: note: …` on stderr.
pub(super) fn note(message: impl Display) {
    say("note", DIM, message);
}

fn say(kind: &str, style: Style, message: impl Display) {
    let stderr = io::stderr();
    let mut line = String::from("backsync: ");
    paint(style, wanted(&stderr), kind, &mut line);
    // A message may quote what somebody else sent.
    let message = super::output::for_terminal(&message.to_string()).into_owned();
    // Nobody is left to read it: nothing to do.
    let _ = writeln!(stderr.lock(), "{line}: {message}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_left_out_where_nobody_sees_them() {
        let mut out = String::new();
        paint(of_level("ERROR"), false, "x", &mut out);
        assert_eq!(out, "x");
        paint(of_level("ERROR"), true, "y", &mut out);
        assert_eq!(out, "x\u{1b}[31my\u{1b}[0m");
        paint(of_level("unheard of"), true, "z", &mut out);
        assert!(out.ends_with("mz"));
    }
}
