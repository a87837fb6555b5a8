//! Compiled modules in memory and on disk: neither shows in what an execution comes to.

use std::{fs, path::PathBuf};

use rustorium_runtime::{Effects, RuntimeConfig};
use rustorium_types::id::ContractId;

use crate::chain::{Chain, contract};

const CONTRACT: &str = r#"
    (data (i32.const 0) "key")
    (func (export "call.work") (local $i i32)
        (loop (call $sha256 (i32.const 0) (i32.const 64) (i32.const 0))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if 0 (i32.lt_u (local.get $i) (i32.const 20))))
        (call $storage_write (i32.const 0) (i32.const 3) (i32.const 0) (i32.const 32)))"#;

fn config(directory: &tempfile::TempDir) -> RuntimeConfig {
    RuntimeConfig { cache_dir: Some(directory.path().into()), executions: 2, ..RuntimeConfig::default() }
}

/// A chain whose modules are in the directory, its contract, and what a call of it does.
fn run(directory: &tempfile::TempDir) -> (Chain, ContractId, Effects) {
    let mut chain = Chain::with(config(directory));
    let id = chain.deploy(&contract(CONTRACT));
    let effects = chain.call(id, "work", b"");
    assert!(effects.receipt.succeeded());
    (chain, id, effects)
}

fn files(directory: &tempfile::TempDir) -> Vec<PathBuf> {
    let engines = fs::read_dir(directory.path()).unwrap();
    engines.flat_map(|engine| fs::read_dir(engine.unwrap().path()).unwrap()).map(|file| file.unwrap().path()).collect()
}

#[test]
fn a_module_from_disk_does_the_same_for_the_same_gas() {
    let directory = tempfile::tempdir().unwrap();
    let (chain, id, fresh) = run(&directory);
    let [file] = &files(&directory)[..] else { panic!("one file, nothing left aside") };
    let written = fs::metadata(file).unwrap().modified().unwrap();
    // A node that starts again has the state but no module in memory.
    let mut again = Chain::with(config(&directory));
    again.state = chain.state.clone();
    drop(chain);
    let message = rustorium_types::transaction::Message::Call {
        contract: id,
        method: "work".into(),
        args: Vec::new(),
        value: rustorium_types::id::Amount::ZERO,
    };
    let mut body = again.body(vec![message]);
    body.nonce = rustorium_types::id::Nonce(4);
    let loaded = again.send_body(body);
    assert_eq!(loaded.receipt.gas_used, fresh.receipt.gas_used);
    assert_eq!(loaded.writes.keys().collect::<Vec<_>>(), fresh.writes.keys().collect::<Vec<_>>());
    assert_eq!(loaded.reads, fresh.reads);
    assert_eq!(fs::metadata(file).unwrap().modified().unwrap(), written, "it was loaded, not compiled");
}

#[test]
fn a_damaged_or_missing_file_is_compiled_again() {
    let directory = tempfile::tempdir().unwrap();
    let (chain, _, fresh) = run(&directory);
    let [file] = &files(&directory)[..] else { panic!() };
    let sound = fs::read(file).unwrap();
    let mut flipped = sound.clone();
    flipped[sound.len() / 2] ^= 1;
    let mut other_facts = sound.clone();
    other_facts[40] ^= 1;
    let damages: [&[u8]; 5] = [&flipped, &sound[..sound.len() - 1], &sound[..10], b"", &other_facts];
    for damage in damages {
        fs::write(file, damage).unwrap();
        let (_, _, again) = run(&directory);
        assert_eq!(again.receipt.gas_used, fresh.receipt.gas_used);
        assert_eq!(again.writes, fresh.writes);
        assert_eq!(fs::read(file).unwrap().len(), sound.len(), "and replaced");
    }
    fs::remove_file(file).unwrap();
    let (_, _, again) = run(&directory);
    assert_eq!(again.receipt.gas_used, fresh.receipt.gas_used);
    drop(chain);
}

#[test]
fn a_small_budget_only_costs_time() {
    let mut chain = Chain::with(RuntimeConfig { module_bytes: 1, executions: 2, ..RuntimeConfig::default() });
    let ids: Vec<ContractId> =
        (0..3).map(|i| chain.deploy(&contract(&format!(r#"{CONTRACT} (func (export "view.v{i}"))"#)))).collect();
    let gas: Vec<u64> = [0, 1, 2, 0, 1, 2].map(|i| chain.call(ids[i], "work", b"").receipt.gas_used.0).into();
    assert!(gas.iter().all(|used| *used == gas[0]));
}

#[test]
fn many_threads_at_a_time_answer_the_same() {
    let mut chain = Chain::with(RuntimeConfig { executions: 2, ..RuntimeConfig::default() });
    let id = chain.deploy(&contract(
        r#"(func (export "view.work") (call $sha256 (i32.const 0) (i32.const 60000) (i32.const 0))
            (call $return_data (i32.const 0) (i32.const 32)))"#,
    ));
    let first = chain.view(id, "work", b"");
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..20).for_each(|_| assert_eq!(chain.view(id, "work", b""), first)));
        }
    });
}
