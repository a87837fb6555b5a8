//! What a transaction did, step by step.

use serde::Serialize;
use utoipa::ToSchema;

use crate::api::scalar::{Address, Amount, Bytes, Hash, Height, Json, Uint};

/// What a transaction did, step by step, and what it changed.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Trace {
    /// The transaction; of a dry run, the one that would be signed.
    pub transaction: Hash,
    /// The block that it was in; of a dry run, the one that it would be in.
    pub height: Height,
    /// `Success`, `Failure` or `Dropped`.
    pub status: &'static str,
    /// Why it was dropped, or why it failed.
    pub code: Option<String>,
    /// Gas that it might use.
    pub gas_limit: Uint,
    /// Gas used.
    pub gas_used: Uint,
    /// Of that, gas for the transaction itself: its bytes and signatures.
    pub intrinsic_gas: Uint,
    /// What was paid, in base units.
    pub fee: Amount,
    /// The messages that ran, in order; the last is the one that failed, if one did.
    pub messages: Vec<MessageTrace>,
    /// What it changed in the end, in the order of keys. The fee's credit is the block's and not here.
    pub changes: Vec<Change>,
    /// Something is left out: steps, bytes of values, or changes.
    pub truncated: bool,
    /// Steps that are left out.
    pub omitted: Uint,
}

/// What a message did.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessageTrace {
    /// Its place in the transaction.
    pub index: u32,
    /// `Transfer`, `StoreCode`, `Instantiate`, `Call`, `Upgrade`, `SetAdmin` or
    /// `SetValidators`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Gas used, all its frames included.
    pub gas_used: Uint,
    /// Why it failed, if it did.
    pub error: Option<TracedError>,
    /// What happened in it.
    #[schema(no_recursion)]
    pub steps: Vec<TraceStep>,
}

/// Something that happened.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(tag = "type")]
pub enum TraceStep {
    /// A contract ran, or was refused to.
    Frame(Box<TraceFrame>),
    /// A read of the contract's storage.
    Read(TraceRead),
    /// A write to the contract's storage.
    Write(TraceWrite),
    /// An event.
    Event(TraceEvent),
    /// A line for people.
    Log(TraceLog),
    /// Any other call of the host.
    Host(TraceHost),
}

/// A call of a contract.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TraceFrame {
    /// The contract.
    pub contract: Address,
    /// `call`, `view`, `init`, `migrate` or `receive`.
    pub kind: &'static str,
    /// The method or view.
    pub method: String,
    /// Who called; none of a view that was asked for from outside.
    pub caller: Option<Address>,
    /// What came with it.
    pub value: Amount,
    /// Its arguments by the ABI.
    pub args: Option<Json>,
    /// Its arguments in borsh.
    pub raw: Bytes,
    /// Gas that it might use.
    pub gas_limit: Uint,
    /// Gas used by it and by what it called.
    pub gas_used: Uint,
    /// What it returned, by the ABI; null for nothing.
    #[serde(rename = "return")]
    pub returned: Option<Json>,
    /// Why it failed; then all that it did is undone.
    pub error: Option<TracedError>,
    /// What happened in it.
    #[schema(no_recursion)]
    pub steps: Vec<TraceStep>,
}

/// Where in a contract's storage something is.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    /// The storage key.
    pub key: Bytes,
    /// The storage field, by its name in the source; null where the ABI knows none.
    pub field: Option<String>,
    /// The map keys or the index, by the ABI.
    pub keys: Vec<Json>,
}

/// A stored value.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Value {
    /// By the ABI; null where it does not say.
    pub value: Option<Json>,
    /// The bytes, as far as they are kept.
    pub raw: Bytes,
    /// How many there are.
    pub length: Uint,
}

/// A read of the contract's storage.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TraceRead {
    /// Where.
    #[serde(flatten)]
    pub place: Place,
    /// What was there; null for nothing.
    pub value: Option<Value>,
    /// Gas used.
    pub gas: Uint,
}

/// A write to the contract's storage.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TraceWrite {
    /// Where.
    #[serde(flatten)]
    pub place: Place,
    /// What was there; null for nothing.
    pub before: Option<Value>,
    /// What is there now; null for nothing.
    pub after: Option<Value>,
    /// Gas used.
    pub gas: Uint,
}

/// An event.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TraceEvent {
    /// Its name.
    pub name: String,
    /// Its fields by the ABI.
    pub fields: Option<Json>,
    /// Its fields in borsh.
    pub raw: Bytes,
    /// Gas used.
    pub gas: Uint,
}

/// A line for people.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TraceLog {
    /// The line.
    pub text: String,
    /// Gas used.
    pub gas: Uint,
}

/// A call of the host that has no step of its own kind.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TraceHost {
    /// The function of the host table.
    pub function: &'static str,
    /// Its arguments by name: numbers, addresses, or bytes.
    pub args: Json,
    /// Gas used.
    pub gas: Uint,
}

/// Why a frame or a message failed.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TracedError {
    /// The code: `CONTRACT_ERROR` for an error that the contract declares.
    pub code: String,
    /// A sentence for people, from the contract's ABI or the trap.
    pub message: Option<String>,
    /// The declared error's name.
    pub name: Option<String>,
    /// The declared error's fields by the ABI.
    pub fields: Option<Json>,
    /// The function that trapped.
    pub function: Option<String>,
}

/// An entry that is another than before.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// Whose storage; null for the system's own records.
    pub contract: Option<Address>,
    /// Of the system's own: `account`, `contract` or `code`.
    pub record: Option<&'static str>,
    /// Of the system's own: whose record it is, an address or a hash.
    pub of: Option<String>,
    /// Where.
    #[serde(flatten)]
    pub place: Place,
    /// What was there; null for nothing.
    pub before: Option<Value>,
    /// What is there now; null for nothing.
    pub after: Option<Value>,
}
