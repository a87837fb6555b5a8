//! Reading: every answer comes from one pinned picture of the chain.
//!
//! A request pins the newest snapshot once and reads everything from it, so that the parts of an answer belong
//! together. Reads without a height use the newest executed state. Verified reads use the newest certified one,
//! but never one that hides something which was executed when the request came: they wait for that to be
//! certified, which on a chain of one validator takes milliseconds.

use std::{sync::Arc, time::Duration};

use async_graphql::Context;
use rustorium_chain::{
    snapshot::{Snapshot, StateAt},
    storage::{HeightError, StoreError},
};
use rustorium_runtime::{BlockContext, ExecuteError};
use rustorium_types::{code::Code, id::Height};

use super::{App, problem::ApiError, scalar};

mod abis;
mod blocks;
mod events;
mod page;
mod proofs;
mod render;
mod state;
mod trace;
mod transactions;
mod views;

pub(crate) use abis::{Abis, parse as abi_of_wasm};
pub(crate) use blocks::BlockName;
pub(crate) use events::{EventSelection, contract_id};
pub(crate) use page::PageRequest;
pub(crate) use proofs::stored;
pub(crate) use render::{Ended, Render};
pub(crate) use state::{Stored, no_contract};
pub(crate) use trace::{Shown, traced};
pub(crate) use views::{ViewRequest, view, view_of};

/// How long a verified read waits for the state to be certified.
const CERTIFICATION_WAIT: Duration = Duration::from_secs(10);

/// A picture of the chain that does not change.
#[derive(Clone)]
pub(crate) struct Pinned {
    app: App,
    snapshot: Arc<Snapshot>,
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Height(error) => error.into(),
            StoreError::NoBlock(height) => Self::not_found(format!("there is no block {height}")),
            StoreError::NotCertified(_) => Self::not_found(error.to_string()),
            StoreError::FieldQuery => Self::bad_input(error.to_string()),
            other => Self::from(rustorium_runtime::StateError::from(other)),
        }
    }
}

impl From<HeightError> for ApiError {
    fn from(error: HeightError) -> Self {
        match error {
            HeightError::Pruned { from, to } => Self::pruned(from, to),
            HeightError::Future { newest } => {
                Self::not_found(format!("this height is not executed yet; the newest is {newest}"))
            }
            other => Self::internal(other),
        }
    }
}

impl From<ExecuteError> for ApiError {
    fn from(error: ExecuteError) -> Self {
        match error {
            ExecuteError::State(error) => error.into(),
            other => Self::internal(other),
        }
    }
}

impl Pinned {
    /// The newest picture.
    pub(crate) fn newest(app: &App) -> Self {
        Self { app: app.clone(), snapshot: app.chain().snapshot() }
    }

    /// The picture of a GraphQL query: one for the whole of it, and the newest for each message of a stream.
    pub(crate) fn of(ctx: &Context<'_>) -> Result<Self, ApiError> {
        match ctx.data_opt::<Self>() {
            Some(pinned) => Ok(pinned.clone()),
            None => Ok(Self::newest(App::of(ctx)?)),
        }
    }

    /// A picture whose certified state shows everything that is executed now, and the height of that state.
    pub(crate) async fn certified(app: &App) -> Result<(Self, Height), ApiError> {
        let target = app.chain().snapshot().height();
        let mut heights = app.feed().follow();
        let reached = async {
            loop {
                let pinned = Self::newest(app);
                if let Some(height) = pinned.certified_showing(target)? {
                    return Ok((pinned, height));
                }
                heights.changed().await.map_err(|_| ApiError::new(Code::LogUnavailable, "the node is stopping"))?;
            }
        };
        let late = || ApiError::new(Code::RequestTimeout, format!("height {target} was not certified in time"));
        tokio::time::timeout(CERTIFICATION_WAIT, reached).await.unwrap_or_else(|_| Err(late()))
    }

    /// The same for a proof at a height of the caller's choice.
    pub(crate) async fn certified_at(app: &App, height: Option<Height>) -> Result<(Self, Height), ApiError> {
        let Some(height) = height else { return Self::certified(app).await };
        let newest = Self::newest(app);
        newest.state(Some(height))?;
        let reached = app.feed().until(|heights| heights.certified >= height);
        match tokio::time::timeout(CERTIFICATION_WAIT, reached).await {
            Ok(Ok(_)) => Ok((Self::newest(app), height)),
            Ok(Err(_)) => Err(ApiError::new(Code::LogUnavailable, "the node is stopping")),
            Err(_) => Err(ApiError::new(Code::RequestTimeout, format!("height {height} was not certified in time"))),
        }
    }

    /// The newest certified height, if every block behind it up to the target is empty.
    fn certified_showing(&self, target: Height) -> Result<Option<Height>, ApiError> {
        let certified = self.snapshot.certified();
        if certified == Height::ZERO {
            return Ok(None);
        }
        for height in certified.0 + 1..=target.0 {
            match self.snapshot.block(Height(height))? {
                Some(block) if block.records.is_empty() => {}
                _ => return Ok(None),
            }
        }
        Ok(Some(certified))
    }

    pub(crate) fn app(&self) -> &App {
        &self.app
    }

    pub(crate) fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    /// The newest executed height.
    pub(crate) fn height(&self) -> Height {
        self.snapshot.height()
    }

    /// State after a block, the newest executed one unless another is named, and its height.
    pub(crate) fn state(&self, height: Option<Height>) -> Result<(Height, StateAt), ApiError> {
        let height = height.unwrap_or_else(|| self.height());
        Ok((height, self.snapshot.state(height)?))
    }

    /// The surroundings of a view at a height: its header's.
    pub(crate) fn context(&self, height: Height) -> Result<BlockContext, ApiError> {
        let genesis = self.snapshot.genesis();
        let (time, gas_price) = match self.snapshot.header(height)? {
            Some(sealed) => (sealed.header.time, sealed.header.gas_price),
            None => (genesis.time, genesis.gas_price),
        };
        let (epoch, limits) = (genesis.epoch_of(height), genesis.limits);
        let validators = self.snapshot.validators_of(epoch)?.unwrap_or_default().into();
        Ok(BlockContext { genesis: self.snapshot.genesis_hash(), epoch, validators, height, time, gas_price, limits })
    }

    /// The surroundings of a transaction in the next block, as far as they are known.
    pub(crate) fn next_context(&self) -> Result<BlockContext, ApiError> {
        let newest = self.context(self.height())?;
        let height = newest.height.next();
        let epoch = self.snapshot.genesis().epoch_of(height);
        let validators = self.snapshot.validators_of(epoch)?.unwrap_or_default().into();
        Ok(BlockContext { epoch, validators, height, time: newest.time.max(crate::node::now()), ..newest })
    }

    /// The heights whose state is kept.
    pub(crate) fn retained(&self) -> super::model::Range {
        let retained = self.snapshot.retained();
        super::model::Range { from: scalar::Height(*retained.start()), to: scalar::Height(*retained.end()) }
    }
}
