//! Lines as real programs write them, and lines that nobody should write.

use super::*;

fn parse(line: &str) -> LogLine<'_> {
    LogLine::parse(line, Date::today())
}

/// Time without the year that was guessed, level, message, fields.
#[track_caller]
fn check(line: &str, time: &str, level: &str, message: &str, fields: &[(&str, &str)]) {
    let parsed = parse(line);
    let got = parsed.time.as_deref().unwrap_or_default();
    let got = if let Some(guessed) = time.strip_prefix("*-") {
        assert!(got.len() > 5, "{parsed:?}");
        assert_eq!(&got[5..], guessed);
        time
    } else {
        got
    };
    assert_eq!(got, time, "{line}");
    assert_eq!(parsed.level.unwrap_or_default(), level, "{line}");
    assert_eq!(parsed.message, message, "{line}");
    let got: Vec<(&str, &str)> = parsed.fields.iter().map(|(name, value)| (name.as_ref(), value.as_ref())).collect();
    assert_eq!(got, fields, "{line}");
}

#[test]
fn headers_of_many_programs_are_read() {
    for (line, time, level, message) in [
        (
            "2026-11-20T20:16:01.123456Z  INFO backsync: listening",
            "2026-11-20T20:16:01.123456Z",
            "info",
            "backsync: listening",
        ),
        ("2026-11-20 20:16:01,123 WARNING disk at 91 %", "2026-11-20T20:16:01.123", "warn", "disk at 91 %"),
        (
            "2026-11-20 20:16:01,123 - app.db - ERROR - lost",
            "2026-11-20T20:16:01.123",
            "error",
            "app.db - ERROR - lost",
        ),
        (
            "2026-11-20 20:16:01.123 [main] DEBUG c.e.App - ready",
            "2026-11-20T20:16:01.123",
            "debug",
            "[main] DEBUG c.e.App - ready",
        ),
        ("2026-11-20 20:16:01 | INFO | ready", "2026-11-20T20:16:01", "info", "ready"),
        ("[2026-11-20T20:16:01+01:00] [error] no", "2026-11-20T20:16:01+01:00", "error", "no"),
        ("[2026-11-20 20:16:01] production.ERROR: no", "2026-11-20T20:16:01", "", "production.ERROR: no"),
        (
            "2026/11/20 20:16:01 [error] 12#12: *5 open() failed",
            "2026-11-20T20:16:01",
            "error",
            "12#12: *5 open() failed",
        ),
        ("2026/11/20 20:16:01 http: panic serving", "2026-11-20T20:16:01", "", "http: panic serving"),
        ("2026-11-20T20:16:01Z", "2026-11-20T20:16:01Z", "", ""),
        ("2026-11-20 20:16:01 UTC [77] LOG:  ready", "2026-11-20T20:16:01Z", "", "[77] LOG:  ready"),
        ("[WARN] low", "", "warn", "low"),
        ("ERROR: no such table", "", "error", "no such table"),
        ("WARNING:root:low", "", "warn", "root:low"),
        ("error: could not compile", "", "error", "error: could not compile"),
        ("INFO ready", "", "info", "INFO ready"),
    ] {
        check(line, time, level, message, &[]);
    }
    check(
        "[Fri Nov 20 20:16:01.123456 2026] [core:error] [pid 7:tid 8] AH00001: no",
        "2026-11-20T20:16:01.123456",
        "error",
        "[pid 7:tid 8] AH00001: no",
        &[("module", "core")],
    );
}

#[test]
fn syslog_lines_are_read() {
    let origin = [("host", "web-1"), ("program", "sshd"), ("pid", "812")];
    check("Nov 20 20:16:01 web-1 sshd[812]: Accepted ü", "*-11-20T20:16:01", "", "Accepted ü", &origin);
    check("Nov  3 20:16:01 web-1 sshd[812]: error: no", "*-11-03T20:16:01", "error", "error: no", &origin);
    let kernel = [("host", "web-1"), ("program", "kernel")];
    check("Nov 20 20:16:01 web-1 kernel: [WARN] hot", "*-11-20T20:16:01", "warn", "hot", &kernel);
    let whole = "2026-11-20T20:16:01.5+00:00 web-1 sshd[812]: hi";
    check(whole, "2026-11-20T20:16:01.5+00:00", "", "hi", &origin);
    check(
        "<34>Oct 11 22:14:15 web-1 su: 'su root' failed",
        "*-10-11T22:14:15",
        "critical",
        "'su root' failed",
        &[("priority", "34"), ("host", "web-1"), ("program", "su")],
    );
    check("Nov 20 20:16:01 just text", "*-11-20T20:16:01", "", "just text", &[]);
}

