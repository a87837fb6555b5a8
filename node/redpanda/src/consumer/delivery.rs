//! What a reader of lanes is handed.

use bytes::Bytes;
use rustorium_types::{
    hash::{Domain, hash},
    id::Hash,
};

use crate::{
    broker_error::BrokerError,
    shard::{Offset, Shard},
};

/// A record, or something that the broker says about a lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The next record of a lane.
    Record(LaneRecord),
    /// Something that does not fit what was read before.
    Event(Event),
}

impl Delivery {
    /// Of which lane.
    pub const fn shard(&self) -> Shard {
        match self {
            Self::Record(record) => record.shard,
            Self::Event(event) => event.shard(),
        }
    }
}

/// One record of a lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneRecord {
    /// Its lane.
    pub shard: Shard,
    /// Where the broker has it: a hint.
    pub offset: Offset,
    /// Its bytes. Anybody with access to the broker can write some: they may be junk.
    pub body: Body,
}

/// The bytes of a record, or what stands for too many of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// The bytes.
    Whole(Bytes),
    /// A record over the limit: junk, known by its length and hash. It enters a block as `rustorium_types::record`
    /// says.
    Oversize {
        /// Bytes of it.
        length: u64,
        /// Their hash, under [`Domain::OversizeRecord`].
        hash: Hash,
    },
}

impl Body {
    pub(super) fn of(payload: &[u8], limit: usize) -> Self {
        if payload.len() > limit {
            let length = payload.len() as u64;
            return Self::Oversize { length, hash: hash(Domain::OversizeRecord, &[payload]) };
        }
        Self::Whole(Bytes::copy_from_slice(payload))
    }

    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Whole(bytes) => bytes.len(),
            Self::Oversize { length, .. } => usize::try_from(*length).unwrap_or(usize::MAX),
        }
    }
}

/// What a broker says about a lane that does not fit what was read before. Only what was finalised is true: the broker
/// may be wrong, restored from an old copy, or lying.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The lane begins behind the position: records were deleted that were not read. It is stopped.
    Truncated {
        /// Which lane.
        shard: Shard,
        /// Where the next record was expected.
        position: Offset,
        /// What the broker has.
        low: Offset,
    },
    /// The lane ends before the position: records are gone that were read. It is stopped.
    Shrunk {
        /// Which lane.
        shard: Shard,
        /// Where the next record was expected.
        position: Offset,
        /// Behind the last record that the broker has.
        high: Offset,
    },
    /// The broker lost records below the position to a new leader, and has others in their place. It is read on.
    Rewritten {
        /// Which lane.
        shard: Shard,
        /// Where the next record is expected.
        position: Offset,
    },
    /// There is no such topic. It is read on if it comes again.
    TopicGone {
        /// Which lane.
        shard: Shard,
    },
    /// Offsets without records: a marker of somebody's transaction, or records that were taken out. It is read on.
    Skipped {
        /// Which lane.
        shard: Shard,
        /// Where the next record was expected.
        expected: Offset,
        /// Where it is.
        found: Offset,
    },
    /// The broker, or the client library, cannot read what is there. It is tried again.
    Unreadable {
        /// Which lane.
        shard: Shard,
        /// Where the next record was expected.
        position: Offset,
        /// Why.
        error: BrokerError,
    },
}

impl Event {
    /// Of which lane.
    pub const fn shard(&self) -> Shard {
        match self {
            Self::Truncated { shard, .. }
            | Self::Shrunk { shard, .. }
            | Self::Rewritten { shard, .. }
            | Self::TopicGone { shard }
            | Self::Skipped { shard, .. }
            | Self::Unreadable { shard, .. } => *shard,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_over_the_limit_is_its_length_and_hash() {
        assert_eq!(Body::of(b"abc", 3), Body::Whole(Bytes::from_static(b"abc")));
        let Body::Oversize { length, hash } = Body::of(b"abcd", 3) else { unreachable!("over the limit") };
        // What enters a block in its place has the same two.
        let entered = rustorium_types::record::oversize(b"abcd");
        assert_eq!(entered[1..9], length.to_le_bytes());
        assert_eq!(entered[9..], hash.0);
    }
}
