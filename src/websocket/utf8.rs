//! UTF-8 checked as it comes: what cannot become a text any more is known with its first wrong byte.

use std::str::from_utf8;

/// Between two pieces of a text: the beginning of a character that was cut.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Utf8 {
    begun: [u8; 4],
    length: u8,
}

impl Utf8 {
    /// Take the next piece; answers whether all may still be the beginning of a text.
    pub(super) fn take(&mut self, mut piece: &[u8]) -> bool {
        while self.length > 0 {
            let Some((first, rest)) = piece.split_first() else { return true };
            piece = rest;
            let length = usize::from(self.length);
            self.begun[length] = *first;
            match from_utf8(&self.begun[..=length]) {
                Ok(_) => self.length = 0,
                Err(cause) if cause.error_len().is_some() => return false,
                Err(_) => self.length += 1,
            }
        }
        let Err(cause) = from_utf8(piece) else { return true };
        let begun = &piece[cause.valid_up_to()..];
        if cause.error_len().is_some() {
            return false;
        }
        self.begun[..begun.len()].copy_from_slice(begun);
        self.length = u8::try_from(begun.len()).expect("a character has at most four bytes");
        true
    }

    /// Whether a text may end here.
    pub(super) fn is_whole(self) -> bool {
        self.length == 0
    }
}
