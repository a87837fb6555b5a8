//! One entry of state, present or absent.

use alloc::vec::Vec;

use rustorium_types::{
    bundle::{StateProof, WitnessEntry},
    id::ContractId,
    tree::ProofError,
};
use thiserror::Error;

use crate::{
    head::{HeadError, Policy, VerifiedHead, verify_head},
    trust::Trust,
};

/// An entry as validators committed to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedValue {
    /// Where it is from.
    pub head: VerifiedHead,
    /// The value, or that there is none.
    pub value: Option<Vec<u8>>,
}

/// Why a value is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StateError {
    /// The head.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// The answer is about another entry than was asked for.
    #[error("the answer is about another entry")]
    OtherEntry,
    /// The value, or its absence, is not under the head's state root.
    #[error("the value is not proven: {0}")]
    Proof(ProofError),
}

/// Checks an entry's value, or that there is none.
///
/// # Errors
///
/// Says which check failed.
pub fn verify_state(
    trust: &Trust,
    policy: &Policy,
    contract: ContractId,
    key: &[u8],
    proof: StateProof,
) -> Result<VerifiedValue, StateError> {
    let head = verify_head(trust, policy, &proof.head)?;
    let WitnessEntry { contract: shown, key: shown_key, value, proof } = proof.entry;
    if shown != contract || shown_key != key {
        return Err(StateError::OtherEntry);
    }
    proof.verify(head.result().state_root, contract, key, value.as_deref()).map_err(StateError::Proof)?;
    Ok(VerifiedValue { head, value })
}
