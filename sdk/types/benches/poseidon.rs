//! One Poseidon hash of two elements, ours against light-poseidon with the same parameters, in one run.
//!
//! The figure `poseidon_hash` is `poseidon/ours`, its baseline `poseidon/light-poseidon`. Each hash feeds the
//! next, as on a path to a root, so what is measured is latency.

use ark_bn254::Fr;
use criterion::{Criterion, criterion_group, criterion_main};
use light_poseidon::{Poseidon, PoseidonHasher};
use rustorium_types::{field::Field, poseidon::hash2};

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

criterion_group!(benches, poseidon);
criterion_main!(benches);