#[test]
fn access_lines_keep_their_text_and_gain_a_level() {
    for (status, level) in [("200", "info"), ("404", "warn"), ("502", "error")] {
        let line =
            format!(r#"203.0.113.9 - bob [20/Nov/2026:20:16:01 +0000] "GET /a\"b HTTP/1.1" {status} 612 "-" "curl/8""#);
        check(&line, "2026-11-20T20:16:01+00:00", level, &line, &[]);
    }
    let other = "a b c [20/Nov/2026:20:16:01 +0000] x";
    check(other, "", "", other, &[]);
}

#[test]
fn glog_and_kernel_lines_are_read() {
    check(
        "W1120 20:16:01.123456    1234 main.cc:12] low on memory",
        "*-11-20T20:16:01.123456",
        "warn",
        "low on memory",
        &[("thread", "1234"), ("source", "main.cc:12")],
    );
    check("[   12.345678] usb 1-1: new device", "", "", "usb 1-1: new device", &[("uptime_s", "12.345678")]);
    check("I1320 is no date", "", "", "I1320 is no date", &[]);
}

#[test]
fn logfmt_lines_are_read() {
    check(
        r#"time="2026-11-20T20:16:01Z" level=warning msg="a \"b\"\n\xc" user=Zoë url=/x?y=z"#,
        "2026-11-20T20:16:01Z",
        "warn",
        "a \"b\"\n\\xc",
        &[("user", "Zoë"), ("url", "/x?y=z")],
    );
    check("level=info a=1", "", "info", "level=info a=1", &[]);
    // What would overwrite another record, or lose a value, is left in the text.
    for line in ["level=error msg=x id=5", "level=error msg=x a=1 a=2", "level=error msg=x _rev=1"] {
        check(line, "", "error", line, &[]);
    }
    for line in ["a=1 b=2", "x=1", "level=info and msg=x", "msg=\"open", "msg=a\"b\" c=d", "msg=x ä=1"] {
        check(line, "", "", line, &[]);
    }
}

#[test]
fn what_is_no_log_line_stays_as_it_is() {
    for line in
        ["", " ", "hello", "grüße 🎉", "[", "[]", "<", "<999>x", "{\"a\":", "2026-99-99T00:00:00Z x", "\u{1b}[32mINFO"]
    {
        check(line, "", "", line, &[]);
    }
}

#[test]
fn no_text_is_lost_and_nothing_panics() {
    let pieces = [
        "2026-11-20T20:16:01Z",
        "Nov 20 20:16:01",
        "[",
        "]",
        " ",
        ":",
        "INFO",
        "é",
        "=",
        "\"",
        "\\",
        "<34>",
        "a",
        "🎉",
        "I1120 20:16:01.1 1 a:1] ",
        "\u{fffd}",
        "20/Nov/2026:20:16:01 +0000",
        "level=info",
        "-",
        ".",
        "127.0.0.1 - - [",
    ];
    // All sequences of a small, awkward vocabulary, drawn by counting in a prime step.
    for n in 0..40_000_usize {
        let mut seed = n * 7919;
        let mut line = String::new();
        for _ in 0..6 {
            line.push_str(pieces[seed % pieces.len()]);
            seed /= pieces.len();
            seed = seed.wrapping_mul(31).wrapping_add(n);
        }
        let parsed = parse(&line);
        let whole = parsed.message == line || line.ends_with(parsed.message.as_ref()) || line.contains('=');
        assert!(whole, "{line:?} {parsed:?}");
        if parsed.time.is_none() && parsed.level.is_none() && parsed.fields.is_empty() {
            assert_eq!(parsed.message, line);
        }
    }
}
