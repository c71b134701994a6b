//! What a client sends: frames unmasked in place, fragments put together, everything checked as early as it can be.

use super::{deflate, utf8::Utf8};
use backsync_protocol::CloseCode;
use std::borrow::Cow;

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
    /// A compressed message that nothing can be made of.
    #[error("a compressed message is broken")]
    InvalidDeflate,
    /// More than the limit.
    #[error("a message has more than {0} bytes, which is the limit")]
    TooBig(usize),
}

impl Fault {
    /// The code to close with.
    pub fn close_code(self) -> CloseCode {
        match self {
            Self::Protocol(_) => CloseCode::ProtocolError,
            Self::InvalidText | Self::InvalidDeflate => CloseCode::InvalidText,
            Self::TooBig(_) => CloseCode::TooBig,
        }
    }
}

/// Reads the frames of one connection. Holds no memory between messages.
#[derive(Debug)]
pub struct Decoder {
    limit: usize,
    inflates: bool,
    /// The frames so far of a message that is not whole yet.
    message: Option<Message>,
    /// Of the text that is not whole yet.
    utf8: Utf8,
    /// How many bytes of the payload that comes in are unmasked and checked.
    done: usize,
    /// The last whole message, while somebody looks at it.
    whole: Vec<u8>,
}

#[derive(Debug)]
struct Message {
    kind: Kind,
    payload: Vec<u8>,
}

/// What the first frame of a message says about it.
#[derive(Debug, Clone, Copy)]
struct Kind {
    is_text: bool,
    compressed: bool,
}

const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

impl Decoder {
    /// A decoder for messages of at most `limit` bytes, on the wire and inflated. `inflates` is whether messages may come
    /// compressed, which has to be agreed upon ([`super::negotiate`]).
    pub fn new(limit: usize, inflates: bool) -> Self {
        Self { limit, inflates, message: None, utf8: Utf8::default(), done: 0, whole: Vec::new() }
    }

    /// Take the first frame of `input`, if it is there whole; answers how many bytes it had. Offer what is left again, as
    /// this left it, with more behind it.
    ///
    /// # Errors
    /// [`Fault`]; nothing that follows can be understood.
    pub fn decode<'a>(&'a mut self, input: &'a mut [u8]) -> Result<Option<(usize, Received<'a>)>, Fault> {
        self.whole = Vec::new();
        let Some(header) = Header::parse(input)? else { return Ok(None) };
        let length = self.admit(&header)?;
        let Some((head, payload)) = input.split_at_mut_checked(header.start) else { return Ok(None) };
        let mask = head[header.start - 4..].try_into().expect("four bytes");
        let here = payload.len().min(length);
        let (payload, whole) = (&mut payload[..here], here == length);
        unmask(&mut payload[self.done..], mask, self.done);
        let payload = &*payload;
        let end = header.start + length;
        if header.opcode >= CLOSE {
            self.done = if whole { 0 } else { here };
            return if whole { Ok(Some((end, control(header.opcode, payload)?))) } else { Ok(None) };
        }
        let kind = self.message.as_ref().map_or_else(|| header.kind(), |message| message.kind);
        // What comes in one piece is checked in one go below.
        let in_pieces = !whole || self.done > 0 || !header.last || self.message.is_some();
        if kind.is_text && !kind.compressed && in_pieces {
            let may_be_text = self.utf8.take(&payload[self.done..]);
            if !may_be_text || (whole && header.last && !self.utf8.is_whole()) {
                return Err(Fault::InvalidText);
            }
        }
        if !whole {
            self.done = here;
            return Ok(None);
        }
        self.done = 0;
        if !header.last {
            let message = self.message.get_or_insert(Message { kind, payload: Vec::new() });
            message.payload.extend_from_slice(payload);
            return Ok(Some((end, Received::Fragment)));
        }
        let mut message = match self.message.take() {
            None => Cow::Borrowed(payload),
            Some(Message { payload: mut gathered, .. }) => {
                gathered.extend_from_slice(payload);
                Cow::Owned(gathered)
            }
        };
        if kind.compressed {
            message = Cow::Owned(deflate::inflate(&message, self.limit)?);
        }
        let message = match message {
            Cow::Borrowed(payload) => payload,
            Cow::Owned(message) => {
                self.whole = message;
                &self.whole
            }
        };
        let received = if kind.is_text { Received::Text(text(message)?) } else { Received::Binary(message) };
        Ok(Some((end, received)))
    }

    /// Whether a frame may come now, by its header alone; answers the length of its payload.
    fn admit(&self, header: &Header) -> Result<usize, Fault> {
        match (header.opcode, &self.message) {
            (CONTINUATION, None) => return Err(Fault::Protocol("a continuation of nothing")),
            (TEXT | BINARY, Some(_)) => return Err(Fault::Protocol("a message begins within another")),
            (CONTINUATION | TEXT | BINARY, _) => {}
            (CLOSE | PING | PONG, _) => {
                if header.length > 125 || !header.last {
                    return Err(Fault::Protocol("a control frame is fragmented or longer than 125 bytes"));
                }
            }
            _ => return Err(Fault::Protocol("a frame of an unknown kind")),
        }
        if header.reserved && !(self.inflates && matches!(header.opcode, TEXT | BINARY)) {
            return Err(Fault::Protocol(RESERVED));
        }
        let so_far = match &self.message {
            Some(message) if header.opcode == CONTINUATION => message.payload.len(),
            _ => 0,
        };
        let length = usize::try_from(header.length).map_err(|_| Fault::TooBig(self.limit))?;
        // A limit below 125 does not concern control frames.
        if header.opcode < CLOSE && length > self.limit - so_far { Err(Fault::TooBig(self.limit)) } else { Ok(length) }
    }
}

