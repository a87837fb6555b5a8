//! Blocks and what is in them: transactions, receipts, records, and the transactions of an account.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use rustorium_runtime::Diagnostics;
use rustorium_types::{
    block::Receipt,
    id::{AccountId, Hash, Height},
};

use super::{Base, Snapshot};
use crate::storage::{Block, StoreError, TransactionPosition, diagnostics, rows::Rows, schema::short};

/// Which of an account's transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountQuery {
    /// Only those behind this one.
    pub after: Option<TransactionPosition>,
    /// Only those before this one.
    pub before: Option<TransactionPosition>,
    /// How many at the most.
    pub limit: usize,
    /// The newest first.
    pub reverse: bool,
}

impl Snapshot {
    /// The block of a height, if there is one.
    ///
    /// # Errors
    /// When the database fails.
    pub fn block(&self, height: Height) -> Result<Option<Arc<Block>>, StoreError> {
        if let Some(layer) = self.layer(height) {
            return Ok(Some(layer.block.clone()));
        }
        if let Some(block) = self.shared.blocks.find(&height, |block| Some(block.clone())) {
            return Ok(Some(block));
        }
        let Some(block) = self.base.block(height)? else { return Ok(None) };
        let block = Arc::new(block);
        self.shared.blocks.shard(&height).insert(height, block.clone(), block.weight());
        Ok(Some(block))
    }

    /// Where the receipt of a transaction is, if it has one.
    ///
    /// # Errors
    /// When the database fails.
    pub fn transaction(&self, hash: &Hash) -> Result<Option<TransactionPosition>, StoreError> {
        // The newest place counts: where that is undone, so are all before it.
        for layer in self.layers.iter().rev() {
            if let Some(&index) = layer.transactions.get(hash) {
                let height = layer.height();
                return Ok((!self.is_undone(height)).then_some(TransactionPosition { height, index }));
            }
        }
        let Some(row) = self.base.tables.tx_index.get(&short(hash))? else { return Ok(None) };
        let (height, index) = row.value();
        let position = TransactionPosition { height: Height(height), index };
        if self.is_undone(position.height) {
            return Ok(None);
        }
        Ok(self.receipt(position)?.filter(|receipt| receipt.transaction == *hash).map(|_| position))
    }

    /// A receipt.
    ///
    /// # Errors
    /// When the database fails.
    pub fn receipt(&self, at: TransactionPosition) -> Result<Option<Receipt>, StoreError> {
        if let Some(layer) = self.layer(at.height) {
            return Ok(layer.block.receipts.get(at.index as usize).cloned());
        }
        let Some(row) = self.base.tables.receipts.get(at.height.0)? else { return Ok(None) };
        let rows = Rows::new(row.value()).ok_or(StoreError::damaged("receipts"))?;
        let Some(receipt) = rows.get(at.index as usize) else { return Ok(None) };
        borsh::from_slice(receipt).map(Some).map_err(|_| StoreError::damaged("a receipt"))
    }

    /// The record that a receipt is of.
    ///
    /// # Errors
    /// When the database fails.
    pub fn record(&self, at: TransactionPosition) -> Result<Option<Bytes>, StoreError> {
        if let Some(layer) = self.layer(at.height) {
            let record = layer.block.transactions.get(at.index as usize);
            return Ok(record.and_then(|&record| layer.block.records.get(record as usize)).cloned());
        }
        let Some(row) = self.base.tables.bodies.get(at.height.0)? else { return Ok(None) };
        let rows = Rows::new(row.value()).ok_or(StoreError::damaged("a body"))?;
        let numbers = body_numbers(rows)?;
        let record = numbers.get(at.index as usize).map(|number| u32::from_le_bytes(*number) as usize);
        Ok(record.and_then(|record| rows.get(record)).map(Bytes::copy_from_slice))
    }

    /// What was noted for people about a transaction; nothing if nothing was.
    ///
    /// # Errors
    /// When the database fails.
    pub fn diagnostics(&self, at: TransactionPosition) -> Result<Diagnostics, StoreError> {
        if let Some(layer) = self.layer(at.height) {
            return Ok(layer.block.diagnostics.get(&at.index).cloned().unwrap_or_default());
        }
        Ok(self.base.diagnostics(at.height)?.remove(&at.index).unwrap_or_default())
    }

