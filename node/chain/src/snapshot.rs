//! What readers pin: one published height, and everything up to it.
//!
//! A snapshot is a read transaction of the database, as of the last commit, and the blocks executed since:
//!
//! ```text
//! oldest kept … last commit │ layer │ layer │ … │ newest published
//! └──── one read transaction ┘ └──── in memory ───────────┘
//! ```
//!
//! It is immutable, so whoever holds one reads one consistent chain for as long as it likes, without a lock; a
//! commit publishes a new snapshot with a fresh read transaction and fewer layers. Holding one for long keeps
//! the database from using freed space again, nothing else.
//!
//! What a dev chain's reverts have undone is in no index of a snapshot, though blocks, headers and receipts stay
//! readable by their height.
//!
//! Invariant: layers are consecutive, the first is one above the last commit, the last is the newest height.

use std::{ops::RangeInclusive, sync::Arc};

use rustorium_types::{
    block::{BlockResult, Header},
    genesis::Genesis,
    id::{Epoch, Hash, Height},
};

use crate::{
    cache::{Clock, StateCache},
    storage::{
        Block, HeightError, SealedHeader, StoreError,
        layer::Layer,
        runs::Runs,
        schema::{Tables, short},
        undo,
    },
    tree::{
        Pages,
        page::{Node, Page, PageId},
    },
};

mod blocks;
mod events;
pub(crate) mod proofs;
mod state;
mod undone;

pub use blocks::AccountQuery;
pub use events::{EventQuery, FoundEvent};
pub use state::StateAt;
pub use undone::Undone;

/// The last commit.
pub(crate) struct Base {
    pub(crate) tables: Tables,
    pub(crate) height: Height,
    /// The oldest height whose state is kept.
    pub(crate) oldest: Height,
}

/// What all snapshots of a store share.
pub(crate) struct Shared {
    pub(crate) genesis: Genesis,
    pub(crate) genesis_hash: Hash,
    pub(crate) state: StateCache,
    pub(crate) pages: Clock<PageId, Arc<Page>>,
    pub(crate) blocks: Clock<Height, Arc<Block>>,
}

/// One published height, and everything up to it.
pub struct Snapshot {
    shared: Arc<Shared>,
    base: Arc<Base>,
    layers: Vec<Arc<Layer>>,
    /// The layers' writes; may reach beyond them.
    runs: Runs,
    head: Option<SealedHeader>,
    certifier: Option<SealedHeader>,
    /// What reverts have undone, rising.
    undone: Arc<Vec<Undone>>,
}

impl Snapshot {
    pub(crate) fn new(
        shared: Arc<Shared>,
        base: Arc<Base>,
        layers: Vec<Arc<Layer>>,
        runs: Runs,
        undone: Arc<Vec<Undone>>,
    ) -> Result<Self, StoreError> {
        let head = match layers.last() {
            Some(layer) => Some(layer.block.sealed.clone()),
            None => base.header(base.height)?,
        };
        // Among many validators a block may be final by a later one's certificate.
        let signed = layers.iter().rev().map(|layer| &layer.block.sealed).find(|sealed| sealed.is_signed());
        let certifier = match signed {
            Some(sealed) => Some(sealed.clone()),
            None => base.newest_signed()?,
        };
        Ok(Self { shared, base, layers, runs, head, certifier, undone })
    }

    pub(crate) const fn base(&self) -> &Arc<Base> {
        &self.base
    }

    pub(crate) const fn undone(&self) -> &Arc<Vec<Undone>> {
        &self.undone
    }

    pub(crate) fn layers(&self) -> &[Arc<Layer>] {
        &self.layers
    }

    /// The newest executed height; 0 before the first block.
    pub fn height(&self) -> Height {
        self.layers.last().map_or(self.base.height, |layer| layer.height())
    }

    /// The newest height whose result a header with a certificate commits to; 0 before there is one.
    pub fn certified(&self) -> Height {
        self.certifier.as_ref().map_or(Height::ZERO, |sealed| sealed.header.state_height)
    }

    /// The heights whose state can be read and proven.
    pub fn retained(&self) -> RangeInclusive<Height> {
        self.base.oldest..=self.height()
    }

    /// The chain's genesis.
    pub fn genesis(&self) -> &Genesis {
        &self.shared.genesis
    }

    /// The hash that names the chain.
    pub fn genesis_hash(&self) -> Hash {
        self.shared.genesis_hash
    }

    /// The newest header; none before the first block.
    pub const fn head(&self) -> Option<&SealedHeader> {
        self.head.as_ref()
    }

    /// The newest header with a certificate of its own; none before there is one.
    pub const fn certifier(&self) -> Option<&SealedHeader> {
        self.certifier.as_ref()
    }

    /// The header of a height, if there is one.
    ///
    /// # Errors
    /// When the database fails.
    pub fn header(&self, height: Height) -> Result<Option<SealedHeader>, StoreError> {
        match self.layer(height) {
            Some(layer) => Ok(Some(layer.block.sealed.clone())),
            None => self.base.header(height),
        }
    }