const RESERVED: &str = "reserved bits are set";

struct Header {
    last: bool,
    /// The first of the three bits that extensions give a meaning; nobody may set the others.
    reserved: bool,
    opcode: u8,
    /// Where the payload starts, behind the mask.
    start: usize,
    length: u64,
}

impl Header {
    fn parse(input: &[u8]) -> Result<Option<Self>, Fault> {
        let [first, second, rest @ ..] = input else { return Ok(None) };
        if first & 0x30 != 0 {
            return Err(Fault::Protocol(RESERVED));
        }
        if second & 0x80 == 0 {
            return Err(Fault::Protocol("a client's frames are masked"));
        }
        let (extended, length, least) = match second & 0x7f {
            126 => match rest.first_chunk() {
                Some(bytes) => (2, u64::from(u16::from_be_bytes(*bytes)), 126),
                None => return Ok(None),
            },
            127 => match rest.first_chunk() {
                Some(bytes) => (8, u64::from_be_bytes(*bytes), 0x1_0000),
                None => return Ok(None),
            },
            length => (0, u64::from(length), 0),
        };
        if length < least || length > i64::MAX as u64 {
            return Err(Fault::Protocol("the length of a frame is not in its shortest form"));
        }
        // The mask may still be on its way; the length is judged as soon as it is known.
        let (last, reserved) = (first & 0x80 != 0, first & 0x40 != 0);
        Ok(Some(Self { last, reserved, opcode: first & 0x0f, start: 2 + extended + 4, length }))
    }

    fn kind(&self) -> Kind {
        Kind { is_text: self.opcode == TEXT, compressed: self.reserved }
    }
}

fn control(opcode: u8, payload: &[u8]) -> Result<Received<'_>, Fault> {
    Ok(match opcode {
        CLOSE => Received::Close(close_code(payload)?),
        PING => Received::Ping(payload),
        _ => Received::Pong,
    })
}

/// Take the mask off a part of a payload that begins at this byte of it.
fn unmask(part: &mut [u8], mut mask: [u8; 4], at: usize) {
    mask.rotate_left(at % 4);
    let mask8 = u64::from_ne_bytes([mask[0], mask[1], mask[2], mask[3], mask[0], mask[1], mask[2], mask[3]]);
    let mut words = part.chunks_exact_mut(8);
    for word in &mut words {
        let unmasked = u64::from_ne_bytes((&*word).try_into().expect("eight bytes")) ^ mask8;
        word.copy_from_slice(&unmasked.to_ne_bytes());
    }
    for (at, byte) in words.into_remainder().iter_mut().enumerate() {
        *byte ^= mask[at % 4];
    }
}

fn text(payload: &[u8]) -> Result<&str, Fault> {
    simdutf8::basic::from_utf8(payload).map_err(|_| Fault::InvalidText)
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
        let (mut decoder, mut held, mut out) = (Decoder::new(70_000, false), Vec::new(), Vec::new());
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
            (vec![0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], 1009),
            (vec![0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], 1002),
            (vec![0x81, 0xfe, 0, 125], 1002),
            (vec![0x81, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff], 1002),
        ] {
            let fault = decode(&input, 1_000_000).unwrap_err();
            assert_eq!(fault.close_code().number(), code, "{fault} {:?}", &input[..input.len().min(8)]);
        }
    }
}