    /// The transactions that concern an account: those that it sent, paid for, or was sent value by.
    ///
    /// # Errors
    /// When the database fails.
    pub fn account_transactions(
        &self,
        account: AccountId,
        query: &AccountQuery,
    ) -> Result<Vec<TransactionPosition>, StoreError> {
        let wanted = |at: &TransactionPosition| {
            query.after.is_none_or(|after| *at > after) && query.before.is_none_or(|before| *at < before)
        };
        let low = query.after.map_or((0, 0), |at| (at.height.0, at.index));
        let high = query.before.map_or((u64::MAX, u32::MAX), |at| (at.height.0, at.index));
        if low > high {
            return Ok(Vec::new());
        }
        let range = (&account.0, low.0, low.1)..=(&account.0, high.0, high.1);
        let committed = self.base.tables.account_index.range(range)?.map(|row| {
            let row = row?;
            let (_, height, index) = row.0.value();
            Ok(TransactionPosition { height: Height(height), index })
        });
        let newer = self.layers.iter().flat_map(|layer| {
            let of_account = layer.index.accounts.iter().filter(|(of, _)| *of == account);
            of_account.map(|(_, index)| Ok(TransactionPosition { height: layer.height(), index: *index }))
        });
        let wanted = |at: &Result<TransactionPosition, StoreError>| match at {
            Ok(at) => wanted(at) && !self.is_undone(at.height),
            Err(_) => true,
        };
        if query.reverse {
            newer.rev().chain(committed.rev()).filter(wanted).take(query.limit).collect()
        } else {
            committed.chain(newer).filter(wanted).take(query.limit).collect()
        }
    }
}

impl Base {
    fn block(&self, height: Height) -> Result<Option<Block>, StoreError> {
        let Some(sealed) = self.header(height)? else { return Ok(None) };
        let body = self.tables.bodies.get(height.0)?.ok_or(StoreError::damaged("a body"))?;
        let body = Rows::new(body.value()).ok_or(StoreError::damaged("a body"))?;
        let transactions = body_numbers(body)?.iter().map(|number| u32::from_le_bytes(*number)).collect();
        let records = (0..body.len() - 1).map(|index| body.get(index).map(Bytes::copy_from_slice));
        let records = records.collect::<Option<_>>().ok_or(StoreError::damaged("a body"))?;
        let receipts = self.tables.receipts.get(height.0)?.ok_or(StoreError::damaged("receipts"))?;
        let receipts = decode_rows(receipts.value()).ok_or(StoreError::damaged("receipts"))?;
        let events = match self.tables.events.get(height.0)? {
            Some(row) => decode_rows(row.value()).ok_or(StoreError::damaged("events"))?,
            None => Vec::new(),
        };
        let diagnostics = self.diagnostics(height)?;
        Ok(Some(Block { sealed, records, transactions, receipts, events, diagnostics }))
    }

    fn diagnostics(&self, height: Height) -> Result<BTreeMap<u32, Diagnostics>, StoreError> {
        let Some(row) = self.tables.diagnostics.get(height.0)? else { return Ok(BTreeMap::new()) };
        diagnostics::decode(row.value()).ok_or(StoreError::damaged("diagnostics"))
    }
}

/// The last item of a body: which record each receipt is of.
fn body_numbers(rows: Rows<'_>) -> Result<&[[u8; 4]], StoreError> {
    let last = rows.len().checked_sub(1).and_then(|last| rows.get(last));
    last.map(|numbers| numbers.as_chunks().0).ok_or(StoreError::damaged("a body"))
}

