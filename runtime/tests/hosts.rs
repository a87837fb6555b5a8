//! Every function of the host table, once as it should be used.

use rustorium_types::{
    ed25519::SigningKey,
    field::Field,
    id::{Address, Amount},
    poseidon::hash2,
    transaction::{Body, Message},
};

use crate::chain::{ALICE, BOB, Chain, contract, failure};

/// A method that passes its arguments at 1024 to `body`, with their length in `$n`.
fn method(name: &str, body: &str) -> String {
    contract(&format!(
        r#"(data (i32.const 0) "key") (data (i32.const 16) "Event") (data (i32.const 32) "NotOwner")
        (func (export "{name}") (local $n i32)
            (local.set $n (i32.wrap_i64 (call $arguments (i32.const 1024) (i32.const 60000))))
            {body})"#
    ))
}

fn run(body: &str, args: &[u8]) -> Vec<u8> {
    let mut chain = Chain::new();
    let contract = chain.deploy(&method("call.run", body));
    chain.returned(contract, "run", args)
}

#[test]
fn arguments_come_back_as_return_data() {
    assert_eq!(run("(call $return_data (i32.const 1024) (local.get $n))", b"hello"), b"hello");
    assert_eq!(run("(call $return_data (i32.const 1024) (local.get $n))", b""), b"");
    let last = "(call $return_data (i32.const 1024) (i32.const 1)) (call $return_data (i32.const 1025) (i32.const 1))";
    assert_eq!(run(last, b"ab"), b"b", "the last one counts");
}

#[test]
fn a_short_buffer_gets_the_start_and_rest_the_whole() {
    let body = r#"
        (if (i64.ne (call $arguments (i32.const 0) (i32.const 2)) (i64.const 5)) (then unreachable))
        (if (i32.ne (i32.load16_u (i32.const 0)) (i32.const 0x6568)) (then unreachable))
        (if (i32.ne (i32.load8_u (i32.const 2)) (i32.const 0x79)) (then unreachable))
        (drop (call $rest (i32.const 8) (i32.const 1)))
        (call $return_data (i32.const 8) (i32.wrap_i64 (call $rest (i32.const 8) (i32.const 100))))"#;
    assert_eq!(run(body, b"hello"), b"hello", "twice, and only as many bytes as fit were written");
}

#[test]
fn storage_is_read_written_and_removed() {
    let mut chain = Chain::new();
    let fields = r#"
        (data (i32.const 0) "key")
        (func (export "call.put") (call $storage_write (i32.const 0) (i32.const 3)
            (i32.const 64) (i32.wrap_i64 (call $arguments (i32.const 64) (i32.const 60000)))))
        (func (export "call.remove") (call $storage_remove (i32.const 0) (i32.const 3)))
        (func (export "view.get") (local $n i64)
            (local.set $n (call $storage_read (i32.const 0) (i32.const 3) (i32.const 64) (i32.const 60000)))
            (if (i64.eq (local.get $n) (i64.const -1)) (then (call $return_data (i32.const 0) (i32.const 1)))
                (else (call $return_data (i32.const 64) (i32.wrap_i64 (local.get $n))))))"#;
    let id = chain.deploy(&contract(fields));
    let other = chain.deploy(&contract(fields));
    assert_eq!(chain.view(id, "get", b"").result.unwrap(), b"k", "absent");
    chain.call(id, "put", b"value");
    assert_eq!(chain.view(id, "get", b"").result.unwrap(), b"value");
    assert_eq!(chain.entry(id, b"key").unwrap(), b"value");
    assert_eq!(chain.view(other, "get", b"").result.unwrap(), b"k", "another contract's storage is another");
    chain.call(id, "put", b"");
    assert_eq!(chain.view(id, "get", b"").result.unwrap(), b"", "empty is not absent");
    chain.call(id, "remove", b"");
    assert_eq!(chain.view(id, "get", b"").result.unwrap(), b"k");
}

