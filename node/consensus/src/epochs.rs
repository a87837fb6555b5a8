//! Which heights an epoch has: those of the genesis, counted from 1.
//!
//! ```text
//! height   0 │ 1 … L │ L+1 … 2L │ …
//! epoch    ───  0  ──┘    1      …     height 0 is the genesis, which no epoch produces
//! ```

use std::num::NonZeroU64;

use commonware_consensus::types::{Epoch, EpochInfo, Epocher, Height};

/// Epochs of a fixed length, as `Genesis::epoch_of` has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Epochs(NonZeroU64);

impl Epochs {
    /// Of a genesis' epoch length.
    pub(crate) const fn new(length: NonZeroU64) -> Self {
        Self(length)
    }

    /// The epoch that a height is of.
    pub(crate) const fn of(self, height: u64) -> u64 {
        height.saturating_sub(1) / self.0.get()
    }

    /// True for the last height of an epoch.
    pub(crate) const fn is_last(self, height: u64) -> bool {
        height > 0 && height.is_multiple_of(self.0.get())
    }
}

impl Epocher for Epochs {
    fn containing(&self, height: Height) -> Option<EpochInfo> {
        let epoch = Epoch::new(self.of(height.get()));
        Some(EpochInfo::new(epoch, height, self.first(epoch)?, self.last(epoch)?))
    }

    fn first(&self, epoch: Epoch) -> Option<Height> {
        // Epoch 0 takes the genesis with it: every height is of an epoch.
        match epoch.get() {
            0 => Some(Height::zero()),
            epoch => epoch.checked_mul(self.0.get())?.checked_add(1).map(Height::new),
        }
    }

    fn last(&self, epoch: Epoch) -> Option<Height> {
        epoch.get().checked_add(1)?.checked_mul(self.0.get()).map(Height::new)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn epochs_follow_each_other_without_a_gap() {
        for length in [1, 2, 5] {
            let epochs = Epochs::new(NonZeroU64::new(length).unwrap());
            for height in 0..4 * length {
                let info = epochs.containing(Height::new(height)).unwrap();
                assert_eq!(info.epoch().get(), height.saturating_sub(1) / length);
                assert!((info.first()..=info.last()).contains(&Height::new(height)));
                assert_eq!(epochs.is_last(height), height > 0 && info.last().get() == height);
            }
            for epoch in 0..4 {
                let next = epochs.first(Epoch::new(epoch + 1)).unwrap();
                assert_eq!(epochs.last(Epoch::new(epoch)).unwrap().next(), next);
            }
            assert_eq!(epochs.last(Epoch::new(u64::MAX)), None);
        }
    }
}
