//! The chain as a whole.

use serde::Serialize;
use utoipa::ToSchema;

use super::Range;
use crate::api::scalar::{Address, Amount, DateTime, Hash, Height, Uint};

/// What this node knows of its chain.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The chain's name for people.
    pub chain_id: String,
    /// What names the chain.
    pub genesis_hash: Hash,
    /// A dev chain: its accounts' keys are public.
    pub dev: bool,
    /// The node's version.
    pub version: &'static str,
    /// The newest executed block.
    pub height: Height,
    /// Its hash.
    pub hash: Hash,
    /// Its time.
    pub time: DateTime,
    /// The newest height that a certified header commits to.
    pub certified_height: Height,
    /// The heights whose state can be read and proved.
    pub available_range: Range,
    /// Base units per gas.
    pub gas_price: Amount,
    /// The native token's symbol.
    pub symbol: String,
    /// Decimals that people see; amounts are in base units.
    pub decimals: u8,
    /// Receives all fees.
    pub fee_account: Address,
    /// Heights of an epoch.
    pub epoch_length: Uint,
    /// The chain's limits.
    pub limits: ChainLimits,
    /// Transactions accepted and not yet executed.
    pub pending: Uint,
}

/// The limits of a chain.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChainLimits {
    /// Bytes of a block.
    pub block_bytes: u32,
    /// Records of a block.
    pub block_records: u32,
    /// Gas of a block.
    pub block_gas: Uint,
    /// Bytes of a signed transaction.
    pub transaction_bytes: u32,
    /// Gas of a transaction.
    pub transaction_gas: Uint,
    /// Bytes of a code.
    pub code_bytes: u32,
}
