//! The messages of a transaction.

use async_graphql::{Interface, SimpleObject};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::scalar::{Address, Amount, Bytes, Hash, Json, Uint};

/// One thing that a transaction does.
#[derive(Clone, Debug, Serialize, ToSchema, Interface)]
#[serde(tag = "type")]
#[graphql(field(name = "index", ty = "&u32", desc = "Which message of the transaction, from 0."))]
pub enum Message {
    /// Moves native value.
    Transfer(TransferMessage),
    /// Stores code.
    StoreCode(StoreCodeMessage),
    /// Makes a contract.
    Instantiate(InstantiateMessage),
    /// Runs a method.
    Call(CallMessage),
    /// Gives a contract other code.
    Upgrade(UpgradeMessage),
    /// Hands over the right to upgrade.
    SetAdmin(SetAdminMessage),
    /// Says who validates from the next epoch on.
    SetValidators(SetValidatorsMessage),
}

/// Moves native value.
#[derive(Clone, Debug, Serialize, ToSchema, SimpleObject)]
pub struct TransferMessage {
    /// Which message, from 0.
    pub index: u32,
    /// Who receives.
    pub to: Address,
    /// How much.
    pub amount: Amount,
}

/// Stores WebAssembly code.
#[derive(Clone, Debug, Serialize, ToSchema, SimpleObject)]
pub struct StoreCodeMessage {
    /// Which message, from 0.
    pub index: u32,
    /// The code's hash.
    pub code: Hash,
    /// Its bytes, counted.
    pub size: Uint,
}

/// Makes a contract of stored code and runs its `init`.
#[derive(Clone, Debug, Serialize, ToSchema, SimpleObject)]
pub struct InstantiateMessage {
    /// Which message, from 0.
    pub index: u32,
    /// The address that it gets.
    pub contract: Address,
    /// The code's hash.
    pub code: Hash,
    /// With the creator, decides the address.
    pub salt: Bytes,
    /// Who may upgrade it; nobody ever, if null.
    pub admin: Option<Address>,
    /// A name for people.
    pub label: String,
    /// The arguments of `init` by the ABI.
    pub args: Option<Json>,
    /// The arguments in borsh.
    pub raw: Bytes,
    /// Value that it starts with.
    pub value: Amount,
}

/// Runs a method of a contract.
#[derive(Clone, Debug, Serialize, ToSchema, SimpleObject)]
pub struct CallMessage {
    /// Which message, from 0.
    pub index: u32,
    /// The contract.
    pub contract: Address,
    /// The method.
    pub method: String,
    /// Its arguments by the ABI.
    pub args: Option<Json>,
    /// The arguments in borsh.
    pub raw: Bytes,
    /// Value that goes with it.
    pub value: Amount,
}

/// Gives a contract other code and runs that code's `migrate`.
#[derive(Clone, Debug, Serialize, ToSchema, SimpleObject)]
pub struct UpgradeMessage {
    /// Which message, from 0.
    pub index: u32,
    /// The contract.
    pub contract: Address,
    /// The new code's hash.
    pub code: Hash,
    /// The arguments of `migrate` by the new code's ABI.
    pub args: Option<Json>,
    /// The arguments in borsh.
    pub raw: Bytes,
}

/// Hands over the right to upgrade a contract.
#[derive(Clone, Debug, Serialize, ToSchema, SimpleObject)]
pub struct SetAdminMessage {
    /// Which message, from 0.
    pub index: u32,
    /// The contract.
    pub contract: Address,
    /// The next admin; nobody ever, if null.
    pub admin: Option<Address>,
}

/// Says who validates from the next epoch on, as a quorum of the epoch's validators decided.
#[derive(Clone, Debug, Serialize, ToSchema, SimpleObject)]
pub struct SetValidatorsMessage {
    /// Which message, from 0.
    pub index: u32,
    /// The epoch in which it is decided.
    pub epoch: Uint,
    /// Which change of the chain's validators it is, from 1.
    pub number: Uint,
    /// The public keys of all next validators, rising.
    pub validators: Vec<Hash>,
    /// The public keys of those who signed it, rising.
    pub signers: Vec<Hash>,
}
