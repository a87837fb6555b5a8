//! Nonces, expiry, fees, and messages that succeed or fail together.

use rustorium_runtime::{Execution, NoOp, StateKey};
use rustorium_types::{
    block::{MessageResult, Outcome},
    code::Code,
    id::{AccountId, Address, Amount, ContractId, Gas, Hash, Nonce, Timestamp},
    state::Account,
    transaction::{Body, Message},
};

use crate::chain::{ALICE, BOB, Chain, FUNDS, GAS, contract, failure, path, returned};

fn transfer(amount: u128) -> Message {
    Message::Transfer { to: BOB.into(), amount: Amount(amount) }
}

#[test]
fn a_nonce_is_used_once_in_any_order() {
    let mut chain = Chain::new();
    let mut send = |nonce| {
        let body = Body { nonce: Nonce(nonce), ..chain.body(vec![transfer(1)]) };
        chain.execute(body)
    };
    for nonce in [1, 5, 3, 257] {
        assert!(matches!(send(nonce), Execution::Done(_)), "{nonce}");
    }
    for nonce in [1, 5, 3, 257] {
        assert_eq!(send(nonce), Execution::NoOp(NoOp::NonceUsed), "{nonce}");
    }
    assert_eq!(send(257 + 257), Execution::NoOp(NoOp::NonceTooFar));
    assert!(matches!(send(257 + 256), Execution::Done(_)));
    assert_eq!(chain.balance(BOB), 5);
}

#[test]
fn a_no_op_reads_the_sender_and_nothing_more() {
    let mut chain = Chain::new();
    let body = chain.body(vec![transfer(1)]);
    chain.execute(body.clone());
    let before = chain.state.entries().len();
    assert_eq!(chain.execute(body), Execution::NoOp(NoOp::NonceUsed));
    assert_eq!(chain.state.entries().len(), before);
}

#[test]
fn dropped_transactions_pay_nothing_and_use_their_nonce() {
    let mut chain = Chain::new();
    let now = chain.block.time.0;
    let mut body = || chain.body(vec![transfer(1)]);
    let cases = [
        (Body { valid_until: Some(Timestamp(now - 1)), ..body() }, Code::Expired),
        (Body { max_gas_price: Amount(1), ..body() }, Code::FeeUnpaid),
        (Body { max_gas_price: Amount(FUNDS), ..body() }, Code::FeeUnpaid),
        (Body { fee_payer: Some(AccountId([9; 32])), ..body() }, Code::FeeUnpaid),
    ];
    for (body, expected) in cases {
        let effects = chain.send_body(body.clone());
        assert_eq!(effects.receipt.outcome, Outcome::Dropped { code: expected });
        assert_eq!((effects.receipt.fee, effects.receipt.gas_used), (Amount::ZERO, Gas::ZERO));
        assert_eq!(effects.writes.keys().collect::<Vec<_>>(), [&StateKey::account(ALICE)]);
        assert_eq!(chain.execute(body), Execution::NoOp(NoOp::NonceUsed));
    }
    assert_eq!(chain.balance(ALICE), FUNDS);
    let body = Body { valid_until: Some(Timestamp(now)), ..chain.body(vec![transfer(1)]) };
    assert!(chain.send_body(body).receipt.succeeded(), "the last time at which it may run is included");
}

#[test]
fn the_reservation_counts_against_the_senders_own_transfers() {
    let mut chain = Chain::new();
    let reserved = u128::from(GAS) * 3;
    let effects = chain.send(vec![transfer(FUNDS - reserved + 1)]);
    assert_eq!(failure(&effects).code, Code::InsufficientFunds);
    let spent = effects.receipt.fee.0;
    assert!(chain.send(vec![transfer(FUNDS - reserved - spent)]).receipt.succeeded());
}

