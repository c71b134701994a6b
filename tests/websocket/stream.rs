use backsync::websocket::{Decoder, Received};

pub(crate) const LIMIT: usize = 1 << 20;

/// What is heard in a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Heard {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong,
    Close(Option<u16>),
    /// The stream breaks a rule, and is to be closed with this code.
    Fault(u16),
}

pub(crate) fn text(text: &str) -> Heard {
    Heard::Text(text.to_owned())
}

/// One that listens, with what was not whole yet.
pub(crate) struct Listener {
    decoder: Decoder,
    held: Vec<u8>,
    heard: Vec<Heard>,
}

impl Listener {
    pub(crate) fn new(inflates: bool) -> Self {
        Self { decoder: Decoder::new(LIMIT, inflates), held: Vec::new(), heard: Vec::new() }
    }

    /// Whether it goes on after these bytes.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> bool {
        self.held.extend_from_slice(bytes);
        let mut at = 0;
        loop {
            match self.decoder.decode(&mut self.held[at..]) {
                Ok(None) => break,
                Ok(Some((used, received))) => {
                    at += used;
                    self.heard.extend(match received {
                        Received::Text(text) => Some(Heard::Text(text.to_owned())),
                        Received::Binary(bytes) => Some(Heard::Binary(bytes.to_owned())),
                        Received::Ping(payload) => Some(Heard::Ping(payload.to_owned())),
                        Received::Pong => Some(Heard::Pong),
                        Received::Close(code) => Some(Heard::Close(code)),
                        Received::Fragment => None,
                    });
                }
                Err(fault) => {
                    self.heard.push(Heard::Fault(fault.close_code().number()));
                    return false;
                }
            }
        }
        self.held.drain(..at);
        true
    }
}

fn hear_pieces<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, inflates: bool) -> Vec<Heard> {
    let mut listener = Listener::new(inflates);
    for piece in pieces {
        if !listener.take(piece) {
            break;
        }
    }
    listener.heard
}

/// What is heard in a stream; the same at once, byte by byte, and cut in two anywhere.
pub(crate) fn hear(stream: &[u8]) -> Vec<Heard> {
    hear_with(stream, false)
}

/// The same where compressed messages were agreed to.
pub(crate) fn hear_compressed(stream: &[u8]) -> Vec<Heard> {
    hear_with(stream, true)
}

fn hear_with(stream: &[u8], inflates: bool) -> Vec<Heard> {
    let heard = hear_pieces([stream], inflates);
    assert_eq!(hear_pieces(stream.chunks(1), inflates), heard, "byte by byte");
    // All cuts of what is short, and some of what is long.
    for cut in (0..stream.len()).step_by(if stream.len() <= 1500 { 1 } else { stream.len() / 30 }) {
        let (first, rest) = stream.split_at(cut);
        assert_eq!(hear_pieces([first, rest], inflates), heard, "cut at {cut}");
    }
    heard
}

/// After how many bytes of a stream that comes byte by byte it is refused.
pub(crate) fn refused_after(stream: &[u8]) -> Option<usize> {
    let mut listener = Listener::new(false);
    stream.chunks(1).position(|byte| !listener.take(byte)).map(|at| at + 1)
}

pub(crate) const CONTINUATION: u8 = 0;
pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;
/// The first bit: the last frame of its message.
pub(crate) const LAST: u8 = 0x80;
/// The second: its message is compressed.
pub(crate) const COMPRESSED: u8 = 0x40;

/// A masked frame with this first byte.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    with_head(&head(first, payload.len() as u64), payload)
}

/// A frame's first bytes, up to the mask.
pub(crate) fn head(first: u8, length: u64) -> Vec<u8> {
    match length {
        0..126 => vec![first, 0x80 | u8::try_from(length).unwrap()],
        126..=0xffff => [&[first, 0xfe][..], &u16::try_from(length).unwrap().to_be_bytes()].concat(),
        _ => [&[first, 0xff][..], &length.to_be_bytes()].concat(),
    }
}

pub(crate) fn with_head(head: &[u8], payload: &[u8]) -> Vec<u8> {
    let mask = [0xa5, 0x01, 0xff, 0x7e];
    let mut frame = [head, &mask].concat();
    frame.extend(payload.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]));
    frame
}

/// A message in frames of these pieces.
pub(crate) fn fragments<'a>(first: u8, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut pieces = pieces.into_iter().peekable();
    let (mut stream, mut first) = (Vec::new(), first);
    while let Some(piece) = pieces.next() {
        let last = if pieces.peek().is_none() { LAST } else { 0 };
        stream.extend(frame(first | last, piece));
        first = CONTINUATION;
    }
    stream
}
