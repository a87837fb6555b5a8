//! Poseidon of two elements, ours against light-poseidon with the same parameters, in one run.
//!
//! `poseidon_hash`: each hash feeds the next, as on a path to a root, so what is measured is latency.
//! `poseidon_batch_hash`: one of a thousand that do not depend on each other, as in a tree's update.
//! `poseidon_paths`: batches by every path that the machine has, as small as a level of a small block's update.

use std::time::Duration;

use ark_bn254::Fr;
use criterion::{Bencher, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use light_poseidon::{Poseidon, PoseidonHasher};
use rustorium_types::{
    field::Field,
    poseidon::{Path, hash2, hash2_many},
};

/// Hashes of a batch.
const BATCH: u64 = 1_000;

fn poseidon(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("poseidon_hash");
    group.bench_function("rustorium", |bencher| {
        let mut hash = Field::ONE;
        bencher.iter(|| {
            hash = hash2(0, hash, hash);
            hash
        });
    });
    group.bench_function("light-poseidon", |bencher| {
        let mut poseidon = Poseidon::<Fr>::new_circom(2).expect("circom has parameters for two inputs");
        let mut hash = Fr::from(1);
        bencher.iter(|| {
            hash = poseidon.hash(&[hash, hash]).expect("two inputs");
            hash
        });
    });
    group.finish();
}

/// So many inputs.
fn inputs(count: u64) -> Vec<(u64, Field, Field)> {
    (0..count).map(|number| (0, Field::from_u64(number), Field::ONE)).collect()
}

/// So many hashes by the other implementation, again and again.
fn light_poseidon(bencher: &mut Bencher<'_>, count: u64) {
    let inputs: Vec<_> = (0..count).map(|number| [Fr::from(number), Fr::from(1)]).collect();
    let mut poseidon = Poseidon::<Fr>::new_circom(2).expect("circom has parameters for two inputs");
    let mut hash_all =
        || -> Vec<Fr> { inputs.iter().map(|inputs| poseidon.hash(inputs).expect("two inputs")).collect() };
    bencher.iter(&mut hash_all);
}

fn batch(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("poseidon_batch_hash");
    group.throughput(Throughput::Elements(BATCH)).sample_size(20);
    group.bench_function("rustorium", |bencher| {
        let inputs = inputs(BATCH);
        bencher.iter(|| hash2_many(&inputs));
    });
    group.bench_function("light-poseidon", |bencher| light_poseidon(bencher, BATCH));
    group.finish();
}

fn paths(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("poseidon_paths");
    group.sample_size(20).measurement_time(Duration::from_secs(2));
    for count in [2, 4, 8, BATCH] {
        group.throughput(Throughput::Elements(count));
        for path in Path::ALL.into_iter().filter(|path| path.exists()) {
            let name = format!("{path:?}").to_lowercase();
            group.bench_function(BenchmarkId::new(name, count), |bencher| {
                let inputs = inputs(count);
                bencher.iter(|| path.hash2_many(&inputs));
            });
        }
        group.bench_function(BenchmarkId::new("light-poseidon", count), |bencher| light_poseidon(bencher, count));
    }
    group.finish();
}

criterion_group!(benches, poseidon, batch, paths);
criterion_main!(benches);
