//! Numbers of any size by their exact value, read off their text in time linear in its length.

use std::cmp::Ordering;

/// The number 0.d₁d₂d₃… × 10^`top`, its digits still in the text they were read from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Number<'a> {
    negative: bool,
    top: i64,
    /// The digits before the point and those behind it, the first and the last of all not `0`. Both empty for zero.
    whole: &'a [u8],
    fraction: &'a [u8],
}

/// Exponents are read up to here, and held there beyond. No text is long enough for its digits to bridge the way from
/// [`MAX_TOP`] to this, so that comparing with a number that can be spelled is exact.
const EXPONENT_HELD_AT: i64 = 1 << 60;

/// The largest power of ten, either way, that a number may have in a filter.
pub(super) const MAX_TOP: i64 = 1_000_000_000_000_000;

impl<'a> Number<'a> {
    /// Read the text of a valid JSON number.
    pub(super) fn parse(text: &'a str) -> Self {
        let text = text.as_bytes();
        let negative = text.first() == Some(&b'-');
        let text = &text[usize::from(negative)..];
        let (digits, exponent) = match text.iter().position(|byte| matches!(byte, b'e' | b'E')) {
            Some(at) => (&text[..at], read_exponent(&text[at + 1..])),
            None => (text, 0),
        };
        let (whole, fraction) = match digits.iter().position(|byte| *byte == b'.') {
            Some(at) => (&digits[..at], &digits[at + 1..]),
            None => (digits, &[][..]),
        };
        let (whole, mut fraction) = (without_leading_zeros(whole), without_trailing_zeros(fraction));
        let mut top = whole.len() as i64;
        if whole.is_empty() {
            let zeros = fraction.len();
            fraction = without_leading_zeros(fraction);
            top = fraction.len() as i64 - zeros as i64;
        }
        let whole = if fraction.is_empty() { without_trailing_zeros(whole) } else { whole };
        if whole.is_empty() && fraction.is_empty() {
            return Self { negative: false, top: 0, whole, fraction };
        }
        Self { negative, top: top + exponent, whole, fraction }
    }

    /// Append the one spelling of this value. `None`, with nothing written, beyond [`MAX_TOP`].
    pub(super) fn append(&self, out: &mut String) -> Option<()> {
        if self.top.abs() > MAX_TOP {
            return None;
        }
        if self.is_zero() {
            out.push('0');
            return Some(());
        }
        if self.negative {
            out.push('-');
        }
        let digits = || self.digits().map(char::from);
        let count = self.whole.len() + self.fraction.len();
        let (before_point, power) = match self.top {
            1..=21 => (self.top as usize, None),
            -5..=0 => {
                out.push_str("0.");
                out.extend(std::iter::repeat_n('0', self.top.unsigned_abs() as usize));
                out.extend(digits());
                return Some(());
            }
            _ => (1, Some(self.top - 1)),
        };
        out.extend(digits().take(before_point));
        out.extend(std::iter::repeat_n('0', before_point.saturating_sub(count)));
        if count > before_point {
            out.push('.');
            out.extend(digits().skip(before_point));
        }
        if let Some(power) = power {
            out.push('e');
            out.push_str(itoa::Buffer::new().format(power));
        }
        Some(())
    }

    fn is_zero(&self) -> bool {
        self.whole.is_empty() && self.fraction.is_empty()
    }

    fn digits(&self) -> impl Iterator<Item = u8> {
        self.whole.iter().chain(self.fraction).copied()
    }

    fn sign(&self) -> i8 {
        match (self.is_zero(), self.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        }
    }

    fn cmp_size(&self, other: &Self) -> Ordering {
        self.top.cmp(&other.top).then_with(|| self.digits().cmp(other.digits()))
    }
}

impl Ord for Number<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.sign().cmp(&other.sign()).then_with(|| match self.negative {
            true => other.cmp_size(self),
            false => self.cmp_size(other),
        })
    }
}

impl PartialOrd for Number<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Number<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Number<'_> {}

