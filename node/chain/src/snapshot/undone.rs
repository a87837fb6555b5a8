//! The blocks that a dev chain's reverts have undone.
//!
//! ```text
//! 1 … 4 │ 5 6 7 8 │ 9   block 9 reverts to 4: the state after 9 follows from that after 4
//!         undone
//! ```
//!
//! Their transactions and events are in no index any more: a transaction can be executed again, and then its newest
//! place counts. Invariant: stretches rise and do not touch. A revert goes back to a block that is not undone itself,
//! because the list of snapshots is part of what is reverted; so a new stretch covers an older one or is behind it.

use std::sync::Arc;

use rustorium_types::id::Height;

use super::Snapshot;

/// Blocks that were undone, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Undone {
    /// The first; the state is again what it was before it.
    pub from: Height,
    /// The last; the block behind it has the revert.
    pub to: Height,
}

impl Undone {
    /// What is undone after the block of a height.
    pub(crate) fn after(before: &Arc<Vec<Self>>, height: Height, reverted_to: Option<Height>) -> Arc<Vec<Self>> {
        let Some(to) = reverted_to else { return before.clone() };
        let mut undone = (**before).clone();
        while undone.last().is_some_and(|last| last.from > to) {
            undone.pop();
        }
        let stretch = Self { from: to.next(), to: Height(height.0.saturating_sub(1)) };
        if stretch.from <= stretch.to {
            undone.push(stretch);
        }
        Arc::new(undone)
    }

    /// True if it has this height.
    pub fn has(&self, height: Height) -> bool {
        (self.from..=self.to).contains(&height)
    }
}

impl Snapshot {
    /// The stretch of undone blocks that a height is in, if it is.
    pub fn undone_at(&self, height: Height) -> Option<Undone> {
        let behind = self.undone.partition_point(|stretch| stretch.from <= height);
        let stretch = self.undone.get(behind.checked_sub(1)?)?;
        stretch.has(height).then_some(*stretch)
    }

    pub(super) fn is_undone(&self, height: Height) -> bool {
        !self.undone.is_empty() && self.undone_at(height).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_stretch_covers_what_it_goes_back_over() {
        let stretch = |from, to| Undone { from: Height(from), to: Height(to) };
        let mut undone = Arc::default();
        for (height, to, expected) in [
            (5, None, vec![]),
            (9, Some(4), vec![stretch(5, 8)]),
            (10, Some(9), vec![stretch(5, 8)]),
            (15, Some(12), vec![stretch(5, 8), stretch(13, 14)]),
            (20, Some(11), vec![stretch(5, 8), stretch(12, 19)]),
            (30, Some(2), vec![stretch(3, 29)]),
        ] {
            undone = Undone::after(&undone, Height(height), to.map(Height));
            assert_eq!(*undone, expected, "block {height}");
        }
    }
}
