//! What an honest node answers is believed, and says what it should.

use rustorium_light::{
    Policy, Trust, TrustError, Unproven, Wanted, genesis, verify_head, verify_receipt, verify_state, verify_witness,
};
use rustorium_types::id::{ContractId, Epoch, Hash, Height};

use crate::chain::{Chain, TOKEN, policy};

#[test]
fn every_result_that_a_head_covers_is_proven() {
    let chain = Chain::of(5);
    for certifier in 2..=5 {
        for height in 1..certifier {
            let policy = Policy { height: Wanted::At(Height(height)), ..policy(certifier) };
            let head = verify_head(&chain.trust(), &policy, &chain.head(height, certifier)).unwrap();
            assert_eq!((head.height(), head.header()), (Height(height), chain.header(height)));
            assert_eq!(head.certified_by(), chain.header(certifier).hash());
            assert_eq!(head.certifier(), chain.header(certifier));
        }
    }
}

#[test]
fn present_and_absent_entries_are_proven() {
    let chain = Chain::of(5);
    for key in 0..40_u8 {
        let verified = verify_state(&chain.trust(), &policy(5), TOKEN, &[key], chain.state(4, 5, &[key])).unwrap();
        assert_eq!(verified.value, (key < 20).then(|| vec![key; usize::from(key) * 8]));
        assert_eq!(verified.head.height(), Height(4));
    }
}

#[test]
fn a_witness_answers_what_it_proves_and_nothing_else() {
    let chain = Chain::of(5);
    let witness = chain.witness(4, 5, &[&[3], &[200]]);
    let state = verify_witness(&chain.trust(), &policy(5), witness).unwrap();
    assert_eq!(state.read(TOKEN, &[3]), Ok(Some([3; 24].as_slice())));
    assert_eq!(state.read(TOKEN, &[200]), Ok(None));
    assert_eq!(state.read(TOKEN, &[4]), Err(Unproven { contract: TOKEN, key: vec![4] }));
    let other = ContractId([8; 32]);
    assert_eq!(state.read(other, &[3]), Err(Unproven { contract: other, key: vec![3] }));
    assert_eq!(state.head().header(), chain.header(4));
}

#[test]
fn receipts_are_proven() {
    let chain = Chain::of(5);
    let policy = Policy { height: Wanted::Any, ..policy(5) };
    for index in 0..3 {
        let proof = chain.receipt(2, 5, index);
        let receipt = proof.receipt.clone();
        let verified = verify_receipt(&chain.trust(), &policy, &Hash([index as u8; 32]), proof).unwrap();
        assert_eq!((verified.receipt, verified.head.height()), (receipt, Height(2)));
    }
}

#[test]
fn trust_follows_the_validators_from_epoch_to_epoch() {
    let chain = Chain::of(17);
    let mut trust = chain.trust();
    for epoch in 0..3 {
        assert_eq!(trust.epoch(), Epoch(epoch));
        trust = trust.follow(&chain.link(epoch)).unwrap();
        let checkpoint = chain.header((epoch + 1) * 5);
        assert_eq!(Trust::from_checkpoint(&checkpoint.hash(), checkpoint), Ok(trust.clone()));
    }
    let head = verify_head(&trust, &policy(17), &chain.head(16, 17)).unwrap();
    assert_eq!(head.header(), chain.header(16));
    // A header of an older epoch, proven by a newer one.
    let policy = Policy { height: Wanted::At(Height(3)), ..policy(17) };
    assert_eq!(verify_head(&trust, &policy, &chain.head(3, 17)).unwrap().header(), chain.header(3));
}

#[test]
fn a_genesis_is_read_by_its_hash() {
    let chain = Chain::of(0);
    let bytes = borsh::to_vec(&chain.genesis).unwrap();
    let expected = chain.genesis.hash();
    assert_eq!(genesis(&expected, &bytes), Ok(chain.genesis));
    for index in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[index] ^= 1;
        assert!(matches!(genesis(&expected, &altered), Err(TrustError::GenesisHash { .. })));
    }
}
