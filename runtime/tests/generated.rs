//! Modules that nobody wrote: wasm-smith makes them of seeds, under the accepted features. Each does the same whether
//! Cranelift optimizes or not, and whether it was compiled just now or comes from the disk: the same result, gas,
//! trap and writes. What they do is kept in `generated.golden`, so that another version of the engine, another
//! machine or a change of ours shows.
//!
//! `UPDATE_GOLDEN=1 cargo test -p rustorium-runtime generated` writes the file anew.

use std::{fmt::Write as _, fs, path::Path, sync::Arc};

use arbitrary::Unstructured;
use rustorium_runtime::{Effects, InMemoryState, RuntimeConfig};
use rustorium_types::{block::Outcome, id::ContractId};
use wasm_encoder::{Instruction, MemArg, ValType};
use wasm_smith::Config;
use wasmparser::FuncType;

use crate::{
    adapt::{Added, Original},
    chain::{ALICE, Chain, imports},
};

/// Modules that are tested; those of some seeds cannot be contracts, and are passed over.
const MODULES: usize = 220;
/// Functions of each that are called.
const METHODS: usize = 3;
/// Enough to run for a while, little enough to end.
const GAS: u64 = 1_500_000;
/// Bytes that a module is made of.
const SEED_BYTES: usize = 4_096;

/// What a seed makes, and the names of its methods.
struct Generated {
    seed: u64,
    wasm: Vec<u8>,
    methods: Vec<String>,
}

/// As many bytes as one asks for, the same everywhere.
fn bytes(seed: u64, purpose: &str) -> Vec<u8> {
    let mut bytes = vec![0; SEED_BYTES];
    blake3::Hasher::new().update(&seed.to_le_bytes()).update(purpose.as_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

fn config(seed: u64) -> Config {
    // Functions that end a call are not offered: little would be left behind them.
    let host =
        imports().lines().filter(|row| !row.contains("\"fail\"") && !row.contains("\"panic\"")).collect::<String>();
    Config {
        available_imports: Some(wat::parse_str(format!("(module {host})")).unwrap()),
        allow_floats: false,
        allow_start_export: false,
        bulk_memory_enabled: true,
        // Every other module may trap.
        disallow_traps: seed % 2 == 0,
        exceptions_enabled: false,
        extended_const_enabled: false,
        gc_enabled: false,
        custom_descriptors_enabled: false,
        custom_page_sizes_enabled: false,
        generate_custom_sections: false,
        max_data_segments: 4,
        max_element_segments: 4,
        max_elements: 16,
        max_exports: 8,
        max_funcs: 12,
        max_globals: 6,
        max_imports: 10,
        max_instructions: 300,
        max_memories: 1,
        max_memory32_bytes: 8 << 16,
        max_table_elements: 64,
        max_tables: 1,
        max_types: 12,
        memory64_enabled: false,
        memory_offset_choices: wasm_smith::MemoryOffsetChoices(99, 1, 0),
        min_funcs: 3,
        min_memories: 1,
        multi_value_enabled: true,
        reference_types_enabled: false,
        relaxed_simd_enabled: false,
        saturating_float_to_int_enabled: false,
        shared_everything_threads_enabled: false,
        sign_extension_ops_enabled: true,
        simd_enabled: false,
        tail_call_enabled: false,
        threads_enabled: false,
        wide_arithmetic_enabled: false,
        ..Config::default()
    }
}

/// The module of a seed as a contract, if it can be one.
fn generate(seed: u64) -> Option<Generated> {
    let source = bytes(seed, "module");
    let module = wasm_smith::Module::new(config(seed), &mut Unstructured::new(&source)).ok()?;
    let wasm = module.to_bytes();
    let original = Original::parse(&wasm).ok()?;
    original.memory.filter(|memory| memory.initial > 0)?;
    let pair = FuncType::new([wasmparser::ValType::I32; 2], []);
    let mut arguments = bytes(seed, "arguments").into_iter();
    let imported = original.imports.len() as u32;
    let functions = (0..original.functions.len() as u32).map(|index| imported + index).take(METHODS);
    let added: Vec<Added> = (0..)
        .zip(functions)
        .map(|(method, function): (u32, u32)| method_of(&original, method, function, imported, &mut arguments))
        .collect();
    if added.is_empty() {
        return None;
    }
    let methods = (0..added.len()).map(|method| format!("m{method}")).collect();
    Some(Generated { seed, wasm: original.contract(&[("return_data", pair)], &added), methods })
}

/// Calls a function with small numbers and returns the first page of the memory, where results and globals are put.
fn method_of(
    original: &Original<'_>,
    method: u32,
    function: u32,
    return_data: u32,
    bytes: &mut impl Iterator<Item = u8>,
) -> Added {
    let ty = original.function_type(function).unwrap();
    let at = |offset: u32| MemArg { offset: u64::from(offset), align: 0, memory_index: 0 };
    let mut body = Vec::new();
    for parameter in ty.params() {
        let value = i32::from(bytes.next().unwrap_or_default());
        body.push(match parameter {
            wasmparser::ValType::I64 => Instruction::I64Const(value.into()),
            _ => Instruction::I32Const(value),
        });
    }
    // Behind the import that was added.
    body.push(Instruction::Call(function + 1));
    let locals: Vec<ValType> = ty
        .results()
        .iter()
        .map(|ty| if *ty == wasmparser::ValType::I64 { ValType::I64 } else { ValType::I32 })
        .collect();
    body.extend((0..locals.len() as u32).rev().map(Instruction::LocalSet));
    let results = (0..).zip(&locals).map(|(index, ty)| (Instruction::LocalGet(index), *ty));
    let globals = (0..).zip(&original.globals).map(|(index, global)| {
        let is_long = global.ty.content_type == wasmparser::ValType::I64;
        (Instruction::GlobalGet(index), if is_long { ValType::I64 } else { ValType::I32 })
    });
    for (index, (get, ty)) in (0..).zip(results.chain(globals)) {
        body.push(Instruction::I32Const(0));
        body.push(get);
        body.push(match ty {
            ValType::I64 => Instruction::I64Store(at(8 * index)),
            _ => Instruction::I32Store(at(8 * index)),
        });
    }
    body.extend([Instruction::I32Const(0), Instruction::I32Const(1 << 15), Instruction::Call(return_data)]);
    Added { export: Some(format!("call.m{method}")), locals, body }
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
                let code = chain.store_wasm(module.wasm.clone());
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
            for method in &module.methods {
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
        let contracts = (0..).filter_map(generate).filter(|module| chain.runtime.inspect(&module.wasm).is_ok());
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
