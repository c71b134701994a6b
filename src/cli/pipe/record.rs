//! From lines to records.

use crate::cli::{
    logline::{Date, LogLine, rfc3339_now},
    upload::{Item, LONGEST, Piece, Records},
};
use backsync_protocol::json::{self, Members};
use std::fmt::Write;
use uuid::Uuid;

/// Makes records and gives them their ids.
///
/// An id is a UUID of version 7, as a server would make it, and is made here: a record that is sent twice is the same
/// record, also where a batch goes out anew under another request id, as after a refusal that does not say what was done.
/// Those of one process sort in the order of their lines, so the order can always be seen.
#[derive(Debug)]
pub(super) struct Recorder {
    raw: bool,
    longest: usize,
    /// The line that has begun and not ended: the id of its first record and how many there are.
    open: Option<(String, u64)>,
}

impl Recorder {
    pub(super) fn new(raw: bool) -> Self {
        Self { raw, longest: LONGEST, open: None }
    }

    /// One record of a line, or of a piece of one, except where the text is so full of characters to be escaped
    /// that it has to be divided.
    fn divided(&mut self, piece: &Piece<'_>) -> Vec<Item> {
        let whole = piece.ends && self.open.is_none();
        let item = |json, ends_line| Item { json, line: piece.line, ends_line };
        if whole
            && !self.raw
            && !piece.replaced
            && let Some(json) = object(&piece.text)
        {
            return vec![item(json, true)];
        }
        let parts = divide(&piece.text, self.longest);
        let last = parts.len() - 1;
        let mut items = Vec::with_capacity(parts.len());
        for (index, part) in parts.into_iter().enumerate() {
            let ends = piece.ends && index == last;
            let json = if whole && last == 0 {
                self.text(part, piece.replaced, None)
            } else {
                let (first, before) = self.open.take().unwrap_or_else(|| (new_id(), 0));
                let json = self.text(part, piece.replaced, Some((&first, before + 1, ends)));
                self.open = (!ends).then_some((first, before + 1));
                json
            };
            items.push(item(json, ends));
        }
        items
    }

    /// One text record. `part` is the id of the line's first record, the number of this one and whether it is the last.
    fn text(&self, text: &str, replaced: bool, part: Option<(&str, u64, bool)>) -> String {
        let parsed = if self.raw || part.is_some() { LogLine::text(text) } else { LogLine::parse(text, Date::today()) };
        let id = match part {
            Some((first, 1, _)) => first.to_owned(),
            _ => new_id(),
        };
        let mut out = String::with_capacity(text.len() + 160);
        write!(out, "{{\"id\":\"{id}\"").expect("writing to a string cannot fail");
        let mut member = |name: &str, value: &str| {
            out.push(',');
            json::append_string(name, &mut out);
            out.push(':');
            json::append_string(value, &mut out);
        };
        member("time", &parsed.time.unwrap_or_else(rfc3339_now));
        if let Some(level) = parsed.level {
            member("level", level);
        }
        member("message", &parsed.message);
        for (name, value) in &parsed.fields {
            member(name, value);
        }
        if let Some((first, number, last)) = part {
            member("line", first);
            write!(out, ",\"part\":{number}").expect("as above");
            if last {
                write!(out, ",\"parts\":{number}").expect("as above");
            }
        }
        if replaced {
            out.push_str(",\"invalid_utf8\":true");
        }
        out.push('}');
        out
    }
}

fn new_id() -> String {
    Uuid::now_v7().to_string()
}

/// A line that is a JSON object, with an id.
fn object(line: &str) -> Option<String> {
    let line = line.trim();
    let inside = line.strip_prefix('{')?;
    let members = Members::parse(line).ok()?;
    if members.find("id").is_some() {
        return Some(line.to_owned());
    }
    let comma = if members.0.is_empty() { "" } else { "," };
    Some(format!("{{\"id\":\"{}\"{comma}{inside}", new_id()))
}

impl Records for Recorder {
    fn records(&mut self, piece: &Piece<'_>) -> Result<Vec<Item>, String> {
        Ok(self.divided(piece))
    }
}

