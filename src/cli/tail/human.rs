//! Records for people: log lines where they are ones.

use crate::cli::{
    output::{for_terminal, json_for_terminal},
    style::{self, DIM, paint},
};
use backsync_protocol::{
    json,
    json::{Members, Raw},
};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Append a record as one line.
pub(super) fn record(record: &RawValue, coloured: bool, out: &mut String) {
    let members = Members::parse(record.get()).unwrap_or_default();
    let text = |name: &str| members.find(name).and_then(json::string);
    let Some((message_name, message)) =
        ["message", "msg"].into_iter().find_map(|name| text(name).map(|text| (name, text)))
    else {
        let mut line = String::new();
        json::append_one_line(record.get(), &mut line);
        out.push_str(&json_for_terminal(&line));
        out.push('\n');
        return;
    };
    if let Some(time) = text("time") {
        paint(DIM, coloured, &for_terminal(clock(&time)), out);
        out.push(' ');
    }
    if let Some(level) = text("level") {
        let padded = format!("{:<5}", for_terminal(&level.to_uppercase()));
        paint(style::of_level(&level), coloured, &padded, out);
        out.push(' ');
    }
    out.push_str(&for_terminal(&message));
    let shown = |name: &str| name == message_name || matches!(name, "id" | "time" | "level") || name.starts_with('_');
    for (name, value) in members.0.iter().filter(|(name, value)| !shown(name) || is_left_over(name, *value)) {
        out.push(' ');
        let field = format!("{}={}", for_terminal(name), plain(*value));
        paint(DIM, coloured, &field, out);
    }
    out.push('\n');
}

/// A `time` or `level` that is no text was not shown in its place.
fn is_left_over(name: &str, value: Raw<'_>) -> bool {
    matches!(name, "time" | "level") && json::string(value).is_none()
}

/// Append the deletion of a record as one line.
pub(super) fn deletion(id: &str, coloured: bool, out: &mut String) {
    paint(DIM, coloured, &format!("- {}", for_terminal(id)), out);
    out.push('\n');
}

/// The time of day of an RFC 3339 time, to the millisecond and in the zone it is given in; any other text as it is.
fn clock(time: &str) -> &str {
    let bytes = time.as_bytes();
    let digits =
        |range: std::ops::Range<usize>| bytes.get(range).is_some_and(|part| part.iter().all(u8::is_ascii_digit));
    let at = |index: usize, byte: u8| bytes.get(index) == Some(&byte);
    let is_rfc3339 = digits(0..4) && at(4, b'-') && at(10, b'T') && digits(11..13) && at(13, b':') && at(16, b':');
    if !is_rfc3339 || !digits(17..19) {
        return time;
    }
    let fraction = bytes[19..].iter().skip(1).take_while(|b| b.is_ascii_digit()).take(3).count();
    let end = if at(19, b'.') && fraction > 0 { 20 + fraction } else { 19 };
    time.get(11..end).unwrap_or(time)
}

/// A value without quotes where it is one plain word, as JSON otherwise.
fn plain(value: Raw<'_>) -> String {
    match json::string(value) {
        Some(word) if !word.is_empty() && !word.contains(|c: char| c.is_whitespace() || c == '"' || c == '=') => {
            for_terminal(&word).into_owned()
        }
        _ => {
            let mut text = String::new();
            json::append_one_line(value.get(), &mut text);
            match json_for_terminal(&text) {
                Cow::Borrowed(_) => text,
                Cow::Owned(safe) => safe,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(json: &str, coloured: bool) -> String {
        let mut out = String::new();
        record(&RawValue::from_string(json.to_owned()).unwrap(), coloured, &mut out);
        out
    }

    #[test]
    fn log_records_are_log_lines() {
        let json = r#"{"id":"1","time":"2026-11-20T20:16:01.123456Z","level":"warn","message":"low ü","host":"web 1","n":1.50,"_rev":4}"#;
        assert_eq!(line(json, false), "20:16:01.123 WARN  low ü host=\"web 1\" n=1.50\n");
        assert_eq!(
            line(json, true),
            "\u{1b}[2m20:16:01.123\u{1b}[0m \u{1b}[33mWARN \u{1b}[0m low ü \u{1b}[2mhost=\"web 1\"\u{1b}[0m \u{1b}[2mn=1.50\u{1b}[0m\n"
        );
        assert_eq!(line(r#"{"id":"1","msg":"x","level":3}"#, false), "x level=3\n");
        assert_eq!(line(r#"{"id":"1","message":""}"#, false), "\n");
    }

    #[test]
    fn other_records_are_json() {
        assert_eq!(line("{\"id\":\"1\",\n \"text\":\"hi\"}", false), "{\"id\":\"1\",\"text\":\"hi\"}\n");
        assert_eq!(line(r#"{"message":{"a":1}}"#, false), "{\"message\":{\"a\":1}}\n");
    }

    #[test]
    fn a_record_cannot_command_the_terminal() {
        let json =
            r#"{"message":"a\u001b[2Jb\nc","time":"\u001b]0;x","level":"\u0007","k\u001b":"v\u001bw","j":["\u009b"]}"#;
        let json = json.replace("\\u009b", "\u{9b}");
        for coloured in [false, true] {
            let painted = line(&json, coloured);
            let ours = painted.replace("\u{1b}[2m", "").replace("\u{1b}[0m", "");
            assert!(!ours.trim_end().contains(|c: char| c.is_control()), "{painted:?}");
        }
    }

    #[test]
    fn times_are_shortened_where_they_are_times() {
        for (time, short) in [
            ("2026-11-20T20:16:01Z", "20:16:01"),
            ("2026-11-20T20:16:01.5+01:00", "20:16:01.5"),
            ("yesterday", "yesterday"),
            ("2026-11-20", "2026-11-20"),
            ("éééééééééééééééé", "éééééééééééééééé"),
        ] {
            assert_eq!(clock(time), short);
        }
    }
}
