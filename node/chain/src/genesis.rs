//! The state at height 0: what a genesis says, as entries.

use bytes::Bytes;
use rustorium_runtime::{StateKey, Writes};
use rustorium_types::{
    genesis::Genesis,
    id::{Hash, Height},
    state::Account,
};

use crate::{
    storage::StoreError,
    tree::{
        Pages, TreeUpdate,
        page::{Page, PageId},
    },
};

/// The entries of height 0: an account record for each balance.
pub fn writes(genesis: &Genesis) -> Writes {
    let entry = |&(address, balance)| {
        let record = Account { balance, ..Account::default() };
        (StateKey::account(address), Some(Bytes::from(borsh::to_vec(&record).unwrap_or_default())))
    };
    genesis.balances.iter().map(entry).collect()
}

/// The state root of height 0.
///
/// # Errors
/// Never; the tree of nothing needs no storage.
pub fn root(genesis: &Genesis) -> Result<Hash, StoreError> {
    Ok(tree(&writes(genesis))?.root())
}

/// The state tree of height 0.
pub(crate) fn tree(writes: &Writes) -> Result<TreeUpdate, StoreError> {
    TreeUpdate::new(&NoPages, None, Height::ZERO, writes)
}

/// The pages of the empty tree.
pub(crate) struct NoPages;

impl Pages for NoPages {
    fn page(&self, _: &PageId) -> Result<std::sync::Arc<Page>, StoreError> {
        Err(StoreError::damaged("a page"))
    }
}