/// Divide a text so that each part has at most `longest` bytes when it is written as JSON. An empty text is one part.
fn divide(text: &str, longest: usize) -> Vec<&str> {
    // Six bytes are the most that one is written with.
    if text.len() <= longest / 6 {
        return vec![text];
    }
    let mut parts = Vec::new();
    let (mut start, mut size) = (0, 0);
    for (at, c) in text.char_indices() {
        let written = match c {
            '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
            '\0'..='\u{1f}' => 6,
            other => other.len_utf8(),
        };
        if size + written > longest {
            parts.push(&text[start..at]);
            (start, size) = (at, 0);
        }
        size += written;
    }
    parts.push(&text[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn piece(text: &str, ends: bool) -> Piece<'_> {
        Piece { line: 7, text: text.into(), replaced: false, ends }
    }

    fn records(recorder: &mut Recorder, text: &str, ends: bool) -> Vec<Value> {
        let items = recorder.divided(&piece(text, ends));
        items.iter().map(|item| serde_json::from_str(&item.json).expect(&item.json)).collect()
    }

    fn one(recorder: &mut Recorder, text: &str) -> Value {
        let mut records = records(recorder, text, true);
        assert_eq!(records.len(), 1, "{records:?}");
        records.remove(0)
    }

    #[test]
    fn objects_are_stored_as_they_are() {
        let mut recorder = Recorder::new(false);
        let items = recorder.divided(&piece(r#" {"n":1.50,"id":"x"} "#, true));
        assert_eq!(items, [Item { json: r#"{"n":1.50,"id":"x"}"#.to_owned(), line: 7, ends_line: true }]);
        let made = recorder.divided(&piece(r#"{"n":1e400}"#, true)).remove(0).json;
        assert!(made.starts_with("{\"id\":\"") && made.ends_with("\",\"n\":1e400}"), "{made}");
        assert_eq!(one(&mut recorder, "{}").as_object().unwrap().len(), 1);
        for text in ["{", "[1]", "7", "\"x\"", "{\"a\":1}{", "{'a':1}"] {
            assert_eq!(one(&mut recorder, text)["message"], text);
        }
        assert_eq!(one(&mut Recorder::new(true), "{}")["message"], "{}");
    }

    #[test]
    fn text_has_a_time_always_and_nothing_is_lost() {
        let mut recorder = Recorder::new(false);
        let record = one(&mut recorder, "2026-11-20T20:16:01Z WARN a \"b\" \u{1b}[0m \\");
        assert_eq!(record["time"], "2026-11-20T20:16:01Z");
        assert_eq!((&record["level"], &record["message"]), (&"warn".into(), &"a \"b\" \u{1b}[0m \\".into()));
        let empty = one(&mut recorder, "");
        assert_eq!(empty["message"], "");
        assert_eq!(empty["time"].as_str().unwrap().len(), 24);
        let raw = one(&mut Recorder::new(true), "ERROR: x");
        assert_eq!((&raw["message"], &raw["level"]), (&"ERROR: x".into(), &Value::Null));
        let replaced = Piece { line: 1, text: "a\u{fffd}".into(), replaced: true, ends: true };
        assert!(recorder.divided(&replaced)[0].json.ends_with(",\"invalid_utf8\":true}"));
    }

    #[test]
    fn ids_are_unique_and_sort_as_the_lines() {
        let mut recorder = Recorder::new(false);
        let ids: Vec<String> = (0..5_000).map(|_| one(&mut recorder, "x")["id"].as_str().unwrap().to_owned()).collect();
        assert!(ids.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn parts_of_a_long_line_name_their_line() {
        let mut recorder = Recorder { longest: 20, ..Recorder::new(false) };
        let mut all = records(&mut recorder, &"\u{1}".repeat(4), false);
        all.extend(records(&mut recorder, "ERROR: the end", true));
        let text: String = all.iter().map(|record| record["message"].as_str().unwrap()).collect();
        assert_eq!(text, format!("{}ERROR: the end", "\u{1}".repeat(4)));
        for (index, record) in all.iter().enumerate() {
            assert_eq!((&record["line"], &record["part"]), (&all[0]["id"], &(index + 1).into()));
            assert!(record["level"].is_null());
        }
        assert_eq!((all.len(), &all[2]["parts"], &all[1]["parts"]), (3, &3.into(), &Value::Null));
        assert_eq!(one(&mut recorder, "next")["part"], Value::Null);
    }
}
