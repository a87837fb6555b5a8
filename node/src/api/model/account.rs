//! Accounts.

use serde::Serialize;
use utoipa::ToSchema;

use super::StateProof;
use crate::api::scalar::{Address, Amount, Height, Uint};

/// What an address holds, as of a height.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// The address.
    pub address: Address,
    /// The height of the state that this is read from.
    pub height: Height,
    /// Native value, in base units.
    pub balance: Amount,
    /// The highest nonce used; 0 at first.
    pub nonce_highest: Uint,
    /// The next free nonce, transactions under way counted.
    pub nonce_next: Uint,
    /// Proves the record, or that there is none; only if asked for.
    pub proof: Option<StateProof>,
}
