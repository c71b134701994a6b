//! What leaves in one message.

use super::Item;
use serde_json::value::RawValue;
use std::ops::RangeInclusive;

/// A message is sent when it has so many bytes.
pub(super) const FULL: usize = 512 * 1024;

/// Records in the order of their lines; never empty when it is sent.
#[derive(Debug, Default)]
pub(in crate::cli) struct Batch {
    items: Vec<Item>,
    bytes: usize,
}

impl Batch {
    pub(in crate::cli) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    pub(in crate::cli) fn items(&self) -> &[Item] {
        &self.items
    }

    /// The lines that its records are of, from the first to the last. It is not empty.
    pub(in crate::cli) fn lines(&self) -> RangeInclusive<u64> {
        let [first, .., last] = self.items.as_slice() else { return self.items[0].line..=self.items[0].line };
        first.line..=last.line
    }

    /// Whether one more of `bytes` would be too much for this message. A single record always has room.
    pub(super) fn has_room(&self, bytes: usize, records: usize) -> bool {
        self.items.is_empty() || (self.items.len() < records && self.bytes + bytes < FULL)
    }

    pub(in crate::cli) fn push(&mut self, item: Item) {
        self.bytes += item.json.len() + 1;
        self.items.push(item);
    }

    /// Its two halves; the second is empty where there is only one record.
    pub(super) fn halves(mut self) -> (Self, Self) {
        let second = self.items.split_off(self.items.len().div_ceil(2));
        let bytes = |items: &[Item]| items.iter().map(|item| item.json.len() + 1).sum();
        (Self { bytes: bytes(&self.items), items: self.items }, Self { bytes: bytes(&second), items: second })
    }

    /// The array that is sent.
    pub(in crate::cli) fn json(&self) -> Box<RawValue> {
        let mut text = String::with_capacity(self.bytes + 2);
        text.push('[');
        for (index, item) in self.items.iter().enumerate() {
            if index > 0 {
                text.push(',');
            }
            text.push_str(&item.json);
        }
        text.push(']');
        RawValue::from_string(text).expect("each record is a JSON object")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(json: &str) -> Item {
        Item { json: json.to_owned(), line: 1, ends_line: true }
    }

    #[test]
    fn a_batch_is_bounded_by_records_and_by_bytes() {
        let mut batch = Batch::default();
        assert!(batch.has_room(10 * FULL, 1));
        batch.push(item("{}"));
        assert!(batch.has_room(2, 2) && !batch.has_room(2, 1) && !batch.has_room(FULL, 2));
        batch.push(item("{\"a\":1}"));
        batch.push(item("{}"));
        assert_eq!(batch.json().get(), "[{},{\"a\":1},{}]");
        let (first, second) = batch.halves();
        assert_eq!((first.len(), second.len(), second.json().get()), (2, 1, "[{}]"));
        let (first, second) = second.halves();
        assert_eq!((first.len(), second.is_empty()), (1, true));
    }
}
