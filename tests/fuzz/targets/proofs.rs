//! Bundles as a lying node can send them: true ones, altered, and any bytes. Whatever is believed is the truth; nothing
//! panics, or takes memory that the bundle does not have.
#![no_main]

#[path = "../../../sdk/light/tests/chain.rs"]
#[allow(dead_code, reason = "made for tests")]
mod chain;

use std::sync::OnceLock;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use rustorium_light::{Policy, Trust, Wanted, verify_head, verify_receipt, verify_state, verify_witness};
use rustorium_types::{
    bundle::{EpochLink, HeadProof, ReceiptProof, StateProof, Witness},
    certificate,
    id::Timestamp,
    merkle::{self, InclusionProof},
    tree::TreeProof,
};

use chain::{Chain, EPOCH_LENGTH, TOKEN};

/// The block that bundles are about, and the one whose header certifies it.
const HEIGHT: u64 = 3;
const CERTIFIER: u64 = 4;
const POLICY: Policy = Policy { now: Timestamp(1), max_age: None, height: Wanted::Any };
/// One that is there, and one that is not.
const KEYS: [&[u8]; 2] = [&[7], b"absent"];

/// Where bytes are taken out and others put in.
#[derive(Arbitrary, Debug)]
struct Patch<'a> {
    at: u16,
    out: u8,
    put: &'a [u8],
}

