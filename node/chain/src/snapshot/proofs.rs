//! Proofs: of state against a state root, of results against a header, of receipts against a result.

use std::cell::RefCell;

use bytes::Bytes;
use rustorium_runtime::StateKey;
use rustorium_types::{
    bundle::HeadProof,
    id::{ContractId, Hash, Height},
    merkle::{self, Accumulator, InclusionProof, Node},
    tree::{KeyDigest, LeafContent, TreeProof},
    validators::ValidatorChange,
};

use super::Snapshot;
use crate::{
    cut::Results,
    storage::{StoreError, TransactionPosition},
    tree::{self, path::Path},
};

impl Snapshot {
    /// The value of an entry at a height, and the proof of it, or of its absence, under that height's state root.
    ///
    /// # Errors
    /// If the height is not kept, or the database fails.
    pub fn prove(&self, height: Height, key: &StateKey) -> Result<(Option<Bytes>, TreeProof), StoreError> {
        let top = self.top(height)?;
        let digest = tree::key::digest(key);
        let path = Path::find(self, top, &digest)?;
        let value = self.version(height, key)?;
        let proof = tree_proof(path, &digest, |other| {
            self.version(height, &self.key_of(other)?)?.ok_or(StoreError::damaged("a value"))
        })?;
        if value.is_some() != matches!(proof, TreeProof::Present { .. }) {
            return Err(StoreError::damaged("a leaf"));
        }
        Ok((value, proof))
    }

    /// Proves that the result of a height is certified, by the newest header with a certificate.
    ///
    /// # Errors
    /// If that header does not cover the height, or the database fails.
    pub fn head_proof(&self, height: Height) -> Result<HeadProof, StoreError> {
        let not_certified = || StoreError::NotCertified(height);
        let certifier = self.certifier().filter(|_| height <= self.certified()).ok_or_else(not_certified)?;
        Ok(HeadProof {
            certificate: certifier.certificate.to_vec(),
            certifier: certifier.header.clone(),
            result: self.result(height)?.ok_or_else(not_certified)?,
            result_path: self.result_path(height, certifier.header.state_height)?,
            header: self.header(height)?.ok_or_else(not_certified)?.header,
        })
    }

    /// What a header commits to that commits to the results up to `height`.
    ///
    /// # Errors
    /// If the height's state is not kept, or the database fails.
    pub fn covered(&self, height: Height) -> Result<Results, StoreError> {
        let validators = self.validator_change(height)?.map(|change| change.validators.into());
        Ok(Results { height, root: self.results_root(height)?, validators })
    }

    /// The newest change of the validators as of a height.
    ///
    /// # Errors
    /// If the height's state is not kept, or the database fails.
    pub fn validator_change(&self, height: Height) -> Result<Option<ValidatorChange>, StoreError> {
        self.check_retained(height)?;
        let Some(bytes) = self.version(height, &StateKey::validators())? else { return Ok(None) };
        borsh::from_slice(&bytes).map(Some).map_err(|_| StoreError::damaged("a change of the validators"))
    }

    /// The root over results 1 to `height`: what a header's `results` is.
    ///
    /// # Errors
    /// If the height is not executed, or the database fails.
    pub fn results_root(&self, height: Height) -> Result<Hash, StoreError> {
        Ok(self.results(height)?.root())
    }

    /// The tree over results 1 to `height`.
    ///
    /// # Errors
    /// If the height is not executed, or the database fails.
    pub fn results(&self, height: Height) -> Result<Accumulator, StoreError> {
        self.with_result_nodes(|node| Accumulator::at(height.0, node))
    }

    /// Proves the result of a height under the root over results 1 to `under`.
    ///
    /// # Errors
    /// If `of` is not among them, `under` is not executed, or the database fails.
    pub fn result_path(&self, of: Height, under: Height) -> Result<InclusionProof, StoreError> {
        let index = of.0.checked_sub(1).filter(|index| *index < under.0).ok_or(StoreError::NotCertified(of))?;
        self.with_result_nodes(|node| InclusionProof::build(index, under.0, node))
    }

    /// Proves a receipt under its block's receipts root; the leaf is `borsh(Receipt)`.
    ///
    /// # Errors
    /// If there is no such receipt, or the database fails.
    pub fn receipt_proof(&self, at: TransactionPosition) -> Result<InclusionProof, StoreError> {
        let block = self.block(at.height)?.ok_or(StoreError::NoBlock(at.height))?;
        let leaves = block.receipts.iter().map(|receipt| {
            let bytes = borsh::to_vec(receipt).map_err(|_| StoreError::damaged("a receipt"))?;
            Ok(merkle::leaf_hash(&bytes))
        });
        let leaves = leaves.collect::<Result<Vec<_>, StoreError>>()?;
        merkle::prove(&leaves, u64::from(at.index)).ok_or(StoreError::damaged("a receipt"))
    }

    /// The value of an entry at a height that is kept.
    pub(crate) fn version(&self, height: Height, key: &StateKey) -> Result<Option<Bytes>, StoreError> {
        match self.runs.read(key, height) {
            Some((_, value)) => Ok(value),
            None => Ok(self.base.value(key, height)?.0),
        }
    }

    /// The key whose leaf has a digest.
    pub(crate) fn key_of(&self, digest: &KeyDigest) -> Result<StateKey, StoreError> {
        if let Some(key) = self.layers.iter().find_map(|layer| layer.tree.key(digest)) {
            return Ok(key.clone());
        }
        let row = self.base.tables.keys.get(digest)?.ok_or(StoreError::damaged("a key"))?;
        let (contract, key) = row.value();
        Ok(StateKey::new(ContractId(*contract), Bytes::copy_from_slice(key)))
    }

    /// Makes something of stored subtrees over results.
    fn with_result_nodes<T>(
        &self,
        make: impl FnOnce(&dyn Fn(Node) -> Option<Hash>) -> Option<T>,
    ) -> Result<T, StoreError> {
        let failure = RefCell::new(StoreError::damaged("the tree over results"));
        let node = |node: Node| {
            let found = self.result_node(node);
            found.map_err(|error| failure.replace(error)).ok().flatten()
        };
        make(&node).ok_or_else(|| failure.into_inner())
    }

    /// A complete subtree over results, if it is complete.
    pub(crate) fn result_node(&self, node: Node) -> Result<Option<Hash>, StoreError> {
        // The result that completes it is its last: leaf i is the result of height i + 1.
        let completed_by = node.index.checked_add(1).and_then(|after| after.checked_shl(u32::from(node.level)));
        let Some(height) = completed_by else { return Ok(None) };
        if let Some(layer) = self.layer(Height(height)) {
            let stored = layer.result_nodes.iter().find(|(of, _)| *of == node);
            return Ok(stored.map(|(_, hash)| *hash));
        }
        let row = self.base.tables.result_tree.get((node.level, node.index))?;
        Ok(row.map(|row| Hash(*row.value())))
    }
}

/// The proof that a path makes for a key. Absence shows another leaf, whose value is asked for.
pub(crate) fn tree_proof(
    path: Path,
    key: &KeyDigest,
    value_of: impl FnOnce(&KeyDigest) -> Result<Bytes, StoreError>,
) -> Result<TreeProof, StoreError> {
    Ok(match path.leaf {
        None => TreeProof::Empty,
        Some(leaf) if leaf == *key => TreeProof::Present { path: path.steps },
        Some(leaf) => TreeProof::Absent { path: path.steps, key: leaf, content: LeafContent::of(&value_of(&leaf)?) },
    })
}
