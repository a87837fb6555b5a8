//! A change of a chain's validators: decided by a quorum of those of the epoch, in force from the next epoch on.
//!
//! ```text
//! ValidatorChange      epoch u64 │ number u64 │ validators Vec<32> rising
//! signed               blake3( "rustorium validators 1" │ 0 │ genesis hash │ borsh(ValidatorChange) )
//! ValidatorSignature   validator 32 │ signature 64                 of ed25519, by ZIP-215
//! ```
//!
//! A change names the whole next set, so that what is signed is what will be, whatever else is decided meanwhile. It is
//! the `number`-th of its chain, which makes it count once: whoever sees a change's signatures cannot undo a later one
//! with them. And it is signed for one epoch, so that no signature outlives the set that its signer was part of.
//!
//! The newest change is a record of the state ([`crate::state::validators_key`]). The last header of an epoch announces
//! its set.

use alloc::vec::Vec;

use borsh::{BorshDeserialize, BorshSerialize};

use crate::id::Epoch;

#[cfg(feature = "crypto")]
mod decision;

#[cfg(feature = "crypto")]
pub use decision::{Electorate, RefusedChange};

/// Who is to validate a chain.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ValidatorChange {
    /// The epoch in which it is decided, by whose validators.
    pub epoch: Epoch,
    /// Which change of the chain's validators it is, from 1.
    pub number: u64,
    /// All of them: ed25519 public keys, in rising order, at most [`limits::VALIDATORS`](crate::limits::VALIDATORS).
    pub validators: Vec<[u8; 32]>,
}

/// That a validator agrees to a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ValidatorSignature {
    /// Who.
    pub validator: [u8; 32],
    /// Over the change's digest.
    pub signature: [u8; 64],
}
