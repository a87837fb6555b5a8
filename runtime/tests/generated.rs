//! Modules that nobody wrote: wasm-smith makes them of seeds, under the accepted features. Each does the same whether
//! Cranelift optimizes or not, and whether it was compiled just now or comes from the disk: the same result, gas,
//! trap and writes. What they do is kept in `generated.golden`, so that another version of the engine, another
//! machine or a change of ours shows.
//!
//! `UPDATE_GOLDEN=1 cargo test -p rustorium-runtime generated` writes the file anew.

use std::{fmt::Write as _, fs, path::Path, sync::Arc};

use rustorium_runtime::{Effects, InMemoryState, RuntimeConfig};
use rustorium_types::{block::Outcome, id::ContractId};

use crate::{
    chain::{ALICE, Chain},
    smith,
};

/// Modules that are tested; those of some seeds cannot be contracts, and are passed over.
const MODULES: usize = 220;
/// Enough to run for a while, little enough to end.
const GAS: u64 = 1_500_000;
/// Bytes that a module is made of.
const SEED_BYTES: usize = 4_096;

/// What a seed makes.
struct Generated {
    seed: u64,
    contract: smith::Contract,
}

/// As many bytes as one asks for, the same everywhere.
fn bytes(seed: u64, purpose: &str) -> Vec<u8> {
    let mut bytes = vec![0; SEED_BYTES];
    blake3::Hasher::new().update(&seed.to_le_bytes()).update(purpose.as_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

/// The module of a seed as a contract, if it can be one. Every other one may trap.
fn generate(seed: u64) -> Option<Generated> {
    let may_trap = !seed.is_multiple_of(2);
    let contract = smith::contract(&bytes(seed, "module"), bytes(seed, "arguments").into_iter(), may_trap)?;
    Some(Generated { seed, contract })
}

/// Everything that an execution leaves, in one hash.
fn digest(effects: &Effects) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&borsh::to_vec(&effects.receipt).unwrap());
    hasher.update(&borsh::to_vec(&effects.events).unwrap());
    for (key, value) in &effects.writes {
        hasher.update(format!("{key:?} {value:?}").as_bytes());
    }
    hasher.update(format!("{:?} {:?}", effects.reads, effects.diagnostics).as_bytes());
    hasher.finalize()
}

fn outcome(effects: &Effects) -> String {
    match &effects.receipt.outcome {
        Outcome::Success { .. } => "ok".into(),
        Outcome::Failure(failure) => failure.code.text().into(),
        Outcome::Dropped { code } => format!("dropped {code}"),
    }
}

/// A machine: a runtime, and where each module's contract is.
struct Machine {
    chain: Chain,
    deployed: Vec<(Arc<InMemoryState>, ContractId)>,
}

impl Machine {
    /// Stores every module on a chain of its own.
    fn deploy(config: RuntimeConfig, modules: &[Generated]) -> Self {
        let mut chain = Chain::with(config);
        let deployed = modules
            .iter()
            .map(|module| {
                chain.restart(InMemoryState::default());
                chain.fund(ALICE, crate::chain::FUNDS);
                let code = chain.store_wasm(module.contract.wasm.clone());
                let id = chain.instantiate(code, Vec::new());
                (chain.state.clone(), id)
            })
            .collect();
        Self { chain, deployed }
    }

    /// Another process on the same chains, with nothing in memory.
    fn again(config: RuntimeConfig, other: &Self) -> Self {
        Self { chain: Chain::with(config), deployed: other.deployed.clone() }
    }

    /// A line of the golden file for each call.
    fn run(&mut self, modules: &[Generated]) -> Vec<String> {
        let mut lines = Vec::new();
        for (module, (state, id)) in modules.iter().zip(&self.deployed) {
            self.chain.restart((**state).clone());
            // Those of storing and making it are used.
            self.chain.skip_nonces(2);
            for method in &module.contract.methods {
                let effects = self.chain.call_with(*id, method, b"arguments", 0, GAS);
                let hash = digest(&effects).to_hex();
                let gas = effects.receipt.gas_used.0;
                lines.push(format!("{} {method} {} {gas} {}", module.seed, outcome(&effects), &hash[..32]));
            }
        }
        lines
    }
}

#[test]
fn generated_modules_do_the_same_on_every_path() {
    let test = || {
        let chain = Chain::new();
        let contracts =
            (0..).filter_map(generate).filter(|module| chain.runtime.inspect(&module.contract.wasm).is_ok());
        let modules: Vec<Generated> = contracts.take(MODULES).collect();
        let directory = tempfile::tempdir().unwrap();
        let config = |optimize| RuntimeConfig {
            cache_dir: Some(directory.path().into()),
            executions: 2,
            optimize,
            ..RuntimeConfig::default()
        };
        let mut optimized = Machine::deploy(config(true), &modules);
        let lines = optimized.run(&modules);
        let mut plain = Machine::deploy(config(false), &modules);
        same("not optimized", &lines, &plain.run(&modules));
        same("from the disk", &lines, &Machine::again(config(true), &optimized).run(&modules));
        same("not optimized, from the disk", &lines, &Machine::again(config(false), &plain).run(&modules));
        lines
    };
    let lines = rustorium_runtime::spawn("generated", test).unwrap().join().unwrap();
    assert!(lines.len() >= MODULES);
    let succeeded = lines.iter().filter(|line| line.contains(" ok ")).count();
    assert!(succeeded * 4 > lines.len(), "{succeeded} of {} succeed: the rest shows too little", lines.len());
    let mut golden = String::new();
    lines.iter().for_each(|line| writeln!(golden, "{line}").unwrap());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/generated.golden");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &golden).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap();
    let expected: Vec<String> = expected.lines().map(str::to_owned).collect();
    same("the golden file", &expected, &lines);
}

/// The first line that differs names the seed.
#[track_caller]
fn same(what: &str, expected: &[String], found: &[String]) {
    let differing = expected.iter().zip(found).find(|(expected, found)| expected != found);
    assert_eq!(differing, None, "{what}");
    assert_eq!(expected.len(), found.len(), "{what}");
}
