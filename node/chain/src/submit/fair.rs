//! A queue that is fair to those who fill it, whatever one of them sends.
//!
//! ```text
//! turns   A ──► B ──► C ──►          one record a turn, then to the back
//!         │     │     │
//! lines   a a   b     c c c c c      first in, first out for each
//! ```
//!
//! Invariants: whoever has something waiting is served within one round, so nobody waits for more than one record
//! of each of the others. No line is longer than what is left free (the dynamic thresholds of Choudhury and Hahne,
//! 1998): one that takes all it can gets half of the queue, n of them leave 1/(n + 1) of it, so there is room for
//! a newcomer. Both ends take constant time.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
};

/// What a queue may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Items of all.
    pub(crate) items: usize,
    /// Items of one.
    pub(crate) items_each: usize,
    /// Bytes of all.
    pub(crate) bytes: usize,
}

/// The queue: items of `K`s.
#[derive(Debug)]
pub(crate) struct Fair<K, T> {
    bounds: Bounds,
    lines: HashMap<K, Line<T>>,
    /// Everybody who has something waiting, once.
    turns: VecDeque<K>,
    items: usize,
    bytes: usize,
}

#[derive(Debug)]
struct Line<T> {
    waiting: VecDeque<(usize, T)>,
    bytes: usize,
}

impl<K: Copy + Eq + Hash, T> Fair<K, T> {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self { bounds, lines: HashMap::new(), turns: VecDeque::new(), items: 0, bytes: 0 }
    }

    /// Puts an item at the end of its owner's line.
    ///
    /// # Errors
    /// The item, if the line is as long as it may be.
    pub(crate) fn push(&mut self, owner: K, bytes: usize, item: T) -> Result<(), T> {
        let (free, free_bytes) = (self.bounds.items - self.items, self.bounds.bytes - self.bytes);
        let (length, line_bytes) = self.lines.get(&owner).map_or((0, 0), |line| (line.waiting.len(), line.bytes));
        if length >= free.min(self.bounds.items_each) || line_bytes + bytes > free_bytes {
            return Err(item);
        }
        let line = self.lines.entry(owner).or_insert_with(|| Line { waiting: VecDeque::new(), bytes: 0 });
        if line.waiting.is_empty() {
            self.turns.push_back(owner);
        }
        line.waiting.push_back((bytes, item));
        line.bytes += bytes;
        self.items += 1;
        self.bytes += bytes;
        Ok(())
    }

    /// The next item, and its bytes.
    pub(crate) fn pop(&mut self) -> Option<(usize, T)> {
        let owner = self.turns.pop_front()?;
        let line = self.lines.get_mut(&owner)?;
        let (bytes, item) = line.waiting.pop_front()?;
        line.bytes -= bytes;
        if line.waiting.is_empty() {
            self.lines.remove(&owner);
        } else {
            self.turns.push_back(owner);
        }
        self.items -= 1;
        self.bytes -= bytes;
        Some((bytes, item))
    }

    pub(crate) const fn len(&self) -> usize {
        self.items
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.items == 0
    }

    /// Drops everything that waits.
    pub(crate) fn clear(&mut self) {
        *self = Self::new(self.bounds);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { items: 1_000, items_each: 900, bytes: 100_000 };

    fn fill(queue: &mut Fair<char, usize>, owner: char) -> usize {
        (0..).take_while(|number| queue.push(owner, 1, *number).is_ok()).count()
    }

    #[test]
    fn a_flood_leaves_room_and_delays_a_newcomer_by_one_item() {
        let mut queue = Fair::new(BOUNDS);
        assert_eq!(fill(&mut queue, 'f'), 500, "half of it");
        assert!(queue.push('n', 1, 7).is_ok());
        assert_eq!([queue.pop(), queue.pop()], [Some((1, 0)), Some((1, 7))]);
        assert_eq!(queue.pop(), Some((1, 1)));
    }

    #[test]
    fn many_floods_leave_room_too() {
        let mut queue = Fair::new(BOUNDS);
        for flood in 'a'..='i' {
            assert!(fill(&mut queue, flood) > 0);
        }
        // Each takes half of what the ones before it left: so a newcomer may have something, always.
        assert!(queue.push('z', 1, 0).is_ok());
        let before_newcomer = std::iter::from_fn(|| queue.pop()).take(10).collect::<Vec<_>>();
        assert_eq!(before_newcomer, vec![(1, 0); 10], "one of each");
    }

    #[test]
    fn bytes_are_shared_like_items() {
        let mut queue = Fair::new(BOUNDS);
        assert!(queue.push('f', 40_000, 0).is_ok());
        assert_eq!(queue.push('f', 40_000, 1), Err(1), "the line would be longer than what is free");
        assert!(queue.push('n', 60_000, 2).is_ok());
        assert_eq!(queue.push('o', 1, 3), Err(3), "nothing is free");
        queue.pop();
        assert!(queue.push('o', 1, 3).is_ok());
    }

    #[test]
    fn a_line_keeps_its_order_and_all_is_given_back() {
        let mut queue = Fair::new(Bounds { items_each: 3, ..BOUNDS });
        assert_eq!((fill(&mut queue, 'a'), fill(&mut queue, 'b')), (3, 3));
        let order: Vec<_> = std::iter::from_fn(|| queue.pop()).map(|(_, item)| item).collect();
        assert_eq!(order, [0, 0, 1, 1, 2, 2]);
        assert!(queue.is_empty() && queue.lines.is_empty() && queue.turns.is_empty());
        assert_eq!((queue.len(), queue.bytes), (0, 0));
    }
}
