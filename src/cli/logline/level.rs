//! Words for how grave something is.

use super::scan::Scan;

/// The one word for a level's many names; `None` for any other word.
pub(super) fn of_name(name: &str) -> Option<&'static str> {
    const NAMES: [(&str, &str); 24] = [
        ("trace", "trace"),
        ("debug", "debug"),
        ("dbg", "debug"),
        ("info", "info"),
        ("inf", "info"),
        ("information", "info"),
        ("informational", "info"),
        ("notice", "notice"),
        ("warn", "warn"),
        ("warning", "warn"),
        ("wrn", "warn"),
        ("error", "error"),
        ("err", "error"),
        ("severe", "error"),
        ("critical", "critical"),
        ("crit", "critical"),
        ("alert", "alert"),
        ("emerg", "emergency"),
        ("emergency", "emergency"),
        ("fatal", "fatal"),
        ("ftl", "fatal"),
        ("panic", "panic"),
        ("verbose", "trace"),
        ("trc", "trace"),
    ];
    NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, level)| *level)
}

/// The level of a syslog severity, 0 to 7.
pub(super) fn of_severity(severity: u32) -> &'static str {
    const SEVERITIES: [&str; 8] = ["emergency", "alert", "critical", "error", "warn", "notice", "info", "debug"];
    SEVERITIES[(severity & 7) as usize]
}

fn is_shouted(word: &str) -> bool {
    word.bytes().all(|b| b.is_ascii_uppercase())
}

fn word<'a>(scan: &mut Scan<'a>) -> Option<&'a str> {
    scan.some(|c| c.is_ascii_alphabetic())
}

/// Take a level that is set off from the text: `[info]`, `(WARN)`, `ERROR:`; after a time also a bare `INFO `.
pub(super) fn take(scan: &mut Scan<'_>, after_time: bool) -> Option<&'static str> {
    let mut ahead = *scan;
    let bracket = ahead.one_of("[(<");
    if bracket.is_some() {
        ahead.while_(|c| c == ' ');
    }
    let name = word(&mut ahead)?;
    let level = of_name(name)?;
    match bracket {
        Some(open) => {
            ahead.while_(|c| c == ' ');
            ahead.one_of(match open {
                '[' => "]",
                '(' => ")",
                _ => ">",
            })?;
            let _ = ahead.take(":");
        }
        None if !is_shouted(name) => return None,
        None if ahead.take(":").is_some() => {}
        None => {
            let mut end = ahead;
            end.while_(|c| c == ' ');
            let bare = end.0.is_empty() || end.0.len() < ahead.0.len() || end.0.starts_with(['|', '\t']);
            if !after_time || !bare {
                return None;
            }
        }
    }
    *scan = ahead;
    Some(level)
}

/// The level that a text says without setting it off: one of its first words in capitals, or `error: …` as compilers
/// write it. It stays in the text.
pub(super) fn find(text: &str, after_time: bool) -> Option<&'static str> {
    let first = text.split(':').next().filter(|first| first.len() < text.len());
    if let Some(level) = first.and_then(of_name) {
        return Some(level);
    }
    let words = text.split_whitespace().take(if after_time { 5 } else { 1 });
    words
        .map(|word| word.trim_matches(|c: char| c.is_ascii_punctuation()))
        .find_map(|word| of_name(word).filter(|_| is_shouted(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_taken_where_they_are_set_off() {
        for (text, level, rest) in [
            ("[info] x", "info", " x"),
            ("[ WARN ] x", "warn", " x"),
            ("(Error): x", "error", " x"),
            ("<debug> x", "debug", " x"),
            ("WARNING:root:x", "warn", "root:x"),
        ] {
            let mut scan = Scan(text);
            assert_eq!((take(&mut scan, false), scan.0), (Some(level), rest), "{text}");
        }
        for text in ["INFO x", "info: x", "[infos] x", "ERRORS: x", "[info", "", "é: x"] {
            assert_eq!(take(&mut Scan(text), false), None, "{text}");
        }
        assert_eq!(take(&mut Scan("INFO x"), true), Some("info"));
        assert_eq!(take(&mut Scan("INFO-x"), true), None);
    }

    #[test]
    fn levels_are_found_where_they_are_only_said() {
        assert_eq!(find("error: cannot find x", false), Some("error"));
        assert_eq!(find("ERROR cannot find x", false), Some("error"));
        assert_eq!(find("[main] WARN x.Y - z", true), Some("warn"));
        assert_eq!(find("no error was found", true), None);
        assert_eq!(find("the end: ERROR", false), None);
        assert_eq!(find("", true), None);
    }
}
