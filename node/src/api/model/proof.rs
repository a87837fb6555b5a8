//! What a light client checks.

use async_graphql::SimpleObject;
use serde::Serialize;
use utoipa::ToSchema;

use super::Header;
use crate::api::scalar::{Bytes, Hash, Height};

/// Proves a value, or that there is none, against a certified header.
#[derive(Clone, Debug, Serialize, ToSchema, SimpleObject)]
pub struct StateProof {
    /// The height of the state.
    pub height: Height,
    /// That height's header.
    pub header: Header,
    /// The certified header that commits to the state.
    pub certifier: Header,
    /// The path in the state tree, in borsh.
    pub path: Bytes,
    /// All of it in borsh, as the light client takes it: certificate, headers, links and path.
    pub bytes: Bytes,
}

/// All that a view read, proven: whoever has it can run the view again.
#[derive(Clone, Debug, Serialize, ToSchema, SimpleObject)]
pub struct Witness {
    /// The header of the height at which the view ran.
    pub header: Header,
    /// The certified header that commits to the state.
    pub certifier: Header,
    /// The hashes of the codes that ran.
    pub codes: Vec<Hash>,
    /// All of it in borsh, as the light client takes it.
    pub bytes: Bytes,
}
