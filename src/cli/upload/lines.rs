//! From chunks of bytes to lines: pure. Holds at most one chunk beside a line that has not ended yet, and of that at most
//! [`LONGEST`] bytes: a longer line comes in pieces.

use std::borrow::Cow;

/// The longest piece of a line, in bytes. Under the size of message that a server takes by default, with room for the
/// rest of a record.
pub(in crate::cli) const LONGEST: usize = 900 * 1024;

/// A line, or a piece of one, without its line break.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::cli) struct Piece<'a> {
    /// The number of the line, from 1.
    pub(in crate::cli) line: u64,
    /// What is not UTF-8 is replaced.
    pub(in crate::cli) text: Cow<'a, str>,
    /// Whether something was replaced.
    pub(in crate::cli) replaced: bool,
    /// Whether the line ends here.
    pub(in crate::cli) ends: bool,
}

#[derive(Debug)]
pub(super) struct Lines {
    buffer: Vec<u8>,
    /// Where the line that is not handed out begins.
    start: usize,
    /// Up to where there is no line break.
    searched: usize,
    /// The line that is not handed out, or not wholly.
    line: u64,
    /// A piece of it is handed out.
    begun: bool,
    longest: usize,
}

impl Lines {
    /// The first line has this number.
    pub(super) fn new(line: u64) -> Self {
        Self { buffer: Vec::new(), start: 0, searched: 0, line, begun: false, longest: LONGEST }
    }

    /// Where to put what is read next. To be used only when [`Self::next`] has nothing more.
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        self.buffer.drain(..self.start);
        self.searched -= self.start;
        self.start = 0;
        &mut self.buffer
    }

    /// The next line, or piece of a long one.
    pub(super) fn next(&mut self) -> Option<Piece<'_>> {
        let window = self.buffer.len().min(self.start + self.longest + 2);
        let found = self.buffer[self.searched..window].iter().position(|byte| *byte == b'\n');
        if let Some(offset) = found {
            let (from, to) = (self.start, self.searched + offset);
            self.start = to + 1;
            self.searched = self.start;
            return Some(self.hand_out(from, to, true));
        }
        self.searched = window;
        // Two more than the longest: room for the line break.
        (window - self.start >= self.longest + 2).then(|| {
            let (from, to) = (self.start, self.start + whole_characters(&self.buffer[self.start..][..self.longest]));
            self.start = to;
            self.hand_out(from, to, false)
        })
    }

    /// The input has ended: what is left, a line without its break. Call [`Self::next`] to its end before.
    pub(super) fn last(&mut self) -> Option<Piece<'_>> {
        let (from, to) = (self.start, self.buffer.len());
        (from < to).then(|| {
            self.start = to;
            self.searched = to;
            self.hand_out(from, to, true)
        })
    }

    fn hand_out(&mut self, from: usize, to: usize, ends: bool) -> Piece<'_> {
        let line = self.line;
        if ends {
            self.line += 1;
        }
        self.begun = !ends;
        let bytes = &self.buffer[from..to];
        let bytes = if ends { bytes.strip_suffix(b"\r").unwrap_or(bytes) } else { bytes };
        let text = String::from_utf8_lossy(bytes);
        let replaced = matches!(text, Cow::Owned(_));
        Piece { line, text, replaced, ends }
    }
}

/// How much of a piece to take, so that no character is cut in two.
fn whole_characters(piece: &[u8]) -> usize {
    let is_start = |byte: &u8| byte & 0b1100_0000 != 0b1000_0000;
    match piece.iter().rev().take(4).position(is_start) {
        // The last character begins `back` before the end; it is whole if that is as long as its first byte says.
        Some(back) => {
            let start = piece.len() - 1 - back;
            let length = match piece[start] {
                0b1111_0000.. => 4,
                0b1110_0000.. => 3,
                0b1100_0000.. => 2,
                _ => 1,
            };
            if start + length > piece.len() && start > 0 { start } else { piece.len() }
        }
        None => piece.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feed `input` in chunks, and list what comes out as `line:text`, with `…` where a line goes on.
    fn split(input: &[u8], chunk: usize, longest: usize) -> Vec<String> {
        let mut lines = Lines { longest, ..Lines::new(1) };
        let mut out = Vec::new();
        let show = |piece: Piece<'_>| {
            let marks = if piece.replaced { "?" } else { "" };
            format!("{}{marks}:{}{}", piece.line, piece.text, if piece.ends { "" } else { "…" })
        };
        for chunk in input.chunks(chunk) {
            lines.buffer().extend_from_slice(chunk);
            while let Some(piece) = lines.next() {
                out.push(show(piece));
            }
        }
        out.extend(lines.last().map(show));
        out
    }

    #[test]
    fn lines_are_the_same_however_the_bytes_arrive() {
        let input = "a\n\n  b\r\nc\rd\n\r\n🎉 ü\nlast".as_bytes();
        let expected = ["1:a", "2:", "3:  b", "4:c\rd", "5:", "6:🎉 ü", "7:last"];
        for chunk in 1..=input.len() {
            assert_eq!(split(input, chunk, 100), expected, "chunks of {chunk}");
        }
        assert_eq!(split(b"", 1, 100), Vec::<String>::new());
        assert_eq!(split(b"\n", 1, 100), ["1:"]);
    }

    #[test]
    fn what_is_not_utf8_is_replaced_and_marked() {
        assert_eq!(split(b"a\xffb\nok\n", 3, 100), ["1?:a\u{fffd}b", "2:ok"]);
        assert_eq!(split(b"\x00\n", 3, 100), ["1:\0"]);
    }

    #[test]
    fn long_lines_come_in_pieces_of_whole_characters() {
        let input = "ääää\nx\n".as_bytes();
        for chunk in 1..=input.len() {
            assert_eq!(split(input, chunk, 5), ["1:ää…", "1:ää", "2:x"], "chunks of {chunk}");
        }
        // As long as allowed is not too long, with either line break.
        assert_eq!(split(b"12345\r\n12345\n123456\n", 4, 5), ["1:12345", "2:12345", "3:123456"]);
        assert_eq!(split(b"1234567\n", 4, 5), ["1:12345…", "1:67"]);
        assert_eq!(split(b"\x80\x80\x80\x80\x80\x80\x80\x80\n", 4, 5).len(), 2);
    }
}
