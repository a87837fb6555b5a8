//! What a node hands to a light client, so that it need not be believed.
//!
//! Every bundle hangs from a certificate: validators signed the *certifier*, whose `results` commit to the
//! result of the block in question, which names that block's header and its roots, from which paths lead to
//! entries and receipts.
//!
//! ```text
//! certificate ─► certifier ─► results ─► result ─► header of its height
//!                                          ├─► state root ─► entry, present or absent
//!                                          └─► receipts root ─► receipt
//!
//! bundle        version 1 │ borsh of one of these
//! HeadProof     certificate │ certifier │ result │ path of the result │ header
//! StateProof    HeadProof │ contract 32 │ key │ value? │ TreeProof
//! Witness       HeadProof │ entries: contract 32 │ key │ value? │ TreeProof
//! ReceiptProof  HeadProof │ receipt │ path of the receipt
//! EpochLink     certificate │ the last header of an epoch
//! ```
//!
//! Nothing here is checked: `rustorium-light` does that, and says in which order. The version counts for all
//! kinds together; what a later version adds, such as the completeness of a contract's events, gets a kind or a
//! version of its own.

use alloc::vec::Vec;

use borsh::{BorshDeserialize, BorshSerialize};
use thiserror::Error;

use crate::{
    block::{BlockResult, Header, Receipt},
    id::ContractId,
    merkle::InclusionProof,
    tree::TreeProof,
};

/// The first byte of every bundle that this crate writes.
pub const VERSION: u8 = 1;

/// The most entries of a witness. A view whose every read costs as little as a cached one runs out of gas
/// before this; checking so many takes under a minute.
pub const WITNESS_ENTRIES: usize = 1 << 16;

/// That a result is certified.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct HeadProof {
    /// Over the certifier: [`certificate`](crate::certificate).
    pub certificate: Vec<u8>,
    /// The header that validators signed.
    pub certifier: Header,
    /// The result in question.
    pub result: BlockResult,
    /// That it is leaf `result.height − 1` of the certifier's `state_height` results; a leaf is its borsh.
    pub result_path: InclusionProof,
    /// The header that the result names.
    pub header: Header,
}

/// What one entry is at a height.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct StateProof {
    /// The height's head.
    pub head: HeadProof,
    /// The entry.
    pub entry: WitnessEntry,
}

/// Everything that a view reads at a height.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Witness {
    /// The height's head.
    pub head: HeadProof,
    /// Each entry once; contract records and codes are entries of contract 0 like any other.
    pub entries: Vec<WitnessEntry>,
}

/// An entry, present or absent.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct WitnessEntry {
    /// Whose entry.
    pub contract: ContractId,
    /// Its storage key.
    pub key: Vec<u8>,
    /// Its value, or that there is none.
    pub value: Option<Vec<u8>>,
    /// That this is so under the result's state root.
    pub proof: TreeProof,
}

/// What became of a transaction.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ReceiptProof {
    /// The head of the height that executed it.
    pub head: HeadProof,
    /// The receipt.
    pub receipt: Receipt,
    /// That its borsh is a leaf under the result's receipts root.
    pub path: InclusionProof,
}

/// Who speaks for the next epoch, said by who speaks for this one.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct EpochLink {
    /// Over the header.
    pub certificate: Vec<u8>,
    /// The last of its epoch.
    pub header: Header,
}

/// Why bytes are no bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BundleError {
    /// Nothing, or a version that this crate does not know.
    #[error("the bundle's version is {found:?}; this program reads version {VERSION}")]
    Version {
        /// Its first byte, if it has any.
        found: Option<u8>,
    },
    /// Does not decode exactly.
    #[error("the bundle does not decode")]
    Malformed,
}

macro_rules! bundles {
    ($($name:ident)*) => {$(
        impl $name {
            /// The version and the fields.
            pub fn to_bytes(&self) -> Vec<u8> {
                borsh::to_vec(&(VERSION, self)).unwrap_or_default()
            }

            /// Reads all of the bytes.
            ///
            /// # Errors
            ///
            /// If the version is unknown, or the rest does not decode exactly.
            pub fn from_bytes(bytes: &[u8]) -> Result<Self, BundleError> {
                match bytes.split_first() {
                    Some((&VERSION, rest)) => borsh::from_slice(rest).map_err(|_| BundleError::Malformed),
                    first => Err(BundleError::Version { found: first.map(|(version, _)| *version) }),
                }
            }
        }
    )*};
}
bundles!(HeadProof StateProof Witness ReceiptProof EpochLink);
