//! What control records leave behind for later headers, kept in the state of dev chains.
//!
//! ```text
//! entry of contract 0   key 7 "devTime"   borsh( offset 8 │ at least 8 )
//! ```
//!
//! Headers carry the times that came of it, so execution needs none of this. The driver of a restarted node does,
//! and state is where it finds it: written by the block that had the record, exact in every replay.

use borsh::{BorshDeserialize, BorshSerialize};
use bytes::Bytes;
use rustorium_runtime::{StateError, StateKey, StateRead};
use rustorium_types::{
    id::{ContractId, Timestamp},
    key,
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
}
