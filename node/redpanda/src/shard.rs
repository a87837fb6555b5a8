//! Which lane a sender's records go to, and places in a lane.

use std::{fmt, num::NonZeroU32};

use rustorium_types::id::AccountId;

/// The text that is hashed before a sender's id, so that the hash serves no other purpose.
const DOMAIN: &str = "rustorium shard 1";

/// A lane by its number, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shard(pub u32);

impl Shard {
    /// The lane of a sender among so many.
    ///
    /// ```text
    /// blake3( "rustorium shard 1" │ 0x00 │ sender, 32 bytes ), its first 8 bytes little-endian, mod shards
    /// ```
    ///
    /// The number of shards is fixed in the genesis: with another number, a sender's records would be in two lanes.
    ///
    /// ```
    /// use std::num::NonZeroU32;
    ///
    /// use rustorium_redpanda::Shard;
    /// use rustorium_types::id::AccountId;
    ///
    /// assert_eq!(Shard::of(AccountId([7; 32]), NonZeroU32::MIN), Shard(0));
    /// ```
    pub fn of(sender: AccountId, shards: NonZeroU32) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(DOMAIN.as_bytes());
        hasher.update(&[0]);
        hasher.update(&sender.0);
        let mut first = [0; 8];
        hasher.finalize_xof().fill(&mut first);
        let shard = u64::from_le_bytes(first) % u64::from(shards.get());
        // Below `shards`, which is a u32.
        Self(shard as u32)
    }

    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A record's number in its topic, as the broker counts. It may skip numbers, and after a topic was made again it
/// starts over: a hint, never a truth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offset(pub u64);

impl Offset {
    /// The one behind it.
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// As librdkafka counts. Its negative numbers have meanings of their own, which are none of a record's.
    pub(crate) fn from_native(native: i64) -> Self {
        Self(u64::try_from(native).unwrap_or_default())
    }

    pub(crate) fn native(self) -> i64 {
        i64::try_from(self.0).unwrap_or(i64::MAX)
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What of a lane the broker has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The first record that it keeps.
    pub low: Offset,
    /// Behind the last one: where the next record goes.
    pub high: Offset,
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn shards_of_senders_are_frozen() {
        let shards = NonZeroU32::new(16).unwrap();
        let of = |byte| Shard::of(AccountId([byte; 32]), shards).0;
        assert_eq!([0, 1, 2, 3, 4, 5, 6, 7].map(of), [4, 9, 14, 7, 13, 13, 1, 14]);
    }

    #[test]
    fn senders_spread_over_the_shards() {
        let shards = NonZeroU32::new(4).unwrap();
        let mut counts = [0; 4];
        for number in 0..4_000_u32 {
            let mut id = [0; 32];
            id[..4].copy_from_slice(&number.to_le_bytes());
            counts[Shard::of(AccountId(id), shards).index()] += 1;
        }
        assert!(counts.iter().all(|count| (900..1_100).contains(count)), "{counts:?}");
    }
}
