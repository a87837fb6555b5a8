//! `rustorium build`: the module that is deployed.

use std::path::{Path, PathBuf};

use rustorium_runtime::{Runtime, RuntimeConfig};
use rustorium_types::code::Code;
use serde_json::json;

use super::{
    CliError,
    output::{Output, digits},
};
use crate::builder::{self, Build, BuildError, BuildOptions};

/// Builds a contract crate into the module that is deployed.
#[derive(Debug, clap::Args)]
pub(crate) struct BuildArgs {
    /// The crate's folder
    #[arg(default_value = ".")]
    path: PathBuf,
    /// Where to build [default: wasm/ in the project's target directory]
    #[arg(long, value_name = "DIR")]
    target_dir: Option<PathBuf>,
    #[command(flatten)]
    cargo: CargoArgs,
}

/// What cargo may do.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(crate) struct CargoArgs {
    /// Refuse to change Cargo.lock
    #[arg(long)]
    locked: bool,
    /// Do not touch the network
    #[arg(long)]
    offline: bool,
}

impl CargoArgs {
    /// The flags that cargo knows them by.
    pub(crate) fn flags(self) -> impl Iterator<Item = &'static str> {
        [(self.locked, "--locked"), (self.offline, "--offline")]
            .into_iter()
            .filter_map(|(set, flag)| set.then_some(flag))
    }
}

pub(crate) fn run(args: BuildArgs, output: &Output) -> Result<(), CliError> {
    let build = build_in(&args.path, args.cargo, args.target_dir)?;
    output.show(
        &json!({ "wasm": build.wasm, "size": build.bytes.len(), "codeHash": build.code_hash.to_string() }),
        || format!("{}\n{} bytes, code hash {}", build.wasm.display(), digits(build.bytes.len()), build.code_hash),
    );
    if build.abi.is_none() {
        output.warn("the module does not describe itself: no type of the crate is marked `#[contract]`");
    }
    Ok(())
}

/// Builds a crate, and refuses what a chain would refuse. Cargo's progress goes to stderr.
pub(crate) fn build(path: &Path, cargo: CargoArgs) -> Result<Build, CliError> {
    build_in(path, cargo, None)
}

fn build_in(path: &Path, cargo: CargoArgs, target_dir: Option<PathBuf>) -> Result<Build, CliError> {
    let CargoArgs { locked, offline } = cargo;
    let options = BuildOptions { locked, offline, target_dir, quiet: false };
    let build = builder::build(path, &options).map_err(refused)?;
    let runtime = Runtime::new(RuntimeConfig { executions: 1, ..RuntimeConfig::default() })?;
    match runtime.inspect(&build.bytes) {
        Ok(_) => Ok(build),
        Err(error) => Err(CliError::new(Code::InvalidModule, format!("no chain takes this module: {error}"))),
    }
}

fn refused(error: BuildError) -> CliError {
    let usage = matches!(
        error,
        BuildError::NoManifest(_) | BuildError::Workspace(_) | BuildError::NoLibrary(_) | BuildError::Manifest { .. }
    );
    if usage { CliError::usage(error.to_string()) } else { error.into() }
}
