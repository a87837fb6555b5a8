//! A light client without I/O: checks what a node answers, and trusts no node.
//!
//! It starts from a [`Trust`]: a genesis or checkpoint hash that did *not* come from the node it asks. Bytes in,
//! verdict out: it opens no socket, reads no clock and keeps no state, so the same code runs in a command, in a
//! server and in a browser. A verdict that is not `Err` means that a quorum of the chain's validators signed a
//! header which commits to the answer.
//!
//! ```text
//! genesis hash ─► Trust ─► verify_head ─► VerifiedHead ─► an entry        verify_state
//!                  ▲  │                               ├─► a view's reads  verify_witness
//!                  └──┘ follow, epoch by epoch        └─► a receipt       verify_receipt
//! ```
//!
//! Work is bounded by the size of what is checked: one hash for each of its bytes, at most 512 signatures for a
//! head, at most 251 Poseidon hashes for an entry. Every error names the check that failed.
//!
//! # Example
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let (genesis_hash, genesis_bytes, answer, now) = (rustorium_types::id::Hash::ZERO, vec![], vec![], Default::default());
//! # let (contract, key) = (rustorium_types::id::ContractId::SYSTEM, vec![]);
//! use rustorium_light::{Policy, Trust, Wanted, genesis, verify_state};
//! use rustorium_types::bundle::StateProof;
//!
//! let trust = Trust::from_genesis(&genesis(&genesis_hash, &genesis_bytes)?)?;
//! let policy = Policy { now, max_age: None, height: Wanted::Newest };
//! let verified = verify_state(&trust, &policy, contract, &key, StateProof::from_bytes(&answer)?)?;
//! println!("{:?} at height {}", verified.value, verified.head.height());
//! # Ok(())
//! # }
//! ```
#![no_std]

extern crate alloc;

mod head;
mod receipt;
mod trust;
mod value;
mod witness;

pub use head::{HeadError, Policy, VerifiedHead, Wanted, verify_head};
pub use receipt::{ReceiptError, VerifiedReceipt, verify_receipt};
pub use trust::{CertifiedError, Trust, TrustError, genesis};
pub use value::{StateError, VerifiedValue, verify_state};
pub use witness::{Unproven, WitnessError, WitnessState, verify_witness};
