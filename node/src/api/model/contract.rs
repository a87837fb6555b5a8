//! Contracts, their code, views and state.

use async_graphql::{ComplexObject, Context, SimpleObject};
use serde::Serialize;
use utoipa::ToSchema;

use super::{ContractError, StateProof, Witness};
use crate::api::{
    read::Pinned,
    scalar::{Address, Amount, Bytes, Hash, Height, Json, Uint},
};

/// A contract as of a height.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Contract {
    /// Its address.
    pub address: Address,
    /// The height of the state that this is read from.
    pub height: Height,
    /// Who made it.
    pub creator: Address,
    /// Who may upgrade it; nobody ever, if null.
    pub admin: Option<Address>,
    /// A name for people.
    pub label: Option<String>,
    /// The block that made it.
    pub created: Height,
    /// Native value that it holds.
    pub balance: Amount,
    /// Its code.
    pub code: Code,
    /// Proves its record; only if asked for.
    pub proof: Option<StateProof>,
}

/// WebAssembly code.
#[derive(Clone, Debug, Serialize, ToSchema, SimpleObject)]
#[graphql(complex)]
pub struct Code {
    /// Its hash.
    pub hash: Hash,
    /// Its bytes, counted.
    pub size: u32,
    /// The module.
    #[graphql(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wasm: Option<Bytes>,
    /// What it offers, from its ABI.
    #[graphql(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub abi: Option<Json>,
}

#[ComplexObject]
impl Code {
    /// The module.
    #[graphql(complexity = "100 + child_complexity")]
    async fn wasm(&self, ctx: &Context<'_>) -> async_graphql::Result<Bytes> {
        Ok(Bytes(Pinned::of(ctx)?.wasm(&self.hash.0)?))
    }

    /// What it offers: methods, views, events, errors, storage and types, from its ABI; empty without one.
    #[graphql(complexity = "10 + child_complexity")]
    async fn abi(&self, ctx: &Context<'_>) -> async_graphql::Result<Json> {
        Ok(Pinned::of(ctx)?.abi_json(&self.hash.0)?)
    }
}

/// What a view answered.
#[derive(Clone, Debug, Serialize, ToSchema, SimpleObject)]
#[serde(rename_all = "camelCase")]
pub struct ViewResult {
    /// The height of the state that it read.
    pub height: Height,
    /// What it returned, by the ABI.
    pub value: Option<Json>,
    /// What it returned, in borsh.
    pub raw: Bytes,
    /// Why it failed.
    pub error: Option<ContractError>,
    /// Gas that it used.
    pub gas_used: Uint,
    /// All that it read, proven; only if asked for.
    pub witness: Option<Witness>,
}

/// A value in a contract's storage.
#[derive(Clone, Debug, Serialize, ToSchema, SimpleObject)]
pub struct StateValue {
    /// The height of the state.
    pub height: Height,
    /// The value by the ABI; null if there is none.
    pub value: Option<Json>,
    /// The value in borsh; null if there is none.
    pub raw: Option<Bytes>,
    /// The storage key.
    pub key: Bytes,
    /// Proves the value, or that there is none; only if asked for.
    pub proof: Option<StateProof>,
}
