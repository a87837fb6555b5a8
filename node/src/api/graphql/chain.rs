//! The chain and its blocks.

use async_graphql::{Context, Object, Result};
use rustorium_chain::storage::SealedHeader;

use super::{
    connection::{TransactionConnection, page_cost},
    query::page,
};
use crate::api::{
    model::{Header, Range},
    problem::ApiError,
    read::{BlockName, Pinned, Render},
    scalar::{Amount, Bytes, Cursor, Hash, Height},
};

/// The chain as a whole.
pub(super) struct Chain;

#[Object]
impl Chain {
    /// Its name for people.
    async fn id(&self, ctx: &Context<'_>) -> Result<String> {
        Ok(Pinned::of(ctx)?.snapshot().genesis().chain_id.clone())
    }

    /// What names it.
    async fn genesis_hash(&self, ctx: &Context<'_>) -> Result<Hash> {
        Ok(Hash(Pinned::of(ctx)?.snapshot().genesis_hash()))
    }

    /// The genesis in borsh.
    async fn genesis(&self, ctx: &Context<'_>) -> Result<Bytes> {
        Ok(borsh::to_vec(Pinned::of(ctx)?.snapshot().genesis()).map_err(ApiError::internal)?.into())
    }

    /// A dev chain: its accounts' keys are public.
    async fn dev(&self, ctx: &Context<'_>) -> Result<bool> {
        Ok(Pinned::of(ctx)?.snapshot().genesis().dev)
    }

    /// The newest header.
    async fn head(&self, ctx: &Context<'_>) -> Result<Header> {
        let pinned = Pinned::of(ctx)?;
        let sealed = pinned.sealed(BlockName::Latest)?;
        let sealed = sealed.ok_or_else(|| ApiError::not_found("there is no block yet"))?;
        Ok(pinned.header(&sealed)?)
    }

    /// The newest height that a certified header commits to.
    async fn certified_height(&self, ctx: &Context<'_>) -> Result<Height> {
        Ok(Height(Pinned::of(ctx)?.snapshot().certified()))
    }

    /// The heights whose state can be read and proved.
    async fn available_range(&self, ctx: &Context<'_>) -> Result<Range> {
        Ok(Pinned::of(ctx)?.retained())
    }

    /// Base units per gas.
    async fn gas_price(&self, ctx: &Context<'_>) -> Result<Amount> {
        let pinned = Pinned::of(ctx)?;
        Ok(Amount(pinned.context(pinned.height())?.gas_price))
    }
}

/// A block.
pub(super) struct Block(pub(super) SealedHeader);

#[Object]
impl Block {
    /// Its header.
    async fn header(&self, ctx: &Context<'_>) -> Result<Header> {
        Ok(Pinned::of(ctx)?.header(&self.0)?)
    }

    /// The first header that commits to what executing it came to; null until there is one.
    async fn certified_by(&self, ctx: &Context<'_>) -> Result<Option<Height>> {
        let pinned = Pinned::of(ctx)?;
        let by = Render::new(&pinned).certified_by(self.0.header.height)?;
        Ok(by.map(Height))
    }

    /// A dev chain has undone it: its transactions and events are in no list.
    async fn undone(&self, ctx: &Context<'_>) -> Result<bool> {
        Ok(Pinned::of(ctx)?.snapshot().undone_at(self.0.header.height).is_some())
    }

    /// Its transactions, in order of execution.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    async fn transactions(
        &self,
        ctx: &Context<'_>,
        first: Option<u32>,
        after: Option<Cursor>,
        last: Option<u32>,
        before: Option<Cursor>,
    ) -> Result<TransactionConnection> {
        let page = page(first, after, last, before);
        Ok(Pinned::of(ctx)?.block_transactions(self.0.header.height, &page)?.into())
    }
}
