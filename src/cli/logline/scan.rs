//! Reading a line from its left, one piece at a time.

/// What is left of a line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scan<'a>(pub(super) &'a str);

impl<'a> Scan<'a> {
    /// Take this text, if it is next.
    pub(super) fn take(&mut self, text: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(text)?;
        Some(())
    }

    /// Take one of these ASCII characters.
    pub(super) fn one_of(&mut self, allowed: &str) -> Option<char> {
        let next = self.0.chars().next().filter(|c| c.is_ascii() && allowed.contains(*c))?;
        self.0 = &self.0[1..];
        Some(next)
    }

    /// Take characters while they are wanted; never fails, may be empty.
    pub(super) fn while_(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let end = self.0.find(|c| !wanted(c)).unwrap_or(self.0.len());
        let (taken, rest) = self.0.split_at(end);
        self.0 = rest;
        taken
    }

    /// Take at least one character.
    pub(super) fn some(&mut self, wanted: impl Fn(char) -> bool) -> Option<&'a str> {
        Some(self.while_(wanted)).filter(|taken| !taken.is_empty())
    }

    /// Take exactly `count` digits as a number in `range`.
    pub(super) fn number(&mut self, count: usize, range: std::ops::RangeInclusive<u32>) -> Option<u32> {
        let digits = self.0.get(..count).filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))?;
        let number = digits.parse().ok().filter(|number| range.contains(number))?;
        self.0 = &self.0[count..];
        Some(number)
    }

    /// Take what stands between `open`, which is next, and the first `close`.
    pub(super) fn between(&mut self, open: &str, close: &str) -> Option<&'a str> {
        let (inner, rest) = self.0.strip_prefix(open)?.split_once(close)?;
        self.0 = rest;
        Some(inner)
    }

    /// Whether a word ends here.
    pub(super) fn at_boundary(&self) -> bool {
        !self.0.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '+' | '.' | ','))
    }
}
