//! Every field of every bundle, altered one by one: each lie fails, with the error that names it.

use std::time::Duration;

use rustorium_light::{
    CertifiedError, HeadError, Policy, ReceiptError, StateError, Trust, TrustError, Wanted, WitnessError, verify_head,
    verify_receipt, verify_state, verify_witness,
};
use rustorium_types::{
    block::Header,
    bundle::{BundleError, HeadProof, StateProof},
    certificate::{CertificateError, ValidatorSetError},
    id::{ContractId, Epoch, Gas, Hash, Height, Timestamp},
    merkle::{InclusionError, InclusionProof},
    tree::{LeafContent, ProofError, TreeProof},
};

use crate::chain::{Chain, TOKEN, keys, policy};

fn head_error(chain: &Chain, alter: impl FnOnce(&mut HeadProof)) -> HeadError {
    let mut proof = chain.head(3, 5);
    alter(&mut proof);
    let policy = Policy { height: Wanted::At(Height(3)), ..policy(5) };
    verify_head(&chain.trust(), &policy, &proof).unwrap_err()
}

#[test]
fn an_altered_certificate() {
    let chain = Chain::of(12);
    let length = chain.head(3, 5).certificate.len();
    for index in 0..length {
        let error = head_error(&chain, |proof| proof.certificate[index] ^= 1);
        assert!(matches!(error, HeadError::Certifier(_)), "byte {index}: {error}");
    }
    let certificate = |error: HeadError| match error {
        HeadError::Certifier(CertifiedError::Certificate(error)) => error,
        other => panic!("{other}"),
    };
    let last = |proof: &mut HeadProof| *proof.certificate.last_mut().unwrap() ^= 1;
    assert_eq!(certificate(head_error(&chain, last)), CertificateError::Signature);
    assert_eq!(certificate(head_error(&chain, |proof| proof.certificate.clear())), CertificateError::Malformed);
    assert_eq!(certificate(head_error(&chain, |proof| proof.certificate.push(0))), CertificateError::Malformed);
    // Signed by the validators of another epoch, who claim it or not.
    let error = head_error(&chain, |proof| proof.certificate = chain.certify(&proof.certifier, 1));
    let epoch = CertifiedError::Epoch { found: Epoch(1), trusted: Epoch(0) };
    assert_eq!(error, HeadError::Certifier(epoch));
    let error = head_error(&chain, |proof| {
        proof.certificate = chain.certify(&proof.certifier, 1);
        proof.certificate[0] = 0;
    });
    assert_eq!(certificate(error), CertificateError::Signature);
    // Of another header.
    let error = head_error(&chain, |proof| proof.certificate = chain.head(1, 2).certificate);
    assert!(matches!(error, HeadError::Certifier(CertifiedError::Hash { .. })));
}

