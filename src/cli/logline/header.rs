//! Lines that begin with a time, a level, or both, in whatever way a program writes them.

use super::{
    LogLine,
    clock::{self, Date},
    level,
    scan::Scan,
};
use std::borrow::Cow;

/// Any line: what stands at its front is taken where it is clear.
pub(super) fn parse(line: &str) -> LogLine<'_> {
    let mut scan = Scan(line);
    let mut parsed = LogLine { time: time(&mut scan), ..LogLine::default() };
    let after_time = parsed.time.is_some();
    if after_time {
        separator(&mut scan);
        if let Some(level) = module_and_level(&mut scan, &mut parsed) {
            parsed.level = Some(level);
        }
    }
    if parsed.level.is_none() {
        match level::take(&mut scan, after_time) {
            Some(level) => {
                parsed.level = Some(level);
                separator(&mut scan);
            }
            None => parsed.level = level::find(scan.0, after_time),
        }
    }
    parsed.message = Cow::Borrowed(scan.0);
    parsed
}

fn time(scan: &mut Scan<'_>) -> Option<String> {
    let mut ahead = *scan;
    let bracket = ahead.take("[");
    let time = clock::iso(&mut ahead).or_else(|| clock::with_weekday(&mut ahead))?;
    if bracket.is_some() {
        ahead.take("]")?;
    }
    let ends = ahead.0.is_empty() || ahead.0.starts_with([' ', '\t', ':', '|', '[', ']', ';']);
    ends.then(|| {
        *scan = ahead;
        time
    })
}

/// What stands between the parts of a header and says nothing: spaces, and one `-`, `|` or `:` set off by them.
fn separator(scan: &mut Scan<'_>) {
    let blank = |c| matches!(c, ' ' | '\t');
    let colon = scan.take(":").is_some();
    let spaced = !scan.while_(blank).is_empty() || colon;
    let mut ahead = *scan;
    if spaced && ahead.one_of("-|").is_some() && !ahead.while_(blank).is_empty() {
        *scan = ahead;
    }
}

/// Apache's `[core:error] `.
fn module_and_level<'a>(scan: &mut Scan<'a>, parsed: &mut LogLine<'a>) -> Option<&'static str> {
    let mut ahead = *scan;
    let (module, name) = ahead.between("[", "]")?.split_once(':')?;
    let level = level::of_name(name).filter(|_| module.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'))?;
    ahead.while_(|c| c == ' ');
    *scan = ahead;
    if !module.is_empty() {
        parsed.field("module", module);
    }
    Some(level)
}

/// `I1120 20:16:01.123456    1234 main.cc:12] text`.
pub(super) fn glog(line: &str, today: Date) -> Option<LogLine<'_>> {
    let mut scan = Scan(line);
    let level = match scan.one_of("IWEFD")? {
        'I' => "info",
        'W' => "warn",
        'E' => "error",
        'F' => "fatal",
        _ => "debug",
    };
    let mut parsed = LogLine { level: Some(level), ..LogLine::default() };
    parsed.time = Some(clock::month_day_digits(&mut scan, today)?);
    scan.some(|c| c == ' ')?;
    let thread = scan.some(|c| c.is_ascii_digit())?;
    scan.take(" ")?;
    let source = scan.some(|c| !c.is_whitespace() && c != ']').filter(|source| source.contains(':'))?;
    scan.take("]")?;
    let _ = scan.take(" ");
    parsed.field("thread", thread);
    parsed.field("source", source);
    parsed.message = Cow::Borrowed(scan.0);
    Some(parsed)
}

/// The kernel's `[   12.345678] text`: seconds since it started, which is no time of day.
pub(super) fn kernel(line: &str) -> Option<LogLine<'_>> {
    let mut scan = Scan(line);
    let uptime = scan.between("[", "] ")?.trim_start();
    let (seconds, fraction) = uptime.split_once('.')?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(seconds) || !digits(fraction) {
        return None;
    }
    let mut parsed = LogLine { message: Cow::Borrowed(scan.0), ..LogLine::default() };
    parsed.level = level::find(scan.0, false);
    parsed.field("uptime_s", uptime);
    Some(parsed)
}
