//! The store as the runtime's port: state alone, without blocks.

use std::sync::Arc;

use rustorium_runtime::{StateError, StateKey, StateRead, Storage, Writes};
use rustorium_types::{id::Hash, tree::TreeProof};

use super::{Store, StoreError};
use crate::{
    snapshot::{Snapshot, proofs::tree_proof},
    tree::{
        Pages, TreeUpdate,
        key::digest,
        page::{Page, PageId},
        path::Path,
    },
};

/// The pages of a version that is not applied yet.
struct Ahead<'a> {
    tree: &'a TreeUpdate,
    below: &'a Snapshot,
}

impl Pages for Ahead<'_> {
    fn page(&self, id: &PageId) -> Result<Arc<Page>, StoreError> {
        if id.height < self.tree.height() {
            return self.below.page(id);
        }
        self.tree.pages().get(&id.prefix).cloned().ok_or(StoreError::damaged("a page"))
    }
}

impl Ahead<'_> {
    fn prove(&self, key: &StateKey, writes: &Writes) -> Result<TreeProof, StoreError> {
        let digest = digest(key);
        let path = Path::find(self, self.tree.top(), &digest)?;
        tree_proof(path, &digest, |other| {
            let key = match self.tree.key(other) {
                Some(key) => key.clone(),
                None => self.below.key_of(other)?,
            };
            let value = match writes.get(&key) {
                Some(value) => value.clone(),
                None => self.below.version(self.below.height(), &key)?,
            };
            value.ok_or(StoreError::damaged("a value"))
        })
    }
}

impl StateRead for Store {
    fn read(&self, key: &StateKey) -> Result<Option<bytes::Bytes>, StateError> {
        self.head_state().read(key)
    }
}

/// Writes become the state of the next height, as after [`Store::root`] and [`Store::stage`]: reads see them, and
/// the block of that height is to be applied before the next ones are written.
impl Storage for Store {
    type Proof = TreeProof;

    fn write_with_proof(&self, writes: &Writes, prove: &[StateKey]) -> Result<(Hash, Vec<TreeProof>), StateError> {
        let below = self.snapshot();
        let height = below.height().next();
        let tree = TreeUpdate::new(&*below, below.top(below.height())?, height, writes)?;
        let ahead = Ahead { tree: &tree, below: &below };
        let proofs = prove.iter().map(|key| ahead.prove(key, writes)).collect::<Result<_, _>>()?;
        let root = tree.root();
        self.stage(height, Arc::new(writes.clone()))?;
        self.writer().tree = Some(tree);
        Ok((root, proofs))
    }

    fn verify_proof(&self, root: &Hash, key: &StateKey, value: Option<&[u8]>, proof: &TreeProof) -> bool {
        proof.verify(*root, key.contract, &key.key, value).is_ok()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use bytes::Bytes;
    use rustorium_types::id::{AccountId, ContractId};

    use super::{
        super::testing::{Content, block, genesis, options},
        *,
    };

    #[test]
    fn writes_come_with_proofs() {
        let store = Store::in_memory(&genesis(), &options(8)).unwrap();
        let key = |number: u8| StateKey::new(ContractId([5; 32]), vec![number]);
        let gone = StateKey::account(AccountId([1; 32]));
        for round in 0..3 {
            let writes: Writes = (0..20).map(|number| (key(number), Some(Bytes::from(vec![round, number])))).collect();
            let writes: Writes = writes.into_iter().chain([(gone.clone(), None)]).collect();
            let wanted = [key(3), gone.clone(), key(200), StateKey::account(AccountId([2; 32]))];
            let (root, proofs) = store.write_with_proof(&writes, &wanted).unwrap();
            assert_eq!(proofs.len(), wanted.len());
            for (key, proof) in wanted.iter().zip(&proofs) {
                let value = store.read(key).unwrap();
                assert!(store.verify_proof(&root, key, value.as_deref(), proof), "{key:?}");
                assert!(!store.verify_proof(&root, key, Some(b"lie"), proof), "{key:?}");
            }
            assert!(store.write_with_proof(&writes, &[]).is_err(), "a block comes first");
            let content = Content { writes, transactions: Vec::new() };
            let applied = store.apply(block(&store.snapshot(), &content)).unwrap();
            assert_eq!(applied.result(applied.height()).unwrap().unwrap().state_root, root);
        }
    }
}
