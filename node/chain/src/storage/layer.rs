//! A block that is executed and published, and not in the database yet.

use std::{collections::HashMap, sync::Arc};

use foldhash::fast::RandomState;
use rustorium_runtime::Writes;
use rustorium_types::{
    block::BlockResult,
    id::{Hash, Height},
    merkle::Node,
};

use super::{block::Block, index::BlockIndex};
use crate::tree::TreeUpdate;

/// Everything that a commit writes of a block, and what readers find in the meantime.
pub(crate) struct Layer {
    pub(crate) block: Arc<Block>,
    pub(crate) result: BlockResult,
    pub(crate) writes: Arc<Writes>,
    pub(crate) tree: TreeUpdate,
    pub(crate) index: BlockIndex,
    /// Receipts by transaction.
    pub(crate) transactions: HashMap<Hash, u32, RandomState>,
    /// The subtrees over results that this block's result completes.
    pub(crate) result_nodes: Vec<(Node, Hash)>,
    /// The height whose state it began with, if it began with a revert.
    pub(crate) reverted_to: Option<Height>,
    /// About how many bytes of memory it takes.
    pub(crate) weight: usize,
}

impl Layer {
    /// The block's height.
    pub(crate) fn height(&self) -> Height {
        self.result.height
    }

    /// Sets its weight.
    pub(crate) fn weigh(&mut self) {
        let writes: usize = self
            .writes
            .iter()
            .map(|(key, value)| 96 + key.key.len() + value.as_ref().map_or(0, |value| value.len()))
            .sum();
        let pages: usize = self.tree.pages().values().map(|page| page.weight()).sum();
        let transactions = 64 * self.transactions.len();
        self.weight = self.block.weight() + writes + pages + self.index.weight() + transactions;
    }
}
