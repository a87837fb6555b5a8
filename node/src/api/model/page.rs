//! Pages of lists, and ranges of heights.

use async_graphql::SimpleObject;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Event, Header, Transaction};
use crate::api::scalar::{Cursor, Height};

/// Heights from one to another, both included.
#[derive(Clone, Copy, Debug, Serialize, ToSchema, SimpleObject)]
pub struct Range {
    /// The first.
    pub from: Height,
    /// The last.
    pub to: Height,
}

/// Where a page stands in its list.
#[derive(Clone, Debug, Default, Serialize, ToSchema, SimpleObject)]
#[serde(rename_all = "camelCase")]
pub struct PageInfo {
    /// The first item's cursor.
    pub start_cursor: Option<Cursor>,
    /// The last item's cursor: `after` it is the next page.
    pub end_cursor: Option<Cursor>,
    /// Whether something follows.
    pub has_next_page: bool,
    /// Whether something comes before.
    pub has_previous_page: bool,
}

/// A page of events.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Events {
    /// The events, in order.
    pub nodes: Vec<Event>,
    /// Where the page stands.
    pub page_info: PageInfo,
    /// The heights whose events are kept.
    pub available_range: Range,
}

/// A page of transactions.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Transactions {
    /// The transactions.
    pub nodes: Vec<Transaction>,
    /// Each one's cursor.
    #[serde(skip)]
    pub cursors: Vec<Cursor>,
    /// Where the page stands.
    pub page_info: PageInfo,
}

/// A page of headers, newest first.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Headers {
    /// The headers.
    pub nodes: Vec<Header>,
    /// Where the page stands.
    pub page_info: PageInfo,
}