#[test]
fn a_failed_message_undoes_all_and_the_fee_is_paid() {
    let mut chain = Chain::new();
    let id = chain.deploy(&contract(
        r#"(data (i32.const 0) "key") (data (i32.const 8) "Event")
        (func (export "call.set") (call $storage_write (i32.const 0) (i32.const 3) (i32.const 0) (i32.const 3))
            (call $emit (i32.const 8) (i32.const 5) (i32.const 0) (i32.const 3)))
        (func (export "call.fail") (call $fail (i32.const 8) (i32.const 5) (i32.const 0) (i32.const 0)))"#,
    ));
    let before = chain.balance(ALICE);
    let call =
        |method: &str| Message::Call { contract: id, method: method.into(), args: Vec::new(), value: Amount::ZERO };
    let effects = chain.send(vec![transfer(3), call("set"), call("fail"), transfer(4)]);
    let failed = failure(&effects);
    assert_eq!((failed.message_index, failed.code), (2, Code::ContractError));
    assert_eq!(path(failed), ["call.fail"]);
    assert!(effects.events.is_empty());
    assert_eq!(chain.entry(id, b"key"), None);
    assert_eq!(chain.balance(BOB), 0);
    assert_eq!(chain.balance(ALICE), before - effects.receipt.fee.0);
    assert!(effects.receipt.fee > Amount::ZERO && effects.receipt.gas_used < Gas(GAS));

    let effects = chain.send(vec![transfer(3), call("set"), transfer(4)]);
    let Outcome::Success { results } = effects.receipt.outcome else { panic!() };
    assert_eq!(results.len(), 3);
    assert_eq!((chain.balance(BOB), effects.events.len()), (7, 1));
    assert_eq!(chain.entry(id, b"key").unwrap(), b"key");
}

#[test]
fn one_transaction_stores_and_instantiates() {
    let mut chain = Chain::new();
    let wasm = wat::parse_str(contract(
        r#"(func (export "init") (call $return_data (i32.const 0) (i32.wrap_i64 (call $arguments (i32.const 0) (i32.const 9)))))"#,
    ))
    .unwrap();
    let code = rustorium_types::hash::code_hash(&wasm);
    let instantiation = chain.instantiation(code, b"args".to_vec());
    let effects = chain.send(vec![Message::StoreCode { wasm: wasm.clone() }, instantiation.clone()]);
    let Outcome::Success { results } = &effects.receipt.outcome else { panic!("{:?}", effects.receipt) };
    let [MessageResult::StoreCode { code: stored }, MessageResult::Instantiate { contract, returned }] = &results[..]
    else {
        panic!("{results:?}")
    };
    assert_eq!((*stored, &returned[..]), (code, &b"args"[..]));
    assert_eq!(effects.writes[&StateKey::code(&code)].as_deref(), Some(&wasm[..]));
    assert!(effects.writes.contains_key(&StateKey::contract(*contract)));
    let again = chain.send(vec![instantiation]);
    assert_eq!(failure(&again).code, Code::AlreadyExists);
    assert!(chain.send(vec![Message::StoreCode { wasm }]).receipt.succeeded(), "storing what exists succeeds");
}

