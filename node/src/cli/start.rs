//! `rustorium start`: runs a node of a network.

use std::{net::SocketAddr, path::PathBuf};

use super::{CliError, Output, context::passphrase, dev::serve_node};
use crate::{
    config::Config,
    founding::{SETTINGS, keys},
    membership::Keys,
};

const EXAMPLES: &str = "Examples:
  rustorium init net --validators 4
  rustorium start --data-dir net/validator-1

The keys' passphrase is asked for, or read from the file that RUSTORIUM_PASSPHRASE_FILE names.";

/// Runs a node of a network: a validator, or a node that follows.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct StartArgs {
    /// Where its chain, keys and settings are.
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,
    /// A file of settings [default: node.toml in the data directory].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where it answers [default: as the settings say].
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Makes a new journal of votes where the validator's key has lost its own: nothing else may ever sign with the key
    /// again. It votes behind blocks that are made from now on.
    #[arg(long)]
    new_journal: bool,
}

pub(crate) fn run(args: StartArgs, verbosity: u8, output: &Output) -> Result<(), CliError> {
    let StartArgs { data_dir, config, listen, new_journal } = args;
    let file = config.unwrap_or_else(|| data_dir.join(SETTINGS));
    let mut flags = vec![("data_dir", data_dir.display().to_string())];
    flags.extend(listen.map(|address| ("listen", address.to_string())));
    let loaded = Config::load(Some(&file), std::env::vars(), &flags);
    let config = loaded.map_err(|error| CliError::usage(error.to_string()))?;
    let chosen = passphrase("The passphrase of the node's keys: ")?;
    let keys = keys(&data_dir, &chosen).map_err(|error| CliError::usage(error.to_string()))?;
    serve_node(config, Some(Keys { new_journal, ..keys }), verbosity, output)
}
