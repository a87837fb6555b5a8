//! Golden vectors of hashes and proofs, in `vectors/proofs.txt`. `RUSTORIUM_BLESS=1` writes the file anew; what
//! that means is said in `formats.rs`. Certificates and bundles have vectors of their own.

use std::{fmt::Write, fs, path::Path};

use rustorium_types::{
    ed25519::SigningKey,
    field::Field,
    id::{ContractId, Hash},
    merkle::{self, Accumulator},
    poseidon::hash2,
    tree::{LeafContent, Step, TreeProof, branch_hash, key_digest, leaf_hash},
};

fn borsh_of(value: &impl borsh::BorshSerialize) -> Vec<u8> {
    borsh::to_vec(value).expect("memory does not fail")
}

fn tree() -> Vec<(&'static str, Vec<u8>)> {
    let key = key_digest(ContractId([7; 32]), b"supply");
    let value: Vec<u8> = (1..=94).collect();
    let path = vec![Step { bit: 0, sibling: Field::from_u64(1) }, Step { bit: 247, sibling: -Field::ONE }];
    vec![
        ("field_minus_one", borsh_of(&-Field::ONE)),
        ("poseidon_1_2", borsh_of(&hash2(0, Field::from_u64(1), Field::from_u64(2)))),
        ("key_digest", key.to_vec()),
        ("leaf_empty", borsh_of(&leaf_hash(&key, &[]))),
        ("leaf_1_byte", borsh_of(&leaf_hash(&key, &value[..1]))),
        ("leaf_31_bytes", borsh_of(&leaf_hash(&key, &value[..31]))),
        ("leaf_32_bytes", borsh_of(&leaf_hash(&key, &value[..32]))),
        ("leaf_93_bytes", borsh_of(&leaf_hash(&key, &value[..93]))),
        ("leaf_94_bytes", borsh_of(&leaf_hash(&key, &value))),
        ("branch_bit_0", borsh_of(&branch_hash(0, Field::from_u64(1), Field::from_u64(2)))),
        ("branch_bit_247", borsh_of(&branch_hash(247, Field::from_u64(1), Field::from_u64(2)))),
        ("tree_proof_empty", borsh_of(&TreeProof::Empty)),
        ("tree_proof_present", borsh_of(&TreeProof::Present { path: path.clone() })),
        (
            "tree_proof_absent",
            borsh_of(&TreeProof::Absent { path: path.clone(), key, content: LeafContent::of(&value[..3]) }),
        ),
        ("tree_proof_absent_large", borsh_of(&TreeProof::Absent { path, key, content: LeafContent::of(&value) })),
    ]
}

fn bytes_trees_and_keys() -> Vec<(&'static str, Vec<u8>)> {
    let leaves: Vec<Hash> = (0..7_u8).map(|entry| merkle::leaf_hash(&[entry])).collect();
    let mut accumulator = Accumulator::default();
    leaves.iter().for_each(|leaf| accumulator.push(*leaf));
    let key = SigningKey::from_seed([1; 32]);
    vec![
        ("merkle_empty", borsh_of(&merkle::empty_root())),
        ("merkle_leaf", borsh_of(&leaves[0])),
        ("merkle_branch", borsh_of(&merkle::branch_hash(&leaves[0], &leaves[1]))),
        ("merkle_root_7", borsh_of(&accumulator.root())),
        ("accumulator_7", borsh_of(&accumulator)),
        ("inclusion_4_of_7", borsh_of(&merkle::prove(&leaves, 4).expect("leaf 4 is there"))),
        ("public_key", borsh_of(&key.public_key())),
        ("signature", borsh_of(&key.sign(b"golden"))),
    ]
}

#[test]
fn hashes_and_proofs_are_frozen() {
    let mut text = String::new();
    for (name, bytes) in tree().into_iter().chain(bytes_trees_and_keys()) {
        writeln!(text, "{name} {}", hex::encode(bytes)).expect("memory does not fail");
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/proofs.txt");
    if std::env::var_os("RUSTORIUM_BLESS").is_some() {
        fs::write(&path, &text).expect("the vectors can be written");
    }
    let frozen = fs::read_to_string(&path).expect("the vectors are there");
    for (now, then) in text.lines().zip(frozen.lines()) {
        assert_eq!(now, then);
    }
    assert_eq!(text.lines().count(), frozen.lines().count());
}
