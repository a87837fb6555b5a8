//! Chains made of nothing but what storage needs: for this crate's tests.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use rustorium_runtime::{Diagnostics, StateKey, Writes};
use rustorium_types::{
    abi,
    block::{Event, Header, LaneCut, Outcome, Receipt},
    code::Code,
    genesis::Genesis,
    hash::{Domain, code_hash, hash},
    host::ABI_SECTION,
    id::{AccountId, Address, Amount, ContractId, Epoch, Gas, Hash, Height, Nonce, Timestamp},
    limits::Limits,
    merkle,
    state::ContractRecord,
};

use super::{Durability, ExecutedBlock, SealedHeader, Snapshot, StoreOptions, TransactionEntry};

/// A genesis of two accounts.
pub(crate) fn genesis() -> Genesis {
    Genesis {
        version: rustorium_types::genesis::VERSION,
        chain_id: "test".into(),
        dev: true,
        salt: [1; 32],
        time: Timestamp(1_000),
        symbol: "RUST".into(),
        decimals: 18,
        balances: vec![
            (Address::Account(AccountId([1; 32])), Amount(100)),
            (Address::Account(AccountId([2; 32])), Amount(200)),
        ],
        fee_account: AccountId([1; 32]),
        gas_price: Amount(1),
        epoch_length: 1_000,
        state_lag: 8,
        shards: 0,
        limits: Limits::default(),
        validators: vec![[3; 32]],
        verifying_keys: Vec::new(),
    }
}

/// Small caches that evict, a small window, no syncing.
pub(crate) fn options(window: u64) -> StoreOptions {
    StoreOptions {
        durability: Durability::None,
        window,
        state_cache_bytes: 16 << 10,
        page_cache_bytes: 64 << 10,
        block_cache_bytes: 64 << 10,
        database_cache_bytes: 1 << 20,
    }
}

/// What a block of a test holds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Content {
    pub(crate) writes: Writes,
    /// For each transaction, who is concerned and its events.
    pub(crate) transactions: Vec<(AccountId, Vec<Said>)>,
}

/// An event: its contract, name and encoded fields.
pub(crate) type Said = (ContractId, String, Vec<u8>);

/// The next block on a snapshot.
pub(crate) fn block(on: &Snapshot, content: &Content) -> ExecutedBlock {
    let height = on.height().next();
    let header = Header {
        version: rustorium_types::block::VERSION,
        chain: on.genesis_hash(),
        epoch: Epoch(0),
        height,
        parent: on.head().map_or(on.genesis_hash(), |sealed| sealed.hash),
        time: Timestamp(1_000 + height.0),
        gas_price: Amount(1),
        lanes: vec![LaneCut { lane: 0, generation: 0, end: height.0, root: Hash::ZERO }],
        batch_root: Hash::ZERO,
        next_epoch: None,
        state_height: on.height(),
        results: on.results_root(on.height()).expect("is executed"),
    };
    let count = content.transactions.len() as u32;
    let receipts: Vec<_> = (0..count).map(|index| receipt(height, index, content)).collect();
    let events = (0..count).flat_map(|transaction| {
        let events = &content.transactions[transaction as usize].1;
        (0..).zip(events).map(move |(event, (contract, name, fields))| Event {
            transaction_index: transaction,
            event_index: event,
            contract: *contract,
            name: name.clone(),
            fields: fields.clone(),
        })
    });
    // One record that is no transaction comes first.
    let records = (0..=count).map(|index| Bytes::from(format!("record {index} of {height}"))).collect();
    let entry =
        |index: u32| TransactionEntry { record: index + 1, accounts: vec![content.transactions[index as usize].0] };
    let note = Diagnostics { message: Some(format!("{height}")), ..Diagnostics::default() };
    ExecutedBlock {
        sealed: SealedHeader { hash: header.hash(), header, certificate: Bytes::from_static(b"certificate") },
        records,
        transactions: (0..count).map(entry).collect(),
        receipts_root: merkle::root(receipts.iter().map(|receipt| borsh::to_vec(receipt).expect("encodes"))),
        receipts,
        events: events.collect(),
        diagnostics: if count > 1 { BTreeMap::from([(1, note)]) } else { BTreeMap::new() },
        writes: Arc::new(content.writes.clone()),
        events_root: Hash::ZERO,
        reverted_to: None,
    }
}

fn receipt(height: Height, index: u32, content: &Content) -> Receipt {
    Receipt {
        transaction: transaction_hash(height, index),
        sender: content.transactions[index as usize].0,
        nonce: Nonce(height.0),
        gas_used: Gas(1),
        fee: Amount(1),
        paid_by: content.transactions[index as usize].0,
        outcome: Outcome::Dropped { code: Code::Expired },
    }
}

/// The hash of a transaction of a test.
pub(crate) fn transaction_hash(height: Height, index: u32) -> Hash {
    hash(Domain::Transaction, &[&height.0.to_le_bytes(), &index.to_le_bytes()])
}

/// Entries that make a contract whose event `Moved` has the indexed fields `from: u8` and `to: u8`, and `note`.
pub(crate) fn contract(contract: ContractId) -> Writes {
    let field = |name: &str, ty, indexed| abi::Field { name: name.into(), ty, doc: String::new(), indexed };
    let fields = vec![
        field("from", abi::Type::U8, true),
        field("note", abi::Type::String, false),
        field("to", abi::Type::U8, true),
    ];
    let entries = [
        abi::Entry::Contract(abi::Contract {
            abi_version: abi::VERSION,
            name: "Mover".into(),
            version: "1.0.0".into(),
            doc: String::new(),
        }),
        abi::Entry::Event(abi::Event { name: "Moved".into(), doc: String::new(), fields }),
    ];
    let mut section = vec![ABI_SECTION.len() as u8];
    section.extend_from_slice(ABI_SECTION.as_bytes());
    for entry in &entries {
        let bytes = borsh::to_vec(entry).expect("encodes");
        section.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
        section.extend_from_slice(&bytes);
    }
    let mut wasm = b"\0asm\x01\0\0\0\0".to_vec();
    wasm.extend_from_slice(&[section.len() as u8 | 0x80, (section.len() >> 7) as u8]);
    wasm.extend_from_slice(&section);
    let code = code_hash(&wasm);
    let creator = Address::Account(AccountId([1; 32]));
    let record = ContractRecord { code, admin: None, creator, height: Height(1), label: String::new() };
    let record = borsh::to_vec(&record).expect("encodes");
    Writes::from([(StateKey::contract(contract), Some(record.into())), (StateKey::code(&code), Some(wasm.into()))])
}

/// The encoded fields of `Moved`.
pub(crate) fn moved(from: u8, to: u8) -> Vec<u8> {
    borsh::to_vec(&(from, "note".to_owned(), to)).expect("encodes")
}