/// A field's name, and what alters it.
type Alteration<T> = (&'static str, fn(&mut T));

/// Each field of a header, altered.
fn header_alterations() -> Vec<Alteration<Header>> {
    vec![
        ("version", |header| header.version += 1),
        ("chain", |header| header.chain.0[0] ^= 1),
        ("epoch", |header| header.epoch.0 += 1),
        ("height", |header| header.height.0 += 1),
        ("parent", |header| header.parent.0[0] ^= 1),
        ("time", |header| header.time.0 += 1),
        ("gas price", |header| header.gas_price.0 += 1),
        ("batch root", |header| header.batch_root.0[0] ^= 1),
        ("next epoch", |header| header.next_epoch = None),
        ("state height", |header| header.state_height.0 -= 1),
        ("results", |header| header.results.0[0] ^= 1),
    ]
}

#[test]
fn an_altered_certifier() {
    let chain = Chain::of(5);
    for (field, alter) in header_alterations() {
        let error = head_error(&chain, |proof| alter(&mut proof.certifier));
        assert!(matches!(error, HeadError::Certifier(CertifiedError::Hash { .. })), "{field}: {error}");
    }
}

/// Validators who sign nonsense are still not believed.
#[test]
fn a_certified_header_of_another_kind() {
    let chain = Chain::of(5);
    let certified = |alter: fn(&mut Header)| {
        head_error(&chain, |proof| {
            alter(&mut proof.certifier);
            proof.certificate = chain.certify(&proof.certifier, 0);
        })
    };
    assert_eq!(certified(|header| header.version = 9), HeadError::Certifier(CertifiedError::Version(9)));
    let error = certified(|header| header.chain = Hash([9; 32]));
    assert!(matches!(error, HeadError::Certifier(CertifiedError::Chain { .. })));
    let error = certified(|header| header.epoch = Epoch(1));
    assert!(matches!(error, HeadError::Certifier(CertifiedError::HeaderEpoch { epoch: Epoch(1), .. })));
    let error = certified(|header| {
        header.epoch = Epoch(1);
        header.height = Height(6);
    });
    assert!(matches!(error, HeadError::Certifier(CertifiedError::HeaderEpoch { height: Height(6), .. })));
}

#[test]
fn an_altered_result() {
    let chain = Chain::of(5);
    let alterations: [Alteration<HeadProof>; 4] = [
        ("header hash", |proof| proof.result.header_hash.0[0] ^= 1),
        ("state root", |proof| proof.result.state_root.0[0] ^= 1),
        ("receipts root", |proof| proof.result.receipts_root.0[0] ^= 1),
        ("events root", |proof| proof.result.events_root.0[0] ^= 1),
    ];
    for (field, alter) in alterations {
        let error = head_error(&chain, alter);
        assert!(matches!(error, HeadError::Result(InclusionError::Root { .. })), "{field}: {error}");
    }
    let places: [Alteration<HeadProof>; 5] = [
        ("height", |proof| proof.result.height.0 += 1),
        ("height 0", |proof| proof.result.height.0 = 0),
        ("index", |proof| proof.result_path.index += 1),
        ("size", |proof| proof.result_path.size += 1),
        ("beyond", |proof| {
            proof.result.height = Height(5);
            proof.result_path.index = 4;
            proof.result_path.size = 5;
        }),
    ];
    for (field, alter) in places {
        let error = head_error(&chain, alter);
        assert!(matches!(error, HeadError::Place { .. }), "{field}: {error}");
    }
    // Another place altogether, told consistently.
    let error = head_error(&chain, |proof| {
        proof.result.height = Height(4);
        proof.result_path.index = 3;
    });
    assert!(matches!(error, HeadError::Result(InclusionError::Root { .. })));
    for sibling in 0..chain.head(3, 5).result_path.siblings.len() {
        let error = head_error(&chain, |proof| proof.result_path.siblings[sibling].0[31] ^= 1);
        assert!(matches!(error, HeadError::Result(InclusionError::Root { .. })));
    }
    let error = head_error(&chain, |proof| proof.result_path.siblings.push(Hash::ZERO));
    assert!(matches!(error, HeadError::Result(InclusionError::Length { .. })));
}

#[test]
fn an_altered_header() {
    let chain = Chain::of(5);
    for (field, alter) in header_alterations() {
        let before = chain.head(3, 5).header;
        let mut after = before.clone();
        alter(&mut after);
        if after == before {
            continue;
        }
        let error = head_error(&chain, |proof| proof.header = after);
        assert!(matches!(error, HeadError::HeaderHash { .. }), "{field}: {error}");
    }
    let error = head_error(&chain, |proof| proof.header = chain.header(4).clone());
    assert!(matches!(error, HeadError::HeaderHash { .. }));
}

#[test]
fn an_old_head_and_another_height() {
    let chain = Chain::of(5);
    let trust = chain.trust();
    let late = Policy { now: Timestamp(policy(5).now.0 + 10_000), ..policy(5) };
    let error = verify_head(&trust, &late, &chain.head(4, 5)).unwrap_err();
    assert_eq!(error, HeadError::TooOld { age: Duration::from_secs(11), max_age: Duration::from_secs(10) });
    assert!(verify_head(&trust, &Policy { max_age: None, ..late }, &chain.head(4, 5)).is_ok());
    // A fresh head, and a result out of the past.
    let error = verify_head(&trust, &policy(5), &chain.head(2, 5)).unwrap_err();
    assert_eq!(error, HeadError::Height { wanted: Height(4), found: Height(2) });
    let at = Policy { height: Wanted::At(Height(3)), ..policy(5) };
    let error = verify_head(&trust, &at, &chain.head(4, 5)).unwrap_err();
    assert_eq!(error, HeadError::Height { wanted: Height(3), found: Height(4) });
}

fn state_error(chain: &Chain, key: u8, alter: impl FnOnce(&mut StateProof)) -> StateError {
    let mut proof = chain.state(4, 5, &[key]);
    alter(&mut proof);
    verify_state(&chain.trust(), &policy(5), TOKEN, &[key], proof).unwrap_err()
}

#[test]
fn an_altered_value() {
    let chain = Chain::of(5);
    let root = |error: StateError| assert!(matches!(error, StateError::Proof(ProofError::Root { .. })), "{error}");
    root(state_error(&chain, 3, |proof| proof.entry.value.as_mut().unwrap()[0] ^= 1));
    root(state_error(&chain, 3, |proof| proof.entry.value.as_mut().unwrap().push(0)));
    root(state_error(&chain, 3, |proof| proof.entry.value = Some(vec![])));
    // A large value, of which the leaf has the digest only.
    root(state_error(&chain, 19, |proof| *proof.entry.value.as_mut().unwrap().last_mut().unwrap() ^= 1));
    let error = state_error(&chain, 3, |proof| proof.entry.value = None);
    assert_eq!(error, StateError::Proof(ProofError::Kind { present: false }));
    let error = state_error(&chain, 200, |proof| proof.entry.value = Some(vec![1]));
    assert_eq!(error, StateError::Proof(ProofError::Kind { present: true }));
    assert_eq!(state_error(&chain, 3, |proof| proof.entry.key = vec![4]), StateError::OtherEntry);
    let other = state_error(&chain, 3, |proof| proof.entry.contract = ContractId([8; 32]));
    assert_eq!(other, StateError::OtherEntry);
    // The right entry at the wrong height's head is the head's error.
    let error = state_error(&chain, 3, |proof| proof.head = chain.head(3, 5));
    assert!(matches!(error, StateError::Head(HeadError::Height { .. })));
}

#[test]
fn an_altered_path() {
    let chain = Chain::of(5);
    let TreeProof::Present { path } = chain.entry(TOKEN, &[3]).proof else { panic!("it is there") };
    for step in 0..path.len() {
        let mut altered = path.clone();
        altered[step].sibling = altered[step].sibling + 1.into();
        let error = state_error(&chain, 3, |proof| proof.entry.proof = TreeProof::Present { path: altered });
        assert!(matches!(error, StateError::Proof(ProofError::Root { .. })));
        let mut shorter = path.clone();
        shorter.remove(step);
        let error = state_error(&chain, 3, |proof| proof.entry.proof = TreeProof::Present { path: shorter });
        assert!(matches!(error, StateError::Proof(ProofError::Root { .. })));
    }
    let error = state_error(&chain, 3, |proof| proof.entry.proof = TreeProof::Empty);
    assert_eq!(error, StateError::Proof(ProofError::Kind { present: true }));
}

#[test]
fn a_forged_absence() {
    let chain = Chain::of(5);
    let TreeProof::Present { path } = chain.entry(TOKEN, &[3]).proof else { panic!("it is there") };
    // Another leaf's place and content for an entry that is there.
    for other in (0..20).filter(|other| *other != 3) {
        let shown = chain.entry(TOKEN, &[other]);
        let key = rustorium_types::tree::key_digest(TOKEN, &[other]);
        let content = LeafContent::of(&shown.value.unwrap());
        let TreeProof::Present { path: others } = shown.proof else { panic!("it is there") };
        for path in [path.clone(), others] {
            let forged = TreeProof::Absent { path, key, content: content.clone() };
            let error = state_error(&chain, 3, |proof| {
                proof.entry.value = None;
                proof.entry.proof = forged;
            });
            assert!(
                matches!(error, StateError::Proof(ProofError::Root { .. } | ProofError::Elsewhere { .. })),
                "{error}"
            );
        }
    }
    let own = TreeProof::Absent {
        path,
        key: rustorium_types::tree::key_digest(TOKEN, &[3]),
        content: LeafContent::of(&[3; 24]),
    };
    let error = state_error(&chain, 3, |proof| {
        proof.entry.value = None;
        proof.entry.proof = own;
    });
    assert_eq!(error, StateError::Proof(ProofError::SameKey));
}

#[test]
fn an_altered_witness() {
    let chain = Chain::of(5);
    let honest = || chain.witness(4, 5, &[&[3], &[200], &[19]]);
    let verify = |witness| verify_witness(&chain.trust(), &policy(5), witness);
    assert!(verify(honest()).is_ok());
    let mut value = honest();
    value.entries[2].value.as_mut().unwrap()[0] ^= 1;
    assert!(matches!(verify(value), Err(WitnessError::Entry { index: 2, error: ProofError::Root { .. }, .. })));
    let mut absent = honest();
    absent.entries[1].value = Some(vec![]);
    assert!(matches!(verify(absent), Err(WitnessError::Entry { index: 1, error: ProofError::Kind { .. }, .. })));
    let mut contract = honest();
    contract.entries[0].contract = ContractId::SYSTEM;
    assert!(matches!(verify(contract), Err(WitnessError::Entry { index: 0, .. })));
    let mut key = honest();
    key.entries[0].key.push(0);
    assert!(matches!(verify(key), Err(WitnessError::Entry { index: 0, .. })));
    let mut twice = honest();
    twice.entries.push(twice.entries[0].clone());
    assert_eq!(verify(twice), Err(WitnessError::Twice { index: 3, contract: TOKEN }));
    let mut head = honest();
    head.head.result.state_root.0[0] ^= 1;
    assert!(matches!(verify(head), Err(WitnessError::Head(HeadError::Result(_)))));
    let mut many = honest();
    many.entries = vec![many.entries[0].clone(); 65_537];
    assert_eq!(verify(many), Err(WitnessError::TooMany(65_537)));
}

#[test]
fn an_altered_receipt() {
    let chain = Chain::of(5);
    let verify = |proof| verify_receipt(&chain.trust(), &policy(5), &Hash([1; 32]), proof).map(|_| ());
    let honest = || chain.receipt(4, 5, 1);
    assert_eq!(verify(honest()), Ok(()));
    let mut receipt = honest();
    receipt.receipt.gas_used = Gas(0);
    assert!(matches!(verify(receipt), Err(ReceiptError::Proof(InclusionError::Root { .. }))));
    let mut path = honest();
    path.path.siblings[0].0[0] ^= 1;
    assert!(matches!(verify(path), Err(ReceiptError::Proof(InclusionError::Root { .. }))));
    let mut length = honest();
    length.path = InclusionProof { index: 0, size: 1, siblings: length.path.siblings };
    assert!(matches!(verify(length), Err(ReceiptError::Proof(InclusionError::Length { .. }))));
    assert!(matches!(verify(chain.receipt(4, 5, 2)), Err(ReceiptError::OtherTransaction { .. })));
    let mut head = honest();
    head.head.certificate.clear();
    assert!(matches!(verify(head), Err(ReceiptError::Head(HeadError::Certifier(_)))));
}

#[test]
fn an_altered_epoch_link() {
    let chain = Chain::of(12);
    let trust = chain.trust();
    assert_eq!(trust.follow(&chain.link(1)), Err(TrustError::Epoch { found: Epoch(1), expected: Epoch(0) }));
    let mut link = chain.link(0);
    link.header.next_epoch.as_mut().unwrap().validators = vec![keys(9)[0].public_key().0];
    let error = trust.follow(&link).unwrap_err();
    assert!(matches!(error, TrustError::Certified { error: CertifiedError::Hash { .. }, .. }));
    link.certificate.clear();
    assert!(matches!(trust.follow(&link), Err(TrustError::Certified { error: CertifiedError::Certificate(_), .. })));
    // Certified, and still not what ends an epoch.
    let certified = |height, alter: fn(&mut Header)| {
        let mut header = chain.header(height).clone();
        alter(&mut header);
        let certificate = chain.certify(&header, 0);
        trust.follow(&rustorium_types::bundle::EpochLink { certificate, header }).unwrap_err()
    };
    assert_eq!(certified(4, |_| ()), TrustError::NotLast { height: Height(4), epoch: Epoch(0) });
    let other = certified(5, |header| header.next_epoch.as_mut().unwrap().epoch = Epoch(2));
    assert_eq!(other, TrustError::Record { epoch: Epoch(0) });
    let none = certified(5, |header| header.next_epoch.as_mut().unwrap().validators.clear());
    assert_eq!(none, TrustError::Validators(ValidatorSetError::Count(0)));
}

#[test]
fn an_altered_checkpoint() {
    let chain = Chain::of(10);
    let hash = chain.header(5).hash();
    let error = Trust::from_checkpoint(&hash, chain.header(10)).unwrap_err();
    assert!(matches!(error, TrustError::CheckpointHash { .. }));
    let no_end = chain.header(4);
    let error = Trust::from_checkpoint(&no_end.hash(), no_end).unwrap_err();
    assert_eq!(error, TrustError::NoCheckpoint { height: Height(4) });
}

/// Whatever the bytes, reading and checking them ends without a panic, and nothing altered is believed.
#[test]
fn altered_bytes() {
    let chain = Chain::of(5);
    let bytes = chain.state(4, 5, &[3]).to_bytes();
    let verify = |bytes: &[u8]| {
        StateProof::from_bytes(bytes).map(|proof| verify_state(&chain.trust(), &policy(5), TOKEN, &[3], proof).is_ok())
    };
    assert_eq!(verify(&bytes), Ok(true));
    assert_eq!(verify(&[]), Err(BundleError::Version { found: None }));
    for index in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[index] ^= 1;
        match index {
            0 => assert_eq!(verify(&altered), Err(BundleError::Version { found: Some(0) })),
            _ => assert_ne!(verify(&altered), Ok(true), "byte {index}"),
        }
        assert!(verify(&bytes[..index]).is_err(), "cut at {index}");
    }
    let longer = [bytes.as_slice(), &[0]].concat();
    assert_eq!(verify(&longer), Err(BundleError::Malformed));
}

