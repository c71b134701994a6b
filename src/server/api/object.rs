//! A JSON object that is written member by member.

use backsync_protocol::json;

/// One that is not complete yet.
#[derive(Debug)]
pub(super) struct Object(String);

impl Object {
    pub(super) fn new() -> Self {
        Self("{".to_owned())
    }

    /// A member whose value is JSON text.
    pub(super) fn raw(mut self, name: &str, value: &str) -> Self {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        json::append_string(name, &mut self.0);
        self.0.push(':');
        self.0.push_str(value);
        self
    }

    /// A member that is a string.
    pub(super) fn text(self, name: &str, value: &str) -> Self {
        self.raw(name, &string(value))
    }

    /// The object's text.
    pub(super) fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

/// A JSON string.
pub(super) fn string(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    json::append_string(text, &mut out);
    out
}
