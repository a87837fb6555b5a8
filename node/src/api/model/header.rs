//! Headers and blocks.

use async_graphql::SimpleObject;
use serde::Serialize;
use utoipa::ToSchema;

use super::Transactions;
use crate::api::scalar::{Amount, Bytes, DateTime, Hash, Height, Uint};

/// A block's header, as validators sign it, and what it says of the state.
#[derive(Clone, Debug, Serialize, ToSchema, SimpleObject)]
#[serde(rename_all = "camelCase")]
pub struct Header {
    /// The block's height.
    pub height: Height,
    /// The hash that certificates sign.
    pub hash: Hash,
    /// The header before; the genesis hash at height 1.
    pub parent: Hash,
    /// The span of heights with one validator set.
    pub epoch: Uint,
    /// When it was made, by its proposer's clock; after its parent's.
    pub time: DateTime,
    /// Base units per gas.
    pub gas_price: Amount,
    /// The newest height whose result this header commits to.
    pub state_height: Height,
    /// The state's root at `stateHeight`.
    pub state_root: Hash,
    /// Proves `stateRoot` against the header's results: borsh of the result at `stateHeight` and its path.
    pub result_path: Bytes,
    /// The header in borsh: its hash is over these.
    pub bytes: Bytes,
    /// The validators' signatures.
    pub certificate: Option<Bytes>,
}

/// A block, as REST gives it.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Block {
    /// Its header.
    pub header: Header,
    /// The first header that commits to what executing it came to; null until there is one.
    pub certified_by: Option<Height>,
    /// A dev chain has undone it: its transactions and events are in no list.
    pub undone: bool,
    /// A page of its transactions.
    pub transactions: Transactions,
}
