//! The one public text for a place in the stream of events.
//!
//! ```text
//! event        height.tx.event.hash4    behind this event of this transaction of the block
//! checkpoint   height.end.hash4         behind the whole block
//! ```
//!
//! `hash4` is the first four bytes of the block's hash, in hex: a cursor of another chain, or of a stretch that
//! a dev chain undid, is noticed and refused instead of silently meaning another event.
//!
//! Invariant: cursors sort as their events do, a checkpoint behind every event of its block.

use std::{cmp::Ordering, fmt, str::FromStr};

use rustorium_types::id::{Hash, Height};
use thiserror::Error;

/// A place in the stream of events: what stands before it has been seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cursor {
    /// The block's height.
    pub height: Height,
    /// The event in the block, none for its end.
    pub event: Option<EventIndex>,
    /// The first four bytes of the block's hash.
    pub block: [u8; 4],
}

/// An event's place in its block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventIndex {
    /// Which transaction of the block.
    pub transaction: u32,
    /// Which event of the transaction.
    pub event: u32,
}

impl Cursor {
    /// Behind an event.
    pub fn event(height: Height, block: &Hash, transaction: u32, event: u32) -> Self {
        Self { height, event: Some(EventIndex { transaction, event }), block: first_four(block) }
    }

    /// Behind a whole block.
    pub fn end(height: Height, block: &Hash) -> Self {
        Self { height, event: None, block: first_four(block) }
    }

    /// True if the block of this hash is the one that the cursor means.
    pub fn is_of(&self, block: &Hash) -> bool {
        self.block == first_four(block)
    }
}

impl Ord for Cursor {
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |cursor: &Self| (cursor.height, cursor.event.is_none(), cursor.event, cursor.block);
        key(self).cmp(&key(other))
    }
}

impl PartialOrd for Cursor {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn first_four(hash: &Hash) -> [u8; 4] {
    let [a, b, c, d, ..] = hash.0;
    [a, b, c, d]
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.event {
            Some(EventIndex { transaction, event }) => write!(f, "{}.{transaction}.{event}.", self.height)?,
            None => write!(f, "{}.end.", self.height)?,
        }
        self.block.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Cursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let mut parts = text.split('.');
        let mut next = || parts.next().ok_or(InvalidCursor);
        let height = next()?.parse().map_err(|_| InvalidCursor)?;
        let event = match next()? {
            "end" => None,
            transaction => Some(EventIndex {
                transaction: transaction.parse().map_err(|_| InvalidCursor)?,
                event: next()?.parse().map_err(|_| InvalidCursor)?,
            }),
        };
        let mut block = [0; 4];
        hex::decode_to_slice(next()?, &mut block).map_err(|_| InvalidCursor)?;
        match parts.next() {
            None => Ok(Self { height, event, block }),
            Some(_) => Err(InvalidCursor),
        }
    }
}

/// A text that is no cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not a cursor: one looks like 42.0.1.9f86d081 or 42.end.9f86d081, as events and checkpoints carry it")]
pub struct InvalidCursor;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips() {
        let block = Hash([0x9f; 32]);
        for cursor in [Cursor::event(Height(42), &block, 0, 1), Cursor::end(Height(42), &block)] {
            assert_eq!(cursor.to_string().parse::<Cursor>().unwrap(), cursor);
            assert!(cursor.is_of(&block));
            assert!(!cursor.is_of(&Hash::ZERO));
        }
        for text in ["", "1", "1.end", "1.2.3", "1.end.00", "1.0.1.9f9f9f9f.", "1.0.1.9f9f9f9f9f", "-1.end.9f9f9f9f"] {
            assert!(text.parse::<Cursor>().is_err(), "{text}");
        }
    }

    #[test]
    fn cursors_sort_as_events_do() {
        let block = Hash::ZERO;
        let sorted = [
            Cursor::event(Height(1), &block, 0, 5),
            Cursor::event(Height(1), &block, 1, 0),
            Cursor::end(Height(1), &block),
            Cursor::event(Height(2), &block, 0, 0),
        ];
        assert!(sorted.is_sorted());
    }
}
