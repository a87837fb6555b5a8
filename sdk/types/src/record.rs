//! What a lane of the transaction log holds.
//!
//! ```text
//! record   0 │ Signed          a transaction
//!          1 │ Control         dev chains only
//! ```
//!
//! A record is junk, and a no-op everywhere, if it does not decode exactly; anyone with access to a broker
//! can write junk, so junk never stops a chain.

use alloc::vec::Vec;

use borsh::{BorshDeserialize, BorshSerialize};

use crate::{
    id::{Address, Amount, Timestamp},
    transaction::Signed,
};

/// One record of a lane, decoded.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
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

impl Record {
    /// The bytes that a lane keeps.
    pub fn to_bytes(&self) -> Vec<u8> {
        borsh::to_vec(self).unwrap_or_default()
    }
}
