//! Blocks and what is in them: transactions, receipts, records, and the transactions of an account.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use rustorium_runtime::Diagnostics;
use rustorium_types::{
    block::Receipt,
    id::{AccountId, Hash, Height},
};

use super::{Base, Snapshot};
use crate::storage::{
    Block, StoreError, TransactionPosition, diagnostics,
    rows::Rows,
    schema::short,
};

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
        for layer in self.layers.iter().rev() {
            if let Some(&index) = layer.transactions.get(hash) {
                return Ok(Some(TransactionPosition { height: layer.height(), index }));
            }
        }
        let Some(row) = self.base.tables.tx_index.get(&short(hash))? else { return Ok(None) };
        let (height, index) = row.value();
        let position = TransactionPosition { height: Height(height), index };
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
        let wanted = |at: &Result<_, StoreError>| at.as_ref().is_err() || at.as_ref().is_ok_and(wanted);
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
