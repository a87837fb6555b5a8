//! `rustorium db` and `rustorium replay`: what is in a data directory, and whether it holds.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rustorium_chain::{
    chain::logged_genesis,
    check::check,
    pipeline::CommitPolicy,
    replay::{ReplayError, ReplayOptions, replay},
    storage::{Store, StoreOptions},
};
use rustorium_runtime::{Runtime, RuntimeConfig};
use rustorium_types::code::Code;
use serde_json::json;

use super::{
    CliError, Output,
    output::{digits, listing},
};

/// Checks a data directory, or says what is in it. The node must not run.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum DbCommand {
    /// Checks every frame and link of the log, every header, and the values against tree and root.
    Check(Directory),
    /// Says how much there is.
    Stats(Directory),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Directory {
    /// The data directory.
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,
}

/// Executes a chain's whole log again and compares every root. The node must not run.
#[derive(Debug, clap::Args)]
pub(crate) struct ReplayArgs {
    #[command(flatten)]
    directory: Directory,
    /// An empty directory to rebuild the chain in.
    #[arg(long, value_name = "DIR")]
    into: Option<PathBuf>,
}

impl Directory {
    fn existing(&self) -> Result<&Path, CliError> {
        // The log alone is a chain: the database can be made again from it.
        if logged_genesis(&self.data_dir)?.is_some() || Store::stored_genesis(&self.data_dir)?.is_some() {
            return Ok(&self.data_dir);
        }
        Err(CliError::new(Code::NotFound, format!("{} holds no chain", self.data_dir.display())))
    }
}

pub(crate) fn run(command: DbCommand, output: &Output) -> Result<(), CliError> {
    match command {
        DbCommand::Check(directory) => {
            let path = directory.existing()?;
            let progress = output.progress("checking the log and the database");
            let report = check(path, StoreOptions::default()).map_err(damaged)?;
            drop(progress);
            let object = json!({
                "ok": true,
                "entries": report.entries,
                "blocks": report.blocks,
                "records": report.records,
                "storedBlocks": report.stored_blocks,
                "height": report.store.height.0,
                "stateEntries": report.store.entries,
                "treePages": report.store.pages,
                "stateRoot": report.store.state_root.to_string(),
            });
            output.show(&object, || format!("everything holds\n{}", listing(&object, 1)));
        }
        DbCommand::Stats(directory) => stats(directory.existing()?, output)?,
    }
    Ok(())
}

fn stats(path: &Path, output: &Output) -> Result<(), CliError> {
    let genesis = Store::stored_genesis(path)?;
    let genesis = genesis.ok_or_else(|| CliError::new(Code::NotFound, format!("{} holds no chain", path.display())))?;
    let store = Store::open(path, &genesis, &StoreOptions::default())?;
    let snapshot = store.snapshot();
    let retained = snapshot.retained();
    let object = json!({
        "chainId": genesis.chain_id,
        "genesisHash": genesis.hash().to_string(),
        "height": snapshot.height().0,
        "certifiedHeight": snapshot.certified().0,
        "availableRange": { "from": retained.start().0, "to": retained.end().0 },
        "databaseBytes": store.file_bytes(),
        "directoryBytes": bytes_below(path)?,
    });
    output.listing(&object);
    Ok(())
}

/// Bytes of all files below a folder.
fn bytes_below(path: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let data = entry.metadata()?;
        bytes += if data.is_dir() { bytes_below(&entry.path())? } else { data.len() };
    }
    Ok(bytes)
}

pub(crate) fn replay_log(args: ReplayArgs, output: &Output) -> Result<(), CliError> {
    let directory = args.directory.existing()?.to_owned();
    let progress = output.progress("executing the log again");
    let report = replay(ReplayOptions {
        runtime: Runtime::new(RuntimeConfig {
            cache_dir: Some(directory.join("modules")),
            ..RuntimeConfig::default()
        })?,
        directory,
        into: args.into.clone(),
        store: StoreOptions::default(),
        commit: CommitPolicy::default(),
    })
    .map_err(damaged)?;
    drop(progress);
    let object = json!({
        "ok": true,
        "genesisHash": report.chain.to_string(),
        "height": report.height.0,
        "records": report.records,
        "waiting": report.waiting,
        "transactions": report.transactions,
        "compared": report.compared,
        "stateRoot": report.result.map(|result| result.state_root.to_string()),
        "receiptsRoot": report.result.map(|result| result.receipts_root.to_string()),
        "eventsRoot": report.result.map(|result| result.events_root.to_string()),
    });
    output.show(&object, || {
        format!(
            "the same at every height up to {}: {} transactions executed again\n{}",
            report.height,
            digits(report.transactions),
            listing(&object, 1)
        )
    });
    Ok(())
}

fn damaged(error: ReplayError) -> CliError {
    match error {
        ReplayError::NotEmpty(_) => CliError::usage(error.to_string()),
        error => error.into(),
    }
}
