//! Which lane a sender's records go to, and places in a lane.

use std::{fmt, num::NonZeroU32};

use rustorium_types::{hash::shard, id::AccountId};

/// A lane by its number, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shard(pub u32);

impl Shard {
    /// The lane of a sender among so many: [`rustorium_types::hash::shard`].
    ///
    /// The number of shards is fixed in the genesis: with another number, a sender's records would be in two lanes.
    pub fn of(sender: AccountId, shards: NonZeroU32) -> Self {
        Self(shard(sender, shards))
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
