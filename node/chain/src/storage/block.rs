//! A block as the engine hands it in, and as readers get it back.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use rustorium_runtime::{Diagnostics, Writes};
use rustorium_types::{
    block::{Event, Header, Receipt},
    id::{AccountId, Address, Hash, Height},
    transaction::{Body, Message},
};

/// A header, finalised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedHeader {
    /// The header.
    pub header: Header,
    /// Its hash.
    pub hash: Hash,
    /// The certificate over it; empty if it is final by a later one's.
    pub certificate: Bytes,
}

impl SealedHeader {
    /// Whether it has a certificate of its own.
    pub fn is_signed(&self) -> bool {
        !self.certificate.is_empty()
    }
}

/// Everything that executing a block came to.
#[derive(Clone, Debug)]
pub struct ExecutedBlock {
    /// Its header.
    pub sealed: SealedHeader,
    /// Its records, in execution order.
    pub records: Vec<Bytes>,
    /// What each receipt is of; as many as receipts, in their order.
    pub transactions: Vec<TransactionEntry>,
    /// One for each nonce consumed.
    pub receipts: Vec<Receipt>,
    /// Its events, by rising transaction and event index.
    pub events: Vec<Event>,
    /// For people, by index of the receipt; only those that say something.
    pub diagnostics: BTreeMap<u32, Diagnostics>,
    /// What it changes, fees included.
    pub writes: Arc<Writes>,
    /// The root over its receipts.
    pub receipts_root: Hash,
    /// The root over its contracts' event roots.
    pub events_root: Hash,
    /// The height whose state it began with, if it began with a revert.
    pub reverted_to: Option<Height>,
}

/// Where a receipt's transaction is, and whose lists show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionEntry {
    /// The index of its record in the block.
    pub record: u32,
    /// The accounts whose lists show it: [`accounts_of`] its body.
    pub accounts: Vec<AccountId>,
}

/// The accounts that a transaction concerns: its sender, its fee payer, and those that it transfers to; each once.
pub fn accounts_of(body: &Body) -> Vec<AccountId> {
    let recipients = body.messages.iter().filter_map(|message| match message {
        Message::Transfer { to: Address::Account(account), .. } => Some(*account),
        _ => None,
    });
    let mut accounts: Vec<_> = [body.sender].into_iter().chain(body.fee_payer).chain(recipients).collect();
    accounts.sort_unstable();
    accounts.dedup();
    accounts
}

/// A block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Its header.
    pub sealed: SealedHeader,
    /// Its records, in execution order.
    pub records: Vec<Bytes>,
    /// The index of the record that each receipt is of.
    pub transactions: Vec<u32>,
    /// One for each nonce consumed.
    pub receipts: Vec<Receipt>,
    /// Its events, by rising transaction and event index.
    pub events: Vec<Event>,
    /// For people, by index of the receipt.
    pub diagnostics: BTreeMap<u32, Diagnostics>,
}

impl Block {
    /// About how many bytes of memory it takes.
    pub(crate) fn weight(&self) -> usize {
        let records: usize = self.records.iter().map(|record| record.len() + size_of::<Bytes>()).sum();
        let events: usize =
            self.events.iter().map(|event| event.name.len() + event.fields.len() + size_of::<Event>()).sum();
        size_of::<Self>() + records + events + self.receipts.len() * (size_of::<Receipt>() + 64)
    }
}

/// Where a transaction's receipt is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionPosition {
    /// The block.
    pub height: Height,
    /// The index among its receipts.
    pub index: u32,
}

/// Where an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventPosition {
    /// The block.
    pub height: Height,
    /// The index of the transaction among the block's receipts.
    pub transaction: u32,
    /// The index of the event in the transaction.
    pub event: u32,
}

impl EventPosition {
    /// The first place of a height.
    pub const fn start_of(height: Height) -> Self {
        Self { height, transaction: 0, event: 0 }
    }

    /// Behind all events of a height, as a checkpoint cursor says.
    pub const fn end_of(height: Height) -> Self {
        Self { height, transaction: u32::MAX, event: u32::MAX }
    }

    /// The place behind this one.
    pub(crate) fn next(self) -> Option<Self> {
        let Self { height, transaction, event } = self;
        if let Some(event) = event.checked_add(1) {
            return Some(Self { height, transaction, event });
        }
        if let Some(transaction) = transaction.checked_add(1) {
            return Some(Self { height, transaction, event: 0 });
        }
        height.0.checked_add(1).map(|height| Self::start_of(Height(height)))
    }

    /// The place before this one.
    pub(crate) fn previous(self) -> Option<Self> {
        let Self { height, transaction, event } = self;
        if let Some(event) = event.checked_sub(1) {
            return Some(Self { height, transaction, event });
        }
        if let Some(transaction) = transaction.checked_sub(1) {
            return Some(Self { height, transaction, event: u32::MAX });
        }
        height.0.checked_sub(1).map(|height| Self::end_of(Height(height)))
    }
}