#[derive(Arbitrary, Debug)]
enum Lie<'a> {
    Head(Vec<Patch<'a>>),
    Link(Vec<Patch<'a>>),
    Receipt(Vec<Patch<'a>>),
    State(bool, Vec<Patch<'a>>),
    Witness(Vec<Patch<'a>>),
    /// A proof apart from the head that it hangs from, which costs most of the time, and the value that it is to prove.
    Tree(bool, Vec<Patch<'a>>, Option<&'a [u8]>),
    Inclusion(u8, Vec<Patch<'a>>, Option<&'a [u8]>),
    Bytes(&'a [u8]),
}

/// A chain, and what is true of it.
struct Truth {
    chain: Chain,
    trust: Trust,
    head: HeadProof,
    states: [StateProof; 2],
    witness: Witness,
    receipt: ReceiptProof,
    link: EpochLink,
}

fn truth() -> &'static Truth {
    static TRUTH: OnceLock<Truth> = OnceLock::new();
    TRUTH.get_or_init(|| {
        let chain = Chain::of(EPOCH_LENGTH + 1);
        Truth {
            trust: chain.trust(),
            head: chain.head(HEIGHT, CERTIFIER),
            states: KEYS.map(|key| chain.state(HEIGHT, CERTIFIER, key)),
            witness: chain.witness(HEIGHT, CERTIFIER, &KEYS),
            receipt: chain.receipt(HEIGHT, CERTIFIER, 1),
            link: chain.link(0),
            chain,
        }
    })
}

fn altered(mut bytes: Vec<u8>, patches: &[Patch<'_>]) -> Vec<u8> {
    for patch in patches {
        let start = usize::from(patch.at) % (bytes.len() + 1);
        let end = bytes.len().min(start + usize::from(patch.out));
        bytes.splice(start..end, patch.put.iter().copied());
    }
    bytes
}

fuzz_target!(|lie: Lie<'_>| {
    let truth = truth();
    let trust = &truth.trust;
    match lie {
        Lie::Head(patches) => {
            let Ok(proof) = HeadProof::from_bytes(&altered(truth.head.to_bytes(), &patches)) else { return };
            if let Ok(head) = verify_head(trust, &POLICY, &proof) {
                assert_eq!((head.result(), head.header()), (&truth.head.result, &truth.head.header));
            }
        }
        Lie::Link(patches) => {
            let Ok(link) = EpochLink::from_bytes(&altered(truth.link.to_bytes(), &patches)) else { return };
            if let Ok(next) = trust.follow(&link) {
                assert_eq!(Ok(next), trust.follow(&truth.link));
            }
        }
        Lie::Receipt(patches) => {
            let Ok(proof) = ReceiptProof::from_bytes(&altered(truth.receipt.to_bytes(), &patches)) else { return };
            let transaction = truth.receipt.receipt.transaction;
            if let Ok(verified) = verify_receipt(trust, &POLICY, &transaction, proof) {
                assert_eq!(verified.receipt, truth.receipt.receipt);
            }
        }
        Lie::State(which, patches) => {
            let state = &truth.states[usize::from(which)];
            let Ok(proof) = StateProof::from_bytes(&altered(state.to_bytes(), &patches)) else { return };
            if let Ok(verified) = verify_state(trust, &POLICY, TOKEN, KEYS[usize::from(which)], proof) {
                assert_eq!(verified.value, state.entry.value);
            }
        }
        Lie::Witness(patches) => {
            let Ok(witness) = Witness::from_bytes(&altered(truth.witness.to_bytes(), &patches)) else { return };
            if let Ok(state) = verify_witness(trust, &POLICY, witness) {
                for (key, entry) in KEYS.iter().zip(&truth.witness.entries) {
                    if let Ok(value) = state.read(TOKEN, key) {
                        assert_eq!(value, entry.value.as_deref());
                    }
                }
            }
        }
        Lie::Tree(which, patches, value) => {
            let entry = &truth.states[usize::from(which)].entry;
            let proof = altered(borsh::to_vec(&entry.proof).unwrap(), &patches);
            let Ok(proof) = borsh::from_slice::<TreeProof>(&proof) else { return };
            let value = value.or(entry.value.as_deref()).filter(|value| !value.is_empty());
            if proof.verify(truth.head.result.state_root, TOKEN, KEYS[usize::from(which)], value).is_ok() {
                assert_eq!(value, entry.value.as_deref());
            }
        }
        Lie::Inclusion(index, patches, leaf) => {
            let receipts: Vec<_> = (0..3).map(|index| truth.chain.receipt(HEIGHT, CERTIFIER, index)).collect();
            let honest = &receipts[usize::from(index) % 3];
            let proof = altered(borsh::to_vec(&honest.path).unwrap(), &patches);
            let Ok(proof) = borsh::from_slice::<InclusionProof>(&proof) else { return };
            let own = borsh::to_vec(&honest.receipt).unwrap();
            let leaf = leaf.unwrap_or(&own);
            if proof.verify(&truth.head.result.receipts_root, leaf).is_ok() {
                assert_eq!(leaf, borsh::to_vec(&receipts[proof.index as usize].receipt).unwrap());
            }
        }
        Lie::Bytes(bytes) => any(trust, bytes),
    }
});

/// Bytes that were never true: none is believed, since nobody here holds a validator's key.
fn any(trust: &Trust, bytes: &[u8]) {
    if let Ok(proof) = HeadProof::from_bytes(bytes) {
        assert_eq!(proof.to_bytes(), bytes);
        assert!(verify_head(trust, &POLICY, &proof).is_err());
    }
    if let Ok(link) = EpochLink::from_bytes(bytes) {
        assert!(trust.follow(&link).is_err());
    }
    if let Ok(proof) = StateProof::from_bytes(bytes) {
        assert_eq!(proof.to_bytes(), bytes);
    }
    if let Ok(witness) = Witness::from_bytes(bytes) {
        assert_eq!(witness.to_bytes(), bytes);
    }
    if let Ok(proof) = ReceiptProof::from_bytes(bytes) {
        assert_eq!(proof.to_bytes(), bytes);
    }
    if let Ok(proof) = borsh::from_slice::<TreeProof>(bytes) {
        assert!(proof.verify(merkle::empty_root(), TOKEN, KEYS[0], Some(b"value")).is_err());
    }
    if let Ok(proof) = borsh::from_slice::<InclusionProof>(bytes) {
        assert!(proof.verify(&merkle::empty_root(), b"entry").is_err());
    }
    _ = certificate::peek(bytes);
}
