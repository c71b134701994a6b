//! A WebSocket's incoming bytes: however they are cut, the decoder says the same, and says no more than its limit allows. What is
//! compressed comes back.
#![no_main]

use backsync::websocket::{Decoder, Opcode, append_compressed};
use libfuzzer_sys::fuzz_target;

const LIMIT: usize = 5000;

fuzz_target!(|input: &[u8]| {
    let [how, step, rest @ ..] = input else { return };
    let inflates = how & 1 != 0;
    match how >> 1 & 3 {
        0 => compare(rest, inflates, *step),
        // Most bytes are no frames, so they become some:
        1 => compare(&frames(rest, false), inflates, *step),
        // with payloads that were compressed.
        2 => compare(&frames(rest, true), true, *step),
        _ => {
            let mut frame = Vec::new();
            append_compressed(Opcode::Binary, rest, &mut frame);
            let seen = decode(&masked(&frame), true, usize::MAX);
            let whole =
                if rest.len() > LIMIT { format!("{:?}", Err::<(), _>(too_big())) } else { format!("Binary({rest:?})") };
            assert_eq!(seen, [whole]);
        }
    }
});

fn too_big() -> backsync::websocket::Fault {
    backsync::websocket::Fault::TooBig(LIMIT)
}

fn compare(stream: &[u8], inflates: bool, step: u8) {
    let at_once = decode(stream, inflates, usize::MAX);
    assert_eq!(decode(stream, inflates, usize::from(step) + 1), at_once);
    assert_eq!(decode(stream, inflates, 1), at_once);
}

/// All that is said about a stream that comes in pieces of so many bytes.
fn decode(stream: &[u8], inflates: bool, step: usize) -> Vec<String> {
    let (mut decoder, mut held, mut seen) = (Decoder::new(LIMIT, inflates), Vec::new(), Vec::new());
    for piece in stream.chunks(step) {
        held.extend_from_slice(piece);
        let mut at = 0;
        loop {
            match decoder.decode(&mut held[at..]) {
                Ok(None) => break,
                Ok(Some((used, received))) => {
                    let said = format!("{received:?}");
                    assert!(said.len() < 8 * LIMIT);
                    seen.push(said);
                    at += used;
                }
                Err(fault) => {
                    seen.push(format!("{:?}", Err::<(), _>(fault)));
                    return seen;
                }
            }
        }
        held.drain(..at);
    }
    seen
}

/// Frames made of (first byte, length, payload).
fn frames(mut input: &[u8], compress: bool) -> Vec<u8> {
    let mut stream = Vec::new();
    while let [first, length, rest @ ..] = input {
        let (payload, rest) = rest.split_at(usize::from(*length).min(rest.len()));
        input = rest;
        let mut frame = Vec::new();
        if compress {
            append_compressed(Opcode::Text, payload, &mut frame);
            frame[0] = frame[0] & 0x40 | first & 0x8f;
        } else {
            frame.extend([*first & 0xcf, payload.len() as u8 & 0x7f]);
            frame.extend(&payload[..payload.len().min(125)]);
            frame[1] = frame.len() as u8 - 2;
        }
        stream.extend(masked(&frame));
    }
    stream
}

fn masked(frame: &[u8]) -> Vec<u8> {
    let head = match frame[1] {
        126 => 4,
        127 => 10,
        _ => 2,
    };
    let mask = [7, 0, 0xff, 0x80];
    let mut out = frame[..head].to_vec();
    out[1] |= 0x80;
    out.extend(mask);
    out.extend(frame[head..].iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]));
    out
}