/// After two changes of the validators, those of before have nothing to say: not about blocks, not about who comes next.
#[test]
fn validators_of_before() {
    let chain = Chain::of(17);
    let first = chain.trust();
    let trust = first.follow(&chain.link(0)).unwrap().follow(&chain.link(1)).unwrap();
    assert_eq!(trust.epoch(), Epoch(2));
    let proof = chain.head(12, 13);
    assert!(verify_head(&trust, &policy(13), &proof).is_ok());
    // The header is right; but its certificate is of those who left, who say which epoch they sign for, or lie.
    for old in [0, 1] {
        let mut signed = proof.clone();
        signed.certificate = chain.certify(&signed.certifier, old);
        let error = verify_head(&trust, &policy(13), &signed).unwrap_err();
        let claimed = CertifiedError::Epoch { found: Epoch(old), trusted: Epoch(2) };
        assert_eq!(error, HeadError::Certifier(claimed));
        signed.certificate[0] = 2;
        let error = verify_head(&trust, &policy(13), &signed).unwrap_err();
        let forged = CertifiedError::Certificate(CertificateError::Signature);
        assert_eq!(error, HeadError::Certifier(forged));
    }
    // They name themselves once more.
    let mut link = chain.link(2);
    link.header.next_epoch.as_mut().unwrap().validators = chain.genesis.validators.clone();
    let altered = trust.follow(&link).unwrap_err();
    let TrustError::Certified { epoch: Epoch(2), error: CertifiedError::Hash { .. } } = altered else {
        panic!("{altered}")
    };
    link.certificate = chain.certify(&link.header, 0);
    link.certificate[0] = 2;
    let error = CertifiedError::Certificate(CertificateError::Signature);
    assert_eq!(trust.follow(&link), Err(TrustError::Certified { epoch: Epoch(2), error }));
}
