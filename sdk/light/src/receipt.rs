//! What became of a transaction.

use rustorium_types::{block::Receipt, bundle::ReceiptProof, id::Hash, merkle::InclusionError};
use thiserror::Error;

use crate::{
    head::{HeadError, Policy, VerifiedHead, verify_head},
    trust::Trust,
};

/// A receipt as validators committed to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedReceipt {
    /// The block that executed the transaction.
    pub head: VerifiedHead,
    /// Its receipt.
    pub receipt: Receipt,
}

/// Why a receipt is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReceiptError {
    /// The head.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// The receipt is of another transaction than was asked for.
    #[error("the receipt is of transaction {found}, not {expected}")]
    OtherTransaction {
        /// Its transaction.
        found: Hash,
        /// What was asked for.
        expected: Hash,
    },
    /// The receipt is not under the head's receipts root.
    #[error("the receipt is not proven: {0}")]
    Proof(InclusionError),
}

/// Checks a transaction's receipt. A transaction has at most one, so there is no other to hide.
///
/// # Errors
///
/// Says which check failed.
pub fn verify_receipt(
    trust: &Trust,
    policy: &Policy,
    transaction: &Hash,
    proof: ReceiptProof,
) -> Result<VerifiedReceipt, ReceiptError> {
    let head = verify_head(trust, policy, &proof.head)?;
    let receipt = proof.receipt;
    if receipt.transaction != *transaction {
        return Err(ReceiptError::OtherTransaction { found: receipt.transaction, expected: *transaction });
    }
    let leaf = borsh::to_vec(&receipt).unwrap_or_default();
    proof.path.verify(&head.result().receipts_root, &leaf).map_err(ReceiptError::Proof)?;
    Ok(VerifiedReceipt { head, receipt })
}