fn decode_rows<T: borsh::BorshDeserialize>(row: &[u8]) -> Option<Vec<T>> {
    Rows::new(row)?.iter().map(|item| borsh::from_slice(item?).ok()).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use rustorium_runtime::Writes;

    use super::*;
    use crate::storage::{
        Store,
        testing::{Content, block, genesis, options, transaction_hash},
    };

    fn account(number: u8) -> AccountId {
        AccountId([number; 32])
    }

    /// Seven blocks of 0 to 3 transactions of two accounts in turn, the first four of them committed.
    fn store() -> (Store, Vec<Arc<Block>>) {
        let store = Store::in_memory(&genesis(), &options(8)).unwrap();
        let mut blocks = Vec::new();
        for height in 1..=7_u8 {
            let transactions = (0..height % 4).map(|index| (account(index % 2), Vec::new())).collect();
            let executed = block(&store.snapshot(), &Content { writes: Writes::new(), transactions });
            blocks.push(Arc::new(Block {
                sealed: executed.sealed.clone(),
                records: executed.records.clone(),
                transactions: executed.transactions.iter().map(|entry| entry.record).collect(),
                receipts: executed.receipts.clone(),
                events: executed.events.clone(),
                diagnostics: executed.diagnostics.clone(),
            }));
            store.apply(executed).unwrap();
            if height == 4 {
                store.commit().unwrap();
            }
        }
        (store, blocks)
    }

    #[test]
    fn blocks_come_back_whole() {
        let (store, blocks) = store();
        let snapshot = store.snapshot();
        for block in &blocks {
            let height = block.sealed.header.height;
            assert_eq!(snapshot.block(height).unwrap().as_ref(), Some(block));
            assert_eq!(snapshot.block(height).unwrap().as_ref(), Some(block), "from the cache");
            assert_eq!(snapshot.header(height).unwrap().as_ref(), Some(&block.sealed));
            assert_eq!(snapshot.header_by_hash(&block.sealed.hash).unwrap().as_ref(), Some(&block.sealed));
        }
        assert_eq!(snapshot.head(), blocks.last().map(|block| &block.sealed));
        assert_eq!(snapshot.certified(), Height(6));
        for height in [Height(0), Height(8), Height(u64::MAX)] {
            assert_eq!(snapshot.block(height).unwrap(), None);
            assert_eq!(snapshot.header(height).unwrap(), None);
            assert_eq!(snapshot.result(height).unwrap(), None);
        }
        assert_eq!(snapshot.header_by_hash(&Hash([9; 32])).unwrap(), None);
    }

    #[test]
    fn transactions_are_found_with_all_that_belongs_to_them() {
        let (store, blocks) = store();
        let snapshot = store.snapshot();
        for block in &blocks {
            let height = block.sealed.header.height;
            let result = snapshot.result(height).unwrap().unwrap();
            for (index, receipt) in (0..).zip(&block.receipts) {
                let at = TransactionPosition { height, index };
                assert_eq!(snapshot.transaction(&receipt.transaction).unwrap(), Some(at));
                assert_eq!(snapshot.receipt(at).unwrap().as_ref(), Some(receipt));
                assert_eq!(
                    snapshot.record(at).unwrap(),
                    Some(Bytes::from(format!("record {} of {height}", index + 1)))
                );
                let note = snapshot.diagnostics(at).unwrap().message;
                assert_eq!(note.is_some(), index == 1 && block.receipts.len() > 1);
                let proof = snapshot.receipt_proof(at).unwrap();
                proof.verify(&result.receipts_root, &borsh::to_vec(receipt).unwrap()).unwrap();
            }
            let behind = TransactionPosition { height, index: block.receipts.len() as u32 };
            assert_eq!(snapshot.receipt(behind).unwrap(), None);
            assert_eq!(snapshot.record(behind).unwrap(), None);
            assert!(snapshot.receipt_proof(behind).is_err());
        }
        assert_eq!(snapshot.transaction(&Hash([9; 32])).unwrap(), None);
        let mut near = transaction_hash(Height(1), 0);
        near.0[31] ^= 1;
        assert_eq!(snapshot.transaction(&near).unwrap(), None, "the index knows the first half only");
    }

    #[test]
    fn an_accounts_list_is_paged_in_both_directions() {
        let (store, blocks) = store();
        let snapshot = store.snapshot();
        for number in 0..3 {
            let mut expected: Vec<_> = blocks
                .iter()
                .flat_map(|block| (0..block.receipts.len() as u32).map(|index| (block.sealed.header.height, index)))
                .filter(|(_, index)| index % 2 == u32::from(number))
                .map(|(height, index)| TransactionPosition { height, index })
                .collect();
            for reverse in [false, true] {
                for limit in 1..5 {
                    let mut query = AccountQuery { after: None, before: None, limit, reverse };
                    let mut paged = Vec::new();
                    loop {
                        let page = snapshot.account_transactions(account(number), &query).unwrap();
                        let Some(last) = page.last() else { break };
                        assert!(page.len() <= limit);
                        if reverse {
                            query.before = Some(*last)
                        } else {
                            query.after = Some(*last)
                        }
                        paged.extend(page);
                    }
                    assert_eq!(paged, expected, "account {number}, {limit} at a time");
                }
                expected.reverse();
            }
        }
    }

    #[test]
    fn every_result_is_proven_under_every_later_header() {
        let (store, _) = store();
        let snapshot = store.snapshot();
        for under in 1..=7 {
            let root = snapshot.results_root(Height(under)).unwrap();
            for of in 1..=under {
                let result = borsh::to_vec(&snapshot.result(Height(of)).unwrap().unwrap()).unwrap();
                snapshot.result_path(Height(of), Height(under)).unwrap().verify(&root, &result).unwrap();
            }
            assert!(snapshot.result_path(Height(under + 1), Height(under)).is_err());
            if under < 7 {
                let next = snapshot.header(Height(under + 1)).unwrap().unwrap();
                assert_eq!(next.header.results, root, "as it was when the header was made");
            }
        }
        for height in 1..=6 {
            let proof = snapshot.head_proof(Height(height)).unwrap();
            let result = borsh::to_vec(&proof.result).unwrap();
            proof.result_path.verify(&proof.certifier.results, &result).unwrap();
            assert_eq!((proof.result.height, proof.certifier.height), (Height(height), Height(7)));
            assert_eq!(proof.header.hash(), proof.result.header_hash);
        }
        for height in [0, 7, 8] {
            assert!(matches!(snapshot.head_proof(Height(height)), Err(StoreError::NotCertified(_))));
        }
        assert!(snapshot.results_root(Height(8)).is_err());
        assert!(snapshot.result_path(Height(0), Height(3)).is_err());
    }
}
