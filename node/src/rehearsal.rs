//! Runs a contract's unit tests once more on the real module, for what they cost: the gas table of `rustorium test`.
//!
//! ```text
//! cargo test ──► the mock host writes each test's calls down ──► traces
//! module, traces ──► the runtime executes them over a state in memory ──► gas by method; where they disagree
//! ```
//!
//! Unit tests run as native Rust and count no gas. Here every deployment, call, transfer and view that a test
//! made becomes a transaction over a fresh chain in memory, at the test's height and time, with its caller and
//! value. Gas is therefore what a user would pay for a transaction of this one message. A call that ends
//! otherwise than in the test is reported: native Rust and WebAssembly should not differ.
//!
//! A test is replayed up to the first thing that this cannot do: a second kind of contract, a contract as the
//! test's own caller, or storage that the test itself touches. How many that are is told.

mod trace;

use std::{collections::BTreeMap, path::Path, sync::Arc};

use bytes::Bytes;
use rustorium_runtime::{
    BlockContext, Execution, InMemoryState, Runtime, RuntimeConfig, StateKey, StateRead, Transaction, Writes,
};
use rustorium_types::{
    abi::MethodKind,
    block::{Failure, Outcome},
    hash::{Domain, hash},
    id::{AccountId, Address, Amount, Epoch, Gas, Hash, Nonce},
    limits::{self, Limits},
    state::Account,
    transaction::{Body, Message, VERSION},
};

use crate::builder::Build;
use trace::{Line, Step, Trace};

pub use trace::TraceError;

/// The variable that makes the mock host write traces, into the folder that it names.
pub const TRACE_VARIABLE: &str = "RUSTORIUM_TRACE";

/// What the tests' calls cost.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// By kind and name of the method.
    pub methods: BTreeMap<(MethodKind, String), Cost>,
    /// Tests that ran to their end.
    pub complete: usize,
    /// Tests that stopped before, and why.
    pub partial: Vec<(String, String)>,
    /// Calls that ended otherwise than natively.
    pub differences: Vec<Difference>,
}

/// Gas of one method.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Of each run that succeeded, rising.
    pub succeeded: Vec<Gas>,
    /// Runs that failed, as their tests expect.
    pub failed: usize,
}

/// A call that did not end as in the test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The test.
    pub test: String,
    /// The method.
    pub method: String,
    /// Whether it succeeded natively.
    pub native_success: bool,
    /// What the module said; nothing if it succeeded.
    pub failure: Option<String>,
}

/// Why nothing could be replayed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RehearsalError {
    /// The traces cannot be read.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// The engine does not start.
    #[error(transparent)]
    Runtime(#[from] rustorium_runtime::RuntimeError),
    /// The engine broke.
    #[error(transparent)]
    Execute(#[from] rustorium_runtime::ExecuteError),
}

/// Replays all traces in a folder on a module.
///
/// # Errors
/// If traces cannot be read or the engine fails; what the contract does is in the report.
pub fn rehearse(build: &Build, traces: &Path) -> Result<Report, RehearsalError> {
    let runtime = Runtime::new(RuntimeConfig::default())?;
    let mut report = Report::default();
    for trace in trace::read_all(traces)? {
        let mut stage = Stage::new(&runtime, build);
        match stage.play(&trace, &mut report)? {
            None => report.complete += 1,
            Some(why) => report.partial.push((trace.test, why)),
        }
    }
    report.methods.values_mut().for_each(|cost| cost.succeeded.sort_unstable());
    Ok(report)
}

/// A chain in memory for one test.
struct Stage<'a> {
    runtime: &'a Runtime,
    build: &'a Build,
    state: Arc<InMemoryState>,
    nonces: BTreeMap<AccountId, Nonce>,
    genesis: Hash,
}

impl<'a> Stage<'a> {
    fn new(runtime: &'a Runtime, build: &'a Build) -> Self {
        let mut state = InMemoryState::default();
        state.set(StateKey::code(&build.code_hash), Some(Bytes::from(build.bytes.clone())));
        // What the mock host says that the chain's name is.
        let genesis = hash(Domain::Genesis, &[b"mock"]);
        Self { runtime, build, state: Arc::new(state), nonces: BTreeMap::new(), genesis }
    }

