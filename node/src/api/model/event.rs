//! Events, and what a stream of them says.

use async_graphql::{SimpleObject, Union};
use serde::Serialize;
use utoipa::ToSchema;

use super::Range;
use crate::api::scalar::{Address, Bytes, Cursor, Hash, Height, Json};

/// Something that a contract said.
#[derive(Clone, Debug, Serialize, ToSchema, SimpleObject)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// The place behind it in the stream of events: a stream resumed here goes on with the next one.
    pub cursor: Cursor,
    /// The block.
    pub height: Height,
    /// The transaction that caused it.
    pub transaction: Hash,
    /// The contract.
    pub contract: Address,
    /// Its name.
    pub name: String,
    /// Its fields by the contract's ABI at that height; null without one.
    pub fields: Option<Json>,
    /// Its fields in borsh.
    pub raw: Bytes,
    /// The first header that commits to it; null until there is one.
    pub certified_by: Option<Height>,
}

/// A place in the stream up to which nothing more matches.
#[derive(Clone, Debug, Serialize, ToSchema, SimpleObject)]
#[serde(rename_all = "camelCase")]
pub struct Checkpoint {
    /// The place: resume here.
    pub cursor: Cursor,
    /// The height up to which everything has been looked at.
    pub height: Height,
    /// A dev chain has undone these blocks since: whatever was told of them is void, and the stream goes on behind
    /// them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undone: Option<Range>,
}

/// What a stream of events says.
#[derive(Clone, Debug, Union)]
pub enum EventMessage {
    /// An event that matches.
    Event(Event),
    /// None did for a while.
    Checkpoint(Checkpoint),
}