    /// The header of a hash, if there is one.
    ///
    /// # Errors
    /// When the database fails.
    pub fn header_by_hash(&self, hash: &Hash) -> Result<Option<SealedHeader>, StoreError> {
        if let Some(layer) = self.layers.iter().find(|layer| layer.block.sealed.hash == *hash) {
            return Ok(Some(layer.block.sealed.clone()));
        }
        let Some(height) = self.base.tables.header_index.get(&short(hash))? else { return Ok(None) };
        Ok(self.base.header(Height(height.value()))?.filter(|sealed| sealed.hash == *hash))
    }

    /// Who signs the headers of an epoch, in rising order; none if it is not begun here.
    ///
    /// # Errors
    /// When the database fails.
    pub fn validators_of(&self, epoch: Epoch) -> Result<Option<Vec<[u8; 32]>>, StoreError> {
        let genesis = self.genesis();
        if epoch == Epoch(0) {
            return Ok(Some(genesis.validators.clone()));
        }
        let last = epoch.0.checked_mul(genesis.epoch_length).map(Height);
        let last = last.map(|last| self.header(last)).transpose()?.flatten();
        Ok(last.and_then(|sealed| sealed.header.next_epoch).map(|record| record.validators))
    }

    /// What executing a height came to, if it is executed.
    ///
    /// # Errors
    /// When the database fails.
    pub fn result(&self, height: Height) -> Result<Option<BlockResult>, StoreError> {
        if let Some(layer) = self.layer(height) {
            return Ok(Some(layer.result));
        }
        let Some(row) = self.base.tables.results.get(height.0)? else { return Ok(None) };
        borsh::from_slice(row.value()).map(Some).map_err(|_| StoreError::damaged("a result"))
    }

    /// The layer of a height, if it is not in the database.
    fn layer(&self, height: Height) -> Option<&Arc<Layer>> {
        let index = height.0.checked_sub(self.base.height.0 + 1)?;
        self.layers.get(usize::try_from(index).ok()?)
    }

    /// Refuses heights whose state is not kept.
    fn check_retained(&self, height: Height) -> Result<(), HeightError> {
        let (from, to) = self.retained().into_inner();
        if height < from {
            return Err(HeightError::Pruned { from, to });
        }
        if height > to { Err(HeightError::Future { newest: to }) } else { Ok(()) }
    }

    /// What leads to the state tree of a height that is kept.
    pub(crate) fn top(&self, height: Height) -> Result<Option<Node>, StoreError> {
        self.check_retained(height)?;
        if let Some(layer) = self.layer(height) {
            return Ok(layer.tree.top());
        }
        self.base.top(height)
    }
}

impl Pages for Snapshot {
    fn page(&self, id: &PageId) -> Result<Arc<Page>, StoreError> {
        if id.height > self.base.height {
            let page = self.layer(id.height).and_then(|layer| layer.tree.pages().get(&id.prefix));
            return page.cloned().ok_or(StoreError::damaged("a page"));
        }
        if let Some(page) = self.shared.pages.find(id, |page| Some(page.clone())) {
            return Ok(page);
        }
        let page = Arc::new(self.base.page(id)?);
        self.shared.pages.shard(id).insert(*id, page.clone(), page.weight());
        Ok(page)
    }
}

impl Base {
    fn newest_signed(&self) -> Result<Option<SealedHeader>, StoreError> {
        let mut height = self.height;
        while height > Height::ZERO {
            let sealed = self.header(height)?.ok_or(StoreError::NoBlock(height))?;
            if sealed.is_signed() {
                return Ok(Some(sealed));
            }
            height = Height(height.0 - 1);
        }
        Ok(None)
    }

    fn header(&self, height: Height) -> Result<Option<SealedHeader>, StoreError> {
        let Some(row) = self.tables.headers.get(height.0)? else { return Ok(None) };
        let (header, certificate): (Header, Vec<u8>) =
            borsh::from_slice(row.value()).map_err(|_| StoreError::damaged("a header"))?;
        Ok(Some(SealedHeader { hash: header.hash(), header, certificate: certificate.into() }))
    }

    pub(crate) fn top(&self, height: Height) -> Result<Option<Node>, StoreError> {
        let row = self.tables.roots.get(height.0)?.ok_or(StoreError::damaged("a root"))?;
        if row.value().is_empty() {
            return Ok(None);
        }
        Node::decode(&mut row.value()).map(Some).ok_or(StoreError::damaged("a root"))
    }

    pub(crate) fn page(&self, id: &PageId) -> Result<Page, StoreError> {
        let damaged = || StoreError::damaged("a page");
        let row = self.tables.pages.get(id.prefix.to_bytes().as_slice())?.ok_or_else(damaged)?;
        let (height, row) = row.value();
        let (mut height, mut page) = (Height(height), Page::decode(id.prefix, row).ok_or_else(damaged)?);
        while height > id.height {
            let row = self.tables.undo_pages.get(height.0)?.ok_or(StoreError::damaged("what a block replaced"))?;
            let (before, older) = undo::page_before(row.value(), &page)?;
            if before >= height {
                return Err(StoreError::damaged("what a block replaced"));
            }
            (height, page) = (before, older);
        }
        if height == id.height { Ok(page) } else { Err(damaged()) }
    }
}
