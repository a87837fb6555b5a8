//! Poseidon of two elements, ours against light-poseidon with the same parameters, in one run.
//!
//! `poseidon_hash`: each hash feeds the next, as on a path to a root, so what is measured is latency.
//! `poseidon_batch_hash`: one of a thousand that do not depend on each other, as in a tree's update.

use ark_bn254::Fr;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use light_poseidon::{Poseidon, PoseidonHasher};
use rustorium_types::{
    field::Field,
    poseidon::{hash2, hash2_many},
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

fn batch(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("poseidon_batch_hash");
    group.throughput(Throughput::Elements(BATCH)).sample_size(20);
    group.bench_function("rustorium", |bencher| {
        let inputs: Vec<_> = (0..BATCH).map(|number| (0, Field::from_u64(number), Field::ONE)).collect();
        bencher.iter(|| hash2_many(&inputs));
    });
    group.bench_function("light-poseidon", |bencher| {
        let inputs: Vec<_> = (0..BATCH).map(|number| [Fr::from(number), Fr::from(1)]).collect();
        let mut poseidon = Poseidon::<Fr>::new_circom(2).expect("circom has parameters for two inputs");
        let mut hash_all =
            || -> Vec<Fr> { inputs.iter().map(|inputs| poseidon.hash(inputs).expect("two inputs")).collect() };
        bencher.iter(&mut hash_all);
    });
    group.finish();
}

criterion_group!(benches, poseidon, batch);
criterion_main!(benches);
