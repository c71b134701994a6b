//! From lines to records: each is one.

use crate::cli::upload::{Item, Piece, Records};
use backsync_protocol::json::Members;
use sha2::{Digest, Sha256};
use uuid::Builder;

/// Gives records without an id one that follows from the import and the line: a line that is sent again is the same record.
#[derive(Debug)]
pub(super) struct Recorder {
    import: String,
    /// The line that has begun and is too long.
    too_long: u64,
}

impl Recorder {
    /// Of the import of this name.
    pub(super) fn new(import: &str) -> Self {
        Self { import: import.to_owned(), too_long: 0 }
    }

    fn id(&self, line: u64) -> String {
        let digest = Sha256::digest(format!("{} {line}", self.import));
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        Builder::from_custom_bytes(bytes).into_uuid().to_string()
    }
}

impl Records for Recorder {
    fn records(&mut self, piece: &Piece<'_>) -> Result<Vec<Item>, String> {
        if !piece.ends {
            self.too_long = piece.line;
        }
        if piece.line == self.too_long {
            return Err("it is longer than a message may be".to_owned());
        }
        if piece.replaced {
            return Err("it is not UTF-8".to_owned());
        }
        let line = piece.text.trim();
        if line.is_empty() {
            return Ok(Vec::new());
        }
        let no_object = || format!("it is no JSON object: {}", backsync_protocol::json::excerpt(line));
        let members = Members::parse(line).map_err(|_| no_object())?;
        let inside = line.strip_prefix('{').ok_or_else(no_object)?;
        let json = if members.find("id").is_some() {
            line.to_owned()
        } else {
            let comma = if members.0.is_empty() { "" } else { "," };
            format!("{{\"id\":\"{}\"{comma}{inside}", self.id(piece.line))
        };
        Ok(vec![Item { json, line: piece.line, ends_line: true }])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(line: u64, text: &str) -> Result<Vec<Item>, String> {
        Recorder::new("import").records(&Piece { line, text: text.into(), replaced: false, ends: true })
    }

    fn one(line: u64, text: &str) -> String {
        let mut items = records(line, text).unwrap();
        assert_eq!(items.len(), 1);
        items.remove(0).json
    }

    #[test]
    fn a_line_is_the_same_record_each_time() {
        assert_eq!(one(1, " {\"n\":1.50,\"id\":7} "), r#"{"n":1.50,"id":7}"#);
        assert_eq!(one(7, r#"{"n":1e400}"#), one(7, r#"{"n":1e400}"#));
        assert!(one(7, r#"{"n":1e400}"#).ends_with(r#"","n":1e400}"#));
        assert_ne!(one(7, "{}"), one(8, "{}"));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&one(7, "{ }")).unwrap().as_object().unwrap().len(), 1);
    }

    #[test]
    fn what_is_no_record_is_refused_and_nothing_is_passed_over() {
        for wrong in ["{", "[1]", "7", "{\"a\":1}{", "null"] {
            assert!(records(1, wrong).unwrap_err().contains("no JSON object"), "{wrong}");
        }
        assert_eq!(records(1, "  ").unwrap(), []);
        let mut recorder = Recorder::new("import");
        let piece = Piece { line: 1, text: "{}".into(), replaced: true, ends: true };
        assert!(recorder.records(&piece).unwrap_err().contains("UTF-8"));
        for (line, ends) in [(2, false), (2, true)] {
            let piece = Piece { line, text: "{}".into(), replaced: false, ends };
            assert!(recorder.records(&piece).unwrap_err().contains("longer"), "also its end");
        }
        assert_eq!(
            recorder.records(&Piece { line: 3, text: "{}".into(), replaced: false, ends: true }).unwrap().len(),
            1
        );
    }
}
