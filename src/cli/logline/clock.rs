//! Times as logs write them.

use super::scan::Scan;
use std::{
    fmt::Write,
    time::{SystemTime, UNIX_EPOCH},
};

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// A day of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::cli) struct Date {
    year: u32,
    month: u32,
    day: u32,
}

impl Date {
    fn new(year: u32, month: u32, day: u32) -> Option<Self> {
        let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let days = match month {
            2 if leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => 0,
        };
        (1..=days).contains(&day).then_some(Self { year, month, day })
    }

    /// The day that is `days` after 1970-01-01.
    fn of_days(days: u64) -> Self {
        // Years that begin in March have the leap day at their end; 400 of them always have the same length.
        let days = days + 719_468;
        let (era, of_era) = (days / 146_097, days % 146_097);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * of_year + 2) / 153;
        let day = of_year - (153 * shifted + 2) / 5 + 1;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        let year = era * 400 + year_of_era + u64::from(month <= 2);
        let narrow = |number: u64| u32::try_from(number).expect("a date of our time");
        Self { year: narrow(year), month: narrow(month), day: narrow(day) }
    }

    /// Today, in UTC.
    pub(in crate::cli) fn today() -> Self {
        Self::of_days(since_epoch().as_secs() / 86_400)
    }

    /// The date of a line that names no year: the last such day. The zone of the line may be a day ahead.
    fn without_year(month: u32, day: u32, today: Self) -> Option<Self> {
        let tomorrow = Self { day: today.day + 1, ..today };
        let new_year = (today.month, today.day) == (12, 31) && (month, day) == (1, 1);
        if new_year {
            return Self::new(today.year + 1, month, day);
        }
        Self::new(today.year, month, day)
            .filter(|date| *date <= tomorrow)
            .or_else(|| Self::new(today.year.checked_sub(1)?, month, day))
    }

    fn write(self, out: &mut String) {
        write!(out, "{:04}-{:02}-{:02}", self.year, self.month, self.day).expect("writing to a string cannot fail");
    }
}

fn since_epoch() -> std::time::Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Now, in UTC with milliseconds: `2026-11-20T20:16:01.123Z`.
pub(in crate::cli) fn rfc3339_now() -> String {
    let now = since_epoch();
    let second = now.as_secs() % 86_400;
    let mut out = String::with_capacity(24);
    Date::of_days(now.as_secs() / 86_400).write(&mut out);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    write!(out, "T{hour:02}:{minute:02}:{second:02}.{:03}Z", now.subsec_millis()).expect("as above");
    out
}

/// `HH:MM:SS`, then perhaps `.` or `,` and up to nine digits; as `HH:MM:SS.fff`.
fn time_of_day<'a>(scan: &mut Scan<'a>) -> Option<(&'a str, &'a str)> {
    let start = scan.0;
    scan.number(2, 0..=23)?;
    scan.take(":")?;
    scan.number(2, 0..=59)?;
    scan.take(":")?;
    scan.number(2, 0..=60)?;
    let clock = &start[..8];
    let mut ahead = *scan;
    let fraction = ahead.one_of(".,").and_then(|_| ahead.some(|c| c.is_ascii_digit())).filter(|f| f.len() <= 9);
    if fraction.is_some() {
        *scan = ahead;
    }
    Some((clock, fraction.unwrap_or_default()))
}

/// `Z`, `+01:00`, `+0100`, also after a space, and ` UTC` or ` GMT`; as RFC 3339 writes it, or nothing where none is.
fn zone(scan: &mut Scan<'_>) -> String {
    for name in ["Z", "z", " UTC", " GMT", "UTC"] {
        let mut ahead = *scan;
        if ahead.take(name).is_some() && ahead.at_boundary() {
            *scan = ahead;
            return "Z".to_owned();
        }
    }
    let mut ahead = *scan;
    let offset = |ahead: &mut Scan<'_>| {
        ahead.while_(|c| c == ' ');
        let sign = ahead.one_of("+-")?;
        let hours = ahead.number(2, 0..=23)?;
        let _ = ahead.take(":");
        let minutes = ahead.number(2, 0..=59)?;
        ahead.at_boundary().then(|| format!("{sign}{hours:02}:{minutes:02}"))
    };
    match offset(&mut ahead) {
        Some(offset) => {
            *scan = ahead;
            offset
        }
        None => String::new(),
    }
}

fn put_together(date: Date, (clock, fraction): (&str, &str), zone: &str) -> String {
    let mut out = String::with_capacity(35);
    date.write(&mut out);
    out.push('T');
    out.push_str(clock);
    if !fraction.is_empty() {
        out.push('.');
        out.push_str(fraction);
    }
    out.push_str(zone);
    out
}

/// `2026-11-20T20:16:01.123Z` and its relatives: `-` or `/` in the date, `T`, `_` or a space, `.` or `,`, any zone.
pub(super) fn iso(scan: &mut Scan<'_>) -> Option<String> {
    let mut ahead = *scan;
    let year = ahead.number(4, 1..=9999)?;
    let dash = ahead.one_of("-/")?;
    let month = ahead.number(2, 1..=12)?;
    ahead.take(if dash == '-' { "-" } else { "/" })?;
    let date = Date::new(year, month, ahead.number(2, 1..=31)?)?;
    ahead.one_of("T _t")?;
    let clock = time_of_day(&mut ahead)?;
    let zone = zone(&mut ahead);
    ahead.at_boundary().then(|| {
        *scan = ahead;
        put_together(date, clock, &zone)
    })
}