    /// Plays a test; answers why it stopped, if before its end.
    fn play(&mut self, trace: &Trace, report: &mut Report) -> Result<Option<String>, RehearsalError> {
        for line in &trace.lines {
            let (kind, name) = match &line.step {
                Step::Account { address, balance } => {
                    self.set_balance(*address, *balance);
                    continue;
                }
                Step::Opaque { why } => return Ok(Some(why.clone())),
                Step::Deploy { program, .. } if self.contract_name() != Some(program) => {
                    return Ok(Some(format!("it deploys `{program}`, which is another contract")));
                }
                Step::Deploy { .. } => (MethodKind::Init, "init"),
                Step::Transfer { .. } => (MethodKind::Receive, "receive"),
                Step::Call { method, .. } => (MethodKind::Call, method.as_str()),
                Step::View { method, .. } => (MethodKind::View, method.as_str()),
            };
            let Some((gas, failure)) = self.run(line)? else {
                return Ok(Some("a contract is the caller of a test's own call".into()));
            };
            let is_plain_transfer = matches!(line.step, Step::Transfer { to: Address::Account(_), .. });
            if is_plain_transfer {
                continue;
            }
            let cost = report.methods.entry((kind, name.to_owned())).or_default();
            if failure.is_none() {
                cost.succeeded.push(gas)
            } else {
                cost.failed += 1
            }
            if failure.is_none() != line.success {
                report.differences.push(Difference {
                    test: trace.test.clone(),
                    method: name.to_owned(),
                    native_success: line.success,
                    failure,
                });
                return Ok(Some(format!("`{name}` ended otherwise than natively")));
            }
        }
        Ok(None)
    }

    fn contract_name(&self) -> Option<&String> {
        self.build.abi.as_ref().map(|abi| &abi.contract.name)
    }

    /// Gas and failure of a step; `None` if its caller is a contract.
    fn run(&mut self, line: &Line) -> Result<Option<(Gas, Option<String>)>, RehearsalError> {
        let (sender, message) = match &line.step {
            Step::View { contract, method, args } => {
                let state: Arc<dyn StateRead> = self.state.clone();
                let block = self.block(line);
                let view = self.runtime.view(&state, &block, *contract, method, args, limits::TRANSACTION_GAS)?;
                let failure = view.result.err().map(|failure| said(&failure, view.diagnostics.message));
                return Ok(Some((view.gas_used, failure)));
            }
            Step::Deploy { creator, salt, args, value, .. } => {
                let code = self.build.code_hash;
                let (salt, args, value) = (*salt, args.clone(), *value);
                (*creator, Message::Instantiate { code, salt, admin: None, label: String::new(), args, value })
            }
            Step::Call { caller, contract, method, args, value } => {
                let (contract, method, args, value) = (*contract, method.clone(), args.clone(), *value);
                (*caller, Message::Call { contract, method, args, value })
            }
            Step::Transfer { from, to, amount } => (*from, Message::Transfer { to: *to, amount: *amount }),
            Step::Account { .. } | Step::Opaque { .. } => return Ok(None),
        };
        let Some(sender) = sender.account() else { return Ok(None) };
        let transaction = Transaction::new(self.body(sender, message), &self.genesis);
        let state: Arc<dyn StateRead> = self.state.clone();
        let execution = self.runtime.execute(&state, &self.block(line), &transaction)?;
        drop(state);
        let Execution::Done(effects) = execution else { return Ok(None) };
        self.apply(&effects.writes);
        let failure = match effects.receipt.outcome {
            Outcome::Success { .. } => None,
            Outcome::Failure(failure) => Some(said(&failure, effects.diagnostics.message)),
            Outcome::Dropped { code } => Some(code.to_string()),
        };
        Ok(Some((effects.receipt.gas_used, failure)))
    }

    fn body(&mut self, sender: AccountId, message: Message) -> Body {
        let nonce = self.nonces.entry(sender).or_default();
        *nonce = Nonce(nonce.0 + 1);
        let [a, b, c, d, ..] = self.genesis.0;
        Body {
            version: VERSION,
            chain: [a, b, c, d],
            sender,
            nonce: *nonce,
            valid_until: None,
            gas_limit: limits::TRANSACTION_GAS,
            max_gas_price: Amount::ZERO,
            fee_payer: None,
            memo: Vec::new(),
            messages: vec![message],
        }
    }

    fn block(&self, line: &Line) -> BlockContext {
        BlockContext {
            genesis: self.genesis,
            epoch: Epoch(0),
            validators: Arc::default(),
            height: line.height,
            time: line.time,
            gas_price: Amount::ZERO,
            limits: Limits::default(),
        }
    }

    /// Sets a balance from outside, as a test may.
    fn set_balance(&mut self, address: Address, balance: Amount) {
        let key = StateKey::account(address);
        let before = self.state.read(&key).ok().flatten();
        let account: Account = before.and_then(|bytes| borsh::from_slice(&bytes).ok()).unwrap_or_default();
        let bytes = borsh::to_vec(&Account { balance, ..account }).unwrap_or_default();
        self.apply(&Writes::from([(key, Some(bytes.into()))]));
    }

