//! Queries.

use async_graphql::{Context, Object, Result};
use rustorium_types::id;

use super::{
    chain::{Block, Chain},
    connection::{EventConnection, page_cost},
    contract::{Account, Contract},
};
use crate::api::{
    App,
    model::{EventFilter, HeightRange, Prepared, Transaction, TransactionInput},
    prepare,
    problem::ApiError,
    read::{BlockName, PageRequest, Pinned, contract_id},
    scalar::{Address, Cursor, Hash, Height},
};

/// What can be read. A query is at most 16 levels deep and of complexity 20,000, where a field counts one, fields of
/// a list as often as the page has items, a view 100 and a dry run 500; a response has at most 16 MiB. A node may be
/// set otherwise; `extensions.cost` says what a query cost.
pub(in crate::api) struct Query;

#[Object]
impl Query {
    /// The chain as a whole.
    async fn chain(&self) -> Chain {
        Chain
    }

    /// A transaction by its hash; null if nothing is known of it.
    async fn transaction(&self, ctx: &Context<'_>, hash: Hash) -> Result<Option<Transaction>> {
        Ok(Pinned::of(ctx)?.transaction(hash.0)?)
    }

    /// What an address holds, now or as of a height.
    async fn account(&self, ctx: &Context<'_>, address: Address, height: Option<Height>) -> Result<Account> {
        Ok(Account::read(ctx, address.0, height.map(|height| height.0)).await?)
    }

    /// A contract, now or as of a height; null if there is none.
    async fn contract(&self, ctx: &Context<'_>, address: Address, height: Option<Height>) -> Result<Option<Contract>> {
        let contract = contract_id(&address)?;
        Ok(Contract::read(ctx, contract, height.map(|height| height.0))?)
    }

    /// A block. Neither height nor hash: the latest.
    async fn block(&self, ctx: &Context<'_>, height: Option<Height>, hash: Option<Hash>) -> Result<Option<Block>> {
        let name = match (height, hash) {
            (None, None) => BlockName::Latest,
            (Some(height), None) => BlockName::Height(height.0),
            (None, Some(hash)) => BlockName::Hash(hash.0),
            (Some(_), Some(_)) => return Err(ApiError::bad_input("`height` and `hash` exclude each other").into()),
        };
        Ok(Pinned::of(ctx)?.sealed(name)?.map(Block))
    }

    /// Events, in order, a page at a time.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "the arguments of Relay's connections")]
    async fn events(
        &self,
        ctx: &Context<'_>,
        filter: EventFilter,
        range: Option<HeightRange>,
        first: Option<u32>,
        after: Option<Cursor>,
        last: Option<u32>,
        before: Option<Cursor>,
    ) -> Result<EventConnection> {
        let pinned = Pinned::of(ctx)?;
        let selection = pinned.select(filter)?;
        let page = page(first, after, last, before);
        Ok(pinned.events(&selection, range.unwrap_or_default(), &page)?.into())
    }

    /// Makes a transaction from JSON by the ABI: a body, what to sign, and what it would do.
    #[graphql(complexity = "500 + child_complexity")]
    async fn prepare(&self, ctx: &Context<'_>, input: TransactionInput) -> Result<Prepared> {
        Ok(prepare::prepare(App::of(ctx)?, input).await?)
    }
}

/// The arguments of a connection.
pub(super) fn page(
    first: Option<u32>,
    after: Option<Cursor>,
    last: Option<u32>,
    before: Option<Cursor>,
) -> PageRequest {
    PageRequest { first, after: after.map(|after| after.0), last, before: before.map(|before| before.0) }
}

/// The height that a query names, or the newest.
pub(super) fn height_or_newest(pinned: &Pinned, height: Option<id::Height>) -> id::Height {
    height.unwrap_or_else(|| pinned.height())
}