/// Whether this number's text is its one spelling for certain: a whole number of a usual length.
pub(super) fn is_plain(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text).as_bytes();
    match digits {
        [b'0'] => text.len() == 1,
        [b'1'..=b'9', rest @ ..] => rest.len() < 20 && rest.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

fn read_exponent(text: &[u8]) -> i64 {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    let add = |size: i64, digit: &u8| size.saturating_mul(10).saturating_add(i64::from(digit & 0xf));
    let size = digits.iter().fold(0, add).min(EXPONENT_HELD_AT);
    if negative { -size } else { size }
}

fn without_leading_zeros(digits: &[u8]) -> &[u8] {
    let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
    &digits[zeros..]
}

fn without_trailing_zeros(digits: &[u8]) -> &[u8] {
    let zeros = digits.iter().rev().take_while(|digit| **digit == b'0').count();
    &digits[..digits.len() - zeros]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn spelled(text: &str) -> Option<String> {
        let mut out = String::new();
        Number::parse(text).append(&mut out).map(|()| out)
    }

    #[test]
    fn a_value_has_one_spelling() {
        for (one, texts) in [
            ("0", &["0", "-0", "0.000", "0e99999999999999999999", "-0.0E-7"][..]),
            ("1", &["1", "1.0", "10e-1", "0.1e1", "0.001E+3", "1e0", "1e-00000000000000000000000"]),
            ("-120", &["-120", "-1.2e2", "-120.00", "-0.12e+3"]),
            ("1.5", &["1.5", "15e-1", "0.00150e3"]),
            ("0.00025", &["0.00025", "2.5e-4", "25e-5"]),
            ("1e-7", &["0.0000001", "1e-7"]),
            ("100000000000000000000", &["1e20", "100000000000000000000", "0.1e21"]),
            ("1.23456789012345678901234e23", &["123456789012345678901234", "1234567890123456789012.34e2"]),
            ("1e999999999", &["1e999999999", "0.1e1000000000", "10e+999999998"]),
        ] {
            for text in texts {
                assert_eq!(spelled(text).as_deref(), Some(one), "{text}");
            }
            assert_eq!(spelled(one).as_deref(), Some(one));
        }
        assert_eq!(spelled("1e1000000000000000"), None);
        assert_eq!(spelled("1e-99999999999999999999"), None);
    }

    #[test]
    fn order_is_exact_at_any_size() {
        let ascending = [
            "-1e99999999999999999999",
            "-1e999999999",
            "-9007199254740993",
            "-9007199254740992.5",
            "-1",
            "-1e-999999999",
            "-1e-99999999999999999999",
            "0",
            "1e-99999999999999999999",
            "1e-999999999",
            "0.1",
            "0.10000000000000000000000000000000000001",
            "9007199254740992",
            "9007199254740993",
            "123456789012345678901",
            "123456789012345678902",
            "1e999999999",
            "1.1e999999999",
            "1e99999999999999999999",
        ];
        for (at, a) in ascending.iter().enumerate() {
            for (other, b) in ascending.iter().enumerate() {
                assert_eq!(Number::parse(a).cmp(&Number::parse(b)), at.cmp(&other), "{a} {b}");
            }
        }
    }

    /// Against whole numbers: every value is scaled by 10^12, so that it is one.
    #[test]
    fn order_and_spelling_agree_with_whole_arithmetic() {
        let mut random = Random::new(11);
        let mut number = || {
            let (digits, places) = (random.below(2000) as i128 - 1000, random.below(7));
            let power = random.below(10) as i32 - 5;
            let scaled = digits * 10_i128.pow((12 - places as i32 + power) as u32);
            let sign = if digits < 0 { "-" } else { "" };
            let mut text = format!("{:0width$}", digits.abs(), width = places + 1);
            text.insert(text.len() - places, '.');
            if places == 0 {
                text.pop();
            }
            (format!("{sign}{text}e{power}"), scaled)
        };
        for _ in 0..20_000 {
            let ((a, exact_a), (b, exact_b)) = (number(), number());
            assert_eq!(Number::parse(&a).cmp(&Number::parse(&b)), exact_a.cmp(&exact_b), "{a} {b}");
            assert_eq!(spelled(&a) == spelled(&b), exact_a == exact_b, "{a} {b}");
            let spelling = spelled(&a).unwrap();
            assert_eq!(Number::parse(&spelling), Number::parse(&a), "{a} {spelling}");
        }
    }

    #[test]
    fn what_counts_as_plain_is_the_one_spelling() {
        for text in ["0", "7", "-7", "1700000000000", "-99999999999999999999", "123456789012345678901"] {
            assert_eq!(spelled(text).as_deref(), Some(text));
        }
        assert!(is_plain("0") && is_plain("-10") && is_plain("99999999999999999999"));
        assert!(!is_plain("-0") && !is_plain("1.0") && !is_plain("1e3") && !is_plain(&"9".repeat(22)));
    }
}
