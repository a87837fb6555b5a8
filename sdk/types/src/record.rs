//! What a lane of the transaction log holds.
//!
//! ```text
//! record   0 │ Signed          a transaction
//!          1 │ Control         dev chains only
//! ```
//!
//! A record is junk, and a no-op everywhere, if it does not decode exactly; anyone with access to a broker
//! can write junk, so junk never stops a chain. A record over the chain's limit enters a block as
//!
//! ```text
//! FF │ length, 8, little-endian │ hash, 32
//! ```
//!
//! which is no record of any kind and therefore junk.

use alloc::vec::Vec;

use borsh::{BorshDeserialize, BorshSerialize};

use crate::{
    id::{Address, Amount, Timestamp},
    limits::Limits,
    transaction::Signed,
};

/// One record of a lane, decoded.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[expect(clippy::large_enum_variant, reason = "nearly every record is the larger variant")]
pub enum Record {
    /// A transaction.
    Transaction(Signed),
    /// A command to a dev chain; a no-op elsewhere.
    Control(Control),
}

/// A command that goes through a dev chain's log, so that replay stays exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[non_exhaustive]
pub enum Control {
    /// Header times from the next block on are the clock's plus this many milliseconds; it never runs back.
    TimeOffset {
        /// Milliseconds.
        milliseconds: u64,
    },
    /// The next header's time is at least this.
    TimeAtLeast {
        /// The time.
        time: Timestamp,
    },
    /// Seals a block, even an empty one.
    Mine,
    /// Sets a native balance out of nothing.
    SetBalance {
        /// Whose.
        address: Address,
        /// To how much.
        amount: Amount,
    },
}

/// The first byte of what enters a block in place of a record over the limit.
pub const OVERSIZE: u8 = 0xff;

/// Bytes of a record at the most: a transaction and its kind byte.
pub const fn limit(limits: &Limits) -> usize {
    limits.transaction_bytes as usize + 1
}

/// What enters a block in place of a record over the [`limit`].
#[cfg(feature = "crypto")]
pub fn oversize(record: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(41);
    bytes.push(OVERSIZE);
    bytes.extend_from_slice(&(record.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&crate::hash::hash(crate::hash::Domain::OversizeRecord, &[record]).0);
    bytes
}

impl Record {
    /// The bytes that a lane keeps.
    pub fn to_bytes(&self) -> Vec<u8> {
        borsh::to_vec(self).unwrap_or_default()
    }
}
