//! What every party of a Rustorium chain must agree on bit for bit.
//!
//! Nodes, contracts, clients and light clients share this crate, so it is `no_std` and knows no clock,
//! no socket and no file. Consensus-critical bytes are [borsh](https://borsh.io); golden vectors in
//! `vectors/` freeze them.
//!
//! Features: `crypto` (hashing, signatures, Poseidon, proofs) and `json` (values by the ABI). Contracts
//! use neither: the host hashes for them, and their ABI speaks for them.
#![no_std]

extern crate alloc;

pub mod abi;
pub mod block;
pub mod code;
pub mod field;
pub mod genesis;
pub mod host;
pub mod id;
pub mod key;
pub mod limits;
pub mod record;
pub mod state;
pub mod time;
pub mod transaction;
pub mod validators;

#[cfg(feature = "crypto")]
pub mod bundle;
#[cfg(feature = "crypto")]
pub mod certificate;
#[cfg(feature = "crypto")]
pub mod ed25519;
#[cfg(feature = "crypto")]
pub mod hash;
#[cfg(feature = "crypto")]
pub mod merkle;
#[cfg(feature = "crypto")]
pub mod poseidon;
#[cfg(feature = "crypto")]
pub mod tree;
