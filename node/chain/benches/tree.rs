//! Updates of the state tree: 1,000 random entries of 10⁶ at a time.
//!
//! `tree_updates_memory` is the new root alone, over pages in memory. `tree_updates_durable` is what a block of
//! 1,000 updates costs storage: root, values, pages, history of the window, one synced commit.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use rustorium_chain::storage::{ExecutedBlock, SealedHeader, Store, StoreOptions};
use rustorium_runtime::{StateKey, Writes};
use rustorium_types::{
    block::{self, Header},
    genesis::{self, Genesis},
    id::{AccountId, Amount, ContractId, Epoch, Hash, Timestamp},
    limits::Limits,
};

const ENTRIES: u64 = 1_000_000;
const BATCH: u64 = 1_000;
/// Entries of a block while the tree is filled.
const FILL: u64 = 50_000;

fn genesis() -> Genesis {
    Genesis {
        version: genesis::VERSION,
        chain_id: "bench".into(),
        dev: true,
        salt: [0; 32],
        time: Timestamp(0),
        symbol: "RUST".into(),
        decimals: 18,
        balances: Vec::new(),
        fee_account: AccountId([0; 32]),
        gas_price: Amount(1),
        epoch_length: 1_000,
        state_lag: 8,
        shards: 0,
        limits: Limits::default(),
        validators: Vec::new(),
        verifying_keys: Vec::new(),
    }
}

fn entry(number: u64, value: u64) -> (StateKey, Option<Bytes>) {
    let value = u128::from(value).to_le_bytes();
    (StateKey::new(ContractId([7; 32]), number.to_be_bytes().to_vec()), Some(Bytes::copy_from_slice(&value)))
}

/// Entries by a linear congruential generator: the same in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn batch(&mut self) -> Arc<Writes> {
        Arc::new((0..BATCH).map(|_| entry(self.next() % ENTRIES, self.next())).collect())
    }
}

fn apply(store: &Store, writes: Arc<Writes>) {
    let snapshot = store.snapshot();
    let header = Header {
        version: block::VERSION,
        chain: snapshot.genesis_hash(),
        epoch: Epoch(0),
        height: snapshot.height().next(),
        parent: snapshot.head().map_or(snapshot.genesis_hash(), |sealed| sealed.hash),
        time: Timestamp(snapshot.height().0),
        gas_price: Amount(1),
        lanes: Vec::new(),
        batch_root: Hash::ZERO,
        next_epoch: None,
        state_height: snapshot.height(),
        results: Hash::ZERO,
    };
    let block = ExecutedBlock {
        sealed: SealedHeader { hash: header.hash(), header, certificate: Bytes::new() },
        records: Vec::new(),
        transactions: Vec::new(),
        receipts: Vec::new(),
        events: Vec::new(),
        diagnostics: BTreeMap::new(),
        writes,
        receipts_root: Hash::ZERO,
        events_root: Hash::ZERO,
        reverted_to: None,
    };
    store.apply(block).expect("applies");
}

fn tree(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().expect("temporary directory");
    let options = StoreOptions { page_cache_bytes: 1 << 30, ..StoreOptions::default() };
    let store = Store::open(directory.path(), &genesis(), &options).expect("opens");
    for start in (0..ENTRIES).step_by(FILL as usize) {
        apply(&store, Arc::new((start..start + FILL).map(|number| entry(number, number)).collect()));
        store.commit().expect("commits");
    }
    let mut random = Random(1);

    let mut group = criterion.benchmark_group("tree_updates_memory");
    group.throughput(Throughput::Elements(BATCH)).sample_size(20).sampling_mode(SamplingMode::Flat);
    group.bench_function("rustorium", |bencher| {
        let next = store.snapshot().height().next();
        bencher.iter_batched(
            || random.batch(),
            |writes| store.root(next, &writes).expect("is next"),
            criterion::BatchSize::PerIteration,
        );
    });
    group.finish();

    let mut group = criterion.benchmark_group("tree_updates_durable");
    group.throughput(Throughput::Elements(BATCH)).sample_size(20).sampling_mode(SamplingMode::Flat);
    group.bench_function("rustorium", |bencher| {
        bencher.iter_batched(
            || random.batch(),
            |writes| {
                apply(&store, writes);
                store.commit().expect("commits");
            },
            criterion::BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, tree);
criterion_main!(benches);
