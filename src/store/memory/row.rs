//! A row that grows at its end and shrinks at its beginning, in pieces: beyond the first piece nothing is moved as it grows, so that no
//! write waits for that, and what it has is little more than what it needs.

use std::collections::VecDeque;

/// Elements of a piece; the last piece grows up to it.
const PIECE: usize = 1024;

#[derive(Debug)]
pub(super) struct Row<T> {
    /// All but the last are whole.
    pieces: VecDeque<Vec<T>>,
    /// Elements at the beginning of the first piece that are no longer of the row.
    gone: usize,
}

impl<T> Default for Row<T> {
    fn default() -> Self {
        Self { pieces: VecDeque::new(), gone: 0 }
    }
}

impl<T> Row<T> {
    pub(super) fn len(&self) -> usize {
        let Some(last) = self.pieces.back() else { return 0 };
        (self.pieces.len() - 1) * PIECE + last.len() - self.gone
    }

    pub(super) fn front(&self) -> Option<&T> {
        self.pieces.front()?.get(self.gone)
    }

    pub(super) fn get(&self, index: usize) -> Option<&T> {
        let at = self.gone + index;
        self.pieces.get(at / PIECE)?.get(at % PIECE)
    }

    pub(super) fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        let at = self.gone + index;
        self.pieces.get_mut(at / PIECE)?.get_mut(at % PIECE)
    }

    /// In line, so that an element is put together where it is to stand.
    #[inline(always)]
    pub(super) fn push(&mut self, element: T) {
        match self.pieces.back_mut() {
            Some(last) if last.len() < last.capacity().min(PIECE) => last.push(element),
            _ => {
                self.make_room();
                self.pieces.back_mut().expect("just made").push(element);
            }
        }
    }

    #[cold]
    fn make_room(&mut self) {
        match self.pieces.back_mut() {
            // The first piece grows as any vector does: most models are small.
            Some(last) if last.len() < PIECE => last.reserve(1),
            None => self.pieces.push_back(Vec::new()),
            Some(_) => self.pieces.push_back(Vec::with_capacity(PIECE)),
        }
    }

    /// Let go of the first element; it is dropped with its piece.
    pub(super) fn skip_front(&mut self) {
        self.gone += 1;
        let first = self.pieces.front().map_or(0, Vec::len);
        if self.gone >= first {
            self.pieces.pop_front();
            self.gone = 0;
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.pieces.iter().flatten().skip(self.gone)
    }
}

impl<T> IntoIterator for Row<T> {
    type Item = T;
    type IntoIter = std::iter::Skip<std::iter::Flatten<std::collections::vec_deque::IntoIter<Vec<T>>>>;

    fn into_iter(self) -> Self::IntoIter {
        self.pieces.into_iter().flatten().skip(self.gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_queue_whatever_its_length() {
        let (mut row, mut queue) = (Row::default(), VecDeque::new());
        for n in 0..5 * PIECE {
            row.push(n);
            queue.push_back(n);
            // At first it grows, and then shrinks, until it is empty in the middle of a piece, and again.
            let goes = [0, 1, 3, 0, 1][n / PIECE];
            for _ in 0..goes {
                if queue.pop_front().is_some() {
                    row.skip_front();
                }
            }
            assert_eq!((row.len(), row.front()), (queue.len(), queue.front()));
            let some = [0, 1, PIECE - 1, PIECE, queue.len().saturating_sub(1), queue.len()];
            assert!(some.iter().all(|at| row.get(*at) == queue.get(*at)), "at {n}");
            assert!(n % 100 > 0 || row.iter().eq(&queue), "at {n}");
        }
        *row.get_mut(PIECE / 2).unwrap() = 7;
        assert_eq!(row.iter().nth(PIECE / 2), Some(&7));
    }
}
