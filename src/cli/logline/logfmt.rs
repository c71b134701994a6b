//! Lines of `key=value` pairs.

use super::{LogLine, clock, level, scan::Scan};
use std::borrow::Cow;

/// A line that is nothing but pairs, two at least, a message or a level among them.
pub(super) fn parse(line: &str) -> Option<LogLine<'_>> {
    let pairs = pairs(line)?;
    let mut parsed = LogLine::default();
    let mut message = None;
    // A record's own members are not for a log line to set, and of two equal names one would be lost.
    let mut in_doubt = false;
    for (name, value) in pairs {
        let taken = match name {
            "level" | "lvl" | "severity" if parsed.level.is_none() => {
                parsed.level = level::of_name(&value);
                parsed.level.is_some()
            }
            "time" | "ts" | "timestamp" if parsed.time.is_none() => {
                parsed.time = time(&value);
                parsed.time.is_some()
            }
            "msg" | "message" if message.is_none() => {
                message = Some(value.clone());
                true
            }
            _ => false,
        };
        if !taken {
            in_doubt |=
                matches!(name, "id" | "time" | "level" | "message" | "line" | "part" | "parts" | "invalid_utf8")
                    || name.starts_with('_')
                    || parsed.fields.iter().any(|(other, _)| other == name);
            parsed.fields.push((Cow::Borrowed(name), value));
        }
    }
    match message {
        Some(message) if !in_doubt => parsed.message = message,
        None if parsed.level.is_none() => return None,
        _ => {
            parsed.fields.clear();
            parsed.message = Cow::Borrowed(line);
        }
    }
    Some(parsed)
}

fn time(value: &str) -> Option<String> {
    let mut scan = Scan(value);
    clock::iso(&mut scan).filter(|_| scan.0.is_empty())
}

fn pairs(line: &str) -> Option<Vec<(&str, Cow<'_, str>)>> {
    let mut scan = Scan(line);
    let mut pairs = Vec::new();
    scan.while_(|c| c == ' ');
    while !scan.0.is_empty() {
        let name = scan.some(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '/' | '@'))?;
        scan.take("=")?;
        pairs.push((name, value(&mut scan)?));
        if scan.while_(|c| c == ' ').is_empty() && !scan.0.is_empty() {
            return None;
        }
    }
    (pairs.len() >= 2).then_some(pairs)
}

fn value<'a>(scan: &mut Scan<'a>) -> Option<Cow<'a, str>> {
    if scan.take("\"").is_none() {
        let bare = scan.while_(|c| c != ' ');
        return (!bare.contains('"')).then_some(Cow::Borrowed(bare));
    }
    let plain = scan.while_(|c| !matches!(c, '"' | '\\'));
    if scan.take("\"").is_some() {
        return Some(Cow::Borrowed(plain));
    }
    let mut text = plain.to_owned();
    loop {
        if scan.take("\"").is_some() {
            return Some(Cow::Owned(text));
        }
        scan.take("\\")?;
        match scan.0.chars().next()? {
            'n' => text.push('\n'),
            'r' => text.push('\r'),
            't' => text.push('\t'),
            same @ ('"' | '\\') => text.push(same),
            // An escape that is not known stays as it is written.
            other => text.extend(['\\', other]),
        }
        let escaped = scan.0.chars().next().map_or(0, char::len_utf8);
        scan.0 = &scan.0[escaped..];
        text.push_str(scan.while_(|c| !matches!(c, '"' | '\\')));
    }
}
