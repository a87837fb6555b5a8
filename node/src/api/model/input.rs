//! What clients send.
//!
//! Fields that nobody knows are refused: a misspelt `gasLimit` that is silently ignored costs somebody money.

use async_graphql::{Enum, InputObject, OneofObject, SimpleObject};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};

use super::TransactionStatus;
use crate::api::scalar::{Address, Amount, Bytes, DateTime, Hash, Height, Json, Uint};

/// How long a submission waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Enum, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Wait {
    /// Until it will be executed once, whatever happens to this node.
    Accepted,
    /// Until its receipt can be read.
    #[default]
    Executed,
    /// Until a header that validators signed commits to its result.
    Certified,
}

/// A signed transaction.
#[derive(Clone, Debug, Deserialize, ToSchema, InputObject)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SignedInput {
    /// The body in borsh.
    pub body: Bytes,
    /// The sender's authorisation in borsh: for ed25519 a zero byte, the public key and the signature of the digest.
    pub auth: Bytes,
    /// The fee payer's, exactly if the body names one.
    pub fee_payer_auth: Option<Bytes>,
}

/// The answer to a submission. Refused: code and message, and a hash if the bytes have one.
#[derive(Clone, Debug, Serialize, ToSchema, SimpleObject)]
#[serde(rename_all = "camelCase")]
pub struct SubmitResult {
    /// The transaction's hash.
    pub hash: Option<Hash>,
    /// Why it was refused; `REQUEST_TIMEOUT` if it is accepted and the wait ran out.
    pub code: Option<String>,
    /// The same for people.
    pub message: Option<String>,
    /// Of `RATE_LIMITED`: milliseconds after which to try again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<Uint>,
    /// What became of it within the wait; null if refused.
    pub status: Option<TransactionStatus>,
}

/// A transaction to be made.
#[derive(Clone, Debug, Deserialize, ToSchema, InputObject)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TransactionInput {
    /// Who acts: an account.
    pub sender: Address,
    /// Its nonce; the next free one if left out.
    pub nonce: Option<Uint>,
    /// The last header time at which it may run; no limit if left out.
    pub valid_until: Option<DateTime>,
    /// Gas that it may use; what the dry run used and a quarter more if left out.
    pub gas_limit: Option<Uint>,
    /// Base units per gas that it pays; the chain's price if left out.
    pub max_gas_price: Option<Amount>,
    /// Who pays the fee instead of the sender.
    pub fee_payer: Option<Address>,
    /// For the sender's own use.
    pub memo: Option<Bytes>,
    /// What to do, in order, all or nothing.
    pub messages: Vec<MessageInput>,
    /// Also say what it would do, step by step.
    #[serde(default)]
    #[graphql(default)]
    pub trace: bool,
}

/// One thing to do: exactly one of the fields.
#[derive(Clone, Debug, Deserialize, OneofObject)]
#[serde(rename_all = "camelCase")]
pub enum MessageInput {
    /// Moves native value.
    Transfer(TransferInput),
    /// Runs a method.
    Call(CallInput),
    /// Makes a contract: `{ code, salt, admin, label, args, value }`.
    Instantiate(Json),
    /// Stores WebAssembly code.
    StoreCode(Bytes),
    /// Gives a contract other code: `{ contract, code, args }`.
    Upgrade(Json),
    /// Hands over the right to upgrade: `{ contract, admin }`.
    SetAdmin(Json),
    /// Says who validates from the next epoch on: `{ epoch, number, validators, signatures }`.
    SetValidators(Json),
}

/// [`MessageInput`] as OpenAPI says it, with the types behind what GraphQL takes as JSON.
#[derive(ToSchema)]
#[schema(as = MessageInput)]
#[expect(dead_code, reason = "a schema")]
struct MessageShape {
    /// Moves native value.
    transfer: Option<TransferInput>,
    /// Runs a method.
    call: Option<CallInput>,
    /// Makes a contract.
    instantiate: Option<InstantiateInput>,
    /// Stores WebAssembly code.
    #[schema(rename = "storeCode")]
    store_code: Option<Bytes>,
    /// Gives a contract other code.
    upgrade: Option<UpgradeInput>,
    /// Hands over the right to upgrade.
    #[schema(rename = "setAdmin")]
    set_admin: Option<SetAdminInput>,
    /// Says who validates from the next epoch on.
    #[schema(rename = "setValidators")]
    set_validators: Option<SetValidatorsInput>,
}

impl PartialSchema for MessageInput {
    fn schema() -> RefOr<Schema> {
        MessageShape::schema()
    }
}

