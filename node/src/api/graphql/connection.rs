//! Relay's connections.

use async_graphql::SimpleObject;

use crate::api::{
    model::{Event, Events, PageInfo, Range, Transaction, Transactions},
    scalar::Cursor,
};

/// What a list costs: its items' fields, as many as the page may have.
pub(super) fn page_cost(first: Option<u32>, last: Option<u32>, child: usize) -> usize {
    (first.or(last).unwrap_or(20) as usize).saturating_mul(child).saturating_add(5)
}

/// A page of events.
#[derive(SimpleObject)]
pub(super) struct EventConnection {
    /// The events with their cursors.
    edges: Vec<EventEdge>,
    /// The events.
    nodes: Vec<Event>,
    /// Where the page stands.
    page_info: PageInfo,
    /// The heights whose events are kept.
    available_range: Range,
}

/// An event and its cursor.
#[derive(SimpleObject)]
pub(super) struct EventEdge {
    /// Where it stands.
    cursor: Cursor,
    /// The event.
    node: Event,
}

impl From<Events> for EventConnection {
    fn from(page: Events) -> Self {
        let Events { nodes, page_info, available_range } = page;
        let edge = |node: &Event| EventEdge { cursor: node.cursor.clone(), node: node.clone() };
        Self { edges: nodes.iter().map(edge).collect(), nodes, page_info, available_range }
    }
}

/// A page of transactions.
#[derive(SimpleObject)]
pub(super) struct TransactionConnection {
    /// The transactions with their cursors.
    edges: Vec<TransactionEdge>,
    /// The transactions.
    nodes: Vec<Transaction>,
    /// Where the page stands.
    page_info: PageInfo,
}

/// A transaction and its cursor.
#[derive(SimpleObject)]
pub(super) struct TransactionEdge {
    /// Where it stands.
    cursor: Cursor,
    /// The transaction.
    node: Transaction,
}

impl From<Transactions> for TransactionConnection {
    fn from(page: Transactions) -> Self {
        let Transactions { nodes, cursors, page_info } = page;
        let edges = nodes.iter().cloned().zip(cursors).map(|(node, cursor)| TransactionEdge { cursor, node });
        Self { edges: edges.collect(), nodes, page_info }
    }
}
