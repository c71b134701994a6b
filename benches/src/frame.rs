//! WebSocket frames (RFC 6455, section 5): as much as the load generator and the bare server need.

/// A text message.
pub(crate) const TEXT: u8 = 0x1;
/// The end of a connection, with a code and a reason.
pub(crate) const CLOSE: u8 = 0x8;
/// A question whether the other side is there.
pub(crate) const PING: u8 = 0x9;
/// The answer to a ping, with its payload.
pub(crate) const PONG: u8 = 0xA;

/// No frame of a bench is longer: beyond this the stream is taken for broken.
const LONGEST: usize = 16 << 20;

/// Where one whole frame lies in the bytes it was found in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// What kind of frame it is.
    pub(crate) opcode: u8,
    /// Whether it is a message by itself, or the last part of one.
    pub(crate) last: bool,
    /// The key a client hid the payload with.
    pub(crate) key: Option<[u8; 4]>,
    /// The first byte of the payload.
    pub(crate) start: usize,
    /// The byte after the payload, where the next frame begins.
    pub(crate) end: usize,
}

/// A frame too long to be of a bench.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

/// The frame that `bytes` begin with, or nothing while it is not there as a whole.
pub(crate) fn first(bytes: &[u8]) -> Result<Option<Frame>, TooLong> {
    let &[head, size, ref rest @ ..] = bytes else { return Ok(None) };
    let (length, mut start) = match (size & 0x7f, rest) {
        (126, [a, b, ..]) => (usize::from(u16::from_be_bytes([*a, *b])), 4),
        (127, [a, b, c, d, e, f, g, h, ..]) => {
            let long = u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]);
            (usize::try_from(long).map_err(|_| TooLong)?, 10)
        }
        (126 | 127, _) => return Ok(None),
        (short, _) => (usize::from(short), 2),
    };
    if length > LONGEST {
        return Err(TooLong);
    }
    let key = match size & 0x80 {
        0 => None,
        _ => {
            start += 4;
            match bytes.get(start - 4..start) {
                Some(&[a, b, c, d]) => Some([a, b, c, d]),
                _ => return Ok(None),
            }
        }
    };
    let end = start + length;
    let whole = bytes.len() >= end;
    Ok(whole.then_some(Frame { opcode: head & 0x0f, last: head & 0x80 != 0, key, start, end }))
}

/// Appends a server's frame.
pub(crate) fn put(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    put_head(out, opcode, payload.len(), 0);
    out.extend_from_slice(payload);
}

/// Appends a client's frame, masked with `key`.
pub(crate) fn put_masked(out: &mut Vec<u8>, opcode: u8, payload: &[u8], key: [u8; 4]) {
    put_head(out, opcode, payload.len(), 0x80);
    out.extend_from_slice(&key);
    let start = out.len();
    out.extend_from_slice(payload);
    mask(&mut out[start..], key);
}

/// Hides or uncovers a payload: the same operation both ways.
pub(crate) fn mask(payload: &mut [u8], key: [u8; 4]) {
    let wide = u64::from_ne_bytes([key[0], key[1], key[2], key[3], key[0], key[1], key[2], key[3]]);
    let (words, rest) = payload.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(key.iter().cycle()) {
        *byte ^= key;
    }
}

fn put_head(out: &mut Vec<u8>, opcode: u8, length: usize, masked: u8) {
    out.push(0x80 | opcode);
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ ..126), _) => out.push(masked | short),
        (_, Ok(middle)) => {
            out.push(masked | 126);
            out.extend_from_slice(&middle.to_be_bytes());
        }
        _ => {
            out.push(masked | 127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_every_length_class_are_found_again() {
        for length in [0, 1, 125, 126, 300, 65_535, 65_536] {
            let payload = vec![b'x'; length];
            let mut bytes = Vec::new();
            put(&mut bytes, TEXT, &payload);
            let end = bytes.len();
            put(&mut bytes, PING, b"next");
            let frame = first(&bytes).unwrap().unwrap();
            assert_eq!((frame.opcode, frame.last, frame.key, frame.end), (TEXT, true, None, end));
            assert_eq!(&bytes[frame.start..frame.end], payload);
        }
    }

    #[test]
    fn a_masked_frame_is_uncovered_by_its_own_key() {
        let mut bytes = Vec::new();
        put_masked(&mut bytes, TEXT, b"thirteen long", [1, 2, 3, 4]);
        let frame = first(&bytes).unwrap().unwrap();
        assert_ne!(&bytes[frame.start..frame.end], b"thirteen long");
        mask(&mut bytes[frame.start..frame.end], frame.key.unwrap());
        assert_eq!(&bytes[frame.start..frame.end], b"thirteen long");
    }

    #[test]
    fn a_cut_frame_is_not_there_yet() {
        let mut bytes = Vec::new();
        put_masked(&mut bytes, TEXT, &[b'x'; 300], [9; 4]);
        for cut in 0..bytes.len() {
            assert_eq!(first(&bytes[..cut]), Ok(None));
        }
    }

    #[test]
    fn an_absurd_length_is_refused() {
        assert_eq!(first(&[0x81, 127, 255, 0, 0, 0, 0, 0, 0, 0]), Err(TooLong));
    }
}