#[test]
fn a_contract_learns_of_its_call_and_chain() {
    let fields = r#"
        (func $tell
            (i32.store8 (i32.const 99) (call $caller (i32.const 100)))
            (call $this (i32.const 200)) (call $value (i32.const 300))
            (call $balance (i32.const 200) (i32.const 316))
            (i64.store (i32.const 400) (call $height)) (i64.store (i32.const 408) (call $time))
            (call $genesis_hash (i32.const 416))
            (call $return_data (i32.const 99) (i32.const 349)))
        (func (export "call.tell") (call $tell)) (func (export "payable.tell"))
        (func (export "view.tell") (call $tell))"#;
    let mut chain = Chain::new();
    let id = chain.deploy(&contract(fields));
    let effects = chain.call_with(id, "tell", b"", 77, 1_000_000);
    let told = crate::chain::returned(&effects);
    assert_eq!(told[0], 1);
    assert_eq!(told[1..34], Address::Account(ALICE).to_bytes());
    assert_eq!(told[101..134], Address::Contract(id).to_bytes());
    assert_eq!(told[201..217], 77u128.to_le_bytes());
    assert_eq!(told[217..233], 77u128.to_le_bytes(), "the value is in the balance already");
    assert_eq!(told[301..309], chain.block.height.0.to_le_bytes());
    assert_eq!(told[309..317], chain.block.time.0.to_le_bytes());
    assert_eq!(told[317..349], chain.block.genesis.0);
    let viewed = chain.view(id, "tell", b"").result.unwrap();
    assert_eq!(viewed[0], 0, "nobody calls a view from outside");
    assert_eq!(viewed[1..34], [0; 33]);
    assert_eq!(viewed[201..217], 0u128.to_le_bytes());
}

#[test]
fn events_logs_and_errors() {
    let body = "(call $emit (i32.const 16) (i32.const 5) (i32.const 1024) (local.get $n))
        (call $log (i32.const 1024) (local.get $n))";
    let mut chain = Chain::new();
    let id = chain.deploy(&method("call.run", body));
    let effects = chain.call(id, "run", b"fields");
    let [event] = &effects.events[..] else { panic!("{:?}", effects.events) };
    assert_eq!((event.contract, event.name.as_str(), &event.fields[..]), (id, "Event", &b"fields"[..]));
    assert_eq!(effects.diagnostics.logs[0].text, "fields");

    let failing = chain.deploy(&method(
        "call.run",
        "(call $fail (i32.const 32) (i32.const 8) (i32.const 1024) (local.get $n)) unreachable",
    ));
    let effects = chain.call(failing, "run", b"\x01\x02");
    let error = failure(&effects).error.clone().unwrap();
    assert_eq!((error.name.as_str(), &error.fields[..]), ("NotOwner", &[1, 2][..]));
    assert!(effects.receipt.gas_used.0 < 200_000, "an error uses what was used until then");

    let panicking = chain.deploy(&method("call.run", "(call $panic (i32.const 1024) (local.get $n)) unreachable"));
    let effects = chain.call(panicking, "run", b"index out of bounds");
    assert_eq!(failure(&effects).code.text(), "TRAP");
    assert_eq!(effects.diagnostics.message.as_deref(), Some("index out of bounds"));
    assert_eq!(effects.receipt.gas_used.0, crate::chain::GAS, "a trap uses the whole limit");
}

#[test]
fn hashes_are_the_standard_ones() {
    let hash = |function: &str| {
        let body = format!(
            "(call ${function} (i32.const 1024) (local.get $n) (i32.const 0)) (call $return_data (i32.const 0) (i32.const 32))"
        );
        hex::encode(run(&body, b"abc"))
    };
    assert_eq!(hash("sha256"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!(hash("keccak256"), "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45");
    assert_eq!(hash("blake3"), "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85");
}

#[test]
fn poseidon_is_circomlibs() {
    let body = "(call $poseidon (i32.const 1024) (i32.const 1056) (i32.const 0)) (call $return_data (i32.const 0) (i32.const 32))";
    let mut args = [0; 64];
    (args[31], args[63]) = (1, 2);
    let hash = run(body, &args);
    assert_eq!(hash, hash2(0, Field::from_u64(1), Field::from_u64(2)).to_be_bytes());
    assert_eq!(hex::encode(hash), "115cc0f5e7d690413df64c6b9662e9cf2a3617f2743245519e19607a4417189a");
    let mut chain = Chain::new();
    let id = chain.deploy(&method("call.run", body));
    let effects = chain.call(id, "run", &[0xff; 64]);
    assert_eq!(failure(&effects).code.text(), "TRAP", "not below the modulus");
}

#[test]
fn signatures_are_checked() {
    let body = "(i32.store8 (i32.const 0) (call $ed25519_verify (i32.const 1024) (i32.const 1056) (i32.const 1120)
            (i32.sub (local.get $n) (i32.const 96))))
        (call $return_data (i32.const 0) (i32.const 1))";
    let key = SigningKey::from_seed([5; 32]);
    let mut args = [&key.public_key().0[..], &key.sign(b"message").0, b"message"].concat();
    assert_eq!(run(body, &args), [1]);
    args[97] ^= 1;
    assert_eq!(run(body, &args), [0]);
}

