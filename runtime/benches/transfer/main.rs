//! A token transfer (two reads, two writes, an event) through the whole of `execute`, against the same WebAssembly in
//! bare wasmtime as its documentation's first example sets it up: with its default allocator.
#![expect(clippy::unwrap_used, reason = "a bench")]

mod bare;
mod chain;
mod compare;

use std::{mem::take, sync::Arc};

use criterion::{Criterion, criterion_group};
use rustorium_types::id::Address;

use crate::{
    bare::{Bare, Entries},
    chain::{Chain, Repeated, SENDER, call},
    compare::{Call, on_one_thread, on_two_threads},
};

/// Arguments: the keys of two balances, 32 bytes each, and an amount of 8 bytes. A balance is 8 bytes.
const TOKEN: &str = r#"(module
    (import "rustorium.1" "arguments" (func $arguments (param i32 i32) (result i64)))
    (import "rustorium.1" "storage_read" (func $read (param i32 i32 i32 i32) (result i64)))
    (import "rustorium.1" "storage_write" (func $write (param i32 i32 i32 i32)))
    (import "rustorium.1" "emit" (func $emit (param i32 i32 i32 i32)))
    (memory (export "memory") 1)
    (data (i32.const 512) "Transfer")
    (func (export "call.transfer")
        (drop (call $arguments (i32.const 0) (i32.const 72)))
        (drop (call $read (i32.const 0) (i32.const 32) (i32.const 128) (i32.const 8)))
        (drop (call $read (i32.const 32) (i32.const 32) (i32.const 136) (i32.const 8)))
        (i64.store (i32.const 128) (i64.sub (i64.load (i32.const 128)) (i64.load (i32.const 64))))
        (i64.store (i32.const 136) (i64.add (i64.load (i32.const 136)) (i64.load (i32.const 64))))
        (call $write (i32.const 0) (i32.const 32) (i32.const 128) (i32.const 8))
        (call $write (i32.const 32) (i32.const 32) (i32.const 136) (i32.const 8))
        (call $emit (i32.const 512) (i32.const 8) (i32.const 0) (i32.const 72))))"#;

fn arguments() -> Vec<u8> {
    [&[3; 32][..], &[4; 32], &1u64.to_le_bytes()].concat()
}

fn entries() -> Entries {
    [3u8, 4].into_iter().map(|account| (vec![account; 32], (1u64 << 40).to_le_bytes().to_vec())).collect()
}

fn ours() -> Repeated {
    let mut chain = Chain::new();
    let token = chain.deploy(wat::parse_str(TOKEN).unwrap(), Vec::new());
    for (key, value) in entries() {
        chain.set(token, key, value);
    }
    chain.repeat(call(token, "transfer", arguments()))
}

fn theirs() -> impl Fn() -> Call {
    let caller = Address::from(SENDER).to_bytes().to_vec();
    let bare = Arc::new(Bare::new(wasmtime::Config::new(), &wat::parse_str(TOKEN).unwrap(), caller));
    move || {
        let (bare, arguments, mut entries) = (bare.clone(), arguments(), entries());
        Box::new(move || entries = bare.call("call.transfer", &arguments, take(&mut entries)))
    }
}

fn transfer(criterion: &mut Criterion) {
    let (ours, theirs) = (ours(), theirs());
    on_one_thread(criterion, "contract_transfer_one_thread", &ours, "wasmtime", theirs());
    on_two_threads(criterion, "contract_transfer_two_threads", &ours, "wasmtime", theirs);
}

criterion_group!(benches, transfer);

fn main() {
    // Executions belong on a thread that is deep enough, and criterion runs on the thread that it is called on.
    let bench = || {
        benches();
        Criterion::default().configure_from_args().final_summary();
    };
    rustorium_runtime::spawn("bench", bench).unwrap().join().unwrap();
}
