//! One token transfer on Rustorium, and on what else runs contracts compiled to WebAssembly, in one run.
//!
//! ```text
//! figure                            beside ours, the same transfer by
//! token_transfer_{one,two}_thread…  wasmtime as its documentation begins, with memory allocated on demand
//! token_transfer_pool_…             wasmtime with a pool of instances, as the runtime has it
//! token_transfer_soroban            soroban-env-host, a SEP-41 token
//! token_transfer_cosmwasm           cosmwasm-vm, cw20-base
//! ```
//!
//! Everyone gets a fresh instance of a module that is compiled already, and a state in memory; nobody checks
//! signatures. Each figure measures ours again, so that its ratio is of two neighbours in time.
#![expect(clippy::unwrap_used, reason = "a bench")]

#[path = "../../runtime/benches/transfer/bare.rs"]
mod bare;
#[expect(dead_code, reason = "the runtime's bench writes storage, too")]
#[path = "../../runtime/benches/transfer/chain.rs"]
mod chain;
#[path = "../../runtime/benches/transfer/compare.rs"]
mod compare;
mod cosmwasm;
#[expect(dead_code, reason = "not every unit is needed")]
#[path = "../bench/criterion.rs"]
mod measured;
#[expect(dead_code, reason = "no figure is alone")]
#[path = "../bench/report.rs"]
mod report;
mod soroban;
mod token;

use std::{fs, path::PathBuf};

use criterion::{Criterion, criterion_group};

use crate::{
    compare::{on_one_thread, on_two_threads},
    cosmwasm::Cosmwasm,
    measured::Unit,
    soroban::Soroban,
    token::Token,
};

const FIGURES: [(&str, Unit); 6] = [
    ("token_transfer_one_thread", Unit::PerSecond),
    ("token_transfer_two_threads", Unit::PerSecond),
    ("token_transfer_pool_one_thread", Unit::PerSecond),
    ("token_transfer_pool_two_threads", Unit::PerSecond),
    ("token_transfer_soroban", Unit::PerSecond),
    ("token_transfer_cosmwasm", Unit::PerSecond),
];

fn transfer(criterion: &mut Criterion) {
    let token = Token::new(module("token"));
    let ours = token.ours();
    let on_demand = token.bare(wasmtime::Config::new());
    on_one_thread(criterion, "token_transfer_one_thread", &ours, "wasmtime", on_demand());
    on_two_threads(criterion, "token_transfer_two_threads", &ours, "wasmtime", on_demand);
    let pool = token.bare(token::pool());
    on_one_thread(criterion, "token_transfer_pool_one_thread", &ours, "wasmtime-pool", pool());
    on_two_threads(criterion, "token_transfer_pool_two_threads", &ours, "wasmtime-pool", pool);

    let soroban = Soroban::new(&module("soroban_token"));
    on_one_thread(criterion, "token_transfer_soroban", &ours, "soroban-env-host", || soroban.transfer());
    let mut cosmwasm = Cosmwasm::new(&module("cw20_token"));
    on_one_thread(criterion, "token_transfer_cosmwasm", &ours, "cosmwasm-vm", || cosmwasm.transfer());
}

/// A module that `run.sh` built.
fn module(name: &str) -> Vec<u8> {
    let path = target().join("modules").join(name).with_extension("wasm");
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; tests/peers/run.sh builds it", path.display()))
}

/// The target directory: this program is in `release/deps/` of it.
fn target() -> PathBuf {
    std::env::current_exe().unwrap().ancestors().nth(3).unwrap().into()
}

criterion_group!(benches, transfer);

fn main() -> anyhow::Result<()> {
    // Executions belong on a thread that is deep enough, and criterion runs on the thread that it is called on.
    rustorium_runtime::spawn("bench", benches)?.join().unwrap();
    let figures = measured::collect(&target().join("criterion"), &FIGURES)?;
    report::write(&target().join("bench"), &figures)?;
    print!("{}", report::table(&figures));
    Ok(())
}
