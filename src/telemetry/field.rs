//! The fields of an event as JSON, each with its type.

use serde_json::{Map, Number, Value};
use std::{
    error::Error,
    fmt::{Debug, Display, Write},
};
use tracing::{
    Event,
    field::{Field, Visit},
};

/// The message of `event`, empty where it has none, and its other fields.
///
/// Numbers and truths stay what they are; numbers that JSON has not (`NaN`, infinities, past 64 bits) and everything
/// else become text.
pub(super) fn read(event: &Event<'_>) -> (String, Map<String, Value>) {
    let mut fields = Fields::default();
    event.record(&mut fields);
    (fields.message, fields.others)
}

#[derive(Default)]
struct Fields {
    message: String,
    others: Map<String, Value>,
}

impl Fields {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        match (field.name(), value.into()) {
            ("message", Value::String(text)) => self.message = text,
            ("message", other) => self.message = other.to_string(),
            (name, value) => {
                self.others.insert(name.strip_prefix("r#").unwrap_or(name).to_owned(), value);
            }
        }
    }

    fn put_number(&mut self, field: &Field, number: Option<Number>, text: impl Display) {
        match number {
            Some(number) => self.put(field, number),
            None => self.put(field, text.to_string()),
        }
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put_number(field, Number::from_f64(value), value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.put_number(field, Number::from_i128(value), value);
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.put_number(field, Number::from_u128(value), value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.put(field, text(format_args!("{value}")));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field, text(format_args!("{value:?}")));
    }
}

/// Unlike `format!`, this does not panic where a value's own formatting fails: what it wrote until then is kept.
fn text(value: std::fmt::Arguments<'_>) -> String {
    let mut text = String::new();
    let _ = text.write_fmt(value);
    text
}
