//! What a client sends: frames unmasked in place, fragments put together, everything checked.

use backsync_protocol::CloseCode;

/// Something that came whole.
#[derive(Debug, PartialEq, Eq)]
pub enum Received<'a> {
    /// A text message.
    Text(&'a str),
    /// A binary message.
    Binary(&'a [u8]),
    /// To be answered by a pong with the same payload.
    Ping(&'a [u8]),
    /// A sign of life.
    Pong,
    /// The other side ends it, with this code if it gave one.
    Close(Option<u16>),
    /// A fragment; its message is not whole yet.
    Fragment,
}

/// What came breaks the rules: the connection is to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// No WebSocket framing.
    #[error("{0}")]
    Protocol(&'static str),
    /// Text that is not UTF-8.
    #[error("a text frame is not UTF-8")]
    InvalidText,
    /// More than the limit.
    #[error("a message has more than {0} bytes, which is the limit")]
    TooBig(usize),
}

impl Fault {
    /// The code to close with.
    pub fn close_code(self) -> CloseCode {
        match self {
            Self::Protocol(_) => CloseCode::ProtocolError,
            Self::InvalidText => CloseCode::InvalidText,
            Self::TooBig(_) => CloseCode::TooBig,
        }
    }
}

/// Reads the frames of one connection. Holds no memory between messages.
#[derive(Debug)]
pub struct Decoder {
    limit: usize,
    /// The fragments so far, and whether they are text.
    message: Option<(bool, Vec<u8>)>,
    /// The last whole message, while somebody looks at it.
    whole: Vec<u8>,
}

const TEXT: u8 = 1;
const BINARY: u8 = 2;

impl Decoder {
    /// A decoder for messages of at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { limit, message: None, whole: Vec::new() }
    }

    /// Take the first frame of `input`, if it is there whole; answers how many bytes it had. Offer what is left again,
    /// with more behind it.
    ///
    /// # Errors
    /// [`Fault`]; nothing that follows can be understood.
    pub fn decode<'a>(&'a mut self, input: &'a mut [u8]) -> Result<Option<(usize, Received<'a>)>, Fault> {
        self.whole = Vec::new();
        let Some(header) = Header::parse(input)? else { return Ok(None) };
        let Header { last, opcode, start, length } = header;
        let is_control = opcode >= 8;
        if is_control && (length > 125 || !last) {
            return Err(Fault::Protocol("a control frame is fragmented or longer than 125 bytes"));
        }
        let so_far = self.message.as_ref().map_or(0, |(_, message)| message.len());
        if !is_control && length > (self.limit - so_far) as u64 {
            return Err(Fault::TooBig(self.limit));
        }
        let end = start + usize::try_from(length).map_err(|_| Fault::TooBig(self.limit))?;
        if input.len() < end {
            return Ok(None);
        }
        let mask: [u8; 4] = input[start - 4..start].try_into().expect("four bytes");
        let payload = &mut input[start..end];
        unmask(payload, mask);
        let payload = &*payload;
        let received = match (opcode, self.message.as_mut()) {
            (0, None) => return Err(Fault::Protocol("a continuation of nothing")),
            (TEXT | BINARY, Some(_)) => return Err(Fault::Protocol("a message begins within another")),
            (TEXT, None) if last => Received::Text(text(payload)?),
            (BINARY, None) if last => Received::Binary(payload),
            (TEXT | BINARY, None) => {
                self.message = Some((opcode == TEXT, payload.to_vec()));
                Received::Fragment
            }
            (0, Some((is_text, message))) => {
                message.extend_from_slice(payload);
                if last {
                    let is_text = *is_text;
                    self.whole = self.message.take().expect("matched above").1;
                    if is_text { Received::Text(text(&self.whole)?) } else { Received::Binary(&self.whole) }
                } else {
                    Received::Fragment
                }
            }
            (8, _) => Received::Close(close_code(payload)?),
            (9, _) => Received::Ping(payload),
            (10, _) => Received::Pong,
            _ => return Err(Fault::Protocol("a frame of an unknown kind")),
        };
        Ok(Some((end, received)))
    }
}

struct Header {
    last: bool,
    opcode: u8,
    /// Where the payload starts, behind the mask.
    start: usize,
    length: u64,
}

impl Header {
    fn parse(input: &[u8]) -> Result<Option<Self>, Fault> {
        let [first, second, rest @ ..] = input else { return Ok(None) };
        if first & 0x70 != 0 {
            return Err(Fault::Protocol("reserved bits are set"));
        }
        if second & 0x80 == 0 {
            return Err(Fault::Protocol("a client's frames are masked"));
        }
        let (extended, length) = match second & 0x7f {
            126 => match rest.first_chunk() {
                Some(bytes) => (2, u64::from(u16::from_be_bytes(*bytes))),
                None => return Ok(None),
            },
            127 => match rest.first_chunk() {
                Some(bytes) => (8, u64::from_be_bytes(*bytes)),
                None => return Ok(None),
            },
            length => (0, u64::from(length)),
        };
        // The mask may still be on its way; the length is judged as soon as it is known.
        Ok(Some(Self { last: first & 0x80 != 0, opcode: first & 0x0f, start: 2 + extended + 4, length }))
    }
}

fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let mask8 = u64::from_ne_bytes([mask[0], mask[1], mask[2], mask[3], mask[0], mask[1], mask[2], mask[3]]);
    let mut words = payload.chunks_exact_mut(8);
    for word in &mut words {
        let unmasked = u64::from_ne_bytes((&*word).try_into().expect("eight bytes")) ^ mask8;
        word.copy_from_slice(&unmasked.to_ne_bytes());
    }
    for (at, byte) in words.into_remainder().iter_mut().enumerate() {
        *byte ^= mask[at % 4];
    }
}

fn text(payload: &[u8]) -> Result<&str, Fault> {
    std::str::from_utf8(payload).map_err(|_| Fault::InvalidText)
}

fn close_code(payload: &[u8]) -> Result<Option<u16>, Fault> {
    let Some((code, reason)) = payload.split_first_chunk() else {
        return if payload.is_empty() { Ok(None) } else { Err(Fault::Protocol("half a close code")) };
    };
    text(reason)?;
    match u16::from_be_bytes(*code) {
        code @ (1000..=1003 | 1007..=1014 | 3000..=4999) => Ok(Some(code)),
        _ => Err(Fault::Protocol("a close code that nobody may send")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mask = [1, 2, 3, 250];
        let mut frame = vec![first];
        match payload.len() {
            n @ 0..126 => frame.push(0x80 | n as u8),
            n @ 126..=0xffff => {
                frame.push(0x80 | 126);
                frame.extend((n as u16).to_be_bytes());
            }
            n => {
                frame.push(0x80 | 127);
                frame.extend((n as u64).to_be_bytes());
            }
        }
        frame.extend(mask);
        frame.extend(payload.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]));
        frame
    }

    /// Everything that comes out of `input`, offered in pieces of `step` bytes.
    fn decode(input: &[u8], step: usize) -> Result<Vec<String>, Fault> {
        let (mut decoder, mut held, mut out) = (Decoder::new(70_000), Vec::new(), Vec::new());
        for piece in input.chunks(step) {
            held.extend_from_slice(piece);
            let mut at = 0;
            while let Some((used, received)) = decoder.decode(&mut held[at..])? {
                at += used;
                if received != Received::Fragment {
                    out.push(format!("{received:?}"));
                }
            }
            held.drain(..at);
        }
        assert!(held.is_empty());
        Ok(out)
    }

    #[test]
    fn messages_come_whole_however_they_are_cut() {
        let long = "é".repeat(33_000);
        let mut input = Vec::new();
        for (first, payload) in [
            (0x81, "héllo".as_bytes()),
            (0x89, b"p"),
            (0x01, "a\u{20ac}".as_bytes().split_at(2).0),
            (0x8a, b""),
            (0x80, "a\u{20ac}".as_bytes().split_at(2).1),
            (0x82, b"\xff\xff"),
            (0x81, b""),
            (0x81, long.as_bytes()),
            (0x88, b"\x03\xe8bye"),
        ] {
            input.extend(frame(first, payload));
        }
        let expected = [
            "Text(\"héllo\")",
            "Ping([112])",
            "Pong",
            "Text(\"a€\")",
            "Binary([255, 255])",
            "Text(\"\")",
            &format!("Text({long:?})"),
            "Close(Some(1000))",
        ];
        for step in [1, 2, 3, 7, 1000, 1_000_000] {
            assert_eq!(decode(&input, step).unwrap(), expected, "step {step}");
        }
    }

    #[test]
    fn what_breaks_the_rules_has_its_close_code() {
        for (input, code) in [
            (frame(0xc1, b"x"), 1002),
            (frame(0x83, b"x"), 1002),
            (frame(0x80, b"x"), 1002),
            (frame(0x09, b"x"), 1002),
            (frame(0x89, &[0; 126]), 1002),
            (frame(0x88, b"\x03"), 1002),
            (frame(0x88, b"\x03\xed"), 1002),
            (vec![0x81, 1, b'x'], 1002),
            ([frame(0x01, b"x"), frame(0x81, b"y")].concat(), 1002),
            (frame(0x81, b"\xff"), 1007),
            (frame(0x88, b"\x03\xe8\xff"), 1007),
            (frame(0x81, &[b'x'; 70_001]), 1009),
            ([frame(0x01, &[b'x'; 69_999]), frame(0x80, b"yy")].concat(), 1009),
            (vec![0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], 1009),
        ] {
            let fault = decode(&input, 1_000_000).unwrap_err();
            assert_eq!(fault.close_code().number(), code, "{fault} {:?}", &input[..input.len().min(8)]);
        }
    }
}
