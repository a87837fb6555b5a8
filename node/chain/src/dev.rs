//! What control records leave behind for later headers, kept in the state of dev chains.
//!
//! ```text
//! entry of contract 0   key 7  "devTime"        borsh( offset 8 │ at least 8 )
//!                       key 12 "devSnapshots"   borsh( [ height 8 ] ), rising
//! ```
//!
//! Headers carry the times that came of it, so execution needs none of them. The driver of a restarted node does,
//! and state is where it finds them: written by the block that had the record, exact in every replay.
//!
//! A snapshot is a height whose state is kept for as long as it stands in this list. Because the list is state itself,
//! a revert takes back the snapshots that came later, and which height may be reverted to is the same in every replay.

use borsh::{BorshDeserialize, BorshSerialize};
use bytes::Bytes;
use rustorium_runtime::{StateError, StateKey, StateRead};
use rustorium_types::{
    id::{ContractId, Height, Timestamp},
    key,
    limits::SNAPSHOTS,
};

/// No header time is set beyond this by command: the first day of the year 9000. Later times have no text.
const LATEST: Timestamp = Timestamp(221_845_392_000_000);

/// How header times relate to the clock's. The default is not at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct DevTime {
    /// Milliseconds that are added to the clock.
    pub offset: u64,
    /// No later header is before this.
    pub at_least: Timestamp,
}

impl DevTime {
    /// What a state says.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn read(state: &(impl StateRead + ?Sized)) -> Result<Self, StateError> {
        let entry = state.read(&Self::key())?;
        Ok(entry.and_then(|bytes| Self::try_from_slice(&bytes).ok()).unwrap_or_default())
    }

    /// The entry to write.
    pub(crate) fn entry(&self) -> (StateKey, Option<Bytes>) {
        // Sixteen bytes in memory: borsh cannot fail.
        (Self::key(), Some(borsh::to_vec(self).unwrap_or_default().into()))
    }

    /// The time of a header made now.
    pub fn at(&self, clock: Timestamp) -> Timestamp {
        Timestamp(clock.0.saturating_add(self.offset)).max(self.at_least).min(LATEST.max(clock))
    }

    fn key() -> StateKey {
        StateKey::new(ContractId::SYSTEM, key::field("devTime"))
    }
}

/// The heights whose state can be reverted to.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct DevSnapshots(Vec<Height>);

impl DevSnapshots {
    /// What a state says.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn read(state: &(impl StateRead + ?Sized)) -> Result<Self, StateError> {
        let entry = state.read(&Self::key())?;
        Ok(entry.and_then(|bytes| Self::try_from_slice(&bytes).ok()).unwrap_or_default())
    }

    /// The heights, rising.
    pub fn heights(&self) -> &[Height] {
        &self.0
    }

    /// Adds one, above all others. Beyond the limit the oldest goes.
    pub(crate) fn keep(&mut self, height: Height) {
        if self.0.last() != Some(&height) {
            self.0.push(height);
        }
        let surplus = self.0.len().saturating_sub(SNAPSHOTS);
        self.0.drain(..surplus);
    }

    /// The entry to write.
    pub(crate) fn entry(&self) -> (StateKey, Option<Bytes>) {
        // A bounded list in memory: borsh cannot fail.
        (Self::key(), Some(borsh::to_vec(self).unwrap_or_default().into()))
    }

    fn key() -> StateKey {
        StateKey::new(ContractId::SYSTEM, key::field("devSnapshots"))
    }
}

/// True for the entries that are of one chain and mean nothing to another.
pub(crate) fn is_own(key: &StateKey) -> bool {
    *key == DevTime::key() || *key == DevSnapshots::key()
}

#[cfg(test)]
mod tests {
    use rustorium_runtime::InMemoryState;

    use super::*;

    #[test]
    fn it_is_found_again() {
        let mut state = InMemoryState::default();
        assert_eq!(DevTime::read(&state).ok(), Some(DevTime::default()));
        let time = DevTime { offset: 5, at_least: Timestamp(1_000) };
        let (key, value) = time.entry();
        state.set(key, value);
        assert_eq!(DevTime::read(&state).ok(), Some(time));
        assert_eq!(time.at(Timestamp(10)), Timestamp(1_000));
        assert_eq!(time.at(Timestamp(2_000)), Timestamp(2_005));
        assert_eq!(DevTime { offset: u64::MAX, ..time }.at(Timestamp(10)), LATEST);
    }

    #[test]
    fn the_newest_snapshots_are_kept() {
        let mut snapshots = DevSnapshots::default();
        let newest = SNAPSHOTS as u64 + 5;
        for height in 1..=newest {
            snapshots.keep(Height(height));
            snapshots.keep(Height(height));
        }
        assert_eq!(snapshots.heights().len(), SNAPSHOTS);
        assert_eq!((snapshots.heights()[0], snapshots.heights().last()), (Height(6), Some(&Height(newest))));
    }
}
