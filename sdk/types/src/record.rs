//! What a lane of the transaction log holds.
//!
//! ```text
//! record   0 │ Signed          a transaction
//!          1 │ Control         dev chains only
//! ```
//!
//! Controls are numbered in their order below, one byte:
//!
//! ```text
//! 0 TimeOffset   milliseconds 8               5 SetEntries   count 4 │ contract 32 │ key │ 0, or 1 and the value …
//! 1 TimeAtLeast  time 8                       6 SetCode      contract 32 │ WebAssembly
//! 2 Mine                                      7 Impersonate  Body
//! 3 SetBalance   Address 33 │ amount 16       8 Snapshot
//! 4 SetNonce     account 32 │ nonce 8         9 Revert       height 8
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
    id::{AccountId, Address, Amount, ContractId, Height, Nonce, Timestamp},
    limits::Limits,
    transaction::{Body, Signed},
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
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
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
    /// Makes this nonce the highest that an account has used, and all below it used; 0 makes all free again.
    SetNonce {
        /// Whose.
        account: AccountId,
        /// To which.
        nonce: Nonce,
    },
    /// Sets and removes entries of state, one after the other, or none of them if one may not be: any entry of a
    /// contract's storage within the limits, and of the system's own those that are whole, an account's, a contract's
    /// whose code is stored, an accepted code.
    SetEntries {
        /// Which, and to what.
        entries: Vec<StateEntry>,
    },
    /// Stores code and gives it to a contract, without running anything. Where there is no contract, this makes one
    /// that nobody administers.
    SetCode {
        /// Which contract.
        contract: ContractId,
        /// The WebAssembly.
        wasm: Vec<u8>,
    },
    /// A transaction, executed as if its sender and its fee payer had signed it.
    Impersonate {
        /// The transaction.
        body: Body,
    },
    /// Keeps the state after this block until a later one is reverted to, or until there are too many.
    Snapshot,
    /// Brings the state back to what it was after a block with a snapshot. Always the first record of its block; the
    /// blocks between the two are undone.
    Revert {
        /// The block.
        height: Height,
    },
}

/// An entry of state.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct StateEntry {
    /// Whose storage it is in; [`ContractId::SYSTEM`] for records.
    pub contract: ContractId,
    /// The storage key.
    pub key: Vec<u8>,
    /// The value; none where it is removed.
    pub value: Option<Vec<u8>>,
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
