//! How long storing the worst modules takes that the limits admit, and what it costs: each by its own reason.
//!
//! `cargo bench --package rustorium-runtime --bench compile`, and behind it `-- NAME` for some of them, or
//! `-- FILE.wasm` for modules of one's own. Fails where a module takes too long.
#![expect(clippy::unwrap_used, unreachable_pub, reason = "a bench")]

#[path = "../tests/chain.rs"]
#[allow(dead_code, reason = "made for tests")]
mod chain;
#[path = "../tests/table.rs"]
#[allow(dead_code, reason = "made for tests")]
mod table;
#[path = "../tests/worst.rs"]
#[allow(dead_code, reason = "made for tests")]
mod worst;

use std::{sync::Arc, time::Instant};

use chain::Chain;
use rustorium_runtime::{Execution, StateRead, Transaction};
use rustorium_types::{
    limits,
    transaction::{Body, Message},
};

fn main() {
    rustorium_runtime::spawn("compile", measure).unwrap().join().unwrap();
}

/// Seconds that storing any module may take here, and seconds of all that a block can hold of it.
const MOST_SECONDS: f64 = 5.0;
const MOST_BLOCK_SECONDS: f64 = 20.0;

fn measure() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let modules: Vec<(String, Vec<u8>)> = match &wanted[..] {
        [] => named(""),
        [file, ..] if file.ends_with(".wasm") => {
            wanted.iter().map(|file| (file.clone(), std::fs::read(file).unwrap())).collect()
        }
        [name, ..] => named(name),
    };
    println!(
        "{:<32} {:>9} {:>9} {:>9} {:>11} {:>8} {:>10}",
        "module", "bytes", "check ms", "store ms", "gas", "ns/gas", "s a block"
    );
    for (name, wasm) in modules {
        let bytes = wasm.len();
        let mut chain = Chain::new();
        let started = Instant::now();
        chain.runtime.inspect(&wasm).unwrap();
        let checked = started.elapsed();
        let body = chain.body(vec![Message::StoreCode { wasm }]);
        let body = Body { gas_limit: limits::TRANSACTION_GAS, ..body };
        let transaction = Transaction::new(body, &chain.block.genesis);
        let state: Arc<dyn StateRead> = chain.state.clone();
        let started = Instant::now();
        let execution = chain.runtime.execute(&state, &chain.block, &transaction).unwrap();
        let seconds = started.elapsed().as_secs_f64();
        let Execution::Done(effects) = execution else { panic!("nothing happened") };
        let gas = effects.receipt.gas_used.0;
        let fits = (limits::BLOCK_GAS.0 as f64 / gas as f64).min(f64::from(limits::BLOCK_BYTES) / bytes as f64);
        let name = name.rsplit('/').next().unwrap();
        println!(
            "{name:<32} {bytes:>9} {:>9.1} {:>9.1} {gas:>11} {:>8.2} {:>10.2} {}",
            checked.as_secs_f64() * 1e3,
            seconds * 1e3,
            seconds * 1e9 / gas as f64,
            fits * seconds,
            if effects.receipt.succeeded() { "" } else { " more gas than a transaction has" }
        );
        assert!(seconds <= MOST_SECONDS, "{name} takes longer than {MOST_SECONDS} s");
        assert!(fits * seconds <= MOST_BLOCK_SECONDS, "a block of {name} takes longer than {MOST_BLOCK_SECONDS} s");
    }
}

/// The worst modules with this in their names: those of the limits, and those that are just cheap enough.
fn named(name: &str) -> Vec<(String, Vec<u8>)> {
    let copies = "(memory.copy (local.get 0) (i32.const 8) (i32.const 16))".repeat(9_000);
    let module = |fields: &str| format!("(module (memory (export \"memory\") 1) {fields})");
    let paid = [
        ("functions that are paid", module(&"(func)".repeat(2_200))),
        ("small copies that are paid", module(&format!("(func (param i32) {copies})"))),
    ];
    let limits = worst::all().into_iter().map(|worst| (worst.name, worst.wat));
    let wanted = limits.chain(paid).filter(|(worst, _)| worst.contains(name));
    wanted.map(|(worst, wat)| (worst.to_owned(), wat::parse_str(wat).unwrap())).collect()
}
