//! Syslog lines as files and `journalctl` have them: `Nov 20 20:16:01 host program[pid]: text`.

use super::{
    LogLine,
    clock::{self, Date},
    level,
    scan::Scan,
};
use std::borrow::Cow;

/// A line that begins, perhaps after a priority `<34>`, with a time without a year. Newer daemons write a whole time
/// instead; since any program does that, such a line counts only with a process id.
pub(super) fn parse(line: &str, today: Date) -> Option<LogLine<'_>> {
    let mut scan = Scan(line);
    let mut parsed = LogLine::default();
    if let Some(priority) = scan.between("<", ">") {
        let number: u32 = priority.parse().ok().filter(|number| *number < 192)?;
        parsed.level = Some(level::of_severity(number));
        parsed.field("priority", priority);
    }
    let whole_time = clock::iso(&mut scan);
    let needs_pid = whole_time.is_some();
    parsed.time = Some(whole_time.or_else(|| clock::without_year(&mut scan, today))?);
    scan.take(" ")?;
    let mut ahead = scan;
    if let Some((host, program, pid)) = origin(&mut ahead).filter(|(_, _, pid)| pid.is_some() || !needs_pid) {
        scan = ahead;
        parsed.field("host", host);
        parsed.field("program", program);
        if let Some(pid) = pid {
            parsed.field("pid", pid);
        }
    } else if needs_pid {
        return None;
    }
    let mut ahead = scan;
    if let Some(level) = level::take(&mut ahead, false).or_else(|| level::find(scan.0, false)) {
        // What the program says about itself is nearer than the priority it was logged with.
        parsed.level = Some(level);
        scan = ahead;
    }
    scan.while_(|c| c == ' ');
    parsed.message = Cow::Borrowed(scan.0);
    Some(parsed)
}

/// `host program[pid]: `, `host program: `.
fn origin<'a>(scan: &mut Scan<'a>) -> Option<(&'a str, &'a str, Option<&'a str>)> {
    let host = scan.some(|c| !c.is_whitespace() && c != '[')?;
    scan.take(" ")?;
    let program = scan.some(|c| !c.is_whitespace() && !matches!(c, '[' | ':'))?;
    let pid = scan.between("[", "]");
    if pid.is_some_and(|pid| pid.is_empty() || !pid.bytes().all(|b| b.is_ascii_digit())) {
        return None;
    }
    scan.take(":")?;
    (scan.0.is_empty() || scan.take(" ").is_some()).then_some((host, program, pid))
}
