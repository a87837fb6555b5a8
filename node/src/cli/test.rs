//! `rustorium test`: a project's unit tests, and what the calls in them cost on a chain.
//!
//! Cargo runs the tests natively while the mock host writes their calls down; then the module is built and runs
//! the same calls, for the gas. A call that ends otherwise than natively fails the command.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use rustorium_types::{code::Code, id::Gas};
use serde_json::{Value, json};

use super::{
    CliError,
    build::{CargoArgs, build},
    output::{Output, digits, table},
};
use crate::rehearsal::{Cost, Report, TRACE_VARIABLE, rehearse};

/// Runs a project's unit tests, and shows what the calls in them cost.
#[derive(Debug, clap::Args)]
pub(crate) struct TestArgs {
    /// The crate's folder
    #[arg(default_value = ".")]
    path: PathBuf,
    #[command(flatten)]
    cargo: CargoArgs,
    /// Only tests whose name contains this
    #[arg(long, value_name = "NAME")]
    filter: Option<String>,
}

pub(crate) fn run(args: TestArgs, output: &Output) -> Result<(), CliError> {
    let TestArgs { path, cargo, filter } = args;
    if !path.join("Cargo.toml").is_file() {
        return Err(CliError::usage(format!("{} is no crate: it has no Cargo.toml", path.display())));
    }
    let traces = Traces::new()?;
    run_tests(&path, cargo, filter.as_deref(), &traces.0, output)?;
    let build = build(&path, cargo)?;
    let report = rehearse(&build, &traces.0)?;
    let object = json!({
        "passed": report.differences.is_empty(),
        "size": build.bytes.len(),
        "codeHash": build.code_hash.to_string(),
        "methods": report.methods.iter().map(|((kind, name), cost)| method(kind.text(), name, cost)).collect::<Vec<_>>(),
        "testsReplayed": report.complete,
        "testsPartlyReplayed": report.partial.iter().map(|(test, why)| json!({ "test": test, "why": why })).collect::<Vec<_>>(),
    });
    output.show(&object, || gas_table(&report));
    for (test, why) in &report.partial {
        output.note(format!("{test} was not replayed to its end: {why}"));
    }
    match &report.differences[..] {
        [] => Ok(()),
        [first, ..] => {
            let native = if first.native_success { "succeeds" } else { "fails" };
            let module = first.failure.as_deref().unwrap_or("it succeeds");
            let message = format!("`{}` in {} {native} natively; on a chain: {module}", first.method, first.test);
            Err(CliError::new(Code::ContractError, message))
        }
    }
}

/// Cargo's own words go to stdout, but not between our JSON.
fn run_tests(
    path: &Path,
    cargo: CargoArgs,
    filter: Option<&str>,
    traces: &Path,
    output: &Output,
) -> Result<(), CliError> {
    let stdout = if output.json { Stdio::from(io::stderr()) } else { Stdio::inherit() };
    let status = Command::new("cargo")
        .arg("test")
        .args(cargo.flags())
        .args(filter)
        .current_dir(path)
        .env(TRACE_VARIABLE, traces)
        .stdin(Stdio::null())
        .stdout(stdout)
        .status()?;
    if status.success() { Ok(()) } else { Err(CliError::new(Code::ContractError, "the project's tests fail")) }
}

fn method(kind: &str, name: &str, cost: &Cost) -> Value {
    let gas = |gas: Option<Gas>| gas.map(|gas| gas.0);
    json!({
        "kind": kind,
        "name": name,
        "succeeded": cost.succeeded.len(),
        "failed": cost.failed,
        "gas": {
            "min": gas(cost.succeeded.first().copied()),
            "median": gas(cost.median()),
            "max": gas(cost.succeeded.last().copied()),
        },
    })
}

fn gas_table(report: &Report) -> String {
    if report.methods.is_empty() {
        return "no gas table: no test deploys the contract on a `Mock`".into();
    }
    let shown = |gas: Option<Gas>| gas.map_or_else(|| "–".into(), |gas| digits(gas.0));
    let rows = report.methods.iter().map(|((kind, name), cost)| {
        [
            if kind.text() == name { name.clone() } else { format!("{} {name}", kind.text()) },
            cost.succeeded.len().to_string(),
            cost.failed.to_string(),
            shown(cost.succeeded.first().copied()),
            shown(cost.median()),
            shown(cost.succeeded.last().copied()),
        ]
    });
    let head = ["gas, as the tests call it", "succeeded", "failed", "least", "median", "most"];
    table(head, rows)
}

/// A folder for traces, gone with this.
struct Traces(PathBuf);

impl Traces {
    fn new() -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("rustorium-traces-{}", std::process::id()));
        // One that a killed process of this number left behind would add its calls to ours.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