#[test]
fn an_instantiation_that_fails_leaves_no_contract() {
    let mut chain = Chain::new();
    let code = chain.store(&contract(r#"(func (export "init") unreachable)"#));
    let message = chain.instantiation(code, Vec::new());
    let effects = chain.send(vec![message]);
    assert_eq!((failure(&effects).code, path(failure(&effects))), (Code::Trap, vec!["init"]));
    assert_eq!(effects.writes.len(), 1, "the sender's account");

    let plain = chain.store(&contract(""));
    let with_arguments = chain.instantiation(plain, b"x".to_vec());
    assert_eq!(failure(&chain.send(vec![with_arguments])).code, Code::UnknownMethod, "there is no `init` for them");
    let mut with_value = chain.instantiation(plain, Vec::new());
    if let Message::Instantiate { value, .. } = &mut with_value {
        *value = Amount(1);
    }
    assert_eq!(failure(&chain.send(vec![with_value])).code, Code::NotPayable);
    let unknown = chain.instantiation(Hash([3; 32]), Vec::new());
    assert_eq!(failure(&chain.send(vec![unknown])).code, Code::NotFound);
}

#[test]
fn code_is_refused_by_size_and_content() {
    let mut chain = Chain::new();
    let refused = chain.send(vec![Message::StoreCode { wasm: b"\0asm not".to_vec() }]);
    assert_eq!(failure(&refused).code, Code::InvalidModule);
    assert!(refused.diagnostics.message.is_some());
    chain.block.limits.code_bytes = 8;
    let refused = chain.send(vec![Message::StoreCode { wasm: vec![0; 9] }]);
    assert_eq!(failure(&refused).code, Code::TooLarge);
}

#[test]
fn only_the_admin_upgrades_and_hands_over() {
    let mut chain = Chain::new();
    let answering = |answer: &str, more: &str| {
        contract(&format!(
            r#"(data (i32.const 0) "{answer}") (data (i32.const 8) "kept")
            (func (export "view.answer") (call $return_data (i32.const 0) (i32.const 3))) {more}"#
        ))
    };
    let id = chain.deploy(&answering("old", ""));
    let migrating = r#"(func (export "migrate") (call $storage_write (i32.const 8) (i32.const 4)
        (i32.const 64) (i32.wrap_i64 (call $arguments (i32.const 64) (i32.const 9)))) (call $return_data (i32.const 0) (i32.const 1)))"#;
    let new = chain.store(&answering("new", migrating));
    let upgrade = |code, args: &[u8]| Message::Upgrade { contract: id, code, args: args.into() };
    assert_eq!(returned(&chain.send(vec![upgrade(new, b"data")])), b"n");
    assert_eq!(chain.view(id, "answer", b"").result.unwrap(), b"new");
    assert_eq!(chain.entry(id, b"kept").unwrap(), b"data");

    let plain = chain.store(&answering("pla", ""));
    assert_eq!(failure(&chain.send(vec![upgrade(plain, b"x")])).code, Code::UnknownMethod, "no `migrate` for them");
    assert_eq!(chain.view(id, "answer", b"").result.unwrap(), b"new", "and the code is as it was");
    assert_eq!(failure(&chain.send(vec![upgrade(Hash([1; 32]), b"")])).code, Code::NotFound);

    let hand_over = |contract| Message::SetAdmin { contract, admin: Some(Address::Account(BOB)) };
    assert_eq!(failure(&chain.send(vec![hand_over(ContractId([4; 32]))])).code, Code::NotFound);
    assert!(chain.send(vec![hand_over(id)]).receipt.succeeded());
    assert_eq!(failure(&chain.send(vec![upgrade(plain, b"")])).code, Code::Forbidden);
    assert_eq!(failure(&chain.send(vec![hand_over(id)])).code, Code::Forbidden);
    chain.fund(BOB, FUNDS);
    let body = Body { sender: BOB, nonce: Nonce(1), ..chain.body(vec![upgrade(plain, b"")]) };
    assert!(chain.send_body(body).receipt.succeeded());
    assert_eq!(chain.view(id, "answer", b"").result.unwrap(), b"pla");
}

#[test]
fn reads_cover_all_that_the_outcome_depends_on() {
    let mut chain = Chain::new();
    let code = chain.store(&contract(
        r#"(data (i32.const 0) "key")
        (func (export "view.get") (drop (call $storage_read (i32.const 0) (i32.const 3) (i32.const 64) (i32.const 9))))"#,
    ));
    let id = chain.instantiate(code, Vec::new());
    let expected = [StateKey::contract(id), StateKey::code(&code), StateKey::new(id, &b"key"[..])];
    let reads = chain.view(id, "get", b"").reads;
    assert_eq!(reads, expected.into_iter().collect());
    // The same over nothing but what was read, by a runtime that has never seen the code.
    let mut witness = rustorium_runtime::InMemoryState::default();
    for key in reads {
        let value = rustorium_runtime::StateRead::read(&*chain.state, &key).unwrap();
        witness.set(key, value);
    }
    let mut verifier = Chain::new();
    verifier.state = std::sync::Arc::new(witness);
    assert_eq!(verifier.view(id, "get", b""), chain.view(id, "get", b""));
}

#[test]
fn the_sum_of_balances_falls_by_the_fee() {
    let mut chain = Chain::new();
    let id = chain.deploy(&contract(r#"(func (export "receive")) (func (export "init"))"#));
    chain.fund(BOB, 5);
    let total = |chain: &Chain| -> u128 {
        let accounts = [Address::Account(ALICE), Address::Account(BOB), Address::Contract(id)];
        accounts.into_iter().map(|address| chain.balance(address)).sum()
    };
    let before = total(&chain);
    let to_contract = Message::Transfer { to: id.into(), amount: Amount(9) };
    let to_self = Message::Transfer { to: ALICE.into(), amount: Amount(11) };
    let fee = chain.send(vec![transfer(7), to_contract, to_self]).receipt.fee.0;
    assert_eq!(total(&chain), before - fee);
    assert_eq!((chain.balance(BOB), chain.balance(id)), (12, 9));
    assert_eq!(Account::default().balance, Amount::ZERO);
}