    fn apply(&mut self, writes: &Writes) {
        Arc::make_mut(&mut self.state).apply(writes);
    }
}

impl Cost {
    /// The median gas of the runs that succeeded.
    pub fn median(&self) -> Option<Gas> {
        self.succeeded.get(self.succeeded.len() / 2).copied()
    }
}

fn said(failure: &Failure, message: Option<String>) -> String {
    let error = failure.error.as_ref().map(|error| format!(" {}", error.name)).unwrap_or_default();
    let message = message.map(|message| format!(": {message}")).unwrap_or_default();
    format!("{}{error}{message}", failure.code)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::fs;

    use rustorium_types::{
        abi::{Abi, Contract},
        hash::{code_hash, contract_id},
    };

    use super::*;

    /// Sets and reads one entry; `boom` traps.
    const MODULE: &str = r#"(module
        (import "rustorium.1" "storage_write" (func $write (param i32 i32 i32 i32)))
        (memory (export "memory") 1)
        (data (i32.const 0) "key")
        (func (export "init"))
        (func (export "call.set") (call $write (i32.const 0) (i32.const 3) (i32.const 0) (i32.const 3)))
        (func (export "call.boom") unreachable)
        (func (export "view.get")))"#;

    fn build() -> Build {
        let bytes = wat::parse_str(MODULE).unwrap();
        let contract = Contract { abi_version: 1, name: "Small".into(), version: "1.0.0".into(), doc: String::new() };
        let abi = Abi {
            contract,
            methods: BTreeMap::new(),
            events: BTreeMap::new(),
            errors: BTreeMap::new(),
            types: BTreeMap::new(),
            storage: BTreeMap::new(),
        };
        Build {
            package: "small".into(),
            wasm: "small.wasm".into(),
            code_hash: code_hash(&bytes),
            bytes,
            abi: Some(abi),
        }
    }

    fn rehearse_lines(lines: &[String]) -> Report {
        let directory = tempfile::tempdir().unwrap();
        let text = [&["{\"type\":\"test\",\"name\":\"a_test\"}".to_owned()], lines].concat().join("\n");
        fs::write(directory.path().join("1"), text).unwrap();
        rehearse(&build(), directory.path()).unwrap()
    }

    fn caller() -> AccountId {
        AccountId([1; 32])
    }

    fn deploy(program: &str) -> String {
        let (creator, salt) = (caller(), "00".repeat(32));
        format!(
            "{{\"type\":\"deploy\",\"creator\":\"{creator}\",\"salt\":\"0x{salt}\",\"program\":\"{program}\",\"args\":\"0x\",\
             \"value\":\"0\",\"height\":1,\"time\":1,\"success\":true}}"
        )
    }

    fn call(kind: &str, method: &str, success: bool) -> String {
        let (caller, contract) = (caller(), contract_id(caller().into(), &[0; 32]));
        format!(
            "{{\"type\":\"{kind}\",\"caller\":\"{caller}\",\"contract\":\"{contract}\",\"method\":\"{method}\",\"args\":\"0x\",\
             \"value\":\"0\",\"height\":2,\"time\":2,\"success\":{success}}}"
        )
    }

    #[test]
    fn calls_are_priced_by_method() {
        let report = rehearse_lines(&[
            deploy("Small"),
            call("call", "set", true),
            call("call", "set", true),
            call("call", "boom", false),
            call("view", "get", true),
        ]);
        assert_eq!((report.complete, report.partial, report.differences), (1, Vec::new(), Vec::new()));
        let cost = |kind, name: &str| &report.methods[&(kind, name.to_owned())];
        assert_eq!(cost(MethodKind::Call, "set").succeeded.len(), 2);
        assert!(cost(MethodKind::Call, "set").median() > cost(MethodKind::View, "get").median());
        assert_eq!(cost(MethodKind::Call, "boom"), &Cost { succeeded: Vec::new(), failed: 1 });
    }

    #[test]
    fn what_ends_otherwise_than_natively_is_told() {
        let report = rehearse_lines(&[deploy("Small"), call("call", "boom", true), call("call", "set", true)]);
        let [difference] = &report.differences[..] else { panic!("{:?}", report.differences) };
        assert!(difference.native_success && difference.failure.as_ref().unwrap().starts_with("TRAP"));
        assert_eq!((report.complete, report.partial.len()), (0, 1), "what follows would prove nothing");
    }

    #[test]
    fn a_test_with_another_contract_is_left() {
        let report = rehearse_lines(&[deploy("Other"), call("call", "set", true)]);
        assert!(report.methods.is_empty());
        assert!(report.partial[0].1.contains("`Other`"));
    }
}
