//! Log lines of the formats that one meets, taken apart where that is plain to see: pure text work.
//!
//! What must hold: nothing of a line is lost. What is taken out of the message stands in `time`, `level` or a field;
//! wherever that is in doubt the message keeps the whole line, and `time` and `level` only say it again.

mod access;
mod clock;
mod header;
mod level;
mod logfmt;
mod scan;
mod syslog;

#[cfg(test)]
mod tests;

pub(super) use clock::{Date, rfc3339_now};

use std::borrow::Cow;

/// What a line says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct LogLine<'a> {
    /// As RFC 3339 where the line names its zone; without a zone where it does not, since nobody knows it then.
    pub(super) time: Option<String>,
    /// In lower case, one word for each meaning: `warn` for `WARNING`, `wrn` and `W`.
    pub(super) level: Option<&'static str>,
    /// Whatever else was taken out of the message. The names are fixed ones, or such as are safe in a record.
    pub(super) fields: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// What is left to be read.
    pub(super) message: Cow<'a, str>,
}

impl<'a> LogLine<'a> {
    /// A line that is only text.
    pub(super) fn text(line: &'a str) -> Self {
        Self { message: Cow::Borrowed(line), ..Self::default() }
    }

    /// Take a line apart. `today` gives the year to formats that have none.
    pub(super) fn parse(line: &'a str, today: Date) -> Self {
        logfmt::parse(line)
            .or_else(|| syslog::parse(line, today))
            .or_else(|| access::parse(line))
            .or_else(|| header::glog(line, today))
            .or_else(|| header::kernel(line))
            .unwrap_or_else(|| header::parse(line))
    }

    fn field(&mut self, name: &'static str, value: &'a str) {
        self.fields.push((Cow::Borrowed(name), Cow::Borrowed(value)));
    }
}
