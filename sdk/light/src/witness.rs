//! Everything that a view reads, so that it can be run over nothing else.
//!
//! A node sends the contract records, codes and entries that its own run of the view read. Each is checked; then
//! the client runs the contract's own code over the [`WitnessState`]. A view that reads an entry of which the
//! witness says nothing gets [`Unproven`], which is never an answer: a node cannot hide an entry by leaving it
//! out.

use alloc::{collections::BTreeMap, vec::Vec};

use rustorium_types::{
    bundle::{WITNESS_ENTRIES, Witness, WitnessEntry},
    id::ContractId,
    tree::ProofError,
};
use thiserror::Error;

use crate::{
    head::{HeadError, Policy, VerifiedHead, verify_head},
    trust::Trust,
};

type Entries = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// Proven entries of one height.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitnessState {
    head: VerifiedHead,
    entries: BTreeMap<ContractId, Entries>,
}

/// Of this entry nothing is proven.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the witness does not cover an entry of {contract} that the view reads")]
pub struct Unproven {
    /// Whose entry.
    pub contract: ContractId,
    /// Its storage key.
    pub key: Vec<u8>,
}

/// Why a witness is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum WitnessError {
    /// The head.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// More entries than any view reads.
    #[error("the witness has {0} entries; at most {WITNESS_ENTRIES} are read")]
    TooMany(usize),
    /// An entry is there twice.
    #[error("entry {index}, of {contract}, is there twice")]
    Twice {
        /// Which of the witness.
        index: usize,
        /// Whose.
        contract: ContractId,
    },
    /// An entry is not under the head's state root.
    #[error("entry {index}, of {contract}, is not proven: {error}")]
    Entry {
        /// Which of the witness.
        index: usize,
        /// Whose.
        contract: ContractId,
        /// Why not.
        error: ProofError,
    },
}

impl WitnessState {
    /// The head whose state this is.
    pub const fn head(&self) -> &VerifiedHead {
        &self.head
    }

    /// A proven entry: its value, or `None` where it is proven that there is none.
    ///
    /// # Errors
    ///
    /// If nothing is proven of it.
    pub fn read(&self, contract: ContractId, key: &[u8]) -> Result<Option<&[u8]>, Unproven> {
        match self.entries.get(&contract).and_then(|entries| entries.get(key)) {
            Some(value) => Ok(value.as_deref()),
            None => Err(Unproven { contract, key: key.to_vec() }),
        }
    }
}

/// Checks every entry of a witness.
///
/// # Errors
///
/// Says which check failed, of which entry.
pub fn verify_witness(trust: &Trust, policy: &Policy, witness: Witness) -> Result<WitnessState, WitnessError> {
    if witness.entries.len() > WITNESS_ENTRIES {
        return Err(WitnessError::TooMany(witness.entries.len()));
    }
    let head = verify_head(trust, policy, &witness.head)?;
    let root = head.result().state_root;
    let mut entries: BTreeMap<ContractId, Entries> = BTreeMap::new();
    for (index, WitnessEntry { contract, key, value, proof }) in witness.entries.into_iter().enumerate() {
        proof.verify(root, contract, &key, value.as_deref()).map_err(|error| WitnessError::Entry {
            index,
            contract,
            error,
        })?;
        if entries.entry(contract).or_default().insert(key, value).is_some() {
            return Err(WitnessError::Twice { index, contract });
        }
    }
    Ok(WitnessState { head, entries })
}
