//! What a node answers, typed. Fields that are not here are ignored, so that the API can grow; where a
//! command passes an object on as it is, it asks for a [`Value`] instead.

use rustorium_types::id::{AccountId, Address, Amount, ContractId, Hash, Height};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::text;

/// What a node knows of its chain.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The chain's name for people.
    pub chain_id: String,
    /// What names the chain; not to be trusted where answers are to be verified.
    #[serde(with = "text")]
    pub genesis_hash: Hash,
    /// A dev chain: its accounts' keys are public.
    pub dev: bool,
    /// The newest executed block.
    #[serde(with = "text::height")]
    pub height: Height,
    /// Its hash.
    #[serde(with = "text")]
    pub hash: Hash,
    /// The newest height that a certified header commits to.
    #[serde(with = "text::height")]
    pub certified_height: Height,
    /// Base units per gas.
    #[serde(with = "text")]
    pub gas_price: Amount,
    /// The native token's symbol.
    pub symbol: String,
    /// Decimals that people see.
    pub decimals: u8,
    /// The chain's limits.
    pub limits: Limits,
}

/// The limits that a client needs.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Gas of a transaction at the most.
    pub transaction_gas: u64,
    /// Bytes of a code at the most.
    pub code_bytes: u32,
}

/// What an address holds.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// Native value.
    #[serde(with = "text")]
    pub balance: Amount,
    /// The highest nonce used.
    pub nonce_highest: u64,
    /// The next free nonce, transactions under way counted.
    pub nonce_next: u64,
    /// Proves the record, if asked for.
    #[serde(default)]
    pub proof: Option<StateProof>,
}

/// A contract.
#[derive(Clone, Debug, Deserialize)]
pub struct Contract {
    /// Its address.
    #[serde(with = "text")]
    pub address: ContractId,
    /// Who may upgrade it.
    #[serde(with = "text::option")]
    pub admin: Option<Address>,
    /// Its code.
    pub code: Code,
    /// Proves its record, if asked for.
    #[serde(default)]
    pub proof: Option<StateProof>,
}

/// WebAssembly code.
#[derive(Clone, Debug, Deserialize)]
pub struct Code {
    /// Its hash.
    #[serde(with = "text")]
    pub hash: Hash,
}

/// How long a submission waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wait {
    /// Until it will be executed once.
    Accepted,
    /// Until its receipt can be read.
    #[default]
    Executed,
    /// Until a certified header commits to its result.
    Certified,
}

impl Wait {
    /// The word for it.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Executed => "executed",
            Self::Certified => "certified",
        }
    }
}

/// A signed transaction as the API takes it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignedInput {
    /// The body in borsh.
    #[serde(with = "text::hex")]
    pub body: Vec<u8>,
    /// The sender's authorisation in borsh.
    #[serde(with = "text::hex")]
    pub auth: Vec<u8>,
    /// The fee payer's.
    #[serde(default, with = "text::hex::option", skip_serializing_if = "Option::is_none")]
    pub fee_payer_auth: Option<Vec<u8>>,
}

/// The answer to a submission.
#[derive(Clone, Debug, Deserialize)]
pub struct SubmitResult {
    /// The transaction's hash.
    #[serde(default, with = "text::option")]
    pub hash: Option<Hash>,
    /// Why it was refused, or `REQUEST_TIMEOUT` if it is accepted and the wait ran out.
    #[serde(default)]
    pub code: Option<String>,
    /// The same for people.
    #[serde(default)]
    pub message: Option<String>,
    /// What became of it within the wait.
    #[serde(default)]
    pub status: Option<TransactionStatus>,
}

/// What became of a transaction.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "type")]
#[non_exhaustive]
pub enum TransactionStatus {
    /// Accepted, not yet executed.
    Pending {},
    /// Every message ran.
    Success {
        /// The receipt.
        receipt: Receipt,
        /// One for each message.
        results: Vec<Value>,
        /// What contracts said.
        events: Vec<Value>,
    },
    /// A message failed; all are undone.
    Failure {
        /// The receipt.
        receipt: Receipt,
        /// What failed, and where.
        error: ContractError,
    },
    /// Never ran.
    #[serde(rename_all = "camelCase")]
    Dropped {
        /// At which block.
        #[serde(with = "text::height")]
        height: Height,
        /// Why.
        code: String,
    },
}

/// The receipt of a transaction.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// The block.
    #[serde(with = "text::height")]
    pub height: Height,
    /// Gas used.
    pub gas_used: u64,
    /// What was paid.
    #[serde(with = "text")]
    pub fee: Amount,
    /// The first header that commits to it.
    #[serde(default, with = "text::height::option")]
    pub certified_by: Option<Height>,
}

