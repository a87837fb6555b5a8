//! Transactions.

use async_graphql::SimpleObject;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Message, TransactionStatus};
use crate::api::scalar::{Address, Amount, Bytes, DateTime, Hash, Uint};

/// A transaction and what became of it.
#[derive(Clone, Debug, Serialize, ToSchema, SimpleObject)]
#[serde(rename_all = "camelCase")]
pub struct Transaction {
    /// The digest that was signed, which names it.
    pub hash: Hash,
    /// Who acts.
    pub sender: Address,
    /// Unique among the sender's.
    pub nonce: Uint,
    /// The last header time at which it may run.
    pub valid_until: Option<DateTime>,
    /// Gas that it may use at the most.
    pub gas_limit: Uint,
    /// Base units per gas that it pays at the most.
    pub max_gas_price: Amount,
    /// Who pays the fee instead of the sender.
    pub fee_payer: Option<Address>,
    /// For the sender's own use.
    pub memo: Option<Bytes>,
    /// What it does, in order.
    pub messages: Vec<Message>,
    /// The signed transaction in borsh.
    pub bytes: Bytes,
    /// What became of it.
    pub status: TransactionStatus,
}
