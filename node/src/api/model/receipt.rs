//! What became of a transaction.

use async_graphql::{ComplexObject, Context, SimpleObject, Union};
use rustorium_chain::storage::TransactionPosition;
use serde::Serialize;
use utoipa::ToSchema;

use super::Event;
use crate::api::{
    App,
    read::Pinned,
    scalar::{Address, Amount, Bytes, DateTime, Height, Json, Uint},
};

/// What became of a transaction: one of four, the first of which is not the last word.
#[derive(Clone, Debug, Serialize, ToSchema, Union)]
#[serde(tag = "type")]
pub enum TransactionStatus {
    /// Accepted, not yet executed.
    Pending(Pending),
    /// Every message ran.
    Success(Success),
    /// A message failed; all are undone, the fee is paid.
    Failure(Failure),
    /// Never ran.
    Dropped(Dropped),
}

/// Accepted, not yet executed.
#[derive(Clone, Debug, Serialize, ToSchema, SimpleObject)]
#[serde(rename_all = "camelCase")]
pub struct Pending {
    /// When this node accepted it.
    pub accepted_at: DateTime,
}

/// Every message ran.
#[derive(Clone, Debug, Serialize, ToSchema, SimpleObject)]
pub struct Success {
    /// The receipt.
    pub receipt: Receipt,
    /// One for each message: what a method returned (by the ABI, null for nothing), the hash of stored code, the
    /// address of a new contract.
    pub results: Vec<Option<Json>>,
    /// What contracts said.
    pub events: Vec<Event>,
}

/// A message failed; all are undone, the fee is paid.
#[derive(Clone, Debug, Serialize, ToSchema, SimpleObject)]
pub struct Failure {
    /// The receipt.
    pub receipt: Receipt,
    /// What failed, and where.
    pub error: ContractError,
}

/// Never ran.
#[derive(Clone, Debug, Serialize, ToSchema, SimpleObject)]
#[serde(rename_all = "camelCase")]
pub struct Dropped {
    /// At which block.
    pub height: Height,
    /// `EXPIRED`, `FEE_UNPAID`, or `NONCE_USED` if another transaction consumed its nonce.
    pub code: String,
    /// The first header that commits to it; null until there is one.
    pub certified_by: Option<Height>,
    /// The receipt; none if another transaction consumed the nonce.
    pub receipt: Option<Receipt>,
}

/// The receipt of a transaction whose nonce was consumed.
#[derive(Clone, Debug, Serialize, ToSchema, SimpleObject)]
#[serde(rename_all = "camelCase")]
#[graphql(complex)]
pub struct Receipt {
    /// The block.
    pub height: Height,
    /// Which receipt of the block, from 0.
    pub index: u32,
    /// Gas used.
    pub gas_used: Uint,
    /// What was paid, in base units.
    pub fee: Amount,
    /// Who paid it.
    pub paid_by: Address,
    /// The first header that commits to it; null until there is one.
    pub certified_by: Option<Height>,
    /// The receipt in borsh.
    pub bytes: Bytes,
    /// Proves it against a certified header, in borsh; only if asked for, and once there is one.
    #[graphql(skip)]
    pub proof: Option<Bytes>,
}

#[ComplexObject]
impl Receipt {
    /// Proves it against a certified header, in borsh; null until there is one.
    #[graphql(complexity = "20 + child_complexity")]
    async fn proof(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<Bytes>> {
        let position = TransactionPosition { height: self.height.0, index: self.index };
        // Not the query's own picture: a mutation has waited since that was pinned.
        Ok(Pinned::newest(App::of(ctx)?).receipt_proof(position)?)
    }
}

/// What failed, and where.
#[derive(Clone, Debug, Serialize, ToSchema, SimpleObject)]
#[serde(rename_all = "camelCase")]
pub struct ContractError {
    /// The code: `CONTRACT_ERROR` for an error that the contract declares.
    pub code: String,
    /// A sentence for people, from the contract's ABI or the trap.
    pub message: String,
    /// Which message failed, from 0.
    pub message_index: u32,
    /// The contract that failed; null if none ran.
    pub contract: Option<Address>,
    /// The declared error's name.
    pub name: Option<String>,
    /// The declared error's fields by the ABI.
    pub fields: Option<Json>,
    /// The declared error's fields in borsh.
    pub raw: Option<Bytes>,
    /// The calls that led to it, outermost first.
    pub path: Vec<Frame>,
}

/// A contract's method on the call stack.
#[derive(Clone, Debug, Serialize, ToSchema, SimpleObject)]
#[serde(rename_all = "camelCase")]
pub struct Frame {
    /// The contract.
    pub contract: Address,
    /// Its method, or `init`, `migrate`, `receive`.
    pub method: String,
    /// Gas used by it and by what it called.
    pub gas_used: Uint,
    /// Of a trap in this frame: the WebAssembly function.
    pub function: Option<String>,
}