#[test]
fn value_moves_to_accounts_and_contracts() {
    let fields = format!(
        r#"(data (i32.const 0) "{to}") (data (i32.const 64) "\05") (data (i32.const 96) "Got")
        (func (export "receive") (call $emit (i32.const 96) (i32.const 3) (i32.const 64) (i32.const 1)))
        (func (export "call.pay") (i64.store (i32.const 128)
            (call $transfer (i32.const 0) (i32.const 64) (i64.const 0) (i32.const 256) (i32.const 64)))
            (call $return_data (i32.const 128) (i32.const 8)))"#,
        to = escaped(&Address::Account(BOB).to_bytes()),
    );
    let mut chain = Chain::new();
    let id = chain.deploy(&contract(&fields));
    let effects = chain.send(vec![Message::Transfer { to: id.into(), amount: Amount(8) }]);
    assert_eq!(effects.events.len(), 1, "`receive` ran");
    assert_eq!(chain.returned(id, "pay", b""), 0u64.to_le_bytes());
    assert_eq!((chain.balance(BOB), chain.balance(id)), (5, 3));
    let outcome = chain.returned(id, "pay", b"");
    assert_eq!(outcome[4], rustorium_types::code::Code::InsufficientFunds as u8, "3 are left");
    assert_eq!(outcome[..4], 2u32.to_le_bytes(), "a `CallError` of two bytes");
}

#[test]
fn a_contract_makes_contracts() {
    let mut chain = Chain::new();
    let child = contract(
        r#"(func (export "init")
            (call $storage_write (i32.const 0) (i32.const 1) (i32.const 64)
                (i32.wrap_i64 (call $arguments (i32.const 64) (i32.const 64))))
            (call $return_data (i32.const 64) (i32.const 2)))
        (func (export "payable.init"))"#,
    );
    let code = chain.store(&child);
    let factory = contract(&format!(
        r#"(data (i32.const 0) "{code}") (data (i32.const 96) "label") (data (i32.const 112) "args") (data (i32.const 120) "\04")
        (func (export "receive"))
        (func (export "call.make")
            (call $return_data (i32.const 512) (i32.wrap_i64 (call $instantiate
                (i32.const 0) (i32.const 32) (i32.const 0) (i32.const 0) (i32.const 96) (i32.const 5)
                (i32.const 112) (i32.const 4) (i32.const 120) (i64.const 0) (i32.const 512) (i32.const 512)))))"#,
        code = escaped(&code.0),
    ));
    let id = chain.deploy(&factory);
    chain.send(vec![Message::Transfer { to: id.into(), amount: Amount(10) }]);
    let made = chain.returned(id, "make", b"");
    let address: Address = borsh::from_slice(&made[..33]).unwrap();
    let expected = rustorium_types::hash::contract_id(id.into(), &[0; 32]);
    assert_eq!((address, &made[33..]), (expected.into(), &b"ar"[..]));
    assert_eq!(chain.entry(expected, b"\0").unwrap(), b"args");
    assert_eq!((chain.balance(expected), chain.balance(id)), (4, 6));
    let again = chain.returned(id, "make", b"");
    assert_eq!(again, [rustorium_types::code::Code::AlreadyExists as u8, 0]);
}

#[test]
fn fee_payers_may_differ() {
    let mut chain = Chain::new();
    chain.fund(BOB, 1_000_000_000);
    let message = Message::Transfer { to: BOB.into(), amount: Amount(1) };
    let body = Body { fee_payer: Some(BOB), ..chain.body(vec![message]) };
    let receipt = chain.send_body(body).receipt;
    assert_eq!(receipt.paid_by, BOB);
    assert_eq!(chain.balance(ALICE), crate::chain::FUNDS - 1);
    assert_eq!(chain.balance(BOB), 1_000_000_001 - receipt.fee.0);
}

/// Bytes as the text format's strings want them.
pub fn escaped(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("\\{byte:02x}")).collect()
}