impl ToSchema for MessageInput {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        MessageShape::schemas(schemas);
    }
}

/// Moves native value.
#[derive(Clone, Debug, Deserialize, ToSchema, InputObject)]
#[serde(deny_unknown_fields)]
pub struct TransferInput {
    /// Who receives.
    pub to: Address,
    /// How much.
    pub amount: Amount,
}

/// Runs a method.
#[derive(Clone, Debug, Deserialize, ToSchema, InputObject)]
#[serde(deny_unknown_fields)]
pub struct CallInput {
    /// The contract.
    pub contract: Address,
    /// The method.
    pub method: String,
    /// Its arguments by name, as the ABI has them.
    pub args: Option<Json>,
    /// Its arguments in borsh, instead of `args`.
    pub raw: Option<Bytes>,
    /// Value that goes with it.
    pub value: Option<Amount>,
}

/// Makes a contract.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InstantiateInput {
    /// The code's hash: of stored code, or of code that an earlier message stores.
    pub code: Hash,
    /// With the creator, decides the address; random if left out.
    pub salt: Option<Hash>,
    /// Who may upgrade it: the sender if left out, nobody ever if null.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Address>)]
    pub admin: Option<Option<Address>>,
    /// A name for people.
    #[serde(default)]
    pub label: String,
    /// The arguments of `init` by name, as the ABI has them.
    pub args: Option<Json>,
    /// The arguments in borsh, instead of `args`.
    pub raw: Option<Bytes>,
    /// Value that it starts with.
    pub value: Option<Amount>,
}

/// Gives a contract other code.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpgradeInput {
    /// The contract.
    pub contract: Address,
    /// The new code's hash: of stored code, or of code that an earlier message stores.
    pub code: Hash,
    /// The arguments of `migrate` by name, as the new code's ABI has them.
    pub args: Option<Json>,
    /// The arguments in borsh, instead of `args`.
    pub raw: Option<Bytes>,
}

/// Hands over the right to upgrade.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetAdminInput {
    /// The contract.
    pub contract: Address,
    /// The next admin; nobody ever, if null.
    pub admin: Option<Address>,
}

/// Says who validates from the next epoch on.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetValidatorsInput {
    /// The epoch in which it is decided.
    pub epoch: Uint,
    /// Which change of the chain's validators it is, from 1.
    pub number: Uint,
    /// The public keys of all next validators, rising.
    pub validators: Vec<Hash>,
    /// Of a quorum of the epoch's validators, rising.
    pub signatures: Vec<ValidatorSignatureInput>,
}

/// That a validator agrees to a change.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ValidatorSignatureInput {
    /// The validator's public key.
    pub validator: Hash,
    /// Over the change's digest, 64 bytes.
    pub signature: Bytes,
}

/// A transaction ready to be signed, and what it would do.
#[derive(Clone, Debug, Serialize, ToSchema, SimpleObject)]
#[serde(rename_all = "camelCase")]
pub struct Prepared {
    /// The body in borsh.
    pub body: Bytes,
    /// What to sign, which is also the hash.
    pub digest: Hash,
    /// Its nonce.
    pub nonce: Uint,
    /// Its gas limit.
    pub gas_limit: Uint,
    /// What it would do if it ran now.
    pub dry_run: TransactionStatus,
    /// What it would do, step by step, if asked for; the object of `GET /v1/transactions/{hash}/trace`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<Json>,
}

/// Which events.
#[derive(Clone, Debug, Default, Deserialize, ToSchema, InputObject)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EventFilter {
    /// Of this contract.
    pub contract: Option<Address>,
    /// Of this name.
    pub name: Option<String>,
    /// With these values of indexed fields, all of them; needs contract and name.
    #[graphql(name = "where")]
    #[serde(rename = "where")]
    pub fields: Option<Vec<FieldEquals>>,
    /// Of this transaction.
    pub transaction: Option<Hash>,
}

/// An indexed field and the value that it must have.
#[derive(Clone, Debug, Deserialize, ToSchema, InputObject)]
#[serde(deny_unknown_fields)]
pub struct FieldEquals {
    /// The field.
    pub field: String,
    /// The value by the ABI.
    pub value: Json,
}

/// Heights, both included.
#[derive(Clone, Copy, Debug, Default, InputObject)]
pub struct HeightRange {
    /// The first; the oldest kept if left out.
    pub from: Option<Height>,
    /// The last; the newest if left out.
    pub to: Option<Height>,
}

/// Tells a field that is `null` from one that is left out.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}
