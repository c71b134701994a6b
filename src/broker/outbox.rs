//! What waits to be written to one connection: shared frames, and bytes of its own, in order. Holds no memory while idle.

use bytes::{Buf, Bytes};
use std::{
    collections::VecDeque,
    io::{self, ErrorKind, IoSlice},
};

/// How many pieces go into one write.
const SLICES: usize = 64;

/// The queue of one connection.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    queue: VecDeque<Piece>,
    /// Behind the queue: bytes that only this connection gets.
    own: Vec<u8>,
    /// In `queue` and not yet written: all, and those that others get too.
    queued: usize,
    shared: usize,
}

#[derive(Debug)]
struct Piece {
    bytes: Bytes,
    shared: bool,
}

/// How far a write came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// Nothing is left.
    All,
    /// The other side has to read first.
    Some,
    /// There is no other side.
    Gone,
}

impl Outbox {
    /// Bytes that wait.
    pub(crate) fn len(&self) -> usize {
        self.queued + self.own.len()
    }

    /// Bytes among them that were pushed: not asked for, and not to be kept without end.
    pub(crate) fn shared(&self) -> usize {
        self.shared
    }

    /// Let go of what was pushed and not begun to be written. What was begun stays, so that framing is kept, and what the
    /// connection alone gets stays in its order.
    pub(crate) fn let_go(&mut self) {
        self.settle();
        let mut first = true;
        self.queue.retain(|piece| std::mem::take(&mut first) || !piece.shared);
        let bytes = |is_counted: fn(&Piece) -> bool| {
            self.queue.iter().filter(|piece| is_counted(piece)).map(|piece| piece.bytes.len()).sum()
        };
        self.queued = bytes(|_| true);
        self.shared = bytes(|piece| piece.shared);
    }

    /// Queue bytes that others get too.
    pub(crate) fn push(&mut self, shared: Bytes) {
        if shared.is_empty() {
            return;
        }
        self.settle();
        self.queued += shared.len();
        self.shared += shared.len();
        self.queue.push_back(Piece { bytes: shared, shared: true });
    }

    /// Where bytes for this connection alone are to be appended.
    pub(crate) fn own(&mut self) -> &mut Vec<u8> {
        if self.own.capacity() == 0 {
            // Room for the replies of a batch, which goes as soon as they are written.
            self.own.reserve(4096);
        }
        &mut self.own
    }

    /// Write as much as goes.
    pub(crate) fn write(&mut self, mut write: impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>) -> Written {
        self.settle();
        while !self.queue.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let count = self.queue.len().min(SLICES);
            for (slice, piece) in slices.iter_mut().zip(&self.queue) {
                *slice = IoSlice::new(&piece.bytes);
            }
            match write(&slices[..count]) {
                Ok(0) => return Written::Gone,
                Ok(written) => self.advance(written),
                Err(cause) if cause.kind() == ErrorKind::WouldBlock => return Written::Some,
                Err(cause) if cause.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Written::Gone,
            }
        }
        self.queue = VecDeque::new();
        Written::All
    }

    /// What is the connection's own takes its place in the queue.
    fn settle(&mut self) {
        if !self.own.is_empty() {
            self.queued += self.own.len();
            self.queue.push_back(Piece { bytes: std::mem::take(&mut self.own).into(), shared: false });
        }
    }

    fn advance(&mut self, mut written: usize) {
        self.queued -= written;
        while let Some(front) = self.queue.front_mut() {
            let from_front = written.min(front.bytes.len());
            front.bytes.advance(from_front);
            written -= from_front;
            if front.shared {
                self.shared -= from_front;
            }
            if !front.bytes.is_empty() {
                return;
            }
            self.queue.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_kept_however_little_a_write_takes() {
        for step in 1..9 {
            let mut outbox = Outbox::default();
            outbox.own().extend_from_slice(b"ab");
            outbox.own().extend_from_slice(b"c");
            outbox.push(Bytes::from_static(b"defg"));
            outbox.push(Bytes::new());
            outbox.own().extend_from_slice(b"h");
            assert_eq!(outbox.len(), 8);
            let (mut out, mut turn) = (Vec::new(), 0);
            let mut sink = |slices: &[IoSlice<'_>]| {
                turn += 1;
                if turn % 2 == 0 {
                    return Err(ErrorKind::WouldBlock.into());
                }
                let all: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
                out.extend_from_slice(&all[..step.min(all.len())]);
                Ok(step.min(all.len()))
            };
            while outbox.write(&mut sink) == Written::Some {}
            assert_eq!((out.as_slice(), outbox.len()), (&b"abcdefgh"[..], 0), "step {step}");
        }
    }

    #[test]
    fn what_was_pushed_is_let_go_of_and_replies_are_not() {
        let mut outbox = Outbox::default();
        outbox.push(Bytes::from_static(b"begun"));
        outbox.push(Bytes::from_static(b"pushed"));
        outbox.own().extend_from_slice(b"reply1");
        outbox.push(Bytes::from_static(b"pushed too"));
        outbox.own().extend_from_slice(b"reply2");
        assert_eq!(outbox.write(|_| Err(ErrorKind::WouldBlock.into())), Written::Some);
        outbox.advance(2);
        outbox.let_go();
        assert_eq!((outbox.len(), outbox.shared()), (15, 3));
        let mut out = Vec::new();
        let all = outbox.write(|slices| {
            slices.iter().for_each(|slice| out.extend_from_slice(slice));
            Ok(slices.iter().map(|slice| slice.len()).sum())
        });
        assert_eq!((all, out.as_slice()), (Written::All, &b"gunreply1reply2"[..]));
    }

    #[test]
    fn a_broken_connection_is_gone() {
        let mut outbox = Outbox::default();
        outbox.push(Bytes::from_static(b"x"));
        assert_eq!(outbox.write(|_| Err(ErrorKind::BrokenPipe.into())), Written::Gone);
        assert_eq!(outbox.write(|_| Ok(0)), Written::Gone);
    }
}
