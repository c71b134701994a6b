//! Frames as a server writes them: whole, and without a mask.

use super::deflate;

/// Opcodes that a server sends (section 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opcode {
    /// Text, in UTF-8.
    Text = 1,
    /// Anything.
    Binary = 2,
    /// The end.
    Close = 8,
    /// To be answered by a pong.
    Ping = 9,
    /// Answers a ping.
    Pong = 10,
}

/// Append a frame.
pub fn append_frame(opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) {
    append_header(opcode, payload.len(), out);
    out.extend_from_slice(payload);
}

/// Append a message compressed, for those who agreed to that ([`super::negotiate`]); as it is where that is shorter.
pub fn append_compressed(opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) {
    match deflate::compress(payload) {
        None => append_frame(opcode, payload, out),
        Some(compressed) => {
            append_first(opcode as u8 | COMPRESSED, compressed.len(), out);
            out.extend_from_slice(&compressed);
        }
    }
}

/// The reserved bit that means so.
const COMPRESSED: u8 = 0x40;

/// Append the header of a frame whose payload of this many bytes follows.
pub fn append_header(opcode: Opcode, length: usize, out: &mut Vec<u8>) {
    append_first(opcode as u8, length, out);
}

fn append_first(first: u8, length: usize, out: &mut Vec<u8>) {
    out.reserve(length + 10);
    out.push(0x80 | first);
    match length {
        0..126 => out.push(length as u8),
        126..=0xffff => {
            out.push(126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            out.push(127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
}

/// Append a close frame; a reason over 123 bytes is cut.
pub fn append_close_frame(code: u16, reason: &str, out: &mut Vec<u8>) {
    let mut end = reason.len().min(123);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    append_header(Opcode::Close, 2 + end, out);
    out.extend_from_slice(&code.to_be_bytes());
    out.extend_from_slice(&reason.as_bytes()[..end]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_take_the_shortest_form() {
        for (length, header) in [
            (0, vec![0x81, 0]),
            (125, vec![0x81, 125]),
            (126, vec![0x81, 126, 0, 126]),
            (65535, vec![0x81, 126, 255, 255]),
            (65536, vec![0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let mut frame = Vec::new();
            append_frame(Opcode::Text, &vec![b'x'; length], &mut frame);
            assert_eq!((&frame[..header.len()], frame.len()), (&header[..], header.len() + length));
        }
    }

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let mut out = Vec::new();
        append_close_frame(1001, &"ü".repeat(100), &mut out);
        assert_eq!(out[1], 124);
        assert!(std::str::from_utf8(&out[4..]).is_ok());
    }
}
