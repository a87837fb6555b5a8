//! What an execution is told from outside: the block that it is part of, and the transaction.
//!
//! There is no clock and no randomness behind this: two nodes with the same state, block and transaction have
//! the same effects.

use std::sync::Arc;

use rustorium_types::{
    id::{Amount, Epoch, Gas, Hash, Height, Timestamp},
    limits::Limits,
    transaction::{Body, Signed},
};

/// The block in which a transaction or view runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockContext {
    /// The genesis hash, which names the chain.
    pub genesis: Hash,
    /// The header's epoch.
    pub epoch: Epoch,
    /// That epoch's validators, in rising order. They decide who validates after them; views need none.
    pub validators: Arc<[[u8; 32]]>,
    /// The header's height.
    pub height: Height,
    /// The header's time.
    pub time: Timestamp,
    /// The header's price, in base units per gas.
    pub gas_price: Amount,
    /// The chain's limits at this height.
    pub limits: Limits,
}

/// A transaction whose signatures somebody has checked, or a dry run that needs none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// Its hash, for the receipt.
    pub hash: Hash,
    /// What it does. [`Body::check`] has passed.
    pub body: Body,
}

impl Transaction {
    /// The transaction of a body, on the chain of a genesis hash.
    pub fn new(body: Body, genesis: &Hash) -> Self {
        Self { hash: body.digest(genesis), body }
    }

    /// The transaction of a signed body, signatures left behind, on the chain of a genesis hash.
    pub fn from_signed(signed: Signed, genesis: &Hash) -> Self {
        Self::new(signed.body, genesis)
    }

    /// Signatures that had to be checked for it.
    pub fn signatures(&self) -> u64 {
        1 + u64::from(self.body.fee_payer.is_some())
    }

    /// Bytes of its body: what gas is charged for.
    pub fn bytes(&self) -> u64 {
        borsh::object_length(&self.body).unwrap_or_default() as u64
    }

    /// The gas that it may use: what it asks for, at most what the chain allows.
    pub fn gas_limit(&self, limits: &Limits) -> Gas {
        self.body.gas_limit.min(limits.transaction_gas)
    }
}