fn month(scan: &mut Scan<'_>) -> Option<u32> {
    let name = scan.0.get(..3)?;
    let month = MONTHS.iter().position(|month| *month == name)?;
    scan.0 = &scan.0[3..];
    u32::try_from(month + 1).ok()
}

/// `Nov 20 20:16:01`, `Nov  3 …`; the day may have one digit.
fn month_day<'a>(scan: &mut Scan<'a>) -> Option<(u32, u32, (&'a str, &'a str))> {
    let month = month(scan)?;
    scan.some(|c| c == ' ')?;
    let digits = scan.some(|c| c.is_ascii_digit()).filter(|digits| digits.len() <= 2)?;
    scan.take(" ")?;
    Some((month, digits.parse().ok()?, time_of_day(scan)?))
}

/// The time of a syslog line, `Nov 20 20:16:01`.
pub(super) fn without_year(scan: &mut Scan<'_>, today: Date) -> Option<String> {
    let mut ahead = *scan;
    let (month, day, clock) = month_day(&mut ahead)?;
    let date = Date::without_year(month, day, today)?;
    ahead.at_boundary().then(|| {
        *scan = ahead;
        put_together(date, clock, "")
    })
}

/// The time of a glog line, `1120 20:16:01.123456`.
pub(super) fn month_day_digits(scan: &mut Scan<'_>, today: Date) -> Option<String> {
    let (month, day) = (scan.number(2, 1..=12)?, scan.number(2, 1..=31)?);
    scan.take(" ")?;
    Some(put_together(Date::without_year(month, day, today)?, time_of_day(scan)?, ""))
}

/// The time of an Apache error line, `Fri Nov 20 20:16:01.123456 2026`.
pub(super) fn with_weekday(scan: &mut Scan<'_>) -> Option<String> {
    let mut ahead = *scan;
    WEEKDAYS.iter().find_map(|day| ahead.take(day))?;
    ahead.take(" ")?;
    let (month, day, clock) = month_day(&mut ahead)?;
    ahead.take(" ")?;
    let date = Date::new(ahead.number(4, 1..=9999)?, month, day)?;
    *scan = ahead;
    Some(put_together(date, clock, ""))
}

/// The time of an access line, `20/Nov/2026:20:16:01 +0000`.
pub(super) fn common_log(text: &str) -> Option<String> {
    let mut scan = Scan(text);
    let day = scan.number(2, 1..=31)?;
    scan.take("/")?;
    let month = month(&mut scan)?;
    scan.take("/")?;
    let date = Date::new(scan.number(4, 1..=9999)?, month, day)?;
    scan.take(":")?;
    let clock = time_of_day(&mut scan)?;
    let zone = zone(&mut scan);
    scan.0.is_empty().then(|| put_together(date, clock, &zone))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_as_the_calendar_does() {
        for (days, date) in [(0, (1970, 1, 1)), (59, (1970, 3, 1)), (11_016, (2000, 2, 29)), (20_777, (2026, 11, 20))] {
            let (year, month, day) = date;
            assert_eq!(Date::of_days(days), Date { year, month, day });
        }
        assert_eq!(rfc3339_now().len(), 24);
        assert!(iso(&mut Scan(&rfc3339_now())).is_some());
    }

    #[test]
    fn a_year_is_guessed_backwards() {
        let today = Date { year: 2026, month: 1, day: 31 };
        let guess = |month, day| Date::without_year(month, day, today).map(|date| date.year);
        assert_eq!((guess(1, 31), guess(12, 31), guess(11, 20)), (Some(2026), Some(2025), Some(2025)));
        // Only 2024 had one, and it is not the last February.
        assert_eq!(guess(2, 29), None);
        let last = Date { year: 2026, month: 12, day: 31 };
        assert_eq!(Date::without_year(1, 1, last).map(|date| date.year), Some(2027));
        assert_eq!(Date::without_year(1, 2, last).map(|date| date.year), Some(2026));
    }

    #[test]
    fn times_that_cannot_be_are_none() {
        for text in [
            "2026-13-01T00:00:00Z",
            "2026-02-30T00:00:00Z",
            "2026-11-20T24:00:00Z",
            "2026-11-20T20:16Z",
            "2026-11-20T20:16:01abc",
            "2026-11-20T20:16:01.1234567890Z",
            "2026-11/20 20:16:01",
            "20é6-11-20 20:16:01",
            "",
        ] {
            assert_eq!(iso(&mut Scan(text)), None, "{text}");
        }
    }

    #[test]
    fn zones_are_kept_and_never_invented() {
        for (text, time, rest) in [
            ("2026-11-20T20:16:01Z x", "2026-11-20T20:16:01Z", " x"),
            ("2026-11-20 20:16:01,123 x", "2026-11-20T20:16:01.123", " x"),
            ("2026/11/20 20:16:01+0130", "2026-11-20T20:16:01+01:30", ""),
            ("2026-11-20 20:16:01.5 -08:00]", "2026-11-20T20:16:01.5-08:00", "]"),
            ("2026-11-20 20:16:01 UTC: x", "2026-11-20T20:16:01Z", ": x"),
            ("2026-11-20 20:16:01 CET x", "2026-11-20T20:16:01", " CET x"),
            ("2026-11-20 20:16:01 - x", "2026-11-20T20:16:01", " - x"),
        ] {
            let mut scan = Scan(text);
            assert_eq!(iso(&mut scan).as_deref(), Some(time), "{text}");
            assert_eq!(scan.0, rest, "{text}");
        }
    }
}
