//! A change of the validators, as a message: what it writes, what its failures say, what it costs.

use rustorium_runtime::{Effects, StateKey, StateRead};
use rustorium_types::{
    block::{MessageResult, Outcome},
    code::Code,
    ed25519::SigningKey,
    id::{Epoch, Gas},
    limits::{TRANSACTION_GAS, VALIDATORS},
    transaction::{Body, Message},
    validators::ValidatorChange,
};

use crate::chain::{Chain, failure};

fn keys(count: u16) -> Vec<SigningKey> {
    let seed = |number: u16| {
        let mut seed = [9; 32];
        seed[..2].copy_from_slice(&number.to_le_bytes());
        seed
    };
    let mut keys: Vec<SigningKey> = (0..count).map(|number| SigningKey::from_seed(seed(number))).collect();
    keys.sort_by_key(SigningKey::public_key);
    keys
}

fn public(keys: &[SigningKey]) -> Vec<[u8; 32]> {
    keys.iter().map(|key| key.public_key().0).collect()
}

/// A chain in epoch 3 of so many validators.
fn chain(validators: &[SigningKey]) -> Chain {
    let mut chain = Chain::new();
    (chain.block.epoch, chain.block.validators) = (Epoch(3), public(validators).into());
    chain
}

fn decide(chain: &mut Chain, change: &ValidatorChange, by: &[SigningKey]) -> Effects {
    let genesis = chain.block.genesis;
    let signatures = by.iter().map(|key| change.sign(key, &genesis)).collect();
    let message = Message::SetValidators { change: change.clone(), signatures };
    let body = Body { gas_limit: TRANSACTION_GAS, ..chain.body(vec![message]) };
    chain.send_body(body)
}

fn newest(chain: &Chain) -> Option<ValidatorChange> {
    chain.state.read(&StateKey::validators()).unwrap().map(|bytes| borsh::from_slice(&bytes).unwrap())
}

#[test]
fn what_a_quorum_decides_is_written_down_once() {
    let four = keys(4);
    let mut chain = chain(&four);
    assert_eq!(newest(&chain), None);
    let first = ValidatorChange { epoch: Epoch(3), number: 1, validators: public(&keys(5)) };
    let effects = decide(&mut chain, &first, &four[..3]);
    assert_eq!(effects.receipt.outcome, Outcome::Success { results: vec![MessageResult::SetValidators] });
    assert_eq!(newest(&chain), Some(first.clone()));

    // Another mind in the same epoch; then the first change's signatures are worth nothing any more.
    let second = ValidatorChange { number: 2, validators: public(&four[1..]), ..first.clone() };
    assert!(decide(&mut chain, &second, &four[1..]).receipt.succeeded());
    let effects = decide(&mut chain, &first, &four[..3]);
    assert_eq!((failure(&effects).code, failure(&effects).message_index), (Code::AlreadyExists, 0));
    let said = effects.diagnostics.message.as_deref();
    assert_eq!(said, Some("change 1 of the validators is made already, the next is 3: propose it again"));
    assert_eq!(newest(&chain), Some(second.clone()));

    // In the next epoch only its validators decide, and only what they signed in it.
    (chain.block.epoch, chain.block.validators) = (Epoch(4), second.validators.clone().into());
    let third = ValidatorChange { number: 3, ..first };
    assert_eq!(failure(&decide(&mut chain, &third, &four[1..])).code, Code::WrongEpoch);
    let third = ValidatorChange { epoch: Epoch(4), ..third };
    assert_eq!(failure(&decide(&mut chain, &third, &four)).code, Code::Forbidden);
    assert_eq!(failure(&decide(&mut chain, &third, &four[1..3])).code, Code::NoQuorum);
    assert!(decide(&mut chain, &third, &four[1..]).receipt.succeeded());
}

#[test]
fn a_failed_transaction_changes_no_validators() {
    let four = keys(4);
    let mut chain = chain(&four);
    let genesis = chain.block.genesis;
    let change = ValidatorChange { epoch: Epoch(3), number: 1, validators: public(&four[1..]) };
    let signatures = four.iter().map(|key| change.sign(key, &genesis)).collect();
    let change = Message::SetValidators { change, signatures };
    let effects = chain.send(vec![change.clone(), change]);
    assert_eq!((failure(&effects).code, failure(&effects).message_index), (Code::AlreadyExists, 1));
    assert_eq!(newest(&chain), None);
}

#[test]
fn signatures_and_keys_are_paid_before_they_are_looked_at() {
    let four = keys(4);
    let mut chain = chain(&four);
    let change = ValidatorChange { epoch: Epoch(3), number: 1, validators: public(&four) };
    let few = decide(&mut chain, &change, &four[..2]);
    let none = decide(&mut chain, &change, &[]);
    let gas = |effects: &Effects| effects.receipt.gas_used.0;
    // Two signatures, and their 96 bytes each.
    assert_eq!(gas(&few) - gas(&none), 2 * (150_000 + 96 * 8));
    let genesis = chain.block.genesis;
    let signatures = four.iter().map(|key| change.sign(key, &genesis)).collect();
    let message = Message::SetValidators { change, signatures };
    let body = Body { gas_limit: Gas(1_000_000), ..chain.body(vec![message]) };
    let effects = chain.send_body(body);
    assert_eq!((failure(&effects).code, effects.receipt.gas_used), (Code::OutOfGas, Gas(1_000_000)));
    assert_eq!(newest(&chain), None);
}

#[test]
fn as_many_as_there_can_be_can_decide_on_as_many_others() {
    let most = keys(VALIDATORS as u16);
    let mut chain = chain(&most);
    let mut next = public(&keys(VALIDATORS as u16 + 1));
    next.remove(0);
    let change = ValidatorChange { epoch: Epoch(3), number: 1, validators: next };
    let effects = decide(&mut chain, &change, &most[VALIDATORS / 3..]);
    assert!(effects.receipt.succeeded(), "{:?} {:?}", effects.receipt, effects.diagnostics);
    println!("{} gas", effects.receipt.gas_used);
}
