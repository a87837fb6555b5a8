//! Who validates, and who will.

use serde::Serialize;
use utoipa::ToSchema;

use crate::api::scalar::{Hash, Height, Uint};

/// The validators of the epoch of the next block, and those that are decided for later.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Validators {
    /// The newest executed block, as of which this is.
    pub height: Height,
    /// The epoch of the block after it.
    pub epoch: Uint,
    /// The last height of that epoch.
    pub last_height: Height,
    /// The public keys of its validators, rising.
    pub validators: Vec<Hash>,
    /// How many of them must sign.
    pub quorum: u32,
    /// Changes that were made so far.
    pub changes: Uint,
    /// What was decided and is not in force yet.
    pub next: Option<NextValidators>,
}

/// Validators that are decided.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NextValidators {
    /// Their first epoch; one more, if the last header of the one before does not commit to their change yet.
    pub epoch: Uint,
    /// The first height of that epoch.
    pub first_height: Height,
    /// Their public keys, rising.
    pub validators: Vec<Hash>,
}
