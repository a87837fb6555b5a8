//! Transactions.

use async_graphql::{ComplexObject, Context, SimpleObject};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Message, TransactionStatus};
use crate::api::{
    App,
    problem::ApiError,
    read,
    scalar::{Address, Amount, Bytes, DateTime, Hash, Json, Uint},
};

/// A transaction and what became of it.
#[derive(Clone, Debug, Serialize, ToSchema, SimpleObject)]
#[serde(rename_all = "camelCase")]
#[graphql(complex)]
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
    /// The signed transaction in borsh; of one that was impersonated, its body.
    pub bytes: Bytes,
    /// Nobody signed it: a dev chain was told to execute it as if.
    pub impersonated: bool,
    /// What became of it.
    pub status: TransactionStatus,
}

#[ComplexObject]
impl Transaction {
    /// What it did, step by step: executed again, and held against its receipt. The object of
    /// `GET /v1/transactions/{hash}/trace`.
    #[graphql(complexity = "1_000")]
    async fn trace(&self, ctx: &Context<'_>) -> async_graphql::Result<Json> {
        let trace = read::traced(App::of(ctx)?, self.hash.0).await?;
        Ok(Json(serde_json::to_value(trace).map_err(ApiError::internal)?))
    }
}