/// What failed, and where.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContractError {
    /// The code: `CONTRACT_ERROR` for an error that the contract declares.
    pub code: String,
    /// A sentence for people.
    pub message: String,
    /// Which message failed, from 0.
    #[serde(default)]
    pub message_index: u32,
    /// The contract that failed.
    #[serde(default)]
    pub contract: Option<String>,
    /// The declared error's name.
    #[serde(default)]
    pub name: Option<String>,
    /// Its fields.
    #[serde(default)]
    pub fields: Option<Value>,
    /// The calls that led to it, outermost first.
    #[serde(default)]
    pub path: Vec<Frame>,
}

/// A contract's method on the call stack.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Frame {
    /// The contract.
    pub contract: String,
    /// Its method.
    pub method: String,
    /// Gas used by it and what it called.
    pub gas_used: u64,
    /// Of a trap: the WebAssembly function.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
}

/// A header, and what it says of the state.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Header {
    /// The block's height.
    #[serde(with = "text::height")]
    pub height: Height,
    /// Its hash.
    #[serde(with = "text")]
    pub hash: Hash,
    /// The newest height whose result it commits to.
    #[serde(with = "text::height")]
    pub state_height: Height,
    /// The state's root at that height.
    #[serde(with = "text")]
    pub state_root: Hash,
    /// The header in borsh: its hash is over these.
    #[serde(with = "text::hex")]
    pub bytes: Vec<u8>,
}

/// What a view answered.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ViewResult {
    /// The height of the state that it read.
    #[serde(with = "text::height")]
    pub height: Height,
    /// What it returned, by the ABI.
    #[serde(default)]
    pub value: Value,
    /// What it returned, in borsh.
    #[serde(default, with = "text::hex")]
    pub raw: Vec<u8>,
    /// Why it failed.
    #[serde(default)]
    pub error: Option<ContractError>,
    /// Gas that it used.
    #[serde(default)]
    pub gas_used: u64,
    /// All that it read, proven, if asked for.
    #[serde(default)]
    pub witness: Option<Witness>,
}

/// A value in a contract's storage.
#[derive(Clone, Debug, Deserialize)]
pub struct StateValue {
    /// The height of the state.
    #[serde(with = "text::height")]
    pub height: Height,
    /// The value by the ABI.
    #[serde(default)]
    pub value: Value,
    /// The value in borsh.
    #[serde(default, with = "text::hex::option")]
    pub raw: Option<Vec<u8>>,
    /// Proves it, if asked for.
    #[serde(default)]
    pub proof: Option<StateProof>,
}

/// A block.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Block {
    /// Its header.
    pub header: Header,
    /// The first header that commits to what executing it came to.
    #[serde(default, with = "text::height::option")]
    pub certified_by: Option<Height>,
}

/// A proof of a value, as the light client takes it.
#[derive(Clone, Debug, Deserialize)]
pub struct StateProof {
    /// All of it in borsh.
    #[serde(with = "text::hex")]
    pub bytes: Vec<u8>,
}

/// All that a view read, proven, as the light client takes it.
#[derive(Clone, Debug, Deserialize)]
pub struct Witness {
    /// All of it in borsh.
    #[serde(with = "text::hex")]
    pub bytes: Vec<u8>,
}

/// An event.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Event {
    /// The place behind it in the stream of events.
    pub cursor: String,
    /// The block.
    #[serde(with = "text::height")]
    pub height: Height,
    /// The transaction that caused it.
    #[serde(with = "text")]
    pub transaction: Hash,
    /// The contract.
    #[serde(with = "text")]
    pub contract: ContractId,
    /// Its name.
    #[serde(rename = "event", alias = "name")]
    pub name: String,
    /// Its fields by the ABI.
    #[serde(default)]
    pub fields: Value,
}

/// A page of events.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Events {
    /// The events, in order.
    pub nodes: Vec<Event>,
    /// Where the page stands.
    pub page_info: PageInfo,
}

/// Where a page stands in its list.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PageInfo {
    /// The last item's cursor: `after` it is the next page.
    pub end_cursor: Option<String>,
    /// Whether something follows.
    pub has_next_page: bool,
}

/// Which events.
#[derive(Clone, Debug, Default, Serialize)]
pub struct EventFilter {
    /// Of this contract.
    #[serde(with = "text::option", skip_serializing_if = "Option::is_none")]
    pub contract: Option<ContractId>,
    /// Of this name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// With these values of indexed fields, by the ABI; needs contract and name.
    #[serde(rename = "where")]
    pub fields: Map<String, Value>,
}

/// A transaction to be made by the node.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PrepareInput {
    /// Who acts.
    #[serde(with = "text")]
    pub sender: AccountId,
    /// What to do, as `{"call":{…}}`.
    pub messages: Vec<Value>,
    /// Gas that it may use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gas_limit: Option<u64>,
    /// Also say what it would do, step by step.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub trace: bool,
}

/// A transaction that the node made, and what it would do.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Prepared {
    /// The gas limit that would do.
    pub gas_limit: u64,
    /// What it would do if it ran now.
    pub dry_run: TransactionStatus,
    /// What it would do, step by step, if asked for.
    #[serde(default)]
    pub trace: Option<Value>,
}
