//! The time of a line.

use tracing_subscriber::fmt::{
    format::Writer,
    time::{FormatTime, SystemTime},
};

/// The system's time as RFC 3339 in UTC with milliseconds, `2026-01-31T23:59:59.123Z`.
pub(super) fn now() -> String {
    let mut text = String::with_capacity(32);
    // Writing to a string does not fail.
    let _ = SystemTime.format_time(&mut Writer::new(&mut text));
    to_milliseconds(&mut text);
    text
}

/// Cut a fraction of more than three digits.
fn to_milliseconds(text: &mut String) {
    if let Some(dot) = text.rfind('.')
        && text.len() > dot + 4
    {
        text.truncate(dot + 4);
        text.push('Z');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_milliseconds_and_its_zone() {
        let now = now();
        let shape: String = now.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        assert_eq!(shape, "0000-00-00T00:00:00.000Z");
    }
}
