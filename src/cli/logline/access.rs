//! Access lines of web servers: the common and the combined log format.

use super::{LogLine, clock, scan::Scan};
use std::borrow::Cow;

/// `host ident user [time] "request" status …`. The message stays whole; the level follows the status.
pub(super) fn parse(line: &str) -> Option<LogLine<'_>> {
    let (head, rest) = line.split_once(" [")?;
    if head.split(' ').count() != 3 {
        return None;
    }
    let (time, rest) = rest.split_once("] \"")?;
    let time = clock::common_log(time)?;
    let mut scan = Scan(rest);
    quoted(&mut scan)?;
    scan.take(" ")?;
    let status = scan.number(3, 100..=599)?;
    let level = match status {
        500.. => "error",
        400.. => "warn",
        _ => "info",
    };
    Some(LogLine { time: Some(time), level: Some(level), message: Cow::Borrowed(line), ..LogLine::default() })
}

/// The rest of a quoted text, with its closing quote; a quote in it is escaped.
fn quoted(scan: &mut Scan<'_>) -> Option<()> {
    let mut escaped = false;
    let end = scan.0.find(|c| {
        let closes = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        closes
    })?;
    scan.0 = &scan.0[end + 1..];
    Some(())
}
