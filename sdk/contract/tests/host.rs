//! What a contract asks of the chain.

use std::time::Duration;

use rustorium_sdk::prelude::*;
use rustorium_types::ed25519::SigningKey;

#[storage]
struct Probe {
    bytes: Item<Bytes>,
    named: Map<String, u8>,
}

#[contract]
impl Probe {
    #[view]
    fn nothing(&self) {}
}

fn probe() -> (Mock, Address, Deployed<Probe>) {
    let mut chain = Mock::new();
    let alice = chain.account("alice");
    let probe = chain.deploy::<Probe>(alice, |_, _| ());
    (chain, alice, probe)
}

#[test]
fn block_and_call() {
    let (mut chain, alice, probe) = probe();
    chain.set_height(41);
    chain.set_time(Timestamp(5_000));
    chain.advance(Duration::from_secs(2));
    chain.set_balance(probe, 9);
    chain.call(alice, probe, |_, ctx| {
        assert_eq!((ctx.height(), ctx.time()), (42, Timestamp(7_000)));
        assert_eq!((ctx.caller(), ctx.this()), (alice, probe.into()));
        assert_eq!((ctx.balance(), ctx.balance_of(alice), ctx.value()), (9, rustorium_sdk::mock::ENDOWMENT, 0));
        ctx.log("seen");
    });
    assert_eq!(chain.view(probe, |_, ctx| ctx.try_caller()), None);
    assert_eq!(chain.logs(), ["seen"]);
}

#[test]
fn hashes_and_signatures_are_real() {
    let (chain, _, probe) = probe();
    chain.view(probe, |_, ctx| {
        let text = |hash: Hash| hash.to_string();
        assert_eq!(text(ctx.sha256("abc")), "0xba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(text(ctx.keccak256("abc")), "0x4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45");
        assert_eq!(text(ctx.blake3("abc")), "0x6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85");
        let poseidon = ctx.poseidon(Field::from(1), Field::from(2));
        assert_eq!(text(poseidon.into()), "0x115cc0f5e7d690413df64c6b9662e9cf2a3617f2743245519e19607a4417189a");

        let key = SigningKey::from_seed([7; 32]);
        let (public_key, signature) = (key.public_key().0, key.sign(b"ballot").0);
        assert!(ctx.verify_ed25519(&public_key, &signature, b"ballot"));
        assert!(!ctx.verify_ed25519(&public_key, &signature, b"ballots"));
    });
}

#[test]
fn limits_hold() {
    let (mut chain, alice, probe) = probe();
    let mut write = |length: usize| chain.try_call(alice, probe, |probe, _| probe.bytes.set(vec![0; length].into()));
    assert_eq!(write((64 << 10) - 4), Ok(()));
    assert_eq!(write((64 << 10) - 3).unwrap_err().code, Code::TooLarge);
    let key = "x".repeat(256);
    let failure = chain.try_call(alice, probe, |probe, _| probe.named.set(&key, 1)).unwrap_err();
    assert_eq!(failure.message, "a storage key has a length of 264; 256 is the limit");
}

#[test]
fn a_panic_is_a_trap() {
    let (mut chain, alice, probe) = probe();
    let failure = chain.try_call(alice, probe, |probe, _| {
        probe.bytes.set(Bytes::default());
        assert!(!probe.bytes.is_set(), "on purpose");
    });
    assert_eq!(failure.unwrap_err().message, "on purpose");
    assert!(chain.entries(probe).is_empty());
}

#[test]
#[should_panic(expected = "no contract is running")]
fn storage_needs_a_running_contract() {
    use rustorium_sdk::Storage as _;
    drop(Probe::open().bytes.get());
}
